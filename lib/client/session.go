package client

import (
	"cmp"
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
	timers timers
	// receivedFrame says that this connection has received a frame. synced says that a sync over it was complete.
	receivedFrame, synced bool
	// silence has the silence of each running job, by its id.
	silence map[string]silence

	// end is the time at which the session ends, by this machine's clock.
	end time.Time
	// refreshToken is the last token that was sent to extend the session.
	refreshToken string

	// syncing says that the request of a page was sent, and that its answer has not ended.
	syncing bool
	// serverPauseUntil is the time until which the server accepts no sync. retryPauseUntil is the end of the pause after a
	// failed sync.
	serverPauseUntil, retryPauseUntil time.Time
	// failures counts the failed syncs in a row.
	failures int
	// brief says that the sync may end after a page whose states the view already has.
	brief bool
	// noWelcome says that syncs ask for no welcome, because one has come.
	noWelcome bool
	// legacySync says that the server rejected a sync. It may be an older one that does not know the fields "welcome" and "batch", so
	// syncs are sent without these fields.
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
			for range frames { // Drain frames: the server's close frame comes after them.
			}
		}()
		_ = s.socket.Close() // it may be closed already
	}
	stop()
	<-ended
	return err
}

// read sends the frames to the channel, then the error that ended the connection. It closes the channel.
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

// serve handles frames and timers until the connection ends.
func (s *session) serve(ctx context.Context, frames <-chan received) error {
	now := time.Now()
	s.view.resetCursor()
	for _, e := range s.view.Jobs() {
		s.resetSilence(e.Job, now)
	}
	s.timers[pingDue] = now.Add(PingInterval)
	s.timers[firstSync] = now
	s.timers[secondSync] = now.Add(SecondSync)
	for {
		if err := s.runDueTimers(ctx, time.Now()); err != nil {
			return err
		}
		if err := s.wait(ctx, frames); err != nil {
			return err
		}
	}
}

// wait waits for the next timer, frame or call of [Client.Sync]. It handles the last two.
func (s *session) wait(ctx context.Context, frames <-chan received) error {
	next := time.NewTimer(time.Until(s.nextTimer()))
	defer next.Stop()
	select {
	case f := <-frames:
		if f.err != nil {
			return f.err
		}
		return s.handle(f)
	case <-next.C:
		return nil
	case <-s.client.syncCalled:
		if s.client.syncWanted() {
			s.timers[requestedSync] = time.Now()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handle handles a frame, or the frames of a batch in their order. It skips what is not a frame.
func (s *session) handle(f received) error {
	batch, ok := f.Data.(message.Batch)
	if !ok {
		return s.handleFrame(f)
	}
	for _, raw := range batch.Frames {
		e, err := message.Parse(raw)
		if err != nil {
			continue
		}
		if err := s.handleFrame(received{Envelope: e, raw: raw}); err != nil {
			return err
		}
	}

	return nil
}

// handleFrame applies a frame to the view, calls OnFrame if the frame is new, and handles control frames.
func (s *session) handleFrame(f received) error {
	now := time.Now()
	delete(s.timers, pongTimeout) // any text shows that the connection works, also one with which API Gateway refuses a message
	s.timers[pingDue] = now.Add(PingInterval)
	if f.Data == nil { // the text is not a frame
		return nil
	}
	if s.view.apply(f.Envelope) && s.client.config.OnFrame != nil {
		s.client.config.OnFrame(f.Envelope, f.raw)
	}
	if s.view.resetSkipped() {
		s.timers.setNoLaterThan(requestedSync, now.Add(syncPause))
	}
	if state, ok := message.AsUploadProgress(f.Data); ok {
		s.resetSilence(cmp.Or(f.Job, state.UploadID), now)
	}
	switch data := f.Data.(type) {
	case message.Closing:
		return s.closingError(data)
	case message.Welcome:
		s.noWelcome = !s.legacySync
		s.setEnd(now.Add(data.SessionEnd.Sub(data.ServerTime.Time)), now)
	case message.Refreshed:
		s.handleRefreshed(now.Add(data.SessionEnd.Sub(f.Timestamp.Time)), now)
	case message.Synced:
		s.handleSynced(now, data)
	case message.Error:
		if isAnswer := f.ID == ""; isAnswer { // an error with an id is a note
			s.handleError(now, data.Code)
		}
	}
	s.receivedFrame = true
	return nil
}

// closingError returns the error for a closing frame.
func (s *session) closingError(data message.Closing) error {
	switch {
	case data.Reconnect: // with the same token
	case data.Code == message.CloseTokenExpired: // the client may reconnect with another token
		s.client.expiredToken = s.client.token
	default:
		return &Closed{data}
	}
	return fmt.Errorf("%w: %s", errClosing, data.Code)
}

// setEnd sets the session's end, by this machine's clock, and the timers for the refresh before it and the sync after it.
func (s *session) setEnd(end, now time.Time) {
	s.end = end
	if end.After(now) {
		s.timers[afterEndSync] = end.Add(EndGrace)
	}
	s.timers[refreshDue] = end.Add(-min(RefreshLead, end.Sub(now)/2)) // a short session is refreshed after half of its time
}

// handleRefreshed handles the server's acceptance of the refresh token. If the session's end did not change, no further
// refresh can extend it.
func (s *session) handleRefreshed(end, now time.Time) {
	s.client.token = s.refreshToken
	if end.Before(s.end.Add(time.Second)) { // not later: the two ends differ only by the delay of the frames
		delete(s.timers, refreshDue)
	} else {
		s.setEnd(end, now)
	}
}

// refresh sends a new token, if Config.Token returns one. It sets the timer for another refresh after half of the remaining
// time, as the answer may be lost.
func (s *session) refresh(ctx context.Context, now time.Time) error {
	delete(s.timers, refreshDue)
	if left := s.end.Sub(now) / 2; left >= time.Second {
		s.timers[refreshDue] = now.Add(left)
	}
	tokenCtx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	token, err := s.client.config.Token(tokenCtx)
	if err != nil {
		s.client.config.Log.WarnContext(ctx, "no token to refresh with", "err", err)
		return nil
	}
	if token == s.client.token { // it cannot extend the session
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

// ping sends a ping and sets the timers for its pong and for the next ping.
func (s *session) ping(ctx context.Context, now time.Time) error {
	s.timers[pingDue], s.timers[pongTimeout] = now.Add(PingInterval), now.Add(AnswerTimeout)
	return s.send(ctx, `{"action":"ping"}`)
}

func (s *session) send(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	return s.socket.Send(ctx, text)
}
