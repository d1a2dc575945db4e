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

// session is one connection of a client. One goroutine uses it.
type session struct {
	client *Client
	view   *View
	socket Socket
	alarms alarms
	// receivedFrame says that a frame was received; synced, that a sync is complete.
	receivedFrame, synced bool
	// silence holds the silence of each running job.
	silence map[string]silence

	// end is the time at which the session ends, by this machine's clock.
	end time.Time
	// refreshToken is the last token that was sent to extend the session.
	refreshToken string

	// syncing says that a sync was sent and its page has not ended.
	syncing bool
	// serverPauseUntil is the time until which the server accepts no sync. retryPauseUntil is the end of the pause after a
	// failed sync.
	serverPauseUntil, retryPauseUntil time.Time
	// failures counts the failed syncs in a row.
	failures int
	// brief says that the sync may end with a page whose states are all known.
	brief bool
	// noWelcome says that syncs request no welcome, because one has come.
	noWelcome bool
	// legacySync says that the server does not support the newer fields of a sync.
	legacySync bool
}

// received is a frame, or the error that ended the connection.
type received struct {
	message.Envelope

	raw []byte
	err error
}

// run serves the connection until it or ctx ends, and closes it.
func (s *session) run(ctx context.Context) error {
	frames := make(chan received)
	readCtx, stop := context.WithCancel(context.WithoutCancel(ctx)) // after the end of ctx, read still reads the close frames
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.read(readCtx, frames)
	}()
	err := s.serve(ctx, frames)
	if errors.Is(err, errPongTimeout) {
		_ = s.socket.Drop() // the server would not answer a close frame
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

// read sends the frames to the channel, then the error that ended the connection.
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

// serve handles frames and alarms until the connection ends.
func (s *session) serve(ctx context.Context, frames <-chan received) error {
	now := time.Now()
	s.view.resetCursor()
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

// wait waits for the next alarm, frame or call of [Client.Sync]. It handles the last two.
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
			s.alarms[requestedSync] = time.Now()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handle applies a frame to the view, calls OnFrame if the frame is new, and handles control frames.
func (s *session) handle(f received) error {
	now := time.Now()
	delete(s.alarms, pongTimeout) // any frame shows that the connection works
	s.alarms[pingDue] = now.Add(PingInterval)
	if s.view.apply(f.Envelope) && s.client.config.OnFrame != nil {
		s.client.config.OnFrame(f.Envelope, f.raw)
	}
	if s.view.resetSkipped() {
		s.alarms.setNoLaterThan(requestedSync, now.Add(syncPause))
	}
	switch data := f.Data.(type) {
	case message.Closing:
		return s.closingError(data)
	case message.UploadProgress:
		s.resetSilence(f.Job, now)
	case message.Welcome:
		s.noWelcome = !s.legacySync
		s.setEnd(now.Add(data.SessionEnd.Sub(data.ServerTime.Time)), now)
	case message.Refreshed:
		s.handleRefreshed(now.Add(data.SessionEnd.Sub(f.Timestamp.Time)), now)
	case message.Synced:
		s.handleSynced(now, data)
	case message.Error:
		if f.ID == "" {
			s.handleError(now, data.Code)
		}
	}
	s.receivedFrame = true
	return nil
}

// closingError returns the error for a closing frame.
func (s *session) closingError(data message.Closing) error {
	switch {
	case data.Reconnect:
	case data.Code == message.CloseTokenExpired:
		s.client.expiredToken = s.client.token
	default:
		return &Closed{data}
	}
	return fmt.Errorf("%w: %s", errClosing, data.Code)
}

// setEnd sets the session's end, by this machine's clock, and the alarms for the refresh before it and the sync after it.
func (s *session) setEnd(end, now time.Time) {
	s.end = end
	if end.After(now) {
		s.alarms[afterEndSync] = end.Add(EndGrace)
	}
	s.alarms[refreshDue] = end.Add(-min(RefreshLead, end.Sub(now)/2))
}

// handleRefreshed handles the server's acceptance of the refresh token. If the session's end did not change, no further
// refresh can extend it.
func (s *session) handleRefreshed(end, now time.Time) {
	s.client.token = s.refreshToken
	if end.Before(s.end.Add(time.Second)) {
		delete(s.alarms, refreshDue)
	} else {
		s.setEnd(end, now)
	}
}

// refresh sends a new token, if Config.Token returns one. It sets the alarm for another refresh after half of the remaining
// time, as the answer may be lost.
func (s *session) refresh(ctx context.Context, now time.Time) error {
	delete(s.alarms, refreshDue)
	if left := s.end.Sub(now) / 2; left >= time.Second {
		s.alarms[refreshDue] = now.Add(left)
	}
	tokenCtx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	token, err := s.client.config.Token(tokenCtx)
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

// ping sends a ping and sets the alarms for its pong and for the next ping.
func (s *session) ping(ctx context.Context, now time.Time) error {
	s.alarms[pingDue], s.alarms[pongTimeout] = now.Add(PingInterval), now.Add(AnswerTimeout)
	return s.send(ctx, `{"action":"ping"}`)
}

func (s *session) send(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	return s.socket.Send(ctx, text)
}
