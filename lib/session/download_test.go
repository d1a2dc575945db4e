package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

// signer signs the URLs of downloads, or fails.
type signer struct{ err error }

func (s signer) SignDownload(_ context.Context, key, fileName string, life time.Duration) (string, time.Time, error) {
	return "https://bucket/" + key + "?as=" + fileName, time.Now().Add(life), s.err
}

// endJob ends a job of a user with a result.
func (f *fixture) endJob(t *testing.T, userID, job, result string) {
	t.Helper()
	u := feed.Update{
		State: message.UploadProgress{UploadID: job, FileName: "f", Message: "m", Status: message.StatusSucceeded, Result: result},
		Epoch: epochOf(time.Now()), ID: "end of " + job, At: time.Now(),
	}
	if _, _, err := f.feed.Apply(t.Context(), feed.User(userID), u); err != nil {
		t.Fatal(err)
	}
}

func TestADownloadIsAnsweredOnlyForTheUsersOwnResults(t *testing.T) {
	own := message.ResultPrefix("u1") + "report-7/report.pdf"
	for _, tt := range []struct {
		name, user, result, body, want string
		signErr                        error
		disabled                       bool
	}{
		{name: "a key", user: "u1", result: own, want: "https://bucket/" + own + "?as=report.pdf"},
		{name: "a URL", user: "u1", result: "https://example.com/r", want: "https://example.com/r"},
		{name: "a URL, without a bucket", user: "u1", result: "https://example.com/r", disabled: true, want: "https://example.com/r"},
		{name: "a key, without a bucket", user: "u1", result: own, disabled: true, want: "DOWNLOADS_DISABLED"},
		{name: "another user's job", user: "u2", result: own, want: "RESULT_NOT_FOUND"},
		{name: "a key of another user", user: "u1", result: message.ResultPrefix("u2") + "report.pdf", want: "RESULT_NOT_FOUND"},
		{name: "a key that leads out of the results", user: "u1", result: message.ResultPrefix("u1") + "../x", want: "RESULT_NOT_FOUND"},
		{name: "no result", user: "u1", want: "RESULT_NOT_FOUND"},
		{name: "a signer that fails", user: "u1", result: own, signErr: errors.New("no credentials"), want: "INTERNAL_ERROR"},
		{name: "no job", user: "u1", result: own, body: `{"action":"download","request":"r1"}`, want: "INVALID_MESSAGE"},
		{name: "an empty job", user: "u1", result: own, body: `{"action":"download","request":"r1","job":""}`, want: "INVALID_MESSAGE"},
		{name: "a long job", user: "u1", result: own, body: `{"action":"download","request":"r1","job":"` + strings.Repeat("x", message.MaxID+1) + `"}`, want: "INVALID_MESSAGE"},
		{name: "no request", user: "u1", result: own, body: `{"action":"download","job":"j"}`, want: "INVALID_MESSAGE"},
		{name: "a key of the client's", user: "u1", result: own, body: `{"action":"download","request":"r1","job":"j","key":"x"}`, want: "INVALID_MESSAGE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.connect("c1", "u1", time.Hour)
				f.handler.Downloads = signer{tt.signErr}
				if tt.disabled {
					f.handler.Downloads = nil
				}
				f.endJob(t, tt.user, "j", tt.result)
				body := `{"action":"download","request":"r1","job":"j"}`
				if tt.body != "" {
					body = tt.body
				}
				f.send("c1", body)
				frames := f.gateway.takeFrames("c1")
				if len(frames) != 1 {
					t.Fatalf("%d frames", len(frames))
				}
				switch data := frames[0].Data.(type) {
				case message.Error:
					if data.Code != tt.want {
						t.Errorf("%+v, want %s", data, tt.want)
					}
				case message.DownloadURL:
					want := message.DownloadURL{Request: "r1", Job: "j", URL: tt.want}
					if strings.HasPrefix(tt.want, "https://bucket/") {
						want.ExpiresAt.Time = time.Now().Add(5 * time.Minute).UTC()
					}
					if diff := cmp.Diff(want, data); diff != "" {
						t.Errorf("the answer (-want +got):\n%s", diff)
					}
				default:
					t.Errorf("the answer is %+v", data)
				}
			})
		})
	}
}

// TestDownloadsCountInTheUsersLimits: a user cannot have URLs signed without a bound.
func TestDownloadsCountInTheUsersLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.handler.Downloads, f.handler.Limits = signer{}, session.Limits{MaxConnections: 1, MaxPosts: 150}
		f.endJob(t, "u1", "j", message.ResultPrefix("u1")+"x")
		answered := 0
		for range 100 {
			f.send("c1", `{"action":"download","request":"r1","job":"j"}`)
			for _, e := range f.gateway.takeFrames("c1") {
				if e.Type == message.TypeDownloadURL {
					answered++
				}
			}
		}
		if answered == 0 || answered > 150/2 {
			t.Errorf("%d of 100 downloads are answered, although each costs 2 of 150 posts", answered)
		}
	})
}
