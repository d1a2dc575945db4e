package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

var (
	errPongTimeout = errors.New("local: no answer to a ping")
	errClosing     = errors.New("local: closed by the server")
)

// visit is one connection of a tab. It belongs to one goroutine.
type visit struct {
	tab    *Tab
	view   *View
	socket Socket
	// worked says that a frame came.
	worked bool
	// noWelcome says that the syncs ask for no welcome: one has come.
	noWelcome bool
	// plain says that the server does not know the newer fields of a sync.
	plain bool

	alarms  alarms
	silence map[string]silence // of the running jobs
	// end is when the session ends.
	end time.Time

	syncing bool
	// heldUntil is until when the server wants no sync; pausedUntil is the end of the pause after one that failed.
	heldUntil, pausedUntil time.Time
	// failures counts the syncs in a row that were not answered to their end.
	failures int
	// refreshToken is the token that was sent last to prolong the session.
	refreshToken string
}

// received is a frame, or the connection's end.
type received struct {
	message.Envelope

	raw []byte
	err error
}

// visit opens a connection, serves it until it ends, and reports whether a frame came.
func (t *Tab) visit(ctx context.Context) (bool, error) {
	token, err := t.config.Token(ctx)
	if err != nil {
		return false, fmt.Errorf("token: %w", err)
	}
	if t.expired != "" && token == t.expired {
		return false, ErrTokenOver
	}
	t.token = token
	dialing, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	socket, err := t.config.Dial(dialing, t.config.URL, token)
	if err != nil {
		return false, err
	}
	t.setStatus(Status{State: Connected})
	v := &visit{tab: t, view: &t.view, socket: socket, alarms: alarms{}, silence: map[string]silence{}}
	err = v.run(ctx)

	return v.worked, err
}

// run reads until the connection or ctx ends.
func (v *visit) run(ctx context.Context) error {
	frames := make(chan received)
	reading, stop := context.WithCancel(context.WithoutCancel(ctx)) // the end of ctx leaves time for the close frames
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		v.read(reading, frames)
	}()
	err := v.serve(ctx, frames)
	if errors.Is(err, errPongTimeout) {
		_ = v.socket.Drop() // nobody would answer a close frame
	} else {
		go func() {
			for range frames { //nolint:revive // Drain frames: the server's close frame comes after them.
			}
		}()
		_ = v.socket.Close() // it may be closed already
	}
	stop()
	<-ended

	return err
}

// read passes frames on until the connection ends, and its end.
func (v *visit) read(ctx context.Context, frames chan<- received) {
	defer close(frames)
	for {
		e, raw, err := v.socket.Next(ctx)
		select {
		case frames <- received{e, raw, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// serve takes frames and does what is due, until the connection ends.
func (v *visit) serve(ctx context.Context, frames <-chan received) error {
	now := time.Now()
	v.view.begin()
	for _, e := range v.view.Jobs() {
		v.listen(e.Job, now)
	}
	v.alarms[pingDue] = now.Add(PingInterval)
	v.alarms[firstSync] = now
	v.alarms[secondSync] = now.Add(SecondSync)
	for {
		if err := v.due(ctx, time.Now()); err != nil {
			return err
		}
		if err := v.step(ctx, frames); err != nil {
			return err
		}
	}
}

// step waits for a frame, an alarm, or a call of [Tab.Sync].
func (v *visit) step(ctx context.Context, frames <-chan received) error {
	timer := time.NewTimer(time.Until(v.next()))
	defer timer.Stop()
	select {
	case f := <-frames:
		if f.err != nil {
			return f.err
		}

		return v.take(f)
	case <-timer.C:
		return nil
	case <-v.tab.asked:
		if v.tab.unanswered() {
			v.alarms[askedSync] = time.Now()
		}

		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // Run looks at its own context
	}
}

// take remembers and shows a frame, and follows the server's own.
func (v *visit) take(f received) error {
	now := time.Now()
	delete(v.alarms, pongTimeout) // whatever comes shows that the connection lives
	if v.view.Take(f.Envelope) && v.tab.config.OnFrame != nil {
		v.tab.config.OnFrame(f.Envelope, f.raw)
	}
	if v.view.overfull() {
		v.alarms.atMost(askedSync, now.Add(syncPause))
	}
	switch data := f.Data.(type) {
	case message.Closing:
		return v.closing(data)
	case message.UploadProgress:
		v.listen(f.Job, now)
	case message.Welcome:
		v.noWelcome = !v.plain
		v.endsAt(now.Add(data.SessionEnd.Sub(data.ServerTime.Time)), now)
	case message.Refreshed:
		v.refreshed(now.Add(data.SessionEnd.Sub(f.Timestamp.Time)), now)
	case message.Synced:
		v.synced(now, data)
	case message.Error:
		if f.ID == "" {
			v.refused(now, data.Code)
		}
	}
	v.worked = true

	return nil
}

// closing returns the error that a closing frame means.
func (v *visit) closing(data message.Closing) error {
	switch {
	case data.Reconnect:
	case data.Code == message.CloseTokenExpired:
		v.tab.expired = v.tab.token
	default:
		return &Closed{data}
	}

	return fmt.Errorf("%w: %s", errClosing, data.Code)
}

// endsAt plans the refresh of a session with an end, which is by this machine's clock, and the sync after that.
func (v *visit) endsAt(end, now time.Time) {
	v.end = end
	if end.After(now) {
		v.alarms[endedSync] = end.Add(EndGrace)
	}
	v.alarms[refreshDue] = end.Add(-min(RefreshLead, end.Sub(now)/2)) //nolint:mnd // half of a short one
}

// refreshed notes that the token which was sent is in force. A session that it has not prolonged is as long as it can be.
func (v *visit) refreshed(end, now time.Time) {
	v.tab.token = v.refreshToken
	if end.Before(v.end.Add(time.Second)) {
		delete(v.alarms, refreshDue)
	} else {
		v.endsAt(end, now)
	}
}

// refresh sends another token, if there is one. It is tried again in half of the time that is left: the answer may be
// lost.
func (v *visit) refresh(ctx context.Context, now time.Time) error {
	if left := v.end.Sub(now) / 2; left >= time.Second { //nolint:mnd // see above
		v.alarms[refreshDue] = now.Add(left)
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
	v.refreshToken = token

	return nil
}

// ping sends what the server answers with a pong.
func (v *visit) ping(ctx context.Context, now time.Time) error {
	v.alarms[pingDue], v.alarms[pongTimeout] = now.Add(PingInterval), now.Add(AnswerTimeout)

	return v.send(ctx, `{"action":"ping"}`)
}

func (v *visit) send(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()

	return v.socket.Send(ctx, text) //nolint:wrapcheck // says what failed
}
