// Package scale simulates Herald at the size of a large customer, in virtual time: clients that connect, sync and back off by their
// rules, jobs that publish, posts that are retried, and the quotas of AWS. It makes no request. Only tests use it.
//
// The rules are those of the packages that it imports: the pauses and timeouts of lib/client, the retries of lib/broadcast, the limits of
// lib/session, and the push intervals of lib/message. What a request takes comes from the caller, who has counted and measured it.
//
// A simulation is a loop over events in the order of their times. All random numbers come from one seed, so that each run of a scenario has
// the same result.
package scale

import (
	"math/rand/v2"
	"time"

	"github.com/herald-progress/herald/lib/session"
)

// Quotas bounds what AWS and the stage accept. All rates are requests in a second.
type Quotas struct {
	// Connects is how many new connections an account may open.
	Connects int
	// Requests and RequestBurst bound all requests of an account: connects, messages from browsers, and posts to connections.
	Requests, RequestBurst int
	// Stage and StageBurst bound connects and messages from browsers: the settings throttleRate and throttleBurst.
	Stage, StageBurst int
	// StageCountsRefused says that a connect that Connects refuses uses up Stage, too. AWS does not document it.
	StageCountsRefused bool
	// Concurrency is how many invocations of functions may run at once.
	Concurrency int
	// PartitionWrites is how many write units a partition of DynamoDB accepts.
	PartitionWrites int
}

// Times is how long parts of the system take.
type Times struct {
	// Connect, Sync and State are invocations of $connect, of $default for a sync, and of the notifier without its posts.
	Connect, Sync, State time.Duration
	// Store is what a worker waits for the store before it posts.
	Store time.Duration
	// Post is a post to a connection. Close is the end of a session by the reaper: a deletion, a post and a close.
	Post, Close time.Duration
	// Start is the start of a function that has no idle environment.
	Start time.Duration
	// Network is one way between a browser and AWS.
	Network time.Duration
}

// Scenario is what happens in a simulation.
type Scenario struct {
	// Duration is how much time the simulation covers.
	Duration time.Duration
	// Tabs is the number of connections. HotUsers of the users have HotTabs each. The others have TabsPerUser.
	Tabs, TabsPerUser, HotUsers, HotTabs int
	// Jobs is how many jobs run at any time, and HotJobs how many of them belong to hot users, one each. When a job ends, another one
	// starts.
	Jobs, HotJobs int
	// JobDuration is how long a job runs. Each percent of it is a state.
	JobDuration time.Duration
	// StatesPerJob is how many invocations of the notifier each job has, at its start and at its end. All other states come from a
	// worker's Reporter.
	StatesPerJob int
	// StateRetries is how often a workflow invokes the notifier again. StateRetryAfter is the pause before the first time; it doubles.
	StateRetries    int
	StateRetryAfter time.Duration
	// OutageAt is when all connections are lost. For OutageFor no connection can be opened. 0 means no outage.
	OutageAt, OutageFor time.Duration
	// OldestSession and YoungestSession are the ages of the connections at the start, evenly distributed.
	OldestSession, YoungestSession time.Duration
	// Pause returns the pause of a client before the next connection, after a number of failures. fraction is random.
	Pause func(failures int, fraction float64) time.Duration
	// RetryFor is how long after its publication a post is retried.
	RetryFor time.Duration
	Quotas
	Times
	Seed uint64
}

// CloseInterval returns the time between the ends of two sessions in a run of the reaper.
func (s *Scenario) CloseInterval() time.Duration {
	return max(s.Close/session.MaxConcurrentCloses, time.Second/session.MaxClosesPerSecond)
}

// Limit is one of the quotas.
type Limit int

// The limits, in the order in which a request meets them.
const (
	StageRate Limit = iota
	ConnectRate
	RequestRate
	Concurrency
	PartitionWrites
	UserBudget
	limits
)

// String returns the name of the limit.
func (l Limit) String() string {
	return [...]string{
		"throttleRate", "connects", "requests", "concurrency", "partition", "maxPostsPerMinute",
	}[l]
}

