package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/message"
)

// socket is a connection whose server answers each sync at once. It breaks when lost fires.
type socket struct {
	sent chan string // the messages of the client that are not answered yet
	lost <-chan time.Time
}

func (s *socket) Next(ctx context.Context) (message.Envelope, []byte, error) {
	select {
	case <-s.sent:
		return message.Envelope{Type: message.TypeSynced, Data: message.Synced{}}, nil, nil
	case <-s.lost:
		return message.Envelope{}, nil, errors.New("lost, with the token t1")
	case <-ctx.Done():
		return message.Envelope{}, nil, ctx.Err()
	}
}

func (s *socket) Send(_ context.Context, text string) error { s.sent <- text; return nil }
func (*socket) Close() error                                { return nil }
func (*socket) Drop() error                                 { return nil }

// record is an output that records the states of the connection, each with the seconds since start.
type record struct {
	start  time.Time
	states []string
}

func (*record) frame(message.Envelope) {}

func (r *record) connection(c connection) {
	text := fmt.Sprintf("%d s: %s", int(time.Since(r.start).Seconds()), c.state)
	if c.reason != "" {
		text += ", " + c.reason
	}
	if c.retryAt.After(time.Now()) && c.state == refused {
		text += fmt.Sprintf(", again in %v", time.Until(c.retryAt).Round(time.Second))
	}
	r.states = append(r.states, text)
}

// runConnection keeps a client connected for the time life. It returns the states of the connection, in the form of record, and the error
// with which the client ended.
func runConnection(tokens Tokens, life time.Duration, dial func(token string) (client.Socket, error)) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), life)
	defer cancel()
	out := &record{start: time.Now()}
	_, run := connect(Config{Tokens: tokens, dial: func(_ context.Context, _, token string) (client.Socket, error) { return dial(token) }}, "example.com", out)
	err := run(ctx)
	return out.states, err
}

func TestALostConnectionIsOfflineAndThenLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := runConnection(TokenText("T", "t1"), 50*time.Second, func(string) (client.Socket, error) {
			return &socket{make(chan string, 9), time.After(20 * time.Second)}, nil
		})
		want := []string{"0 s: connecting", "0 s: catching up", "0 s: live", "20 s: offline, the connection was lost", "20 s: catching up", "20 s: live"}
		if len(got) > len(want) {
			got = got[:len(want)]
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v, states (-want +got):\n%s", err, diff)
		}
	})
}

// TestARefusedTokenIsNeverSentAgain refuses every token. Each minute the source has a new one.
func TestARefusedTokenIsNeverSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		sent := map[string]int{}
		source := Tokens{Renewable: true, Get: func(context.Context) (string, error) {
			return fmt.Sprint("t", int(time.Since(start).Minutes())), nil
		}}
		got, err := runConnection(source, 3*time.Minute-time.Second, func(token string) (client.Socket, error) {
			sent[token]++
			return nil, &client.Refused{Status: 401}
		})
		if err != nil {
			t.Errorf("the connection ends with %v", err)
		}
		if diff := cmp.Diff(map[string]int{"t0": 1, "t1": 1, "t2": 1}, sent); diff != "" {
			t.Errorf("tokens (-want +got):\n%s", diff)
		}
		for _, state := range got[1:] {
			if !strings.Contains(state, ": refused, example.com does not accept the token") {
				t.Errorf("%s", state)
			}
		}
	})
}

// TestATwinThatRefusesEveryTokenIsNotAskedInALoop refuses every token. The source has a new one for each call, so that only the pauses
// between the tries bound the number of calls.
func TestATwinThatRefusesEveryTokenIsNotAskedInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		source := Tokens{Renewable: true, Get: func(context.Context) (string, error) { calls++; return fmt.Sprint("t", calls), nil }}
		got, _ := runConnection(source, time.Hour, func(string) (client.Socket, error) { return nil, &client.Refused{Status: 401} })
		if calls < 55 || calls > 70 {
			t.Errorf("%d attempts in an hour, want about one a minute", calls)
		}
		if want := "0 s: refused, example.com does not accept the token, again in 2s"; got[1] != want {
			t.Errorf("got %q, want %q", got[1], want)
		}
	})
}

func TestWhatNoOtherAttemptSolvesEndsTheWatch(t *testing.T) {
	renewable := Tokens{Renewable: true, Get: func(context.Context) (string, error) { return "t", nil }}
	closing := message.Closing{Code: message.CloseConnectionLimit, Reason: "Too many\x1b connections"}
	for name, test := range map[string]struct {
		tokens Tokens
		err    error
		want   string
	}{
		"a token that stays the same": {TokenText("T", "t"), &client.Refused{Status: 401}, "example.com does not accept the token"},
		"a refused origin":            {renewable, &client.Refused{Status: 403}, "example.com does not admit this program (403)"},
		"a closing frame":             {renewable, &client.Closed{Closing: closing}, "closed by example.com: Too many� connections"},
	} {
		synctest.Test(t, func(t *testing.T) {
			if _, err := runConnection(test.tokens, time.Hour, func(string) (client.Socket, error) { return nil, test.err }); err == nil || err.Error() != test.want {
				t.Errorf("%s: got %v, want %s", name, err, test.want)
			}
		})
	}
}

func TestInboxHoldsWhatIsNew(t *testing.T) {
	reads := 0
	in := &inbox{jobs: func() []message.Envelope { reads++; return threeJobs }}
	old, fresh := noteFrame("01A", message.Notification{Title: "old"}), noteFrame("01B", message.Notification{Title: "fresh"})
	old.Replayed, fresh.Replayed = true, true
	in.frame(old)
	in.connection(connection{state: live})
	in.frame(fresh)
	in.frame(noteFrame("", message.Error{Code: "RATE_LIMITED"}))
	u := in.next()
	if len(u.notes) != 1 || u.notes[0].ID != "01B" || u.jobs != nil || u.conn.state != live {
		t.Errorf("got %+v, want the note that was missed only", u)
	}
	for range 1000 {
		in.frame(threeJobs[0])
	}
	in.frame(noteFrame("01C", message.Error{}))
	in.frame(message.New(message.Dismissed{ID: "01C"}, "", noon))
	if u = in.next(); len(u.jobs) != len(threeJobs) || len(u.notes) != 0 || len(u.dismissed) != 1 {
		t.Errorf("got %+v, want jobs and a dismissal", u)
	}
	for n := range 3 * maxWaiting {
		in.frame(noteFrame(fmt.Sprint(n), message.Error{}))
		in.frame(message.New(message.Dismissed{ID: "other"}, "", noon))
	}
	if u = in.next(); len(u.notes) != maxWaiting || len(u.dismissed) != maxWaiting || u.notes[0].ID != fmt.Sprint(2*maxWaiting) {
		t.Errorf("%d notes and %d dismissals wait", len(u.notes), len(u.dismissed))
	}
	if u = in.next(); u.jobs != nil || u.notes != nil || u.dismissed != nil {
		t.Errorf("got %+v again", u)
	}
	if reads != 1 {
		t.Errorf("1,000 states between two ticks read the jobs %d times, want once", reads)
	}
}
