package client

import (
	"context"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// syncPause is the pause after the first failed sync. It doubles with each further one, up to MaxBackoff.
	syncPause = time.Second
	// rateWindow is the pause before the next sync after the server's error RATE_LIMITED.
	rateWindow = time.Minute
	// maxServerPause bounds the pause that the server can request with retryAfter.
	maxServerPause = 5 * time.Minute
	// codeInvalidMessage is the server's error code for a sync that it cannot decode.
	codeInvalidMessage = "INVALID_MESSAGE"
)

// silence is the time without a frame of a running job.
type silence struct {
	// since is the time of the job's last frame, or of a later sync.
	since time.Time
	// limit is the duration of the silence after which the client syncs.
	limit time.Duration
}

// resetSilence restarts the silence of a job after a frame of the job, or removes it if the job has ended.
func (s *session) resetSilence(job string, now time.Time) {
	e, _ := s.view.Job(job)
	if state, ok := message.AsUploadProgress(e.Data); ok && !state.Status.Terminal() {
		s.silence[job] = silence{now, Silence}
	} else {
		delete(s.silence, job)
	}
}

// setSilentSync sets the timer silentSync to the first time at which the silence of a running job reaches its limit.
func (s *session) setSilentSync() {
	delete(s.timers, silentSync)
	for _, job := range s.silence {
		s.timers.setNoLaterThan(silentSync, job.since.Add(job.limit))
	}
}

// sync requests the next page of the sync that has begun, or the first page of a new one.
func (s *session) sync(ctx context.Context, now time.Time) error {
	if s.view.onFirstPage() {
		s.beginSync(now)
	}
	delete(s.timers, retrySync)
	s.syncing = true
	s.timers[syncTimeout] = now.Add(SyncTimeout)
	s.timers[quietSync] = now.Add(QuietSync)
	return s.send(ctx, s.view.request(!s.noWelcome, !s.legacySync))
}

// beginSync begins a new sync. It deletes all timers that are due and start a sync, because this sync serves them all. The sync
// requests all pages if firstSync, quietSync or requestedSync was due. Otherwise it may be brief.
func (s *session) beginSync(now time.Time) {
	due := map[timer]bool{}
	for which := firstSync; which <= retrySync; which++ { // the timers that start a sync
		if at, set := s.timers[which]; set && !now.Before(at) {
			due[which] = true
			delete(s.timers, which)
		}
	}
	if isRetry := due[retrySync]; !isRetry { // a retry is brief if the failed sync was
		s.brief = true
	}
	if due[firstSync] || due[quietSync] || due[requestedSync] {
		s.brief = false
	}
	s.view.beginSync(s.brief)
	for id, job := range s.silence {
		if !now.Before(job.since.Add(job.limit)) {
			job.limit = min(2*job.limit, MaxSilence)
		}
		job.since = now
		s.silence[id] = job
	}
	s.client.syncSent()
}

// handleSynced handles the end of a page. It sets the timer for the next page or for another try, or ends the sync.
func (s *session) handleSynced(now time.Time, end message.Synced) {
	s.syncing = false
	delete(s.timers, syncTimeout)
	delete(s.timers, retrySync)
	s.retryPauseUntil = time.Time{}
	if end.RetryAfter > 0 {
		s.serverPauseUntil = now.Add(min(time.Duration(end.RetryAfter)*time.Second, maxServerPause))
	}
	switch s.view.endPage(end) {
	case incomplete:
		s.retryLater(now)
	case nextPage, postponed:
		s.failures = 0
		s.timers[retrySync] = now // waits until the end of serverPauseUntil
	case complete:
		s.failures = 0
		if !s.synced {
			s.synced = true
			s.client.setStatus(Status{State: Connected, Synced: true})
		}
		s.client.syncDone()
		if s.client.syncWanted() { // by a call of Sync that came while this sync was running
			s.timers[requestedSync] = now
		}
	}
}

// syncTimedOut handles a sync whose answer did not end in time.
func (s *session) syncTimedOut(_ context.Context, now time.Time) error {
	s.syncing = false
	delete(s.timers, syncTimeout)
	s.retryLater(now)
	return nil
}

// retryLater sets the timer for the sync after a failed one.
func (s *session) retryLater(now time.Time) {
	s.retryPauseUntil = now.Add(SyncBackoff(s.failures))
	s.timers[retrySync] = s.retryPauseUntil
	s.failures++
}

// handleError handles an error that the server sent in response to a message of this client.
func (s *session) handleError(now time.Time, code string) {
	switch {
	case code == message.CloseRateLimited:
		s.serverPauseUntil = now.Add(rateWindow)
	case code == codeInvalidMessage && s.syncing: // an older server, which does not know the newer fields
		s.syncing = false
		delete(s.timers, syncTimeout)
		s.view.resetCursor()
		s.noWelcome, s.legacySync = false, true
		s.retryLater(now)
	}
}
