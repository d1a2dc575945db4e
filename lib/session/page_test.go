package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// tab is a client in a browser's tab. It follows the rules of the protocol.
type tab struct {
	*fixture

	id string
	// have, since and cursor are the fields of the next sync.
	have   map[string][2]any
	since  string
	cursor string
	// withoutCursor makes the tab sync without a cursor.
	withoutCursor bool
	// namesOverlap makes the tab send the digest of its notes, so that they are not repeated.
	namesOverlap bool
	// batch makes the tab ask for batches.
	batch bool
	// jobs has the job of each state that came, and notes how often each note came.
	jobs  []string
	notes map[string]int
	// syncs is the number of syncs so far.
	syncs int
}

func (f *fixture) openTab(id, user string) *tab {
	f.Helper()
	f.connect(id, user, 2*time.Hour)
	return &tab{fixture: f, id: id, have: map[string][2]any{}, notes: map[string]int{}}
}

// sync sends one sync and returns its synced frame.
func (b *tab) sync() message.Synced {
	b.Helper()
	b.syncs++
	request := map[string]any{"action": "sync", "have": b.have, "since": b.since, "batch": b.batch}
	if !b.withoutCursor {
		request["cursor"] = b.cursor
	}
	if since, err := ulid.ParseStrict(b.since); err == nil && b.namesOverlap {
		var held []string
		for id := range b.notes {
			if at := ulid.MustParse(id).Timestamp(); id < b.since && since.Timestamp().Sub(at) < message.NoteOverlap {
				held = append(held, id)
			}
		}
		request["overlap"] = message.NotesDigest(sorted(held))
	}
	body, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	b.send(b.id, string(body))
	frames := b.gateway.takeFrames(b.id)
	if len(frames) == 0 {
		b.Fatalf("%s: no answer to %s", b.id, body)
	}
	var synced message.Synced
	newest, controls := b.since, 1
	for _, e := range frames {
		switch data := e.Data.(type) {
		case message.UploadProgress:
			b.jobs = append(b.jobs, e.Job)
			if len(b.have) < message.MaxHave {
				b.have[e.Job] = [2]any{e.Epoch, e.Seq}
			}
		case message.Notification:
			b.notes[e.ID]++
			newest = max(newest, e.ID)
		case message.Welcome:
			controls++
		case message.Synced:
			synced = data
		default:
			b.Fatalf("%s got %s", b.id, describe(e))
		}
	}
	if synced.Jobs+synced.Notes != len(frames)-controls {
		b.Errorf("%s of %d frames", describe(frames[len(frames)-1]), len(frames))
	}
	b.since, b.cursor = newest, synced.Cursor
	return synced
}

// syncAll syncs until nothing is left, at most the given number of times.
func (b *tab) syncAll(maxSyncs int) {
	b.Helper()
	for range maxSyncs {
		synced := b.sync()
		time.Sleep(time.Duration(synced.RetryAfter) * time.Second)
		if !synced.More {
			return
		}
	}
	b.Fatalf("%s is not done after %d syncs", b.id, b.syncs)
}

// TestSyncPagesManyNotes: each sync sends 200 new notes, or all that are left and up to 200 of the overlap.
func TestSyncPagesManyNotes(t *testing.T) {
	for _, tt := range []struct {
		notes int
		apart time.Duration
		batch bool
	}{{450, time.Second, false}, {450, time.Second, true}, {2900, 0, false}, {2900, 20 * time.Millisecond, false}, {2900, 20 * time.Millisecond, true}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			b := f.openTab("c1", "u1")
			b.batch = tt.batch
			b.since = f.addNote("u1", 0)
			for n := 1; n <= tt.notes; n++ {
				time.Sleep(tt.apart)
				f.addNote("u1", n)
			}
			for round := range 5 { // the first brings all notes; in the later ones nothing is new
				b.syncs = 0
				b.syncAll(tt.notes/200 + 2)
				if len(b.notes) != tt.notes {
					t.Fatalf("round %d: %d notes came, want %d", round, len(b.notes), tt.notes)
				}
				if round > 0 && b.syncs != 1 {
					t.Errorf("round %d: %d syncs though nothing is new", round, b.syncs)
				}
			}
		})
	}
}

