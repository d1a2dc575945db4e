package local

import (
	"context"
	"time"
)

// alarm is what a connection does at a time.
type alarm int

const (
	pongTimeout alarm = iota
	syncTimeout
	pingDue
	refreshDue

	// The others ask for a sync. They wait while one is under way, after one that failed, and while the server wants none. All but retrySync ask
	// for a new one: they wait while the pages of another come.
	firstSync
	secondSync
	quietSync
	silentSync
	endedSync
	askedSync
	retrySync
)

// alarms are when something is due.
type alarms map[alarm]time.Time

// atMost sets an alarm, unless it is set to an earlier time.
func (a alarms) atMost(which alarm, at time.Time) {
	if set, ok := a[which]; !ok || at.Before(set) {
		a[which] = at
	}
}

// actions are what is done, in this order, when an alarm is due.
var actions = [...]func(v *visit, ctx context.Context, now time.Time) error{
	pongTimeout: func(*visit, context.Context, time.Time) error { return errPongTimeout },
	syncTimeout: (*visit).giveUpSync,
	pingDue:     (*visit).ping,
	refreshDue:  (*visit).refresh,
	firstSync:   (*visit).sync,
	secondSync:  (*visit).sync,
	quietSync:   (*visit).sync,
	silentSync:  (*visit).sync,
	endedSync:   (*visit).sync,
	askedSync:   (*visit).sync,
	retrySync:   (*visit).sync,
}

// at returns when an alarm is due, and whether it is at all.
func (v *visit) at(which alarm) (time.Time, bool) {
	at, set := v.alarms[which]
	if !set || which < firstSync {
		return at, set
	}
	if v.syncing || which != retrySync && !v.view.first() {
		return time.Time{}, false
	}
	for _, until := range []time.Time{v.heldUntil, v.pausedUntil} {
		if at.Before(until) {
			at = until
		}
	}

	return at, true
}

// next returns when something is due.
func (v *visit) next() time.Time {
	v.setSilentSync()
	first := v.alarms[pingDue] // which is always set
	for which := range v.alarms {
		if at, set := v.at(which); set && at.Before(first) {
			first = at
		}
	}

	return first
}

// due does what is due.
func (v *visit) due(ctx context.Context, now time.Time) error {
	v.setSilentSync()
	for which, do := range actions {
		at, set := v.at(alarm(which))
		if !set || now.Before(at) {
			continue
		}
		delete(v.alarms, alarm(which))
		if err := do(v, ctx, now); err != nil {
			return err
		}
	}

	return nil
}
