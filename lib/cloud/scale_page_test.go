//go:build !race

package cloud_test

// The race detector would find nothing in a simulation, which has one goroutine, and takes minutes for it.

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/cloud/scale"
	"github.com/herald-progress/herald/lib/session"
)

// AWS's quotas for an account in a Region, unless they are raised.
const (
	accountConnects    = 500    // new connections in a second: API Gateway, quotas of WebSocket APIs
	accountRequests    = 10_000 // requests in a second: API Gateway, quotas of an account
	accountBurst       = 5_000  // requests at once, the same page
	accountConcurrency = 1_000  // invocations at once: Lambda's quotas
	partitionWrites    = 1_000  // write units in a second: DynamoDB's partitions
)

const (
	// networkDelay is one way between a browser and AWS: assumed.
	networkDelay = 40 * time.Millisecond
	// functionStart is the start of a function: 24 to 40 ms of the program, as lib/cloud/README.md has it, and the rest for Lambda's part, which
	// is assumed.
	functionStart = 200 * time.Millisecond
)

// scaleTabs is how many connections the scenarios have.
const scaleTabs = 100_000

// scaleTable is the heading of the table of the simulation.
const scaleTable = "| 100,000 connections | what limits first | also | tabs without news at most | current again: half, 99 %, all | a state's delay: half, 99 % | tries of a post, given up | requests a second: gateway, functions, DynamoDB | dollars an hour |"

// usualScenario is a usual hour: 10,000 tabs of 200 users with as many tabs as a user may have, and 90,000 of 45,000 others. 2,000 jobs run.
func usualScenario(t *testing.T) scale.Scenario {
	t.Helper()
	uses := readUsage(t)
	retries, retryAfter := stateRetry(t)
	takes := func(operation string, posts int) time.Duration {
		u := uses[operation]
		return time.Duration(u.WaitsMS)*time.Millisecond + time.Duration(u.Requests+posts)*processorTime
	}
	return scale.Scenario{
		Duration: 10 * time.Minute, Tabs: scaleTabs, TabsPerUser: 2, HotUsers: 200, HotTabs: session.DefaultMaxConnections,
		Jobs: 2_000, JobDuration: 2 * time.Minute, StatesPerJob: 2,
		StateRetries: retries, StateRetryAfter: retryAfter,
		OldestSession: 7_000 * time.Second, Pause: client.Backoff, RetryFor: broadcast.Budget,
		Quotas: scale.Quotas{
			Connects: accountConnects, Requests: accountRequests, RequestBurst: accountBurst, Concurrency: accountConcurrency, PartitionWrites: partitionWrites,
			Stage: settingDefault(t, "throttleRate"), StageBurst: settingDefault(t, "throttleBurst"), StageCountsRefused: true,
		},
		Times: scale.Times{
			Connect: takes("connect", 0), Sync: takes("sync", 1), State: takes("state", 0) - gatewayAnswersAfter,
			Store: takes("push", 0) - gatewayAnswersAfter, Post: gatewayAnswersAfter + processorTime, Close: takes("reap", 2),
			Start: functionStart, Network: networkDelay,
		},
		Seed: 1,
	}
}

// stateRetry returns how often a notify state invokes the notifier again, and the pause before the first time.
func stateRetry(t *testing.T) (retries int, after time.Duration) {
	t.Helper()
	raw, err := os.ReadFile("../../statemachines/csv_import.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var definition struct {
		States struct {
			NotifyStarted struct {
				Retry []struct {
					ErrorEquals                               []string
					IntervalSeconds, BackoffRate, MaxAttempts int
				}
			}
		}
	}
	if err := json.Unmarshal(raw, &definition); err != nil {
		t.Fatal(err)
	}
	for _, retry := range definition.States.NotifyStarted.Retry {
		if retry.ErrorEquals[0] == "States.ALL" && retry.BackoffRate == 2 {
			return retry.MaxAttempts, time.Duration(retry.IntervalSeconds) * time.Second
		}
	}
	t.Fatal("the notify state does not retry as the simulation has it")

	return 0, 0
}