// TestSyncPagesManyJobsInOrder: each job comes once, running jobs before ended ones, the newest first.
func TestSyncPagesManyJobsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		const jobs = 10_700
		var running, ended []string // the newest first
		for n := range jobs {
			time.Sleep(5 * time.Second)
			job := fmt.Sprintf("j%05d", n*7919%jobs) // in no order of ids
			f.addJob("u1", job, 10)
			if n%30 == 0 {
				running = append(running, job)
				continue
			}
			end := message.UploadProgress{UploadID: job, FileName: "f", Progress: 100, Message: "m", Status: message.StatusSucceeded}
			if _, _, err := f.feed.Apply(t.Context(), feed.User("u1"), feed.Update{State: end, ID: "e", At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			ended = append(ended, job)
		}
		slices.Reverse(running)
		slices.Reverse(ended)
		note := f.addNote("u1", 1)
		b := f.openTab("c1", "u1")
		first := b.sync()
		if first.Jobs != 200 || !first.More || first.Cursor == "" || b.notes[note] != 1 {
			t.Errorf("the first sync brings %+v and %d notes", first, len(b.notes))
		}
		b.syncAll(100)
		if len(b.jobs) != jobs || b.syncs > jobs/200+10 {
			t.Fatalf("%d states in %d syncs, want %d", len(b.jobs), b.syncs, jobs)
		}
		want := slices.Concat(running, ended)
		for from := 0; from < jobs; { // the states of a page come in any order, so find the shortest group that has the same states
			to := min(from+1, jobs)
			for to < jobs && !slices.Equal(sorted(b.jobs[from:to]), sorted(want[from:to])) {
				to++
			}
			if to-from > 200 {
				t.Fatalf("from place %d on the order is another one", from)
			}
			from = to
		}
	})
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// TestSyncWithoutCursorMakesProgress: states that the browser has are not sent again.
func TestSyncWithoutCursorMakesProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for n := range 900 {
			f.addJob("u1", fmt.Sprint("j", n), 10)
		}
		b := f.openTab("c1", "u1")
		b.withoutCursor = true
		b.syncAll(5)
		if len(b.jobs) != 900 || len(b.have) != 900 {
			t.Errorf("%d states of %d jobs, want 900", len(b.jobs), len(b.have))
		}
	})
}

// TestSlowSyncEndsBeforeItsTimeout: the frames that there was no time to post come with the next sync.
func TestSlowSyncEndsBeforeItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		since := f.addNote("u1", 0)
		for n := range 200 {
			f.addJob("u1", fmt.Sprint("j", n), 10)
			f.addNote("u1", n+1)
		}
		b := f.openTab("c1", "u1")
		b.since = since
		f.gateway.delay = 2500 * time.Millisecond
		start := time.Now()
		if synced := b.sync(); !synced.More || synced.Jobs != 200 || synced.Notes == 0 || synced.Notes == 200 {
			t.Errorf("a slow sync brings %+v", synced)
		}
		if took := time.Since(start); took > 27*time.Second {
			t.Errorf("it took %v", took)
		}
		b.syncAll(5)
		if len(b.notes) != 200 || len(b.have) != 200 {
			t.Errorf("%d notes and %d jobs came, want 200 of each", len(b.notes), len(b.have))
		}
	})
}

// slowFeed is a feed that reads pages of 50 jobs, and pauses before each page.
type slowFeed struct {
	faultyFeed

	pause time.Duration
}

