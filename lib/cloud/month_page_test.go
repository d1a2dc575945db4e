package cloud_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/connection"
)

// What a user does in a month.
const (
	monthDays      = 22
	monthHours     = 8 // a day, with the page open
	monthTabs      = 2
	monthJobs      = 5 // a day
	updatesPerJob  = 1_000
	updatesPerPush = 10 // as the Reporter's row in the table of costs has it: 1,000 updates cause 196 posts to two tabs
	statesPerJob   = 2  // notify states, at the start and at the end of the job
)

// List prices of AppSync Events, in dollars. An operation is an event that is published or delivered, of up to 5 KB, a subscription, or a
// connection. The price of the minutes is from AWS's page; nobody here has compared it with a bill.
const (
	perEventOperation = 1.00 / million
	perEventMinute    = 0.08 / million
)

// monthTable is the heading of the table of months.
const monthTable = "| users | Herald | of that: messages, connection minutes, DynamoDB, Lambda, workflow states, logs | AppSync Events, coalesced alike | AppSync Events, an event for each update | Herald, a workflow state for each update |"

// TestMonthPage computes what a month costs, from counted requests and list prices, and compares it with the table of the deployer's page.
func TestMonthPage(t *testing.T) {
	uses := readUsage(t)
	m := newMonth(uses)
	schedule := scheduleUsage(uses)
	var rows []string
	for _, users := range []int{100, 5_000, 100_000} {
		total := func(perUser usage) []float64 {
			prices := perUser.dollars()
			for i, fixed := range schedule.dollars() {
				prices[i] = prices[i]*float64(users) + fixed
			}
			return prices
		}
		const states, functions, dynamo, messages, minutes, logs, sum = 0, 1, 2, 3, 4, 5, 6
		prices := total(m.herald)
		rows = append(rows, fmt.Sprintf("| %s | %s | %s, %s, %s, %s, %s, %s | %s | %s | %s |", thousands(users), price(prices[sum]),
			price(prices[messages]), price(prices[minutes]), price(prices[dynamo]), price(prices[functions]), price(prices[states]), price(prices[logs]),
			price(m.appSync(m.pushes)*float64(users)), price(m.appSync(m.updates)*float64(users)), price(total(m.statePerUpdate)[sum])))
	}
	checkTable(t, monthTable, rows)
}

// month is what one user does and uses in a month.
type month struct {
	updates, pushes, connects int
	connected                 time.Duration // of all tabs
	herald, statePerUpdate    usage
}

func newMonth(uses map[string]operationUsage) month {
	const tabDays, jobs, day = monthDays * monthTabs, monthDays * monthJobs, monthHours * time.Hour
	m := month{updates: jobs * updatesPerJob, connected: tabDays * day}
	m.pushes = jobs * updatesPerJob / updatesPerPush
	m.connects = tabDays * int(math.Ceil(float64(day)/float64(connection.MaxSessionDuration)))
	syncs := 2*m.connects + tabDays*int(day/client.QuietSync)
	pings := tabDays * int(day/client.PingInterval) // at most: a tab does not ping while frames come

	u := usage{connected: m.connected, messages: syncs + 2*pings}
	u.addInvocations(uses["connect"], m.connects)
	u.addInvocations(uses["disconnect"], m.connects)
	u.addInvocations(uses["sync"], syncs)
	u.addInvocations(uses["end"], jobs)
	u.addPosts(syncs)
	m.herald, m.statePerUpdate = u, u

	m.herald.addOperation(uses["push"], m.pushes)
	m.herald.addStates(uses["first state"], jobs)
	m.herald.addStates(uses["state"], jobs*(statesPerJob-1))
	m.herald.addPosts((m.pushes + jobs*statesPerJob) * monthTabs)

	m.statePerUpdate.addStates(uses["first state"], jobs)
	m.statePerUpdate.addStates(uses["state"], m.updates-jobs)
	m.statePerUpdate.addPosts(m.pushes * monthTabs) // the notifier coalesces, too
	return m
}

// scheduleUsage returns what the functions use in a month that run on a schedule, whether there are users or not.
func scheduleUsage(uses map[string]operationUsage) usage {
	const minutes = 30 * 24 * 60
	var u usage
	u.addInvocations(uses["reaper"], minutes/int(lambdas.ReaperInterval/time.Minute))
	u.addInvocations(uses["sweeper"], minutes/int(lambdas.SweeperInterval/time.Minute))
	return u
}

// appSync returns the price of AppSync Events for publishing a number of events to the tabs of one user.
func (m month) appSync(events int) float64 {
	connectAndSubscribe := 2 * m.connects
	return float64(events+events*monthTabs+connectAndSubscribe)*perEventOperation + m.connected.Minutes()*perEventMinute
}

// addOperation adds what n operations use of DynamoDB and of logs.
func (u *usage) addOperation(o operationUsage, n int) {
	u.requests += n * o.Requests
	u.reads += float64(n) * o.ReadUnits
	u.writes += float64(n) * o.WriteUnits
	u.logged += n * o.LogBytes
}

// addInvocations adds what n invocations of a function use.
func (u *usage) addInvocations(o operationUsage, n int) {
	u.addOperation(o, n)
	u.invocations += n
	u.running += time.Duration(n*o.WaitsMS) * time.Millisecond
}

// addStates adds n invocations of the notifier by a workflow.
func (u *usage) addStates(o operationUsage, n int) {
	u.addInvocations(o, n)
	u.transitions += n
}

// addPosts adds n posts to tabs.
func (u *usage) addPosts(n int) {
	u.posts += n
	u.messages += n
}

// sum returns the sum of the prices.
func (u *usage) sum() float64 {
	prices := u.dollars()
	return prices[len(prices)-1]
}

// price returns dollars with two digits that count, or with cents.
func price(dollars float64) string {
	if dollars < 100 {
		return fmt.Sprintf("$%.2f", dollars)
	}
	return "$" + thousands(int(math.Round(dollars)))
}
