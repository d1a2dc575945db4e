package client

import (
	"context"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// syncPause is the first pause before a sync that failed is sent again. It doubles up to MaxBackoff.
	syncPause = time.Second
	// rateWindow is how long a session sends no sync after the server has said that it asks too much.
	rateWindow = time.Minute
	// maxHold bounds how long the server can postpone a sync.
	maxHold = 5 * time.Minute
	// codeInvalidMessage is the code of the server's answer to a sync that it does not understand.
	codeInvalidMessage = "INVALID_MESSAGE"
)

// silence is that of a running job: since when, and how long it may last.
type silence struct {
	since time.Time
	bound time.Duration
}

// resetSilence notes that a frame of a job came. Its silence counts while it runs.
func (s *session) resetSilence(job string, now time.Time) {
	e, _ := s.view.Job(job)
	if state, ok := message.AsUploadProgress(e.Data); ok && !state.Status.Terminal() {
		s.silence[job] = silence{now, Silence}
	} else {
		delete(s.silence, job)
	}
}

// setSilentSync sets the alarm to when a running job will have been silent for too long.
func (s *session) setSilentSync() {
	delete(s.alarms, silentSync)
	for _, job := range s.silence {
		s.alarms.atMost(silentSync, job.since.Add(job.bound))
	}
}

// sync asks for what the client has missed: for the next page of an answer that has begun, or else anew.
func (s *session) sync(ctx context.Context, now time.Time) error {
	if s.view.onFirstPage() {
		s.beginSync(now)
	}
	delete(s.alarms, retrySync)
	s.syncing = true
	s.alarms[syncTimeout] = now.Add(SyncTimeout)
	s.alarms[quietSync] = now.Add(QuietSync)
	return s.send(ctx, s.view.request(!s.noWelcome))
}

// beginSync notes that a sync asks for everything. It answers all alarms that are due. On open, when all is quiet and
// when it is called for it takes all pages.
func (s *session) beginSync(now time.Time) {
	due := map[alarm]bool{}
	for other := firstSync; other <= retrySync; other++ {
		if at, set := s.alarms[other]; set && !now.Before(at) {
			due[other] = true
			delete(s.alarms, other)
		}
	}
	if !due[retrySync] {
		s.brief = true
	}
	if due[firstSync] || due[quietSync] || due[calledSync] {
		s.brief = false
	}
	s.view.beginSync(s.brief)
	for id, job := range s.silence {
		if !now.Before(job.since.Add(job.bound)) {
			job.bound = min(2*job.bound, MaxSilence) //nolint:mnd // it doubles
		}
		job.since = now
		s.silence[id] = job
	}
	s.client.syncSent()
}

// synced handles the end of a page: the next page follows at once or later, or the sync is done.
func (s *session) synced(now time.Time, end message.Synced) {
	s.syncing = false
	delete(s.alarms, syncTimeout)
	delete(s.alarms, retrySync)
	s.pausedUntil = time.Time{}
	if end.RetryAfter > 0 {
		s.heldUntil = now.Add(min(time.Duration(end.RetryAfter)*time.Second, maxHold))
	}
	switch s.view.endPage(end) {
	case incomplete:
		s.retryLater(now)
	case next, postponed:
		s.failures = 0
		s.alarms[retrySync] = now
	case complete:
		s.failures = 0
		s.client.syncDone()
		if s.client.syncWanted() {
			s.alarms[calledSync] = now
		}
	}
}

// giveUpSync handles a sync whose answer has not ended in time.
func (s *session) giveUpSync(_ context.Context, now time.Time) error {
	s.syncing = false
	delete(s.alarms, syncTimeout)
	s.retryLater(now)
	return nil
}

// retryLater plans the sync after one that has failed.
func (s *session) retryLater(now time.Time) {
	s.pausedUntil = now.Add(doubled(syncPause, s.failures))
	s.alarms[retrySync] = s.pausedUntil
	s.failures++
}

// refused handles an error that answers a message of this client.
func (s *session) refused(now time.Time, code string) {
	switch {
	case code == message.CloseRateLimited:
		s.heldUntil = now.Add(rateWindow)
	case code == codeInvalidMessage && s.syncing:
		s.syncing = false
		delete(s.alarms, syncTimeout)
		s.view.firstPage()
		s.noWelcome, s.plain = false, true
		s.retryLater(now)
	}
}
