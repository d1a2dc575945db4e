package client

import (
	"context"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// syncPause is the pause after the first failed sync. It doubles up to MaxBackoff.
	syncPause = time.Second
	// rateWindow is the pause before the next sync after the server's error RATE_LIMITED.
	rateWindow = time.Minute
	// maxServerPause bounds the pause that the server can request with retryAfter.
	maxServerPause = 5 * time.Minute
	// codeInvalidMessage is the server's error code for a sync that it cannot decode.
	codeInvalidMessage = "INVALID_MESSAGE"
)

// silence says since when a running job has sent no frame, and after how long of it the client syncs.
type silence struct {
	since time.Time
	bound time.Duration
}

// resetSilence restarts the silence of a job, of which a frame came, or removes it if the job has ended.
func (s *session) resetSilence(job string, now time.Time) {
	e, _ := s.view.Job(job)
	if state, ok := message.AsUploadProgress(e.Data); ok && !state.Status.Terminal() {
		s.silence[job] = silence{now, Silence}
	} else {
		delete(s.silence, job)
	}
}

// setSilentSync sets the alarm to the time at which the first running job is silent for too long.
func (s *session) setSilentSync() {
	delete(s.alarms, silentSync)
	for _, job := range s.silence {
		s.alarms.setNoLaterThan(silentSync, job.since.Add(job.bound))
	}
}

// sync requests the next page of the sync that has begun, or the first page of a new one.
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

// beginSync begins a new sync, which serves all alarms that are due. After firstSync, quietSync and a call of Sync it
// requests all pages; otherwise it may be brief.
func (s *session) beginSync(now time.Time) {
	due := map[alarm]bool{}
	for which := firstSync; which <= retrySync; which++ {
		if at, set := s.alarms[which]; set && !now.Before(at) {
			due[which] = true
			delete(s.alarms, which)
		}
	}
	if !due[retrySync] {
		s.brief = true
	}
	if due[firstSync] || due[quietSync] || due[requestedSync] {
		s.brief = false
	}
	s.view.beginSync(s.brief)
	for id, job := range s.silence {
		if !now.Before(job.since.Add(job.bound)) {
			job.bound = min(2*job.bound, MaxSilence)
		}
		job.since = now
		s.silence[id] = job
	}
	s.client.syncSent()
}

// handleSynced handles the end of a page: it requests the next page now or later, or ends the sync.
func (s *session) handleSynced(now time.Time, end message.Synced) {
	s.syncing = false
	delete(s.alarms, syncTimeout)
	delete(s.alarms, retrySync)
	s.retryPauseUntil = time.Time{}
	if end.RetryAfter > 0 {
		s.serverPauseUntil = now.Add(min(time.Duration(end.RetryAfter)*time.Second, maxServerPause))
	}
	switch s.view.endPage(end) {
	case incomplete:
		s.retryLater(now)
	case next, postponed:
		s.failures = 0
		s.alarms[retrySync] = now
	case complete:
		s.failures = 0
		if !s.synced {
			s.synced = true
			s.client.setStatus(Status{State: Connected, Synced: true})
		}
		s.client.syncDone()
		if s.client.syncWanted() {
			s.alarms[requestedSync] = now
		}
	}
}

// syncTimedOut handles a sync whose answer did not end in time.
func (s *session) syncTimedOut(_ context.Context, now time.Time) error {
	s.syncing = false
	delete(s.alarms, syncTimeout)
	s.retryLater(now)
	return nil
}

// retryLater sets the alarm for the sync after a failed one.
func (s *session) retryLater(now time.Time) {
	s.retryPauseUntil = now.Add(doublingPause(syncPause, s.failures))
	s.alarms[retrySync] = s.retryPauseUntil
	s.failures++
}

// handleError handles an error that the server sent in response to a message of this client.
func (s *session) handleError(now time.Time, code string) {
	switch {
	case code == message.CloseRateLimited:
		s.serverPauseUntil = now.Add(rateWindow)
	case code == codeInvalidMessage && s.syncing:
		s.syncing = false
		delete(s.alarms, syncTimeout)
		s.view.resetCursor()
		s.noWelcome, s.legacySync = false, true
		s.retryLater(now)
	}
}
