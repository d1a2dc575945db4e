package local

import (
	"context"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// syncPause is the first pause before a sync that failed is sent again. It doubles up to MaxBackoff.
	syncPause = time.Second
	// rateWindow is how long a tab sends no sync after the server has said that it asks too much.
	rateWindow = time.Minute
	// maxHold bounds how long the server can postpone a sync.
	maxHold = 5 * time.Minute
	// codeInvalidMessage is the server's answer to a sync that it does not understand.
	codeInvalidMessage = "INVALID_MESSAGE"
)

// silence is that of a running job: since when, and how long it may last.
type silence struct {
	since time.Time
	bound time.Duration
}

// listen notes that a job was heard of. Its silence counts as long as it runs.
func (v *visit) listen(job string, now time.Time) {
	e, _ := v.view.Job(job)
	if state, ok := message.AsUploadProgress(e.Data); ok && !state.Status.Terminal() {
		v.silence[job] = silence{now, Silence}
	} else {
		delete(v.silence, job)
	}
}

// setSilentSync sets the alarm to when a running job will have been silent for too long.
func (v *visit) setSilentSync() {
	delete(v.alarms, silentSync)
	for _, s := range v.silence {
		v.alarms.atMost(silentSync, s.since.Add(s.bound))
	}
}

// sync asks for what the tab has missed: for the next page of an answer that has begun, or else anew.
func (v *visit) sync(ctx context.Context, now time.Time) error {
	if v.view.first() {
		v.startSync(now)
	}
	v.syncing = true
	v.alarms[syncTimeout] = now.Add(SyncTimeout)
	v.alarms[quietSync] = now.Add(QuietSync)

	return v.send(ctx, v.view.request(!v.noWelcome))
}

// startSync notes that a sync asks for everything: it is what all alarms that are due ask for.
func (v *visit) startSync(now time.Time) {
	for which := firstSync; which <= retrySync; which++ {
		if at, set := v.alarms[which]; set && !now.Before(at) {
			delete(v.alarms, which)
		}
	}
	for job, s := range v.silence {
		if !now.Before(s.since.Add(s.bound)) {
			s.bound = min(2*s.bound, MaxSilence) //nolint:mnd // it doubles
		}
		s.since = now
		v.silence[job] = s
	}
	v.tab.answering()
}

// synced follows the end of a page: with the next one, or with a pause.
func (v *visit) synced(now time.Time, said message.Synced) {
	v.syncing = false
	delete(v.alarms, syncTimeout)
	delete(v.alarms, retrySync)
	v.pausedUntil = time.Time{}
	if said.RetryAfter > 0 {
		v.heldUntil = now.Add(min(time.Duration(said.RetryAfter)*time.Second, maxHold))
	}
	switch v.view.answered(said) {
	case incomplete:
		v.again(now)
	case next, postponed:
		v.alarms[retrySync] = now
		v.failures = 0
	case complete:
		v.failures = 0
		if v.tab.answered() {
			v.alarms[askedSync] = now
		}
	}
}

// giveUpSync is called where a sync has not been answered to its end in time.
func (v *visit) giveUpSync(_ context.Context, now time.Time) error {
	v.syncing = false
	v.again(now)

	return nil
}

// again plans the sync that makes up for one which has failed.
func (v *visit) again(now time.Time) {
	const maxShift = 10
	v.pausedUntil = now.Add(min(syncPause<<min(v.failures, maxShift), MaxBackoff))
	v.alarms[retrySync] = v.pausedUntil
	v.failures++
}

// refused follows an error with which the server answers a message.
func (v *visit) refused(now time.Time, code string) {
	switch {
	case code == message.CloseRateLimited:
		v.heldUntil = now.Add(rateWindow)
	case code == codeInvalidMessage && v.syncing:
		v.syncing = false
		delete(v.alarms, syncTimeout)
		v.view.begin()
		v.noWelcome, v.plain = false, true
		v.again(now)
	}
}
