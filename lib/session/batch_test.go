package session_test

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

const syncInBatches = `{"action":"sync","batch":true}`

// addLargeNote stores a note whose message has the given length.
func (f *fixture) addLargeNote(userID string, length int) string {
	f.Helper()
	id := ulid.Make().String()
	data := message.Notification{Title: "t", Message: strings.Repeat("m", length), Severity: message.SeverityInfo}
	if _, _, err := f.feed.Add(f.Context(), feed.User(userID), feed.Note{ID: id, At: time.Now(), Data: data}); err != nil {
		f.Fatal(err)
	}
	time.Sleep(time.Millisecond) // so that the ids are in the order of the notes
	return id
}

// TestReconnectWithFiftyNotesAndTenJobsTakesFewPosts: at most four, if a note has up to 2,000 bytes, and one if it has a hundred.
func TestReconnectWithFiftyNotesAndTenJobsTakesFewPosts(t *testing.T) {
	for length, want := range map[int]int{100: 1, 480: 2, 1800: 4} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.connect("c1", "u1", time.Hour)
			for n := range 10 {
				f.addJob("u1", fmt.Sprint("j", n), 10)
			}
			for range 50 {
				f.addLargeNote("u1", length)
			}
			f.send("c1", syncInBatches)
			if posts := len(f.gateway.tried); posts > want {
				t.Errorf("notes of %d bytes: %d posts, want at most %d", length, posts, want)
			}
			frames := f.gateway.takeFrames("c1")
			if n := len(frames); n != 62 || describe(frames[0]) != "welcome" || describe(frames[n-1]) != "synced jobs=10 notes=50 more=false" {
				t.Errorf("%d frames, want 62 from welcome to synced", n)
			}
		})
	}
}

// TestABatchedAnswerHasTheSameFrames compares the answer in batches with the answer in single frames, for notes of many lengths.
func TestABatchedAnswerHasTheSameFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		for n := range 30 {
			f.addJob("u1", fmt.Sprint("j", n), 10)
		}
		for n := range 50 {
			f.addLargeNote("u1", 1+n*157%7500)
		}
		answer := func(body string) map[string]string {
			frames := map[string]string{}
			f.send("c1", body)
			for _, e := range f.gateway.takeFrames("c1") {
				frame, err := e.Encode()
				if err != nil {
					t.Fatal(err)
				}
				frames[string(e.Type)+e.ID] = string(frame)
			}
			return frames
		}
		single := answer(`{"action":"sync"}`)
		batched := answer(syncInBatches)
		if diff := cmp.Diff(single, batched); diff != "" || len(single) != 82 {
			t.Errorf("%d frames (-single +batched):\n%s", len(single), diff)
		}
	})
}

// TestFramesInABatchKeepTheirOrder: welcome, running jobs, notes from the oldest to the newest, ended jobs, synced.
func TestFramesInABatchKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.addJob("u1", "ended", 50)
		ended := message.UploadProgress{UploadID: "ended", FileName: "f", Progress: 100, Message: "m", Status: message.StatusSucceeded}
		at := time.Now()
		if _, _, err := f.feed.Apply(t.Context(), feed.User("u1"), feed.Update{State: ended, Epoch: epochOf(at), ID: ulid.Make().String(), At: at}); err != nil {
			t.Fatal(err)
		}
		f.addJob("u1", "running", 10)
		for n := range 5 {
			f.addNote("u1", n)
			time.Sleep(time.Second)
		}
		f.send("c1", syncInBatches)
		var got []string
		for _, e := range f.gateway.takeFrames("c1") {
			got = append(got, strings.TrimSuffix(describe(e), " replayed=true"))
		}
		want := []string{"welcome", "job running 1 10", "note 0", "note 1", "note 2", "note 3", "note 4", "job ended 2 100", "synced jobs=2 notes=5 more=false"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the frames (-want +got):\n%s", diff)
		}
	})
}

// TestABatchIsFullAtItsLimit looks for the longest answer that is one post: a batch of exactly the limit.
func TestABatchIsFullAtItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		for range 4 {
			f.addLargeNote("u1", 7500)
		}
		longest := sort.Search(3000, func(length int) bool {
			id := f.addLargeNote("u1", 1+length)
			f.gateway.tried = nil
			f.send("c1", syncInBatches)
			frames := f.gateway.takeFrames("c1")
			if last := describe(frames[len(frames)-1]); last != "synced jobs=0 notes=5 more=false" {
				t.Fatal(last)
			}
			if _, err := f.feed.Dismiss(t.Context(), feed.User("u1"), id); err != nil {
				t.Fatal(err)
			}
			return len(f.gateway.tried) > 1
		})
		if longest == 0 || longest == 3000 || f.gateway.maxBatch != message.MaxBatch {
			t.Errorf("%d bytes fit in, and the largest batch has %d bytes, want %d", longest, f.gateway.maxBatch, message.MaxBatch)
		}
	})
}

// TestAFailedBatchFailsTheSync: no synced comes, so the browser asks again, and gets everything.
func TestAFailedBatchFailsTheSync(t *testing.T) {
	for failing := 1; failing <= 4; failing++ {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			b := f.openTab("c1", "u1")
			b.batch = true
			for range 50 {
				f.addLargeNote("u1", 2000)
			}
			n := 0
			f.gateway.fail = func(string, message.Envelope) error {
				if n++; n == failing {
					return broadcast.ErrUnavailable
				}
				return nil
			}
			if err := f.handle(f.handler, "c1", syncInBatches); !errors.Is(err, broadcast.ErrUnavailable) {
				t.Errorf("post %d fails: %v, want ErrUnavailable", failing, err)
			}
			for _, e := range f.gateway.takeFrames("c1") {
				if e.Type == message.TypeSynced {
					t.Errorf("post %d fails, and synced comes", failing)
				}
			}
			if synced := b.sync(); synced.Notes != 50 || synced.More {
				t.Errorf("the next sync has %+v", synced)
			}
		})
	}
}

