package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
	"github.com/herald-progress/herald/lib/upload"
)

func TestAUserHasFiveOpenUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUploads(t)
		const one = `{"action":"upload","request":"six","fileName":"a.csv","size":1,"contentType":"text/csv"}`
		refused := func() { t.Helper(); u.wantCode(u.ask(one), session.CodeUploadLimit) }
		var ids []string
		for n := range message.MaxOpenUploads {
			time.Sleep(time.Millisecond)
			// Uploads 0, 2 and 4 are single PUTs, 1 and 3 are files in parts.
			ids = append(ids, u.open([]int64{5, message.MaxSinglePut + 1}[n%2]).UploadID)
		}
		refused()
		u.wantEnd(u.step("upload_abort", ids[1]), ids[1], false)
		ids[1] = u.open(message.MaxSinglePut + 1).UploadID
		refused()

		// Browsers crash: a single PUT counts while its URL is valid and a minute longer, a file in parts for a day.
		time.Sleep(6*time.Minute - time.Second)
		refused()
		time.Sleep(time.Second)
		for range 3 {
			u.open(5)
			time.Sleep(time.Millisecond)
		}
		refused()
		u.wantCode(u.step("upload_resume", ids[0]), session.CodeUploadLimit)
		time.Sleep(24*time.Hour - 7*time.Minute) // until a minute before the files in parts expire
		for range 3 {
			u.open(5)
			time.Sleep(time.Millisecond)
		}
		refused()
		time.Sleep(2 * time.Minute)
		u.open(5)
		u.wantCode(u.step("upload_resume", ids[3]), session.CodeUploadNotFound)
	})
}

// TestASlowPutIsCompletedAfterItsSlotIsFree: a PUT may take longer than its URL is valid.
func TestASlowPutIsCompletedAfterItsSlotIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUploads(t)
		a := u.open(5)
		if got := u.put(a.URL, a.Headers, []byte("12345")); got != http.StatusOK {
			t.Fatal(got)
		}
		time.Sleep(30 * time.Minute)
		for range message.MaxOpenUploads {
			u.open(5)
			time.Sleep(time.Millisecond)
		}
		u.wantEnd(u.step("upload_complete", a.UploadID), a.UploadID, true)
	})
}

// TestALostAnswerCanBeAskedForAgain: the answers to a repeated message are about the same upload.
func TestALostAnswerCanBeAskedForAgain(t *testing.T) {
	u := newUploads(t)
	for _, size := range []int{5, message.MaxSinglePut + 1} {
		body := fmt.Sprintf(`{"action":"upload","request":"r-%d","fileName":"a.csv","size":%d,"contentType":"text/csv"}`, size, size)
		u.failing = true
		if err := u.handle(u.handler, "c1", body); err == nil {
			t.Fatal("the answer arrived")
		}
		u.failing = false
		begun := u.objects.Begun()
		a, again := u.ask(body), u.ask(body)
		if a.Code != "" || a.UploadID == "" || a.UploadID != again.UploadID || u.objects.Begun() != begun {
			t.Errorf("answered %+v, then %+v", a, again)
		}
		other := u.ask(strings.Replace(body, "a.csv", "b.csv", 1))
		if other.Code != "" || other.UploadID == a.UploadID {
			t.Errorf("another file with the same request is answered %+v", other)
		}
		u.step("upload_abort", other.UploadID)
	}
}

func TestAnswersRepeatTheRequest(t *testing.T) {
	u := newUploads(t)
	u.handler.Limits = session.Limits{MaxConnections: 1, MaxPosts: 1012} // the smallest budget: 1,000 posts
	for body, code := range map[string]string{
		`{"action":"upload","request":"é-1","fileName":"a","size":1,"contentType":"a/b"}`:   "",
		`{"action":"upload","request":"é-1","fileName":"","size":1,"contentType":"a/b"}`:    session.CodeInvalidMessage,
		`{"action":"upload_abort","request":"é-1","uploadId":"01M82K5N32CPWX658G1ZTM36HQ"}`: session.CodeUploadNotFound,
		`{"action":"upload_later","request":"é-1"}`:                                         session.CodeUnknownAction,
		`{"request":"é-1"}`: session.CodeUnknownAction,
	} {
		if a := u.ask(body); a.Code != code || a.Request != "é-1" {
			t.Errorf("%s is answered %s for %q, want %s", body, a.Code, a.Request, code)
		}
	}
	broken := *u.service
	broken.Objects = brokenObjects{}
	u.handler.Uploads = &broken
	const one = `{"action":"upload","request":"é-2","fileName":"a","size":1,"contentType":"a/b"}`
	if a := u.ask(one); a.Code != session.CodeInternal || a.Request != "é-2" {
		t.Errorf("a failing store is answered %+v", a)
	}
	u.handler.Uploads = nil
	if a := u.ask(one); a.Code != session.CodeUploadsDisabled || a.Request != "é-2" {
		t.Errorf("without uploads the answer is %+v", a)
	}
	u.handler.Uploads = u.service
	for range 60 { // each costs 20 of the 1,000 posts
		if a := u.ask(one); a.Code == session.CodeRateLimited {
			if a.Request != "é-2" {
				t.Errorf("over the limit the answer is %+v", a)
			}
			return
		}
	}
	t.Error("60 uploads of a user who may have about 50 posts are carried out")
}

