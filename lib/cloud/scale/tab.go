package scale

import (
	"time"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/session"
)

// tab is a client and its connection.
type tab struct {
	user int
	// generation counts the connections. Events of an earlier one are ignored.
	generation int
	connected  bool
	// stored says that the row of the connection is stored.
	stored bool
	// lost says that the tab has lost a connection and has not completed a sync since. lostAt is when.
	lost     bool
	lostAt   time.Duration
	failures int
	openedAt time.Duration

	// syncing says that a sync is not answered. syncNumber is the number of the last one. syncFailures failed in a row.
	syncing      bool
	syncNumber   int
	syncFailures int
	// synced says that a sync over this connection is complete.
	synced bool
	// lastFrame and lastSync are when the last frame came, and when the last sync was sent.
	lastFrame, lastSync time.Duration
	// silence is how long a running job may be silent until the tab syncs. jobs is how many of the user's jobs run, as far as the tab
	// knows.
	silence time.Duration
	// pending has the times of the states that the tab has not got, though it is connected.
	pending []time.Duration
}

// budget is what a user may spend in a minute.
var budget = session.Limits{}.Budget()

// reaperInterval is the time between two runs of the reaper.
var reaperInterval = lambdas.ReaperInterval

// syncPosts is what a sync costs: the states and notes that a tab missed fit one batch, and synced is in it.
const syncPosts = 1

// openInitial opens a connection that is as old as the scenario says.
func (w *world) openInitial(i int) {
	t := &w.tabs[i]
	age := w.YoungestSession + time.Duration(w.random.Float64()*float64(w.OldestSession-w.YoungestSession))
	t.connected, t.stored, t.synced, t.openedAt, t.silence = true, true, true, -age, client.Silence
	// What happens at intervals began at different times.
	lastFrame := client.PingInterval
	if w.runs(t.user) {
		lastFrame = w.pushInterval()
	}
	t.lastFrame = -time.Duration(w.random.Float64() * float64(lastFrame))
	t.lastSync = -time.Duration(w.random.Float64() * float64(client.QuietSync))
	w.setTimers(i)
}

// setTimers sets the timers of a connection that is open.
func (w *world) setTimers(i int) {
	t := &w.tabs[i]
	w.schedule(w.nextIdle(i), event{kind: idleTimer, of: i, generation: t.generation})
	w.schedule(t.openedAt+connection.MaxSessionDuration, event{kind: sessionEnds, of: i, generation: t.generation})
}

// attempt opens a connection.
func (w *world) attempt(e event) {
	t := &w.tabs[e.of]
	w.result.Attempts++
	if w.down() || !w.acceptConnect() {
		w.attemptLater(e.of)
		return
	}
	takes, accepted := w.invoke(w.Connect)
	switch {
	case !accepted, !w.spend(t.user, session.ConnectCost, budget), !w.writeSessionEnd(w.now + connection.MaxSessionDuration):
		w.attemptLater(e.of)
	default:
		w.result.Connects++
		w.schedule(w.now+takes+2*w.Network, event{kind: connected, of: e.of, generation: t.generation})
	}
}

// attemptLater sets the time of the next attempt, after one that failed.
func (w *world) attemptLater(i int) {
	t := &w.tabs[i]
	w.schedule(w.now+w.Pause(t.failures, w.random.Float64()), event{kind: attempt, of: i, generation: t.generation})
	t.failures++
}

// open handles a handshake that is complete: the tab syncs at once, and again later.
func (w *world) open(e event) {
	t := &w.tabs[e.of]
	if w.down() {
		w.attemptLater(e.of)
		return
	}
	t.connected, t.stored, t.synced, t.syncing, t.syncFailures = true, true, false, false, 0
	t.openedAt, t.lastFrame, t.silence = w.now, w.now, client.Silence
	w.setTimers(e.of)
	w.sync(e.of)
	w.schedule(w.now+client.SecondSync, event{kind: syncTimer, of: e.of, generation: t.generation, try: -1})
}

// lose handles the loss of a connection: the client tries to connect after a pause.
func (w *world) lose(i int, receivedFrame bool) {
	t := &w.tabs[i]
	if !t.connected {
		return
	}
	w.result.ConnectedTime += w.now - max(t.openedAt, 0)
	t.connected, t.syncing = false, false
	t.pending = t.pending[:0] // a sync brings these states
	t.generation++
	if !t.lost {
		t.lost, t.lostAt = true, w.now
		w.waiting++
	}
	if receivedFrame {
		t.failures = 0
	}
	w.attemptLater(i)
}

// beginOutage ends all connections.
func (w *world) beginOutage() {
	for i := range w.tabs {
		w.lose(i, w.tabs[i].synced)
	}
}