// TestASlowBatchedSyncEndsBeforeItsDeadline: what there was no time to post comes with the next sync.
func TestASlowBatchedSyncEndsBeforeItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		b := f.openTab("c1", "u1")
		b.batch, b.since = true, f.addNote("u1", 0)
		for range 200 {
			f.addLargeNote("u1", 8000) // three in each batch: 67 posts, of which 32 are made at once
		}
		f.gateway.delay = 2500 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), 11*time.Second)
		defer cancel()
		r := session.Request{Body: `{"action":"sync","batch":true,"since":"` + b.since + `"}`}
		r.RequestContext.ConnectionID = "c1"
		if _, err := f.handler.Handle(ctx, r); err != nil {
			t.Error(err)
		}
		frames := f.gateway.takeFrames("c1")
		if last := describe(frames[len(frames)-1]); last != fmt.Sprintf("synced jobs=0 notes=%d more=true", len(frames)-2) || len(frames) > 200 {
			t.Errorf("a slow sync brings %d frames and %s", len(frames), last)
		}
		f.gateway.delay = 0
		b.syncAll(5)
		if len(b.notes) != 200 {
			t.Errorf("%d notes came, want 200", len(b.notes))
		}
	})
}

// TestABatchedSyncContinuesWhenTheBudgetIsSpent: only as many posts are made as are paid, and the rest comes in the next minute.
func TestABatchedSyncContinuesWhenTheBudgetIsSpent(t *testing.T) {
	for left := 1; left <= 6; left++ {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.handler.Limits = smallLimits
			for range 50 {
				f.addLargeNote("u1", 2000)
				time.Sleep(2 * feed.NoteOverlap)
			}
			b := f.openTab("c1", "u1")
			b.batch = true
			if _, err := f.store.Spend(t.Context(), "u1", "c1", 36-left, 36, time.Now()); err != nil {
				t.Fatal(err)
			}
			synced := b.sync()
			if posts := len(f.gateway.tried); posts != min(left, 4) {
				t.Errorf("%d posts are left: %d are made", left, posts)
			}
			if enough := left >= 4; synced.More == enough || (synced.RetryAfter > 0) == enough || enough != (synced.Notes == 50) {
				t.Errorf("%d posts are left: %+v", left, synced)
			}
			time.Sleep(time.Duration(synced.RetryAfter) * time.Second)
			if synced.More {
				b.syncAll(3)
			}
			if len(b.notes) != 50 {
				t.Errorf("%d posts are left: %d notes come, want 50", left, len(b.notes))
			}
		})
	}
}

// TestABatchedSyncBeginsWithWelcomeIfOnePostIsLeft: the answer is one batch of welcome and synced. The notes come in the next minute.
func TestABatchedSyncBeginsWithWelcomeIfOnePostIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.handler.Limits = smallLimits
		f.connect("c1", "u1", time.Hour)
		for range 50 {
			f.addLargeNote("u1", 2000)
		}
		if _, err := f.store.Spend(t.Context(), "u1", "c1", 35, 36, time.Now()); err != nil {
			t.Fatal(err)
		}
		f.send("c1", syncInBatches)
		frames := f.gateway.takeFrames("c1")
		if len(frames) != 2 || len(f.gateway.tried) != 1 || describe(frames[0]) != "welcome" || frames[1].Type != message.TypeSynced {
			t.Errorf("the answer has %d posts, want one with welcome and synced: %v", len(f.gateway.tried), frames)
		}
	})
}

// TestSyncRejectsABatchThatIsNoBool names the field and the rule.
func TestSyncRejectsABatchThatIsNoBool(t *testing.T) {
	f := newFixture(t)
	f.connect("c1", "u1", time.Hour)
	f.send("c1", `{"action":"sync","batch":1}`)
	f.send("c1", `{"action":"sync","welcome":1}`)
	f.checkFrames("c1", "error INVALID_MESSAGE: batch must be true or false", "error INVALID_MESSAGE: welcome must be true or false")
}

// TestASyncWithNothingNewIsOnePost: welcome and synced are a batch, synced alone is a frame.
func TestASyncWithNothingNewIsOnePost(t *testing.T) {
	f := newFixture(t)
	f.connect("c1", "u1", time.Hour)
	for body, want := range map[string]string{syncInBatches: "batch", `{"action":"sync","batch":true,"welcome":false}`: "synced"} {
		f.gateway.tried = nil
		f.send("c1", body)
		if len(f.gateway.tried) != 1 || string(f.gateway.tried[0].Type) != want {
			t.Errorf("%s is answered by %d posts, want one %s", body, len(f.gateway.tried), want)
		}
	}
}

// unpack returns the frames of a batch, or the frame itself if it is none.
func unpack(e message.Envelope, frame []byte) ([]message.Envelope, error) {
	batch, ok := e.Data.(message.Batch)
	if !ok {
		return []message.Envelope{e}, nil
	}
	if len(frame) > message.MaxBatch || len(batch.Frames) < 2 {
		return nil, fmt.Errorf("a batch of %d frames and %d bytes", len(batch.Frames), len(frame))
	}
	var frames []message.Envelope
	for _, raw := range batch.Frames {
		e, err := message.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("not a frame: %w", err)
		}
		frames = append(frames, e)
	}
	return frames, nil
}