// Result is what was counted.
type Result struct {
	// Attempts are handshakes. Connects are those that were accepted.
	Attempts, Connects int
	// Syncs were answered. SyncsRefused met a limit, and the client sent them again.
	Syncs, SyncsRefused int
	Pings               int
	// States are invocations of the notifier, and Pushes what workers stored and pushed. StatesRefused were invocations that met a limit
	// and were tried again by the workflow.
	States, StatesRefused, Pushes int
	// Posts were accepted, PostsGone were those to connections that were lost. PostsRefused were refused and retried, or given up in the end:
	// PostsFailed.
	Posts, PostsGone, PostsRefused, PostsFailed int
	// Closed are the sessions that the reaper ended.
	Closed int
	// Refused counts the refusals by each limit, FirstAt when the first came.
	Refused [limits]int
	FirstAt [limits]time.Duration
	// Peak is the largest demand in one second on each limit, with what was refused. For Concurrency it is what ran at once, and for
	// UserBudget the largest sum of one user in one minute.
	Peak [limits]int
	// Waiting is how many tabs at most were not connected, or had not synced yet, after the outage's end.
	Waiting int
	// Back is, for each tab that lost its connection, the time from the outage's end, or from the loss if there was no outage, to the end of its
	// first complete sync. StillWaiting tabs had none when the simulation ended.
	Back         Distribution
	StillWaiting int
	// Delays is, for each state and each connected tab, the time from its publication until the tab shows it or a newer one.
	// Undelivered states were on their way when the simulation ended.
	Delays      Distribution
	Undelivered int
	// ConnectedTime is the time of all connections together, FunctionTime that of all invocations.
	ConnectedTime, FunctionTime time.Duration
}

// First returns the limit that refused something first, and false if none did.
func (r *Result) First() (Limit, bool) {
	first, found := Limit(0), false
	for l := range limits {
		if r.Refused[l] > 0 && (!found || r.FirstAt[l] < r.FirstAt[first]) {
			first, found = l, true
		}
	}
	return first, found
}

// Simulate runs a scenario.
func Simulate(s Scenario) *Result {
	w := newWorld(s)
	for !w.events.empty() {
		e := w.events.pop()
		if e.at >= s.Duration {
			break
		}
		w.now = e.at
		w.handle(e)
		if !w.down() {
			w.result.Waiting = max(w.result.Waiting, w.waiting)
		}
	}
	w.now = s.Duration
	w.finish()
	return &w.result
}

// world is the state of a simulation.
type world struct {
	Scenario

	now    time.Duration
	events queue
	// random has the pauses, and work has who publishes when: it is the same whatever is refused.
	random, work *rand.Rand
	result       Result

	tabs  []tab
	users []user
	jobs  []job
	gateway
	functions
	// reaperFree is when the reaper can end one more session.
	reaperFree time.Duration
	// waiting is how many tabs are not connected, or have not synced yet.
	waiting int
}

// user is a person with one or more tabs, which are in a row.
type user struct {
	first, tabs int
	// minute is the minute in which the user has spent so many posts.
	minute int
	spent  int
	// jobs is how many of the user's jobs run.
	jobs int
}

func newWorld(s Scenario) *world {
	w := &world{Scenario: s, random: rand.New(rand.NewPCG(s.Seed, 1)), work: rand.New(rand.NewPCG(s.Seed, 2))}
	w.gateway = newGateway(s.Quotas)
	w.limit = s.Concurrency
	w.tabs = make([]tab, s.Tabs)
	for first := 0; first < s.Tabs; {
		n := s.TabsPerUser
		if len(w.users) < s.HotUsers {
			n = s.HotTabs
		}
		n = min(n, s.Tabs-first)
		for i := first; i < first+n; i++ {
			w.tabs[i].user = len(w.users)
		}
		w.users = append(w.users, user{first: first, tabs: n})
		first += n
	}

	w.jobs = make([]job, s.Jobs)
	for i := range w.jobs {
		w.startJob(i, time.Duration(w.work.Float64()*float64(s.JobDuration)))
	}
	for i := range w.tabs {
		w.openInitial(i)
	}
	if s.OutageFor > 0 {
		w.schedule(s.OutageAt, event{kind: outageBegins})
		w.schedule(s.OutageAt+s.OutageFor, event{kind: outageEnds})
	}
	return w
}

// down reports whether no connection can be opened now.
func (w *world) down() bool {
	return w.OutageFor > 0 && w.now >= w.OutageAt && w.now < w.OutageAt+w.OutageFor
}

// finish counts what is open at the end.
func (w *world) finish() {
	for i := range w.tabs {
		t := &w.tabs[i]
		if t.connected {
			w.result.ConnectedTime += w.now - max(t.openedAt, 0)
		}
		w.result.Undelivered += len(t.pending)
		if t.lost {
			w.result.StillWaiting++
		}
	}
	for _, l := range []Limit{StageRate, ConnectRate, RequestRate, PartitionWrites} {
		w.result.Peak[l] = w.demand[l].peak
	}
	w.result.Peak[Concurrency] = w.peak
}