// sync sends a sync.
func (w *world) sync(i int) {
	t := &w.tabs[i]
	t.syncing, t.lastSync = true, w.now
	t.syncNumber++
	w.schedule(w.now+w.Network, event{kind: syncArrives, of: i, generation: t.generation, try: t.syncNumber})
	w.schedule(w.now+client.SyncTimeout, event{kind: syncTimer, of: i, generation: t.generation, try: t.syncNumber})
}

// syncArrives handles a sync at the gateway. A refused one has no answer that the client understands.
func (w *world) syncArrives(e event) {
	t := &w.tabs[e.of]
	if e.generation != t.generation {
		return
	}
	if !w.acceptMessage() {
		w.result.SyncsRefused++
		return
	}
	takes, accepted := w.invoke(w.Sync)
	if !accepted || !w.spend(t.user, syncPosts, budget) || !w.acceptPost() {
		w.result.SyncsRefused++
		return
	}
	w.result.Posts++
	w.schedule(w.now+takes+w.Network, event{kind: syncAnswered, of: e.of, generation: t.generation, try: e.try})
}

// syncAnswered handles the answer of a sync: the tab has all that was published before.
func (w *world) syncAnswered(e event) {
	t := &w.tabs[e.of]
	if e.generation != t.generation {
		return
	}
	w.result.Syncs++
	t.lastFrame = w.now
	w.showUntil(t, w.now-w.Network-w.Sync, w.now)
	if e.try == t.syncNumber {
		t.syncing, t.syncFailures = false, 0
	}
	t.synced = true
	if t.lost {
		t.lost = false
		w.waiting--
		since := t.lostAt
		if w.OutageFor > 0 {
			since = max(since, w.OutageAt+w.OutageFor)
		}
		w.result.Back.add(w.now - since)
	}
}

// runSyncTimer handles a sync that is due, or one that has timed out.
func (w *world) runSyncTimer(e event) {
	t := &w.tabs[e.of]
	switch {
	case e.generation != t.generation:
	case e.try < 0 && t.syncing, t.syncing && e.try != t.syncNumber: // the sync waits for the one that runs
		if e.try < 0 {
			w.schedule(w.now+time.Second, e)
		}
	case t.syncing: // timed out
		t.syncing = false
		w.schedule(w.now+client.SyncBackoff(t.syncFailures), event{kind: syncTimer, of: e.of, generation: t.generation, try: -1})
		t.syncFailures++
	case e.try < 0:
		w.sync(e.of)
	}
}

// sessionEnds handles the end of a session: the reaper closes it in its next run, a limited number at once.
func (w *world) sessionEnds(e event) {
	if e.generation != w.tabs[e.of].generation {
		return
	}
	run := w.now.Truncate(reaperInterval) + reaperInterval
	begins := max(run, w.reaperFree)
	w.reaperFree = begins + w.CloseInterval()
	w.schedule(begins+w.Close, event{kind: closed, of: e.of, generation: e.generation})
}

// close handles the closing frame of a session. The reaper posts it, and then closes the connection. It retries both.
func (w *world) close(e event) {
	t := &w.tabs[e.of]
	if e.generation != t.generation {
		return
	}
	if frame, end := w.acceptPost(), w.acceptPost(); !frame || !end {
		w.schedule(w.now+broadcast.RetryPause(0, w.random.Float64()), e)
		return
	}
	w.result.Posts++
	w.result.Closed++
	t.stored = false
	w.lose(e.of, true)
}

// nextIdle returns when a tab may have to send something if no frame comes.
func (w *world) nextIdle(i int) time.Duration {
	t := &w.tabs[i]
	next := min(t.lastFrame+client.PingInterval, t.lastSync+client.QuietSync)
	if w.runs(t.user) {
		next = min(next, max(t.lastFrame, t.lastSync)+t.silence)
	}
	return next
}

// runIdleTimer pings or syncs, if it is time.
func (w *world) runIdleTimer(e event) {
	t := &w.tabs[e.of]
	if e.generation != t.generation || !t.connected {
		return
	}
	switch {
	case w.runs(t.user) && w.now >= max(t.lastFrame, t.lastSync)+t.silence && !t.syncing:
		t.silence = min(2*t.silence, client.MaxSilence)
		w.sync(e.of)
	case w.now >= t.lastSync+client.QuietSync && !t.syncing:
		w.sync(e.of)
	case w.now >= t.lastFrame+client.PingInterval:
		w.acceptMessage()
		w.result.Pings++
		t.lastFrame = w.now // a pong, or API Gateway's refusal: both show that the connection works
	}
	// A running job may start meanwhile. Its first frame is in time for its silence.
	w.schedule(max(w.nextIdle(e.of), w.now+time.Second), e)
}

// showUntil handles a frame that arrives at a time, with the states that were published until another time.
func (w *world) showUntil(t *tab, published, arrives time.Duration) {
	rest := t.pending[:0]
	for _, since := range t.pending {
		if since <= published {
			w.result.Delays.add(arrives - since)
		} else {
			rest = append(rest, since)
		}
	}
	t.pending = rest
}
