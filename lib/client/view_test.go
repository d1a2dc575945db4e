package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/message"
)

// stateOf returns the frame of a stored state of a job, which was sent seq seconds after the start of the run.
func stateOf(job string, seq int64, status message.Status) message.Envelope {
	at := message.Time{Time: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Add(time.Duration(seq) * time.Second)}
	return message.Envelope{
		Type: message.TypeUploadProgress, Timestamp: at, Job: job, Epoch: "2026-11-22T10:00:00.000Z#0000", Seq: seq,
		Data: message.UploadProgress{UploadID: job, FileName: "f.csv", Progress: 10, Message: "m", Status: status},
	}
}

// noteOf returns the frame of the nth note. The order of the ids is that of n.
func noteOf(n int, replayed bool) message.Envelope {
	return message.Envelope{
		Type: message.TypeNotification, ID: fmt.Sprintf("01M81C%020d", n), Replayed: replayed,
		Data: message.Notification{Title: "t", Message: "m", Severity: message.SeverityInfo},
	}
}

func TestViewListsShownJobsAndNotes(t *testing.T) {
	var v View
	first, second := stateOf("u-42", 1, ""), stateOf("u-43", 1, "")
	dismissed := message.New(message.Dismissed{ID: noteOf(2, false).ID}, "", time.Now())
	for _, e := range []message.Envelope{second, first, noteOf(2, false), noteOf(1, true), noteOf(3, false), dismissed} {
		v.apply(e)
	}
	if diff := cmp.Diff([]message.Envelope{first, second}, v.Jobs()); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]message.Envelope{noteOf(1, true), noteOf(3, false)}, v.Notes()); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if e, ok := v.Job("u-43"); !ok || !cmp.Equal(second, e) {
		t.Errorf("job u-43 is %+v, %t", e, ok)
	}
	if e, ok := v.Job("u-44"); ok {
		t.Errorf("an unknown job is %+v", e)
	}
}

// TestViewIsBounded gives a view more notes and jobs than it holds, by pushes and by syncs.
func TestViewIsBounded(t *testing.T) {
	check := func(t *testing.T, v *View) {
		t.Helper()
		if len(v.notes.seen) > maxSeen || len(v.notes.shown) > maxShown || len(v.jobs) > maxJobs {
			t.Fatalf("%d ids, %d notes and %d jobs are held", len(v.notes.seen), len(v.notes.shown), len(v.jobs))
		}
	}
	t.Run("pushes before the first sync is answered", func(t *testing.T) {
		var v View
		for n := range 3 * maxSeen {
			if !v.apply(noteOf(n, false)) {
				t.Fatalf("note %d is not new", n)
			}
		}
		check(t, &v)
		if v.apply(noteOf(3*maxSeen-1, true)) {
			t.Error("the newest note is new again")
		}
	})
	t.Run("syncs that bring notes", func(t *testing.T) {
		const page = 200
		var v View
		for n := 0; n < 3*maxSeen; n += page {
			v.request(true, true)
			for i := range page {
				if !v.apply(noteOf(n+i, true)) {
					t.Fatalf("note %d is not new", n+i)
				}
			}
			if got := v.endPage(message.Synced{Notes: page, More: true}); got != nextPage {
				t.Fatalf("the answer is %d", got)
			}
			check(t, &v)
		}
	})
	t.Run("pushes after a sync, one over the bound", func(t *testing.T) {
		var v View
		v.request(true, true)
		v.apply(noteOf(0, true))
		v.endPage(message.Synced{Notes: 1})
		for n := 1; n < maxSeen; n++ {
			if !v.apply(noteOf(n, false)) {
				t.Fatalf("note %d is not new", n)
			}
		}
		if v.resetSkipped() {
			t.Error("a note is skipped too early")
		}
		if v.apply(noteOf(maxSeen, false)) || !v.resetSkipped() || v.resetSkipped() {
			t.Error("the note over the bound is not skipped once")
		}
		check(t, &v)
		if !v.apply(noteOf(maxSeen, true)) {
			t.Error("the sync does not bring the skipped note")
		}
	})
	t.Run("jobs", func(t *testing.T) {
		var v View
		v.apply(stateOf("running", 1, message.StatusRunning))
		for n := range maxJobs + 10 {
			v.apply(stateOf(fmt.Sprint(n), int64(n)+2, message.StatusFailed))
		}
		check(t, &v)
		if _, ok := v.Job("running"); !ok || len(v.Jobs()) != maxJobs {
			t.Errorf("%d jobs are held, the running one: %t", len(v.Jobs()), ok)
		}
	})
}

