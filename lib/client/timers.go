package client

import (
	"context"
	"time"
)

// timer identifies one thing that a session does at a set time.
type timer int

const (
	pongTimeout timer = iota
	syncTimeout
	pingDue
	refreshDue

	// firstSync and the timers after it start a sync. They wait while a sync runs, during the pause after a failed sync, and
	// until the end of the server's retryAfter. retrySync continues the sync that has begun. The others need a new sync, so they
	// stay set while the pages of the current one come.
	firstSync
	secondSync
	quietSync
	silentSync
	afterEndSync
	requestedSync
	retrySync
)

// timerActions has the action of each timer. If several timers are due, their actions run in this order. An action deletes its
// timer or sets it to a later time.
var timerActions = [...]func(s *session, ctx context.Context, now time.Time) error{
	pongTimeout:   func(*session, context.Context, time.Time) error { return errPongTimeout },
	syncTimeout:   (*session).syncTimedOut,
	pingDue:       (*session).ping,
	refreshDue:    (*session).refresh,
	firstSync:     (*session).sync,
	secondSync:    (*session).sync,
	quietSync:     (*session).sync,
	silentSync:    (*session).sync,
	afterEndSync:  (*session).sync,
	requestedSync: (*session).sync,
	retrySync:     (*session).sync,
}

// timers has the time at which each set timer is due.
type timers map[timer]time.Time

// setNoLaterThan sets a timer to a time, unless it is already set to an earlier one.
func (t timers) setNoLaterThan(which timer, at time.Time) {
	if earlier, set := t[which]; !set || at.Before(earlier) {
		t[which] = at
	}
}

// dueAt returns the time at which a timer is due. It returns false if the timer is not set or must wait.
func (s *session) dueAt(which timer) (time.Time, bool) {
	at, set := s.timers[which]
	if startsSync := which >= firstSync; !set || !startsSync {
		return at, set
	}
	if s.syncing {
		return time.Time{}, false
	}
	for _, until := range []time.Time{s.serverPauseUntil, s.retryPauseUntil} {
		if at.Before(until) {
			at = until
		}
	}

	return at, true
}

// nextTimer returns the time at which the next timer is due.
func (s *session) nextTimer() time.Time {
	s.setSilentSync()
	next := s.timers[pingDue] // pingDue is always set
	for which := range s.timers {
		if at, set := s.dueAt(which); set && at.Before(next) {
			next = at
		}
	}
	return next
}

// runDueTimers runs the actions of all timers that are due, until one returns an error.
func (s *session) runDueTimers(ctx context.Context, now time.Time) error {
	s.setSilentSync()
	for which, do := range timerActions {
		at, set := s.dueAt(timer(which))
		if !set || now.Before(at) {
			continue
		}
		if err := do(s, ctx, now); err != nil {
			return err
		}
	}

	return nil
}
