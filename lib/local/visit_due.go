package local

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// syncPause is the first pause before a sync whose answer was lost is asked for again. It doubles up to MaxBackoff.
const syncPause = time.Second

// next returns when something is due.
func (v *visit) next() time.Time {
	first := v.ping
	for _, at := range []time.Time{v.second, v.quiet, v.pong, v.answer, v.retry, v.refresh, v.over, v.silent()} {
		if !at.IsZero() && at.Before(first) {
			first = at
		}
	}

	return first
}

// silent returns when a running job will have been silent for too long; zero is never.
func (v *visit) silent() (at time.Time) {
	if v.tab.config.NoSync {
		return time.Time{}
	}
	for _, h := range v.heard {
		if asked := h.since.Add(h.bound); at.IsZero() || asked.Before(at) {
			at = asked
		}
	}

	return at
}

// due does what is due.
func (v *visit) due(ctx context.Context, now time.Time) error {
	past := func(at *time.Time) bool {
		if at.IsZero() || now.Before(*at) {
			return false
		}
		*at = time.Time{}

		return true
	}
	if past(&v.pong) {
		return errDeaf
	}
	if past(&v.answer) {
		v.syncing = false
		v.tab.lost()
		v.again(now)
	}
	if past(&v.ping) {
		v.ping, v.pong = now.Add(PingInterval), now.Add(AnswerTimeout)
		if err := v.send(ctx, `{"action":"ping"}`); err != nil {
			return err
		}
	}
	if past(&v.refresh) {
		if err := v.renew(ctx, now); err != nil {
			return err
		}
	}
	silent := v.silent()
	if past(&v.second) || past(&v.quiet) || past(&v.retry) || past(&v.over) || past(&silent) {
		return v.sync(ctx, now)
	}

	return nil
}

// sync asks for what the tab has missed, unless it is asking, or the server wants none now.
func (v *visit) sync(ctx context.Context, now time.Time) error {
	for job, h := range v.heard { // the sync is about them, too
		if !now.Before(h.since.Add(h.bound)) {
			h.bound = min(2*h.bound, MaxSilence) //nolint:mnd // it doubles
		}
		h.since = now
		v.heard[job] = h
	}
	switch {
	case v.syncing:
		return nil
	case now.Before(v.held):
		v.retry = v.held

		return nil
	}
	v.syncing, v.answer, v.retry = true, now.Add(SyncTimeout), time.Time{}
	if !v.tab.config.NoSync {
		v.quiet = now.Add(QuietSync)
	}
	v.tab.answering()

	return v.send(ctx, v.tab.view.Sync())
}

// synced goes on after a sync: with the next one, when there is more or somebody waits for it.
func (v *visit) synced(ctx context.Context, now time.Time, more bool) error {
	v.worked, v.syncing, v.answer = true, false, time.Time{}
	switch {
	case v.tab.view.Missed():
		v.again(now)

		return nil
	case more:
		return v.sync(ctx, now)
	}
	v.failures = 0
	if v.tab.answered() {
		return v.sync(ctx, now)
	}

	return nil
}

// again plans the sync that makes up for one which has failed.
func (v *visit) again(now time.Time) {
	const maxShift = 10
	v.retry = now.Add(min(syncPause<<min(v.failures, maxShift), MaxBackoff))
	v.failures++
}

// lasts plans the refresh of a session with an end, which is by this machine's clock, and the question after that.
func (v *visit) lasts(end, now time.Time) {
	v.end = end
	if !v.tab.config.NoSync && end.After(now) {
		v.over = end.Add(EndGrace)
	}
	v.refresh = end.Add(-min(RefreshLead, end.Sub(now)/2)) //nolint:mnd // half of a short one
}

// refreshed notes that the token offered is in force. A session that it has not prolonged is as long as it can be.
func (v *visit) refreshed(end, now time.Time) {
	v.tab.token = v.offered
	if end.Before(v.end.Add(time.Second)) {
		v.refresh = time.Time{}
	} else {
		v.lasts(end, now)
	}
}

// renew sends another token, if there is one. It is tried again in half of the time that is left, for the answer may be
// lost.
func (v *visit) renew(ctx context.Context, now time.Time) error {
	if left := v.end.Sub(now) / 2; left >= time.Second { //nolint:mnd // see above
		v.refresh = now.Add(left)
	}
	asking, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	token, err := v.tab.config.Token(asking)
	if err != nil {
		v.tab.config.Log.WarnContext(ctx, "no token to refresh with", "err", err)

		return nil
	}
	if token == v.tab.token {
		return nil
	}
	text, err := json.Marshal(map[string]string{"action": "refresh", "token": token})
	if err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	if err := v.send(ctx, string(text)); err != nil {
		return err
	}
	v.offered = token

	return nil
}

func (v *visit) send(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()

	return v.socket.Send(ctx, text) //nolint:wrapcheck // says what failed
}