// settingDefault returns the default of a setting, as the deployer's page states it. A test of the settings compares the page with them.
func settingDefault(t *testing.T, name string) int {
	t.Helper()
	found := regexp.MustCompile("(?m)^\\| `" + name + "` \\| (\\d+) \\|").FindStringSubmatch(readCostPage(t).deploy)
	if found == nil {
		t.Fatalf("%s has no default of %s", deployPage, name)
	}
	value, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// scaleScenarios are the rows of the table. change changes the usual scenario.
var scaleScenarios = []struct {
	name   string
	change func(*scale.Scenario)
}{
	{"a usual hour: 2,000 jobs at any time", func(*scale.Scenario) {}},
	{"4,500 jobs", func(s *scale.Scenario) { s.Jobs = 4_500 }},
	{"4,500 jobs, and one of each user with 50 tabs", func(s *scale.Scenario) {
		s.Jobs, s.HotJobs, s.Duration = 4_700, s.HotUsers, 3*time.Minute
	}},
	{"10,000 jobs", func(s *scale.Scenario) { s.Jobs, s.Duration = 10_000, 2*time.Minute }},
	{"10,000 jobs, quota of requests 40,000", func(s *scale.Scenario) {
		s.Jobs, s.Duration, s.Requests, s.RequestBurst = 10_000, 2*time.Minute, 40_000, 20_000
	}},
	{"an outage of 5 minutes, then all come back", outage},
	{"the same, `throttleRate` 10000 and `throttleBurst` 5000", func(s *scale.Scenario) {
		outage(s)
		s.Stage, s.StageBurst = accountRequests, accountBurst
	}},
	{"the same, and a quota of 2,000 connects", func(s *scale.Scenario) {
		outage(s)
		s.Stage, s.StageBurst, s.Connects = accountRequests, accountBurst, 2_000
	}},
	{"two hours later: their sessions end together", func(s *scale.Scenario) {
		// The sessions began in the order in which the tabs came back, and reach their maximum from now on.
		s.OldestSession, s.YoungestSession = 7_100*time.Second, 6_800*time.Second
		s.Duration = 15 * time.Minute
	}},
}

// outage lets all connections get lost after a minute, and all clients come back 5 minutes later.
func outage(s *scale.Scenario) {
	s.OutageAt, s.OutageFor, s.Duration = time.Minute, 5*time.Minute, 13*time.Minute
}

// TestScalePage simulates an account with 100,000 connections, and compares the results with the table of the deployer's page. All of them
// are exact: a change of the clients' rules, of the server's limits, or of what an operation uses changes the table. To write it again:
//
//	go test ./lib/cloud -run ScalePage -update
func TestScalePage(t *testing.T) {
	rows := make([]string, len(scaleScenarios))
	var usualHour float64
	mostSpent := 0
	for i, row := range scaleScenarios {
		s := usualScenario(t)
		row.change(&s)
		r := scale.Simulate(s)
		used := resultUsage(readUsage(t), s, r)
		cost := used.sum()
		perSecond := func(n int) string { return thousands(int(float64(n) / s.Duration.Seconds())) }
		requests := perSecond(r.Connects+r.Syncs+r.Pings+r.Posts) + ", " + perSecond(used.invocations) + ", " + perSecond(used.requests)
		hour := cost * float64(time.Hour) / float64(s.Duration)
		if i == 0 {
			usualHour = hour
		}
		mostSpent = max(mostSpent, r.Peak[scale.UserBudget])
		if s.OutageFor > 0 { // the rest of the hour is as usual
			hour = cost + usualHour*float64(time.Hour-s.Duration)/float64(time.Hour)
		}
		rows[i] = fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | %s | $%.2f |", row.name, firstLimit(r), otherLimits(r), thousands(r.Waiting),
			quantiles(&r.Back, r.StillWaiting, 0.5, 0.99, 1), quantiles(&r.Delays, 0, 0.5, 0.99), tries(r), requests, hour)
		if again := scale.Simulate(s); i == 0 && fmt.Sprint(again) != fmt.Sprint(r) {
			t.Error("a second simulation had another result")
		}
	}
	checkTable(t, scaleTable, rows)
	budget := session.Limits{}.Budget()
	claim := fmt.Sprintf("spends %s of the %s posts", thousands(mostSpent), thousands(budget))
	if !strings.Contains(strings.ReplaceAll(readCostPage(t).deploy, "\n", " "), claim) {
		t.Errorf("%s does not say that a user with 50 tabs %s", deployPage, claim)
	}
}

