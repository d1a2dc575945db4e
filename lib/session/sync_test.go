package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// syncMessage returns a sync message with have and since.
func syncMessage(have map[string][2]any, since string) string {
	body, err := json.Marshal(map[string]any{"action": "sync", "have": have, "since": since})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func TestSyncSendsWelcomeUnlessDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", 24*time.Hour)
		f.connect("c2", "u1", time.Hour)
		time.Sleep(time.Minute)
		now := time.Now().UTC()
		f.send("c1", `{"action":"sync"}`)
		want := message.Welcome{
			ConnectionID: "c1", ServerTime: message.Time{Time: now}, SessionEnd: message.Time{Time: now.Add(7170*time.Second - time.Minute)},
		}
		frames := f.gateway.takeFrames("c1")
		if len(frames) != 2 {
			t.Fatalf("%d frames, want welcome and synced", len(frames))
		}
		if diff := cmp.Diff(message.Data(want), frames[0].Data); diff != "" {
			t.Errorf("welcome (-want +got):\n%s", diff)
		}
		for body, want := range map[string][]string{
			`{"action":"sync"}`:                 {"welcome", synced},
			`{"action":"sync","welcome":true}`:  {"welcome", synced},
			`{"action":"sync","welcome":null}`:  {"welcome", synced},
			`{"action":"sync","welcome":false}`: {synced},
		} {
			if err := f.handle(f.newHandler(), "c1", body); err != nil { // on another instance, too
				t.Fatal(err)
			}
			f.checkFrames("c1", want...)
		}
		f.checkFrames("c2")
	})
}

func TestSyncAfterAFailedSyncSendsWelcome(t *testing.T) {
	f := newFixture(t)
	f.connect("c1", "u1", time.Hour)
	for _, method := range []string{"Spend", "Jobs", "Notes"} {
		f.fail[method] = errStore
		f.send("c1", `{"action":"sync"}`)
		f.checkFrames("c1", "error INTERNAL_ERROR: Internal server error")
		delete(f.fail, method)
	}
	f.gateway.fail = func(string, message.Envelope) error { return broadcast.ErrUnavailable }
	if err := f.handle(f.handler, "c1", `{"action":"sync"}`); !errors.Is(err, broadcast.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	f.gateway.fail = nil
	f.send("c1", `{"action":"sync"}`)
	f.checkFrames("c1", "welcome", synced)
}

func TestSyncAfterAnInvalidSyncIsComplete(t *testing.T) {
	f := newFixture(t)
	f.connect("c1", "u1", time.Hour)
	f.send("c1", `{"action":"sync","since":1}`)
	f.send("c1", `{"action":"sync"}`)
	f.checkFrames("c1", "error INVALID_MESSAGE: since must be a string", "welcome", "synced jobs=0 notes=0 more=false")
}

func TestSyncSendsNewerJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.addJob("u2", "theirs", 1)
		row := f.addJob("u1", "j1", 10)
		before := epochOf(time.Now().Add(-time.Hour))
		after := epochOf(time.Now().Add(time.Hour))
		f.send("c1", `{"action":"sync"}`)
		frames := f.gateway.takeFrames("c1")
		if len(frames) != 3 {
			t.Fatalf("%d frames, want welcome, the job, synced", len(frames))
		}
		want := row.Envelope()
		want.Replayed = true
		if diff := cmp.Diff(want, frames[1]); diff != "" {
			t.Errorf("the job's frame (-want +got):\n%s", diff)
		}
		if frames[1].Epoch == "" || frames[1].Seq != 1 {
			t.Errorf("the job's frame has the place %q, %d", frames[1].Epoch, frames[1].Seq)
		}
		const nothing, job = "synced jobs=0 notes=0 more=false", "synced jobs=1 notes=0 more=false"
		for _, tt := range []struct {
			name string
			have map[string][2]any
			want []string
		}{
			{"another job", map[string][2]any{"j2": {row.Epoch, 9}}, []string{"job j1 1 10", job}},
			{"a state that was not stored", map[string][2]any{"j1": {"", 0}}, []string{"job j1 1 10", job}},
			{"an earlier state", map[string][2]any{"j1": {row.Epoch, 0}}, []string{"job j1 1 10", job}},
			{"an earlier run", map[string][2]any{"j1": {before, 99}}, []string{"job j1 1 10", job}},
			{"the same", map[string][2]any{"j1": {row.Epoch, 1}}, []string{nothing}},
			{"a later state", map[string][2]any{"j1": {row.Epoch, 2}}, []string{nothing}},
			{"a later run", map[string][2]any{"j1": {after, 1}}, []string{nothing}},
		} {
			f.send("c1", syncMessage(tt.have, ""))
			t.Log(tt.name)
			f.checkFrames("c1", append([]string{"welcome"}, tt.want...)...)
		}
	})
}

func TestSyncPostsConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		for n := range 80 {
			f.addJob("u1", fmt.Sprint("j", n), 10)
		}
		f.gateway.delay = 10 * time.Millisecond
		start := time.Now()
		f.send("c1", `{"action":"sync"}`)
		if took, want := time.Since(start), 50*time.Millisecond; took != want { // welcome, three times up to 32, synced
			t.Errorf("took %v, want %v", took, want)
		}
		if f.gateway.maxInFlight != 32 {
			t.Errorf("%d posts in flight at most, want 32", f.gateway.maxInFlight)
		}
		frames := f.gateway.takeFrames("c1")
		if n := len(frames); n != 82 || describe(frames[0]) != "welcome" || describe(frames[n-1]) != "synced jobs=80 notes=0 more=false" {
			t.Errorf("%d frames, from %s to %s", n, describe(frames[0]), describe(frames[n-1]))
		}
	})
}

func TestSyncRetriesThrottledPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		for n := range 10 {
			f.addJob("u1", fmt.Sprint("j", n), 10)
			f.addNote("u1", n)
		}
		seen := map[string]bool{}
		f.gateway.fail = func(_ string, e message.Envelope) error {
			if first := !seen[describe(e)]; first {
				seen[describe(e)] = true
				return broadcast.ErrThrottled
			}
			return nil
		}
		f.send("c1", `{"action":"sync"}`)
		frames := f.gateway.takeFrames("c1")
		if n := len(frames); n != 22 || describe(frames[0]) != "welcome" || describe(frames[n-1]) != "synced jobs=10 notes=10 more=false" {
			t.Errorf("%d frames, want 22 from welcome to synced", n)
		}
	})
}

func TestFirstSyncSendsTheNewestFiftyNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		want := []string{"welcome"}
		for n := range 60 {
			f.addNote("u1", n)
			f.addNote("u2", 100+n)
			time.Sleep(time.Second)
			if n >= 10 {
				want = append(want, fmt.Sprintf("note %d replayed=true", n))
			}
		}
		f.send("c1", `{"action":"sync"}`)
		f.checkFrames("c1", append(want, "synced jobs=0 notes=50 more=false")...)
	})
}

// TestSyncResendsNotesOfTheOverlap: a note that was stored late may have an older id than the newest note of the browser.
func TestSyncResendsNotesOfTheOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		var ids []string
		for n := range 5 {
			ids = append(ids, f.addNote("u1", n))
			time.Sleep(feed.NoteOverlap / 2)
		}
		f.send("c1", `{"action":"sync","since":"`+ids[3]+`"}`)
		// Notes 1 and 2 are within the overlap before the third, which is counted from its id. The third is there.
		f.checkFrames("c1", "welcome", "note 1 replayed=true", "note 2 replayed=true", "note 4 replayed=true", "synced jobs=0 notes=3 more=false")
		f.send("c1", `{"action":"sync","since":"00000000000000000000000000"}`)
		if frames := f.gateway.takeFrames("c1"); len(frames) != 7 {
			t.Errorf("%d frames since the beginning of time, want welcome, 5 notes and synced", len(frames))
		}
		f.send("c1", `{"action":"sync","since":"7ZZZZZZZZZZZZZZZZZZZZZZZZZ"}`)
		f.checkFrames("c1", "welcome", "synced jobs=0 notes=0 more=false")
	})
}

// TestInterruptedSyncIsRepeatedByTheNext: without a synced frame the browser does not move its since.
func TestInterruptedSyncIsRepeatedByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		for n := range 40 {
			f.addNote("u1", n)
		}
		left := 25
		f.gateway.fail = func(string, message.Envelope) error {
			if left--; left < 0 {
				return broadcast.ErrUnavailable
			}
			return nil
		}
		if err := f.handle(f.handler, "c1", `{"action":"sync"}`); !errors.Is(err, broadcast.ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
		if frames := f.gateway.takeFrames("c1"); len(frames) != 25 {
			t.Errorf("%d frames before the cut, want 25", len(frames))
		}
		f.gateway.fail = nil
		f.send("c1", `{"action":"sync"}`)
		if frames := f.gateway.takeFrames("c1"); len(frames) != 42 {
			t.Errorf("%d frames with the next sync, want 42", len(frames))
		}
	})
}

// TestSyncDoesNotDependOnTheIndex: the connection and the jobs are read consistently.
func TestSyncDoesNotDependOnTheIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.store.IndexLag = time.Hour
		f.connect("c1", "u1", time.Hour)
		f.addJob("u1", "j1", 10)
		f.send("c1", `{"action":"sync"}`)
		f.checkFrames("c1", "welcome", "job j1 1 10", "synced jobs=1 notes=0 more=false")
	})
}

// sortUnordered sorts the descriptions of consecutive states and notes. The other frames keep their places.
func sortUnordered(frames []string) {
	for from := 0; from < len(frames); from++ {
		to := from
		for to < len(frames) && (strings.HasPrefix(frames[to], "job ") || strings.HasPrefix(frames[to], "note ")) {
			to++
		}
		slices.Sort(frames[from:to])
		from = to
	}
}

func TestASyncSendsJobsOfEveryType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		u := feed.Update{
			Type: message.TypeJobProgress, State: message.UploadProgress{UploadID: "report-7", FileName: "Report of May", Progress: 5, Message: "m"},
			Epoch: epochOf(time.Now()), ID: "id", At: time.Now(),
		}
		if _, _, err := f.feed.Apply(t.Context(), feed.User("u1"), u); err != nil {
			t.Fatal(err)
		}
		f.send("c1", `{"action":"sync","welcome":false}`)
		frames := f.gateway.takeFrames("c1")
		want := message.JobProgress{JobID: "report-7", Title: "Report of May", Progress: 5, Message: "m"}
		if len(frames) != 2 || frames[0].Data != message.Data(want) || frames[0].Job != "report-7" || !frames[0].Replayed {
			t.Errorf("a sync is answered by %+v", frames)
		}
		f.send("c1", syncMessage(map[string][2]any{"report-7": {u.Epoch, 1}}, ""))
		f.checkFrames("c1", "welcome", "synced jobs=0 notes=0 more=false")
	})
}