// brokenObjects is an object store that is down.
type brokenObjects struct{ upload.Objects }

func (brokenObjects) Sign(context.Context, upload.Target) (upload.Signed, error) {
	return upload.Signed{}, errors.New("down")
}

// longURLs signs as S3 does with the longest key, each character escaped, and a session's token.
type longURLs struct {
	upload.Objects

	bytes int
}

func (l longURLs) Sign(ctx context.Context, t upload.Target) (upload.Signed, error) {
	signed, err := l.Objects.Sign(ctx, t)
	signed.URL += "?X-Amz-Security-Token="
	signed.URL += strings.Repeat("x", l.bytes-len(signed.URL))
	return signed, err
}

func TestAFrameWithURLsHasAtMost32KB(t *testing.T) {
	// bytes is the length of each URL, parts how many URLs the frame must have.
	for _, tt := range []struct{ bytes, parts int }{{1500, 16}, {1950, 16}, {1980, 15}, {4096, 7}, {40_000, 1}} {
		u := newUploads(t)
		u.service.Objects = longURLs{u.objects, tt.bytes}
		a := u.open(message.MaxUploadBytes)
		if len(a.Parts) != tt.parts {
			t.Errorf("%d URLs of %d bytes, want %d", len(a.Parts), tt.bytes, tt.parts)
		}
		if n := len(u.frames[0]); n > message.MaxUploadFrame && tt.parts > 1 || n > message.MaxFrame {
			t.Errorf("%d URLs of %d bytes make a frame of %d bytes", len(a.Parts), tt.bytes, n)
		}
	}
}

// TestAFrameWithTheMostRangesHasAtMost32KB stores each second part, so that no two ranges can be joined.
func TestAFrameWithTheMostRangesHasAtMost32KB(t *testing.T) {
	u := newUploads(t)
	u.service.Objects = longURLs{u.objects, 1950}
	a := u.open(message.MaxUploadBytes)
	for n := 1; n <= 64; n += 2 { // the largest file has 64 parts
		signed, err := u.service.Objects.Sign(t.Context(), partTarget(u, a.UploadID, n))
		if err != nil {
			t.Fatal(err)
		}
		u.put(signed.URL, nil, make([]byte, message.UploadPartBytes))
	}
	a = u.step("upload_resume", a.UploadID)
	if n := len(u.frames[0]); len(a.Done) != 32 || len(a.Parts) != 16 || n > message.MaxUploadFrame {
		t.Errorf("%d ranges and %d URLs make a frame of %d bytes", len(a.Done), len(a.Parts), n)
	}
}

// partTarget returns the target of a part, with the size of each part but the last.
func partTarget(u *uploads, id string, number int) upload.Target {
	u.Helper()
	stored, err := u.store.Find(u.Context(), "u1", id, time.Now())
	if err != nil {
		u.Fatal(err)
	}
	return upload.Target{
		Key: uploadKey("u1", id, stored.File.FileName), Size: message.UploadPartBytes, MultipartID: stored.MultipartID, Number: number, Life: time.Hour,
	}
}

func TestURLsAreNotLogged(t *testing.T) {
	u := newUploads(t)
	for _, size := range []int64{5, message.MaxSinglePut + 1} {
		a := u.open(size)
		for _, action := range []string{"upload_resume", "upload_complete", "upload_abort", "upload_abort"} {
			u.step(action, a.UploadID)
		}
	}
	broken := *u.service
	broken.Objects = brokenObjects{}
	u.handler.Uploads = &broken
	u.ask(`{"action":"upload","request":"r","fileName":"private.csv","size":1,"contentType":"a/b"}`)
	for _, secret := range []string{"objects.invalid", "parts list", "private"} {
		if strings.Contains(u.log.String(), secret) {
			t.Errorf("the log has %q: %s", secret, u.log)
		}
	}
}

// TestAnUploadCostsWhatItCauses: the answer, and about as many posts as an import makes.
func TestAnUploadCostsWhatItCauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUploads(t)
		time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
		a := u.open(5)
		u.put(a.URL, a.Headers, []byte("12345"))
		u.wantEnd(u.step("upload_complete", a.UploadID), a.UploadID, true)
		spent, err := u.fixture.store.Spend(t.Context(), "u1", "c1", 10_000, 10_000, time.Now())
		if err != nil || spent.Granted != 10_000-22 { // 20 for upload, 2 for upload_complete
			t.Errorf("%d are left of 10,000, want 9,978 (%v)", spent.Granted, err)
		}
	})
}
