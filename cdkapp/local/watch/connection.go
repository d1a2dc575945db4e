package watch

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/message"
)

// state is the state of the connection as the screen and the lines show it.
type state int

const (
	connecting state = iota
	catchingUp
	live
	offline
	refused
)

// String returns the state in words.
func (s state) String() string {
	return [...]string{"connecting", "catching up", "live", "offline", "refused"}[s]
}

// connection describes the connection to the server.
type connection struct {
	state   state
	reason  string    // why the state is offline or refused; otherwise empty
	retryAt time.Time // when the client tries to connect again, if the state is offline or refused
}

// output shows what a client reports. Only one goroutine calls its methods.
type output interface {
	frame(e message.Envelope)
	connection(c connection)
}

// The first and the longest pause between the refusal of a token and the next try.
const (
	firstRefusedPause = 2 * time.Second
	maxRefusedPause   = time.Minute
)

// errSameToken means that the source of tokens still returns the token that the server has refused.
var errSameToken = errors.New("watch: the same token again")

// follower keeps a client connected.
type follower struct {
	host   string
	tokens Tokens
	out    output
	client *client.Client
	// token is the token that was sent last. refusedToken is the token that the server refused last.
	token, refusedToken string
	// refusalReason says why the server refused refusedToken. It is empty if the server has accepted a token since.
	refusalReason string
	// refusals counts the refusals since the server last accepted a token.
	refusals int
}

// connect returns a client that is not connected yet, and a function that connects it and keeps it connected until ctx ends. If ctx
// ends, the function returns nil. Otherwise it returns the reason why no other attempt would help.
func connect(c Config, host string, out output) (*client.Client, func(ctx context.Context) error) {
	f := &follower{host: host, tokens: c.Tokens, out: out}
	f.client = client.New(client.Config{
		URL: c.URL, Token: f.nextToken, OnStatus: f.status, Dial: c.dial,
		OnFrame: func(e message.Envelope, _ []byte) { out.frame(e) },
	})
	return f.client, f.run
}

// nextToken returns the current token, or errSameToken if it is the one that the server refused last.
func (f *follower) nextToken(ctx context.Context) (string, error) {
	token, err := f.tokens.Get(ctx)
	if err != nil {
		return "", err
	}
	if token == f.refusedToken {
		return "", errSameToken
	}
	f.token = token
	return token, nil
}

// run is the function that connect returns.
func (f *follower) run(ctx context.Context) error {
	for {
		err := f.client.Run(ctx)
		if err == nil {
			return nil
		}
		if !f.tokens.Renewable || !isTokenRefused(err) {
			return errors.New(words(err, f.host))
		}
		// The pause doubles with each refusal. At most 10 doublings, so that the shift cannot overflow.
		pause := min(firstRefusedPause<<min(f.refusals, 10), maxRefusedPause)
		f.refusals++
		f.refusedToken, f.refusalReason = f.token, words(err, f.host)
		f.out.connection(connection{state: refused, reason: f.refusalReason, retryAt: time.Now().Add(pause)})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// isTokenRefused reports whether err means that the server does not accept the token, or no longer. Then another token may help.
func isTokenRefused(err error) bool {
	var refused *client.Refused
	return errors.Is(err, client.ErrTokenExpired) || errors.As(err, &refused) && refused.Status == http.StatusUnauthorized
}

// status shows the client's status. It does not show that the client has stopped, because run reports the reason of that.
func (f *follower) status(s client.Status) {
	switch {
	case s.State == client.Stopped:
		return
	case s.State == client.Connected && s.Synced:
		f.out.connection(connection{state: live})
	case s.State == client.Connected:
		f.refusals, f.refusalReason = 0, "" // The server has accepted the token.
		f.out.connection(connection{state: catchingUp})
	case errors.Is(s.Err, errSameToken):
		f.out.connection(connection{state: refused, reason: f.refusalReason, retryAt: s.RetryAt})
	case s.Err != nil:
		f.out.connection(connection{state: offline, reason: words(s.Err, f.host), retryAt: s.RetryAt})
	case f.refusalReason == "": // After a refusal, the state stays refused while the client connects.
		f.out.connection(connection{state: connecting})
	}
}
