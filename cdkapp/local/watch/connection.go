package watch

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/message"
)

// state is the state of the connection as it is shown.
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

// connection is the state of the connection, the reason why it is offline or refused, and when it is tried again.
type connection struct {
	state   state
	reason  string
	retryAt time.Time
}

// output shows what a client reports. One goroutine calls it.
type output interface {
	frame(e message.Envelope)
	connection(c connection)
}

// After a token was refused, the client waits before it tries another one: these are the first and the longest pause.
const (
	firstRefusedPause = 2 * time.Second
	maxRefusedPause   = time.Minute
)

// errSameToken says that the source of tokens still has the token that was refused.
var errSameToken = errors.New("watch: the same token again")

// follower keeps a client connected.
type follower struct {
	host   string
	tokens Tokens
	out    output
	client *client.Client
	// token is the last token; refusedToken is the last one that was refused, refusedAs the reason for it.
	token, refusedToken, refusedAs string
	// refusals counts the refusals in a row.
	refusals int
}

// connect returns a client that is not connected yet, and the function that keeps it connected until ctx ends. The function
// returns nil then, and otherwise a reason for which no other attempt would help.
func connect(c Config, host string, out output) (*client.Client, func(ctx context.Context) error) {
	f := &follower{host: host, tokens: c.Tokens, out: out}
	f.client = client.New(client.Config{
		URL: c.URL, Token: f.nextToken, OnStatus: f.status, Dial: c.dial,
		OnFrame: func(e message.Envelope, _ []byte) { out.frame(e) },
	})
	return f.client, f.run
}

// nextToken returns a token that was not refused.
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

func (f *follower) run(ctx context.Context) error {
	for {
		err := f.client.Run(ctx)
		if err == nil {
			return nil
		}
		if !f.tokens.Renewable || !isTokenRefused(err) {
			return errors.New(words(err, f.host))
		}
		pause := min(firstRefusedPause<<min(f.refusals, 10), maxRefusedPause)
		f.refusals++
		f.refusedToken, f.refusedAs = f.token, words(err, f.host)
		f.out.connection(connection{state: refused, reason: f.refusedAs, retryAt: time.Now().Add(pause)})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// isTokenRefused reports whether another token would help.
func isTokenRefused(err error) bool {
	var refused *client.Refused
	return errors.Is(err, client.ErrTokenExpired) || errors.As(err, &refused) && refused.Status == http.StatusUnauthorized
}

// status passes the client's status on. The end of the client is reported by run.
func (f *follower) status(s client.Status) {
	switch {
	case s.State == client.Stopped:
		return
	case s.State == client.Connected && s.Synced:
		f.out.connection(connection{state: live})
	case s.State == client.Connected:
		f.refusals, f.refusedAs = 0, ""
		f.out.connection(connection{state: catchingUp})
	case errors.Is(s.Err, errSameToken):
		f.out.connection(connection{state: refused, reason: f.refusedAs, retryAt: s.RetryAt})
	case s.Err != nil:
		f.out.connection(connection{state: offline, reason: words(s.Err, f.host), retryAt: s.RetryAt})
	case f.refusedAs == "":
		f.out.connection(connection{state: connecting})
	}
}