// limitNames has what the page calls each limit.
var limitNames = map[scale.Limit]string{
	scale.StageRate: "`throttleRate`", scale.ConnectRate: "quota of connects", scale.RequestRate: "quota of requests",
	scale.Concurrency: "Lambda's concurrency", scale.PartitionWrites: "a partition", scale.UserBudget: "`maxPostsPerMinute`",
}

// firstLimit returns the limit that refused a request first, and the largest demand on it in a second.
func firstLimit(r *scale.Result) string {
	l, found := r.First()
	if !found {
		return "nothing"
	}
	return fmt.Sprintf("%s: %s asked for", limitNames[l], thousands(r.Peak[l]))
}

// otherLimits returns the other limits that refused requests.
func otherLimits(r *scale.Result) string {
	first, _ := r.First()
	var others []string
	for l := scale.StageRate; l <= scale.UserBudget; l++ {
		if r.Refused[l] > 0 && l != first {
			others = append(others, fmt.Sprintf("%s: %s", limitNames[l], thousands(r.Peak[l])))
		}
	}
	return strings.Join(others, ", ")
}

// quantiles returns times with a precision that a person can use.
func quantiles(d *scale.Distribution, unknown int, at ...float64) string {
	if d.Count() == 0 {
		return ""
	}
	texts := make([]string, len(at))
	for i, q := range at {
		switch value := d.Quantile(q); {
		case q == 1 && unknown > 0:
			texts[i] = "not in time"
		case value < time.Second:
			texts[i] = fmt.Sprintf("%d ms", value.Milliseconds())
		default:
			texts[i] = fmt.Sprintf("%.1f s", value.Seconds())
		}
	}
	return strings.Join(texts, ", ")
}

// tries returns how often a post was tried, and the share of those that were given up.
func tries(r *scale.Result) string {
	if r.PostsRefused == 0 {
		return "1, none"
	}
	all := float64(r.Posts + r.PostsFailed)
	return fmt.Sprintf("%.1f, %.0f %%", float64(r.Posts+r.PostsRefused)/all, 100*float64(r.PostsFailed)/all)
}

// resultUsage returns what AWS charges for in a simulation.
func resultUsage(uses map[string]operationUsage, s scale.Scenario, r *scale.Result) usage {
	var u usage
	u.addOperation(uses["connect"], r.Connects)
	u.addOperation(uses["disconnect"], r.Connects) // of the connection before
	u.addOperation(uses["sync"], r.Syncs)
	u.addOperation(uses["push"], r.Pushes)
	u.addOperation(uses["state"], r.States)
	u.addOperation(uses["reap"], r.Closed)
	inFunctions := r.Connects*(uses["connect"].Requests+uses["disconnect"].Requests) + r.Syncs*uses["sync"].Requests + r.States*uses["state"].Requests
	u.invocations = 2*r.Connects + r.Syncs + r.States
	u.running = r.FunctionTime - time.Duration(inFunctions)*processorTime + time.Duration(r.Closed)*s.CloseInterval()
	u.transitions = r.States
	u.posts = r.Posts + r.PostsRefused
	u.messages = r.Posts + r.Syncs + 2*r.Pings
	u.connected = r.ConnectedTime
	return u
}
