package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

// aNote is the id of a note that is not stored.
const aNote = "01M82K5N32CPWX658G1ZTM36HQ"

func TestInvalidMessagesGetErrorFrames(t *testing.T) {
	const object = `error UNKNOWN_ACTION: A message must be a JSON object with a text "action"`
	jobs := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"j%d":["",0]`, i))
		}
		return strings.Join(all, ",")
	}
	for body, want := range map[string]string{
		`{"action":"private-dance"}`: "error UNKNOWN_ACTION: This action is not known",
		`{"action":"Sync"}`:          "error UNKNOWN_ACTION: This action is not known",
		`{"action":7}`:               object,
		`{"action":null}`:            object,
		`{"Action":"sync"}`:          object,
		`{"private":1}`:              object,
		`private`:                    object,
		`[]`:                         object,
		`null`:                       object,
		``:                           object,

		`{"action":"sync","private":1}`:                       "error INVALID_MESSAGE: private is not a known field",
		`{"action":"sync","have":[]}`:                         "error INVALID_MESSAGE: have must be an object",
		`{"action":"sync","have":{"u":[]}}`:                   "error INVALID_MESSAGE: have must give each job as [epoch, seq]",
		`{"action":"sync","have":{"u":null}}`:                 "error INVALID_MESSAGE: have must give each job as [epoch, seq]",
		`{"action":"sync","have":{"u":["",1,2]}}`:             "error INVALID_MESSAGE: have must give each job as [epoch, seq]",
		`{"action":"sync","have":{"u":[1,1]}}`:                "error INVALID_MESSAGE: have must have texts as epochs",
		`{"action":"sync","have":{"u":[null,1]}}`:             "error INVALID_MESSAGE: have must have texts as epochs",
		`{"action":"sync","have":{"u":["private",1]}}`:        "error INVALID_MESSAGE: have must have epochs as they were sent",
		`{"action":"sync","have":{"u":["2026-11-22",1]}}`:     "error INVALID_MESSAGE: have must have epochs as they were sent",
		`{"action":"sync","have":{"u":["",-1]}}`:              "error INVALID_MESSAGE: have must have whole numbers from 0 as seqs",
		`{"action":"sync","have":{"u":["",1.5]}}`:             "error INVALID_MESSAGE: have must have whole numbers from 0 as seqs",
		`{"action":"sync","have":{"u":["",null]}}`:            "error INVALID_MESSAGE: have must have whole numbers from 0 as seqs",
		`{"action":"sync","have":{"u":["",1e99]}}`:            "error INVALID_MESSAGE: have must have whole numbers from 0 as seqs",
		`{"action":"sync","have":{` + jobs(1001) + `}}`:       "error INVALID_MESSAGE: have must name at most 1000 jobs",
		`{"action":"sync","since":7}`:                         "error INVALID_MESSAGE: since must be a string",
		`{"action":"sync","since":"yesterday"}`:               "error INVALID_MESSAGE: since must be the id of a note, a ULID",
		`{"action":"sync","since":"81M82K5N32CPWX658G1ZTM3"}`: "error INVALID_MESSAGE: since must be the id of a note, a ULID",
		`{"action":"refresh","token":7}`:                      "error INVALID_MESSAGE: token must be a string",
		`{"action":"refresh","tokens":"private"}`:             "error INVALID_MESSAGE: tokens is not a known field",
		`{"action":"dismiss"}`:                                "error INVALID_MESSAGE: id is required",
		`{"action":"dismiss","id":"private"}`:                 "error INVALID_MESSAGE: id must be the id of a note, a ULID",
	} {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.send("c1", body)
		f.checkFrames("c1", want)
		f.checkClosed("c1", false)
		if strings.Contains(f.log.String(), "private") && !strings.Contains(want, "private") {
			t.Errorf("the log has the message: %s", f.log)
		}
	}
	f := newFixture(t)
	f.connect("c1", "u1", time.Hour)
	f.send("c1", `{"action":"sync","have":{`+jobs(1000)+`,"j0":["2026-11-22T10:00:00.000Z#0000",3]},"since":null}`)
	f.checkFrames("c1", "welcome", "synced jobs=0 notes=0 more=false")
}

func TestErrorFramesHaveTypeDataAndTimestamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.send("c1", `{}`)
		want := message.Envelope{
			Type: message.TypeError, Timestamp: message.Time{Time: time.Now().UTC()},
			Data: message.Error{Code: "UNKNOWN_ACTION", Message: `A message must be a JSON object with a text "action"`},
		}
		if diff := cmp.Diff([]message.Envelope{want}, f.gateway.takeFrames("c1")); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
	})
}

func TestBase64BodiesAreDecoded(t *testing.T) {
	for body, want := range map[string]string{
		base64.StdEncoding.EncodeToString([]byte(`{"action":"dance"}`)): "error UNKNOWN_ACTION: This action is not known",
		`{"action":"dance"}`: `error UNKNOWN_ACTION: A message must be a JSON object with a text "action"`,
	} {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		r := session.Request{Body: body, IsBase64Encoded: true}
		r.RequestContext.ConnectionID = "c1"
		if _, err := f.handler.Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		f.checkFrames("c1", want)
	}
}

func TestUnknownConnectionGetsClosingFrameWithReconnect(t *testing.T) {
	for _, body := range []string{`{"action":"sync"}`, `{"action":"refresh","token":"t"}`, `{"action":"dance"}`, `nonsense`} {
		f := newFixture(t)
		f.connect("other", "u1", time.Hour)
		f.addJob("u1", "j1", 10)
		f.send("c1", body)
		if diff := cmp.Diff([]string{"closing c1", "close c1"}, f.gateway.events); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
		f.checkFrames("c1", "closing UNKNOWN_CONNECTION reconnect=true")
		f.checkStored("c1", false)
	}
}

func TestMessageAfterSessionEndClosesTheConnection(t *testing.T) {
	for _, tt := range []struct {
		name  string
		token time.Duration
		after time.Duration
		want  string
	}{
		{"before the token's end", time.Hour, time.Hour - time.Nanosecond, "error UNKNOWN_ACTION: This action is not known"},
		{"at the token's end", time.Hour, time.Hour, "closing TOKEN_EXPIRED reconnect=false"},
		{"after the token's end", time.Hour, 90 * time.Minute, "closing TOKEN_EXPIRED reconnect=false"},
		{"before the longest session's end", 24 * time.Hour, 7170*time.Second - 1, "error UNKNOWN_ACTION: This action is not known"},
		{"at the longest session's end", 24 * time.Hour, 7170 * time.Second, "closing SESSION_LIMIT reconnect=true"},
		{"both have ended", 7180 * time.Second, 7190 * time.Second, "closing TOKEN_EXPIRED reconnect=false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.connect("c1", "u1", tt.token)
				time.Sleep(tt.after)
				f.send("c1", `{"action":"dance"}`)
				f.checkFrames("c1", tt.want)
				ended := strings.HasPrefix(tt.want, "closing")
				f.checkClosed("c1", ended)
				f.checkStored("c1", !ended)
			})
		})
	}
}

func TestConcurrentMessagesCloseASessionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		*f.store.delay = time.Millisecond // all messages read the row before the first deletes it
		f.connect("c1", "u1", time.Hour)
		time.Sleep(time.Hour)
		var all sync.WaitGroup
		all.Go(func() {
			time.Sleep(time.Millisecond)
			if err := f.reaper.Handle(t.Context(), nil); err != nil {
				t.Errorf("reaper: %v", err)
			}
		})
		for range 10 {
			all.Go(func() {
				if err := f.handle(f.newHandler(), "c1", `{"action":"sync"}`); err != nil {
					t.Errorf("sync: %v", err)
				}
			})
		}
		all.Wait()
		closingFrames := map[string]int{}
		for _, e := range f.gateway.tried {
			closingFrames[describe(e)]++
		}
		if diff := cmp.Diff(map[string]int{"closing TOKEN_EXPIRED reconnect=false": 1}, closingFrames); diff != "" {
			t.Errorf("posts (-want +got):\n%s", diff)
		}
		f.checkClosed("c1", true)
		f.checkStored("c1", false)
	})
}

// TestSyncStopsAtSessionEnd ends the session while a sync is running.
func TestSyncStopsAtSessionEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for n := range 100 {
			f.addJob("u1", fmt.Sprint("j", n), 10)
			f.addNote("u1", n)
		}
		c := f.connect("c1", "u1", 5*time.Second)
		f.gateway.delay = 1500 * time.Millisecond
		f.send("c1", `{"action":"sync"}`)
		frames := f.gateway.sent["c1"]
		if last := frames[len(frames)-1]; describe(last.Envelope) != "closing TOKEN_EXPIRED reconnect=false" {
			t.Errorf("the last frame is %s", describe(last.Envelope))
		}
		if len(frames) < 10 {
			t.Errorf("%d frames, want the sync to have begun", len(frames))
		}
		for _, p := range frames {
			if !p.at.Before(c.SessionEnd()) && p.Type != message.TypeClosing {
				t.Errorf("%s is posted %v after the session's end", describe(p.Envelope), p.at.Sub(c.SessionEnd()))
			}
		}
		f.checkClosed("c1", true)
		f.checkStored("c1", false)
	})
}

func TestSessionClosesWhenDeleteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.fail["DeleteIfUnchanged c1"] = errStore
		time.Sleep(time.Hour)
		f.send("c1", `{"action":"sync"}`)
		f.checkFrames("c1", "closing TOKEN_EXPIRED reconnect=false")
		f.checkClosed("c1", true)
	})
}

func TestStoreFailuresGetErrorFrames(t *testing.T) {
	const internal = "error INTERNAL_ERROR: Internal server error"
	for _, tt := range []struct {
		method, body string
		want         []string
	}{
		{"Get", `{"action":"sync"}`, []string{internal}},
		{"Spend", `{"action":"sync"}`, []string{internal}},
		{"Spend", `{"action":"refresh","token":"good"}`, []string{internal}},
		{"Jobs", `{"action":"sync"}`, []string{internal}},
		{"Notes", `{"action":"sync"}`, []string{internal}},
		{"Refresh", `{"action":"refresh","token":"good"}`, []string{internal}},
		{"Dismiss", `{"action":"dismiss","id":"` + aNote + `"}`, []string{internal}},
		{"ByUser", `{"action":"dismiss","id":"` + aNote + `"}`, []string{internal}},
		{"keys", `{"action":"refresh","token":"unverifiable"}`, []string{internal}},
	} {
		t.Run(tt.method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				c := f.connect("c1", "u1", time.Hour)
				f.addJob("u1", "j1", 10)
				f.tokens["good"] = func() (auth.Claims, error) {
					return auth.Claims{Subject: "u1", ExpiresAt: c.TokenExpiresAt.Add(time.Hour)}, nil
				}
				f.tokens["unverifiable"] = func() (auth.Claims, error) {
					return auth.Claims{}, fmt.Errorf("%w: %w", auth.ErrUnavailable, errStore)
				}
				f.fail[tt.method] = errStore
				f.send("c1", tt.body)
				f.checkFrames("c1", tt.want...)
				f.checkClosed("c1", false)
				if !strings.Contains(f.log.String(), "ProvisionedThroughput") {
					t.Errorf("the log lacks the reason: %s", f.log)
				}
			})
		})
	}
}

func TestFailedPostsAreReturnedAsErrors(t *testing.T) {
	final := errors.New("403")
	for _, tt := range []struct {
		name    string
		answers []error // of the first posts
		want    error
		posts   int
	}{
		{"throttled at first", []error{broadcast.ErrThrottled, broadcast.ErrThrottled, broadcast.ErrThrottled}, nil, 4},
		{"throttled to the end", []error{broadcast.ErrThrottled, broadcast.ErrThrottled, broadcast.ErrThrottled, broadcast.ErrThrottled}, broadcast.ErrThrottled, 4},
		{"gone", []error{broadcast.ErrGone}, nil, 1},
		{"unavailable", []error{broadcast.ErrUnavailable}, broadcast.ErrUnavailable, 1},
		{"refused", []error{final}, final, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.connect("c1", "u1", time.Hour)
				posts := 0
				f.gateway.fail = func(string, message.Envelope) error {
					posts++
					if posts <= len(tt.answers) {
						return tt.answers[posts-1]
					}
					return nil
				}
				if err := f.handle(f.handler, "c1", `{"action":"dance"}`); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				if posts != tt.posts {
					t.Errorf("%d posts, want %d", posts, tt.posts)
				}
			})
		})
	}
}

// TestSyncStopsAtTheFirstFailedPost checks that nothing more is read, posted or logged after it.
func TestSyncStopsAtTheFirstFailedPost(t *testing.T) {
	for _, failure := range []error{broadcast.ErrGone, broadcast.ErrUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.connect("c1", "u1", time.Hour)
			for n := range 100 {
				f.addJob("u1", fmt.Sprint("j", n), 10)
			}
			f.gateway.delay = 10 * time.Millisecond
			posts := 0
			f.gateway.fail = func(_ string, e message.Envelope) error {
				posts++
				if e.Type == message.TypeUploadProgress {
					return failure
				}
				return nil
			}
			err := f.handle(f.handler, "c1", `{"action":"sync"}`)
			if quiet := errors.Is(failure, broadcast.ErrGone); quiet != (err == nil) {
				t.Errorf("%v: the handler returns %v", failure, err)
			}
			if posts > 1+2*32 { // welcome, the 32 posts in flight, and up to 32 that have started meanwhile
				t.Errorf("%d posts after the first one failed", posts)
			}
			f.checkFrames("c1", "welcome")
		})
	}
}

func TestDefaultTimesOutASlowPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.gateway.delay = time.Hour
		start := time.Now()
		if err := f.handle(f.handler, "c1", `{}`); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want DeadlineExceeded", err)
		}
		if took := time.Since(start); took != broadcast.PostTimeout {
			t.Errorf("took %v, want %v", took, broadcast.PostTimeout)
		}
	})
}

// FuzzDefault checks that every message is answered with valid frames, and that the connection stays open.
func FuzzDefault(f *testing.F) {
	f.Add(`{"action":"sync"}`, false)
	f.Add(`{"action":"sync","have":{"j1":["2026-11-22T10:00:00.000Z#0000",3]},"since":"`+aNote+`"}`, false)
	f.Add(`{"action":"dismiss","id":"`+aNote+`"}`, false)
	f.Add(`{"action":"refresh","token":"x"}`, false)
	f.Add(`{"action":"download","request":"r","job":"j1"}`, false)
	f.Add(`{"action":{}}`, false)
	f.Add(`e30=`, true)
	f.Fuzz(func(t *testing.T, body string, encoded bool) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		r := session.Request{Body: body, IsBase64Encoded: encoded}
		r.RequestContext.ConnectionID = "c1"
		got, err := f.handler.Handle(context.Background(), r)
		silent := strings.Contains(strings.ToLower(body), "dismiss") // dismissing a note that does not exist has no answer
		if frames := f.gateway.takeFrames("c1"); err != nil || got.StatusCode != 200 || len(frames) == 0 && !silent && !encoded {
			t.Fatalf("%d, %v, %d frames; want 200 and frames", got.StatusCode, err, len(frames))
		}
		if _, err := f.store.Get(context.Background(), "c1"); errors.Is(err, connection.ErrNotFound) {
			t.Error("the row is gone")
		}
	})
}