func TestFirstIDIsTheSmallestULID(t *testing.T) {
	for _, at := range []time.Time{time.UnixMilli(0), time.UnixMilli(31), time.UnixMilli(32), time.Date(2026, 11, 22, 10, 0, 0, 123e6, time.UTC), ulid.Time(ulid.MaxTime())} {
		var want ulid.ULID
		if err := want.SetTime(ulid.Timestamp(at)); err != nil {
			t.Fatal(err)
		}
		if got := firstID(at); got != want.String() {
			t.Errorf("%v: got %s, want %s", at, got, want)
		}
	}
	if got := firstID(time.Time{}); got != strings.Repeat("0", ulid.EncodedSize) {
		t.Errorf("before 1970 it is %s", got)
	}
}

func TestSyncEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{
			Token: func(context.Context) (string, error) { return "t", nil },
			Dial:  func(context.Context, string, string) (Socket, error) { return nil, &Refused{Status: 502} },
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		if err := c.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a connection Sync returns %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("Run returns %v", err)
		}
		if s := c.Status(); s.State != Stopped || s.Err != nil || len(c.waiters) > 0 {
			t.Errorf("in the end the status is %+v, and %d calls of Sync wait", s, len(c.waiters))
		}
	})
}

// FuzzView applies any frames, one in each line. A view must show no state that is older than one before, and no note twice.
// Its sync must fit a frame.
func FuzzView(f *testing.F) {
	for _, lines := range []string{
		`{"type":"upload_progress","job":"j","epoch":"e","seq":2,"data":{"progress":10}}` + "\n" + `{"type":"upload_progress","job":"j","seq":-1,"data":{"progress":5}}`,
		`{"type":"welcome","data":{"serverTime":"2026-11-22T10:00:00Z"}}` + "\n" + `{"type":"synced","data":{"more":true,"cursor":"c","retryAfter":-1}}`,
		`{"type":"notification","id":"01A","replayed":true,"data":{}}` + "\n" + `{"type":"synced","data":{"jobs":-1,"notes":1}}` + "\n" + `{"type":"dismissed","data":{"id":"01A"}}`,
		`{"type":"upload_progress","job":"` + strings.Repeat("\u0001", 300) + `","seq":9223372036854775807,"data":{"progress":1e308}}`,
	} {
		f.Add(lines)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		var v View
		at := map[string]position{}
		var ids []string
		v.request(true, true)
		for line := range strings.Lines(lines) {
			e, err := message.Parse([]byte(line))
			if err != nil {
				continue
			}
			isNew := v.apply(e)
			switch data := e.Data.(type) {
			case message.UploadProgress:
				if p := (position{e.Epoch, e.Seq}); isNew && e.Seq > 0 && e.Job != "" {
					if before, ok := at[e.Job]; ok && !p.after(before) {
						t.Errorf("%s: shown after %+v", line, before)
					}
					at[e.Job] = p
				}
			case message.Notification, message.Error:
				if isNew && e.ID != "" {
					if slices.Contains(ids, e.ID) {
						t.Errorf("%s: shown twice", line)
					}
					ids = append(ids, e.ID)
				}
			case message.Synced:
				v.endPage(data)
				v.request(false, true)
			}
		}
		text := v.request(true, true)
		if !json.Valid([]byte(text)) || len(v.notes.since) < 1<<10 && len(text) > message.MaxClientFrame {
			t.Errorf("the sync has %d bytes: %.100s", len(text), text)
		}
	})
}

// TestABrokenSyncStartsAgainFromItsFirstSince: the pages that did not come may have notes with smaller ids than the current since.
func TestABrokenSyncStartsAgainFromItsFirstSince(t *testing.T) {
	var v View
	requestHasSince := func(want int) {
		t.Helper()
		if got := v.request(true, true); !strings.Contains(got, `"since":"`+noteOf(want, true).ID+`"`) {
			t.Errorf("the request is %s, want since note %d", got, want)
		}
	}
	v.request(true, true)
	v.apply(noteOf(1, true))
	v.endPage(message.Synced{Notes: 1})
	requestHasSince(1)
	v.apply(noteOf(2, true))
	v.endPage(message.Synced{Notes: 1, More: true, Cursor: "A"})
	requestHasSince(2)
	v.apply(noteOf(3, true))
	v.endPage(message.Synced{Notes: 1, More: true, Cursor: "B"})
	v.resetCursor() // the connection is lost
	requestHasSince(1)
	v.apply(noteOf(2, true))
	v.endPage(message.Synced{Notes: 1, More: true, Cursor: "A"})
	requestHasSince(2)
	v.apply(noteOf(3, true))
	v.endPage(message.Synced{Notes: 1})
	v.resetCursor()
	requestHasSince(3)
}
