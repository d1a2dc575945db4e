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

// addToken makes the verifier accept a token of a user.
func (f *fixture) addToken(name, userID string, until time.Time) {
	f.tokens[name] = func() (auth.Claims, error) {
		if !time.Now().Before(until) {
			return auth.Claims{}, auth.ErrExpired
		}
		return auth.Claims{Subject: userID, ExpiresAt: until}, nil
	}
}

func TestRefreshProlongsTheSessionOrSendsAnError(t *testing.T) {
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
				f := newFixture(t)
				start := time.Now().UTC()
				f.connect("c1", "u1", time.Hour)
				f.addToken("later", "u1", start.Add(90*time.Minute))
				f.addToken("long", "u1", start.Add(24*time.Hour))
				f.addToken("earlier", "u1", start.Add(30*time.Minute))
				f.addToken("expired", "u1", start)
				f.addToken("theirs", "u2", start.Add(24*time.Hour))
				time.Sleep(time.Minute)
				f.send("c1", tt.body)
				frames := f.gateway.takeFrames("c1")
				if len(frames) != 1 || describe(frames[0]) != tt.want {
					t.Fatalf("answered by %v, want %s", frames, tt.want)
				}
				end := message.Time{Time: start.Add(tt.end)}
				if refreshed, ok := frames[0].Data.(message.Refreshed); ok {
					if diff := cmp.Diff(message.Refreshed{SessionEnd: end}, refreshed); diff != "" {
						t.Errorf("frame (-want +got):\n%s", diff)
					}
				}
				if row, err := f.store.Get(t.Context(), "c1"); err != nil || !row.SessionEnd().Equal(end.Time) {
					t.Errorf("the session ends at %v, %v; want %v", row.SessionEnd(), err, end)
				}
				if log := f.log.String(); strings.Contains(log, "forged") || strings.Contains(log, "theirs") {
					t.Errorf("the log has the token: %s", log)
				}
				time.Sleep(time.Until(end.Time) - time.Nanosecond)
				f.send("c1", `{}`)
				if frames := f.gateway.takeFrames("c1"); len(frames) != 1 || frames[0].Type != message.TypeError {
					t.Errorf("before the end the answer is %v, want an error frame", frames)
				}
				time.Sleep(time.Nanosecond)
				f.send("c1", `{}`)
				if frames := f.gateway.takeFrames("c1"); len(frames) != 1 || frames[0].Type != message.TypeClosing {
					t.Errorf("at the end the answer is %v, want a closing frame", frames)
				}
			})
		})
	}
}

func TestRefreshAfterSessionEndIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		c := f.connect("c1", "u1", time.Hour)
		f.addToken("later", "u1", c.TokenExpiresAt.Add(time.Hour))
		time.Sleep(time.Hour)
		f.send("c1", `{"action":"refresh","token":"later"}`)
		f.checkFrames("c1", "closing TOKEN_EXPIRED reconnect=false")
		f.checkStored("c1", false)
	})
}

// TestSessionThatEndsDuringTokenVerificationIsClosed, whatever the result of the verification.
func TestSessionThatEndsDuringTokenVerificationIsClosed(t *testing.T) {
	for _, subject := range []string{"u1", "u2"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.connect("c1", "u1", time.Hour)
			f.tokens["slow"] = func() (auth.Claims, error) {
				time.Sleep(2 * time.Second)
				return auth.Claims{Subject: subject, ExpiresAt: time.Now().Add(time.Hour)}, nil
			}
			time.Sleep(time.Hour - time.Second)
			f.send("c1", `{"action":"refresh","token":"slow"}`)
			f.checkFrames("c1", "closing TOKEN_EXPIRED reconnect=false")
			f.checkClosed("c1", true)
			f.checkStored("c1", false)
		})
	}
}

// TestRefreshDoesNotRestoreADeletedConnection deletes the connection while the token is verified.
func TestRefreshDoesNotRestoreADeletedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.tokens["good"] = func() (auth.Claims, error) {
			if err := f.store.Delete(t.Context(), "c1"); err != nil {
				t.Errorf("delete the connection: %v", err)
			}
			return auth.Claims{Subject: "u1", ExpiresAt: time.Now().Add(2 * time.Hour)}, nil
		}
		f.send("c1", `{"action":"refresh","token":"good"}`)
		f.checkFrames("c1", "closing UNKNOWN_CONNECTION reconnect=true")
		f.checkClosed("c1", true)
		f.checkStored("c1", false)
		for c := range f.store.ByUser(t.Context(), "u1") {
			t.Errorf("the index has %v", c)
		}
	})
}
