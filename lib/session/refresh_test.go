package session_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/message"
)

// token lets the verifier know a token of a user that expires at a time.
func (w *world) token(name, userID string, until time.Time) {
	w.tokens[name] = func() (auth.Claims, error) {
		if !time.Now().Before(until) {
			return auth.Claims{}, auth.ErrExpired
		}

		return auth.Claims{Subject: userID, ExpiresAt: until}, nil
	}
}

func TestRefresh(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       string
		end        time.Duration // of the session, from its beginning
	}{
		{"a later token", `{"action":"refresh","token":"later"}`, "refreshed", 90 * time.Minute},
		{"a token that outlives the longest session", `{"action":"refresh","token":"long"}`, "refreshed", 7170 * time.Second},
		{"a token that ends earlier shortens nothing", `{"action":"refresh","token":"earlier"}`, "refreshed", time.Hour},
		{"no token", `{"action":"refresh"}`, "error UNAUTHORIZED: Missing token", time.Hour},
		{"an empty token", `{"action":"refresh","token":""}`, "error UNAUTHORIZED: Missing token", time.Hour},
		{"an expired token", `{"action":"refresh","token":"expired"}`, "error UNAUTHORIZED: Token expired", time.Hour},
		{"a forged token", `{"action":"refresh","token":"forged"}`, "error UNAUTHORIZED: Invalid token", time.Hour},
		{"another user's token", `{"action":"refresh","token":"theirs"}`, "error UNAUTHORIZED: Invalid token", time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now().UTC()
				w.connect("c1", "u1", time.Hour)
				w.token("later", "u1", start.Add(90*time.Minute))
				w.token("long", "u1", start.Add(24*time.Hour))
				w.token("earlier", "u1", start.Add(30*time.Minute))
				w.token("expired", "u1", start)
				w.token("theirs", "u2", start.Add(24*time.Hour))
				time.Sleep(time.Minute)
				w.send("c1", tt.body)
				frames := w.gateway.take("c1")
				if len(frames) != 1 || brief(frames[0]) != tt.want {
					t.Fatalf("answered by %v, want %s", frames, tt.want)
				}
				end := message.Time{Time: start.Add(tt.end)}
				if refreshed, ok := frames[0].Data.(message.Refreshed); ok {
					if diff := cmp.Diff(message.Refreshed{SessionEnd: end}, refreshed); diff != "" {
						t.Errorf("frame (-want +got):\n%s", diff)
					}
				}
				if row, err := w.store.Get(t.Context(), "c1"); err != nil || !row.End().Equal(end.Time) {
					t.Errorf("the session ends at %v, %v; want %v", row.End(), err, end)
				}
				if log := w.log.String(); strings.Contains(log, "forged") || strings.Contains(log, "theirs") {
					t.Errorf("the log has the token: %s", log)
				}
				time.Sleep(time.Until(end.Time) - time.Nanosecond)
				w.send("c1", `{}`)
				if frames := w.gateway.take("c1"); len(frames) != 1 || frames[0].Type != message.TypeError {
					t.Errorf("before the end the answer is %v, want an error frame", frames)
				}
				time.Sleep(time.Nanosecond)
				w.send("c1", `{}`)
				if frames := w.gateway.take("c1"); len(frames) != 1 || frames[0].Type != message.TypeClosing {
					t.Errorf("at the end the answer is %v, want a farewell", frames)
				}
			})
		})
	}
}

// TestARefreshAfterTheEndIsTooLate: a session that is over stays over, whatever the token.
func TestARefreshAfterTheEndIsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connect("c1", "u1", time.Hour)
		w.token("later", "u1", c.TokenExpiresAt.Add(time.Hour))
		time.Sleep(time.Hour)
		w.send("c1", `{"action":"refresh","token":"later"}`)
		w.sees("c1", "closing TOKEN_EXPIRED reconnect=false")
		w.stored("c1", false)
	})
}

// TestASessionThatEndsWhileTheTokenIsVerifiedIsOver: whichever way the answer of the key server would go.
func TestASessionThatEndsWhileTheTokenIsVerifiedIsOver(t *testing.T) {
	for _, subject := range []string{"u1", "u2"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.connect("c1", "u1", time.Hour)
			w.tokens["slow"] = func() (auth.Claims, error) {
				time.Sleep(2 * time.Second)

				return auth.Claims{Subject: subject, ExpiresAt: time.Now().Add(time.Hour)}, nil
			}
			time.Sleep(time.Hour - time.Second)
			w.send("c1", `{"action":"refresh","token":"slow"}`)
			w.sees("c1", "closing TOKEN_EXPIRED reconnect=false")
			w.closed("c1", true)
			w.stored("c1", false)
		})
	}
}

// TestADeletedRowIsNotRefreshed: the row goes while the token is verified.
func TestADeletedRowIsNotRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("c1", "u1", time.Hour)
		w.tokens["good"] = func() (auth.Claims, error) {
			if err := w.store.Delete(t.Context(), "c1"); err != nil {
				t.Error(err)
			}

			return auth.Claims{Subject: "u1", ExpiresAt: time.Now().Add(2 * time.Hour)}, nil
		}
		w.send("c1", `{"action":"refresh","token":"good"}`)
		w.sees("c1", "closing UNKNOWN_CONNECTION reconnect=true")
		w.closed("c1", true)
		w.stored("c1", false)
		for c := range w.store.ByUser(t.Context(), "u1") {
			t.Errorf("the index has %v", c)
		}
	})
}