func (f slowFeed) JobsAfter(ctx context.Context, owner, after string, _ int) (feed.JobPage, error) {
	time.Sleep(f.pause)
	return f.faultyFeed.JobsAfter(ctx, owner, after, 50)
}

func TestSyncContinuesWhereReadingJobsTimedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 1000
		f := newFixture(t)
		f.handler.Feed = slowFeed{f.feed, time.Second}
		for n := range jobs {
			f.addJob("u1", fmt.Sprintf("j%05d", n), 10)
		}
		b := f.openTab("c1", "u1")
		for more := true; more; {
			start := time.Now()
			synced := b.sync()
			more = synced.More
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("a sync took %v", took)
			}
			if b.syncs > jobs/100 {
				t.Fatal("it does not end")
			}
		}
		if got := len(slices.Compact(sorted(b.jobs))); got != jobs || len(b.jobs) > jobs+400 {
			t.Errorf("%d states of %d jobs, want %d", len(b.jobs), got, jobs)
		}
	})
}

func TestInvalidCursorIsRejected(t *testing.T) {
	for _, cursor := range []string{"!", "e30=", "bnVsbA", "eyJ4IjoxfQ", "eyJhIjp7fX0", "eyJuIjoieCJ9"} {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.send("c1", `{"action":"sync","cursor":"`+cursor+`"}`)
		f.checkFrames("c1", "error INVALID_MESSAGE: cursor must be that of a synced frame")
	}
}

// TestAnIDInHaveThatNamesNoJobIsPassedOver: a browser may have stored such an id long ago. Other ids in have still count.
func TestAnIDInHaveThatNamesNoJobIsPassedOver(t *testing.T) {
	for _, id := range []string{`\ud83c`, `a\ufffd`, "\xff", "", `\u0000`, strings.Repeat("x", message.MaxID+1)} {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		f.addJob("u1", "known", 10)
		f.addJob("u1", "new", 10)
		row, err := f.feed.Job(t.Context(), feed.User("u1"), "known")
		if err != nil {
			t.Fatal(err)
		}
		f.send("c1", fmt.Sprintf(`{"action":"sync","welcome":false,"have":{"%s":["",1],"known":[%q,%d]}}`, id, row.Epoch, row.Seq))
		f.checkFrames("c1", "job new 1 10", "synced jobs=1 notes=0 more=false")
	}
}

// TestTabsThatNameWhatTheyHaveOfTheOverlapAreNotPutOff has fifty tabs that reconnect at once and sync again after 5 s. They have 50
// notes that were sent a second apart. Then a tab that lacks one of these notes gets it, and a tab that sends no digest gets all.
func TestTabsThatNameWhatTheyHaveOfTheOverlapAreNotPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		var notes []string
		for n := range 50 {
			notes = append(notes, f.addNote("u1", n))
			time.Sleep(time.Second)
		}
		var tabs []*tab
		for n := range 50 {
			b := f.openTab(fmt.Sprint("c", n), "u1")
			b.namesOverlap, b.since = true, notes[49]
			for _, id := range notes {
				b.notes[id]++
			}
			tabs = append(tabs, b)
		}
		time.Sleep(time.Minute)
		f.gateway.tried = nil
		for range 2 {
			for _, b := range tabs {
				if synced := b.sync(); synced.More || synced.Notes > 0 {
					t.Errorf("%s: %+v", b.id, synced)
				}
			}
			time.Sleep(5 * time.Second)
		}
		if posts := len(f.gateway.tried); posts != 200 {
			t.Errorf("100 syncs cause %d posts, want 200", posts)
		}
		lacking := tabs[0]
		delete(lacking.notes, notes[20])
		if lacking.sync(); lacking.notes[notes[20]] != 1 {
			t.Error("a note that a tab lacks does not come")
		}
		tabs[1].namesOverlap = false
		if synced := tabs[1].sync(); synced.Notes != 49 {
			t.Errorf("a tab that names nothing gets %+v", synced)
		}
	})
}
