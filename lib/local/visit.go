package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// rateWindow is how long a tab asks for nothing after the server has told it that it asks too much.
const rateWindow = time.Minute

var (
	errDeaf  = errors.New("local: the connection does not answer")
	errEnded = errors.New("local: the session has ended")
)

// visit is the life of one connection of a tab. It belongs to one goroutine.
type visit struct {
	tab    *Tab
	socket Socket
	worked bool // whether a frame came

	// What is due when; zero is never.
	second, quiet, ping, pong, answer, retry, refresh, over time.Time
	// held is until when the server wants no sync.
	held time.Time

	// heard says when a running job was heard of, or asked for, last.
	heard map[string]hush
	// end is that of the session.
	end time.Time

	syncing  bool
	failures int // of syncs in a row
	// offered is the token of the last refresh.
	offered string
}

// hush is the silence of a running job, since when, and how long it may last.
type hush struct {
	since time.Time
	bound time.Duration
}

// received is a frame, or the connection's end.
type received struct {
	message.Envelope

	raw []byte
	err error
}

// visit opens a connection and stays until it ends, and reports whether a frame came.
func (t *Tab) visit(ctx context.Context) (bool, error) {
	token, err := t.config.Token(ctx)
	if err != nil {
		return false, fmt.Errorf("token: %w", err)
	}
	if t.over != "" && token == t.over {
		return false, ErrTokenOver
	}
	t.token = token
	dialing, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	socket, err := t.config.Dial(dialing, t.config.URL, token)
	if err != nil {
		return false, err
	}
	v := &visit{tab: t, socket: socket, heard: map[string]hush{}}
	err = v.run(ctx)

	return v.worked, err
}

// run reads until the connection or ctx ends.
func (v *visit) run(ctx context.Context) error {
	frames := make(chan received)
	reading, stop := context.WithCancel(context.WithoutCancel(ctx)) // so that the end of ctx leaves time for a goodbye
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		v.read(reading, frames)
	}()
	err := v.stay(ctx, frames)
	if errors.Is(err, errDeaf) {
		_ = v.socket.Drop() // nobody would answer the goodbye
	} else {
		go func() { // what is read no more is read away, for the answer to the goodbye is behind it
			for range frames { //nolint:revive // see above
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

// stay does what is due, until the connection ends.
func (v *visit) stay(ctx context.Context, frames <-chan received) error {
	now := time.Now()
	v.ping = now.Add(PingInterval)
	for _, e := range v.tab.view.Jobs() {
		v.hear(e.Job, now)
	}
	v.tab.lost()
	if !v.tab.config.NoSync {
		v.second = now.Add(SecondSync)
	}
	if !v.tab.config.NoSync || v.tab.unanswered() {
		if err := v.sync(ctx, now); err != nil {
			return err
		}
	}
	for {
		err := v.step(ctx, frames)
		if err != nil {
			return err
		}
	}
}

// step waits for one thing to happen.
func (v *visit) step(ctx context.Context, frames <-chan received) error {
	timer := time.NewTimer(time.Until(v.next()))
	defer timer.Stop()
	select {
	case f := <-frames:
		if f.err != nil {
			return f.err
		}

		return v.take(ctx, f)
	case <-timer.C:
		return v.due(ctx, time.Now())
	case <-v.tab.asked:
		if !v.syncing && v.tab.unanswered() {
			return v.sync(ctx, time.Now())
		}

		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // Run looks at its own context
	}
}

// take remembers and shows a frame, and answers those of the server's own.
func (v *visit) take(ctx context.Context, f received) error {
	now := time.Now()
	v.pong = time.Time{} // whatever comes shows that the connection lives
	if v.syncing {
		v.answer = now.Add(SyncTimeout)
	}
	if v.tab.view.Take(f.Envelope) && v.tab.config.OnFrame != nil {
		v.tab.config.OnFrame(f.Envelope, f.raw)
	}
	switch data := f.Data.(type) {
	case message.Closing:
		return v.closing(data)
	case message.UploadProgress:
		v.hear(f.Job, now)
	case message.Welcome:
		v.lasts(now.Add(data.SessionEnd.Sub(data.ServerTime.Time)), now)
	case message.Refreshed:
		v.refreshed(now.Add(data.SessionEnd.Sub(f.Timestamp.Time)), now)
	case message.Synced:
		return v.synced(ctx, now, data.More)
	case message.Error:
		if data.Code == message.CloseRateLimited && f.ID == "" {
			v.held = now.Add(rateWindow)
		}
	}
	v.worked = true

	return nil
}

// closing returns the error that a farewell means.
func (v *visit) closing(data message.Closing) error {
	switch {
	case data.Reconnect:
	case data.Code == message.CloseTokenExpired:
		v.tab.over = v.tab.token
	default:
		return &Closed{data}
	}

	return fmt.Errorf("%w: %s", errEnded, data.Code)
}

// hear notes that a job was heard of, as long as it runs.
func (v *visit) hear(job string, now time.Time) {
	e, _ := v.tab.view.Job(job)
	if state, ok := message.AsUploadProgress(e.Data); ok && !state.Status.Terminal() {
		v.heard[job] = hush{now, Silence}
	} else {
		delete(v.heard, job)
	}
}
