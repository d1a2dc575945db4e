package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

var (
	errPongTimeout = errors.New("client: no answer to a ping")
	errClosing     = errors.New("client: closed by the server")
)

// session is one connection of a client. It belongs to one goroutine.
type session struct {
	client *Client
	view   *View
	socket Socket
	alarms alarms
	// worked says that a frame came.
	worked bool
	// silence is that of the running jobs.
	silence map[string]silence

	// end is when the session ends.
	end time.Time
	// refreshToken is the token that was sent last to prolong the session.
	refreshToken string

	// syncing says that a sync is under way.
	syncing bool
	// heldUntil is until when the server wants no sync; pausedUntil is the end of the pause after a sync that failed.
	heldUntil, pausedUntil time.Time
	// failures counts the syncs in a row that were not answered to their end.
	failures int
	// brief says that the sync may end with a page of known states.
	brief bool
	// noWelcome says that syncs ask for no welcome, because one has come.
	noWelcome bool
	// plain says that the server does not know the newer fields of a sync.
	plain bool
}

// received is a frame, or the connection's end.
type received struct {
	message.Envelope

	raw []byte
	err error
}

// run serves the connection until it or ctx ends, and closes it.
func (s *session) run(ctx context.Context) error {
	frames := make(chan received)
	reading, stop := context.WithCancel(context.WithoutCancel(ctx)) // the end of ctx leaves time for the close frames
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.read(reading, frames)
	}()
	err := s.serve(ctx, frames)
	if errors.Is(err, errPongTimeout) {
		_ = s.socket.Drop() // nobody would answer a close frame
	} else {
		go func() {
			for range frames { //nolint:revive // Drain frames: the server's close frame comes after them.
			}
		}()
		_ = s.socket.Close() // it may be closed already
	}
	stop()
	<-ended
	return err
}

// read passes on the frames and the error that ends them.
func (s *session) read(ctx context.Context, frames chan<- received) {
	defer close(frames)
	for {
		e, raw, err := s.socket.Next(ctx)
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

// serve handles frames and does what is due, until the connection ends.
func (s *session) serve(ctx context.Context, frames <-chan received) error {
	now := time.Now()
	s.view.firstPage()
	for _, e := range s.view.Jobs() {
		s.resetSilence(e.Job, now)
	}
	s.alarms[pingDue] = now.Add(PingInterval)
	s.alarms[firstSync] = now
	s.alarms[secondSync] = now.Add(SecondSync)
	for {
		if err := s.doDue(ctx, time.Now()); err != nil {
			return err
		}
		if err := s.wait(ctx, frames); err != nil {
			return err
		}
	}
}

// wait waits for an alarm, or for a frame or a call of [Client.Sync], which it handles.
func (s *session) wait(ctx context.Context, frames <-chan received) error {
	timer := time.NewTimer(time.Until(s.nextAlarm()))
	defer timer.Stop()
	select {
	case f := <-frames:
		if f.err != nil {
			return f.err
		}
		return s.handle(f)
	case <-timer.C:
		return nil
	case <-s.client.syncCalled:
		if s.client.syncWanted() {
			s.alarms[calledSync] = time.Now()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // run returns nil then
	}
}

// handle remembers a frame, shows it, and does what a control frame says.
func (s *session) handle(f received) error {
	now := time.Now()
	delete(s.alarms, pongTimeout) // any frame shows that the connection lives
	if s.view.apply(f.Envelope) && s.client.config.OnFrame != nil {
		s.client.config.OnFrame(f.Envelope, f.raw)
	}
	if s.view.noteSkipped() {
		s.alarms.atMost(calledSync, now.Add(syncPause))
	}
	switch data := f.Data.(type) {
	case message.Closing:
		return s.closing(data)
	case message.UploadProgress:
		s.resetSilence(f.Job, now)
	case message.Welcome:
		s.noWelcome = !s.plain
		s.setEnd(now.Add(data.SessionEnd.Sub(data.ServerTime.Time)), now)
	case message.Refreshed:
		s.refreshed(now.Add(data.SessionEnd.Sub(f.Timestamp.Time)), now)
	case message.Synced:
		s.synced(now, data)
	case message.Error:
		if f.ID == "" {
			s.refused(now, data.Code)
		}
	}
	s.worked = true
	return nil
}

// closing returns the error that a closing frame means.
func (s *session) closing(data message.Closing) error {
	switch {
	case data.Reconnect:
	case data.Code == message.CloseTokenExpired:
		s.client.expiredToken = s.client.token
	default:
		return &Closed{data}
	}
	return fmt.Errorf("%w: %s", errClosing, data.Code)
}

// setEnd plans the refresh of a session with an end, by this machine's clock, and the sync after that end.
func (s *session) setEnd(end, now time.Time) {
	s.end = end
	if end.After(now) {
		s.alarms[endedSync] = end.Add(EndGrace)
	}
	s.alarms[refreshDue] = end.Add(-min(RefreshLead, end.Sub(now)/2)) //nolint:mnd // half of a short one
}

// refreshed notes that the token which was sent is in force. A session that it has not prolonged cannot become longer.
func (s *session) refreshed(end, now time.Time) {
	s.client.token = s.refreshToken
	if end.Before(s.end.Add(time.Second)) {
		delete(s.alarms, refreshDue)
	} else {
		s.setEnd(end, now)
	}
}

// refresh sends another token, if there is one. It is tried again after half of the time that is left: the answer may be
// lost.
func (s *session) refresh(ctx context.Context, now time.Time) error {
	delete(s.alarms, refreshDue)
	if left := s.end.Sub(now) / 2; left >= time.Second { //nolint:mnd // see above
		s.alarms[refreshDue] = now.Add(left)
	}
	asking, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	token, err := s.client.config.Token(asking)
	if err != nil {
		s.client.config.Log.WarnContext(ctx, "no token to refresh with", "err", err)
		return nil
	}
	if token == s.client.token {
		return nil
	}
	text, err := json.Marshal(map[string]string{"action": "refresh", "token": token})
	if err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	if err := s.send(ctx, string(text)); err != nil {
		return err
	}
	s.refreshToken = token
	return nil
}

// ping sends a message that the server answers with a pong.
func (s *session) ping(ctx context.Context, now time.Time) error {
	s.alarms[pingDue], s.alarms[pongTimeout] = now.Add(PingInterval), now.Add(AnswerTimeout)
	return s.send(ctx, `{"action":"ping"}`)
}

func (s *session) send(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	return s.socket.Send(ctx, text)
}
