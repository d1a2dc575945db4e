package scale

import (
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/message"
)

// job is work whose progress is published.
type job struct {
	user int
	ends time.Duration
}

// pushInterval returns the time between two pushes of a job of which each percent is a state.
func (w *world) pushInterval() time.Duration {
	return min(max(w.JobDuration/100, message.MinPushInterval), message.SlowPushInterval)
}

// startJob starts a job. left is how long it runs.
func (w *world) startJob(i int, left time.Duration) {
	j := &w.jobs[i]
	if i < w.HotJobs {
		j.user = i
	} else {
		j.user = w.HotUsers + w.work.IntN(len(w.users)-w.HotUsers)
	}
	w.users[j.user].jobs++
	j.ends = w.now + left
	w.schedule(w.now+time.Duration(w.work.Float64()*float64(w.pushInterval())), event{kind: publish, of: i})
	if w.now == 0 { // this job has started before the simulation
		return
	}
	for range w.StatesPerJob / 2 {
		w.invokeNotifier(event{of: i, since: w.now})
	}
}

// runs reports whether a job of a user runs.
func (w *world) runs(user int) bool { return w.users[user].jobs > 0 }

// publish publishes the next state of a job, from its worker. If the job has ended, another one starts.
func (w *world) publish(e event) {
	j := &w.jobs[e.of]
	if w.now >= j.ends {
		for range w.StatesPerJob - w.StatesPerJob/2 {
			w.invokeNotifier(event{of: e.of, since: w.now})
		}
		w.users[j.user].jobs--
		w.startJob(e.of, w.JobDuration)
		return
	}
	w.result.Pushes++
	w.fanOut(j.user, w.now)
	w.schedule(w.now+w.pushInterval(), e)
}

// invokeNotifier invokes the notifier for a state of a workflow. If Lambda refuses, the workflow tries again.
func (w *world) invokeNotifier(e event) {
	w.result.States++
	takes := w.State + w.Post
	if w.running < w.limit && w.fanOut(w.jobs[e.of].user, e.since) {
		takes = broadcast.Budget // at most, while posts are retried
	}
	if _, accepted := w.invoke(takes); accepted {
		return
	}
	w.result.States--
	w.result.StatesRefused++
	if e.try < w.StateRetries {
		w.schedule(w.now+w.StateRetryAfter<<e.try, event{kind: retryState, of: e.of, since: e.since, try: e.try + 1})
	}
}

// fanOut posts a state to all tabs of a user, and reports whether a post is to be retried.
func (w *world) fanOut(u int, since time.Duration) (retried bool) {
	to := w.users[u]
	for i := to.first; i < to.first+to.tabs; i++ {
		t := &w.tabs[i]
		switch {
		case !t.connected && t.stored: // status 410: the row is deleted
			w.result.PostsGone++
			t.stored = false
		case t.connected && !w.post(event{of: i, generation: t.generation, since: since}):
			retried = true
		}
	}
	return retried
}

// post posts a state to a tab, and sets the time of the next try if it is refused. It reports whether the post is done.
func (w *world) post(e event) bool {
	t := &w.tabs[e.of]
	if e.generation != t.generation {
		return true
	}
	if w.acceptPost() {
		w.result.Posts++
		t.lastFrame, t.silence = w.now, client.Silence
		w.showPush(t, e)
		return true
	}
	if e.try == 0 {
		t.pending = append(t.pending, e.since)
	}
	w.result.PostsRefused++
	pause := broadcast.RetryPause(e.try, w.random.Float64())
	if w.now+pause >= e.since+w.RetryFor {
		w.result.PostsFailed++
		return true
	}
	e.kind, e.try = retryPost, e.try+1
	w.schedule(w.now+pause, e)
	return false
}

// showPush handles a pushed frame at its tab: the tab shows its state, and no older one any more.
func (w *world) showPush(t *tab, e event) {
	arrives := w.now + w.Store + w.Post + w.Network
	if e.try == 0 {
		w.result.Delays.add(arrives - e.since)
	}
	w.showUntil(t, e.since, arrives)
}
