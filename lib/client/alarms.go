package client

import (
	"context"
	"time"
)

// alarm identifies something that a session does at a certain time.
type alarm int

const (
	pongTimeout alarm = iota
	syncTimeout
	pingDue
	refreshDue

	// The following alarms start a sync. They wait while a sync runs, during the pause after a failed sync, and while the
	// server's retryAfter lasts. All but retrySync need a new sync: they stay set while the pages of another one come.
	firstSync
	secondSync
	quietSync
	silentSync
	afterEndSync
	requestedSync
	retrySync
)

// alarmActions are what a session does when an alarm is due, in this order. Each action unsets or moves its alarm.
var alarmActions = [...]func(s *session, ctx context.Context, now time.Time) error{
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

// alarms are the times at which alarms are due.
type alarms map[alarm]time.Time

// setNoLaterThan sets an alarm, unless it is set to an earlier time.
func (a alarms) setNoLaterThan(which alarm, at time.Time) {
	if set, ok := a[which]; !ok || at.Before(set) {
		a[which] = at
	}
}

// dueAt returns the time at which an alarm is due. It returns false if the alarm is not set or must wait.
func (s *session) dueAt(which alarm) (time.Time, bool) {
	at, set := s.alarms[which]
	if !set || which < firstSync {
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

// nextAlarm returns the time at which the first alarm is due.
func (s *session) nextAlarm() time.Time {
	s.setSilentSync()
	first := s.alarms[pingDue] // pingDue is always set
	for which := range s.alarms {
		if at, set := s.dueAt(which); set && at.Before(first) {
			first = at
		}
	}
	return first
}

// doDue runs the actions of all alarms that are due.
func (s *session) doDue(ctx context.Context, now time.Time) error {
	s.setSilentSync()
	for which, do := range alarmActions {
		at, set := s.dueAt(alarm(which))
		if !set || now.Before(at) {
			continue
		}
		if err := do(s, ctx, now); err != nil {
			return err
		}
	}

	return nil
}
