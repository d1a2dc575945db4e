package client

import (
	"context"
	"time"
)

// alarm names what a session does at a time.
type alarm int

const (
	pongTimeout alarm = iota
	syncTimeout
	pingDue
	refreshDue

	// The others ask for a sync. They wait while a sync is under way, during the pause after one that failed, and while the
	// server wants none. All but retrySync ask for a sync that begins anew: they stay set while the pages of another come.
	firstSync
	secondSync
	quietSync
	silentSync
	endedSync
	calledSync
	retrySync
)

// actions are what a session does, in this order, when an alarm is due. Each unsets or moves its alarm.
var actions = [...]func(s *session, ctx context.Context, now time.Time) error{
	pongTimeout: func(*session, context.Context, time.Time) error { return errPongTimeout },
	syncTimeout: (*session).giveUpSync,
	pingDue:     (*session).ping,
	refreshDue:  (*session).refresh,
	firstSync:   (*session).sync,
	secondSync:  (*session).sync,
	quietSync:   (*session).sync,
	silentSync:  (*session).sync,
	endedSync:   (*session).sync,
	calledSync:  (*session).sync,
	retrySync:   (*session).sync,
}

// alarms are when something is due.
type alarms map[alarm]time.Time

// atMost sets an alarm, unless it is set to an earlier time.
func (a alarms) atMost(which alarm, at time.Time) {
	if set, ok := a[which]; !ok || at.Before(set) {
		a[which] = at
	}
}

// dueAt returns when an alarm is due, and whether it is due at all.
func (s *session) dueAt(which alarm) (time.Time, bool) {
	at, set := s.alarms[which]
	if !set || which < firstSync {
		return at, set
	}
	if s.syncing {
		return time.Time{}, false
	}
	for _, until := range []time.Time{s.heldUntil, s.pausedUntil} {
		if at.Before(until) {
			at = until
		}
	}

	return at, true
}

// nextAlarm returns when something is due.
func (s *session) nextAlarm() time.Time {
	s.setSilentSync()
	first := s.alarms[pingDue] // which is always set
	for which := range s.alarms {
		if at, set := s.dueAt(which); set && at.Before(first) {
			first = at
		}
	}
	return first
}

// doDue does what is due.
func (s *session) doDue(ctx context.Context, now time.Time) error {
	s.setSilentSync()
	for which, do := range actions {
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
