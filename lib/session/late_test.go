package session_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

// lateNote stores a note of a writer whose clock is behind the others', and returns its id, which is older than those of notes that
// are already stored.
func (f *fixture) lateNote(userID string, behind time.Duration) string {
	f.Helper()
	at := time.Now().Add(-behind)
	note := feed.Note{ID: ulid.MustNew(ulid.Timestamp(at), nil).String(), At: at}
	note.Data = message.Notification{Title: "t", Message: "late", Severity: message.SeverityInfo}
	stored, _, err := f.feed.Add(f.Context(), feed.User(userID), note)
	if err != nil || stored.ID != note.ID {
		f.Fatal(stored.ID, note.ID, err)
	}
	return note.ID
}

// TestSyncOfSeveralPagesSendsNotesStoredLate: the field since grows with each page, but the sync sends the notes of the minutes
// before its first since again. That holds for each reason why a page ends.
func TestSyncOfSeveralPagesSendsNotesStoredLate(t *testing.T) {
	for name, tt := range map[string]struct {
		notes, jobs int
		// spent says that few posts are left for the first page. The browser asks twice for this page, without a pause.
		spent bool
		delay time.Duration // of each post
	}{
		"more notes than a page holds": {notes: 450},
		"a page that its limit cuts":   {notes: 190, spent: true},
		"a page without time":          {notes: 190, jobs: 100, delay: 2900 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.handler.Limits = session.Limits{MaxConnections: 1, MaxPosts: 1012} // the smallest budget: 1,000 posts
				first := f.addNote("u1", 0)
				b := f.openTab("c1", "u1")
				b.syncAll(1)
				if b.since != first {
					t.Fatalf("since is %q", b.since)
				}
				time.Sleep(time.Minute)
				late := f.lateNote("u1", 90*time.Second)
				for n := range tt.notes {
					time.Sleep(10 * time.Second)
					f.addNote("u1", n+1)
				}
				for n := range tt.jobs {
					f.addJob("u1", fmt.Sprint("j", n), 1)
				}
				time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
				b.syncs = 0
				if tt.spent {
					if _, err := f.store.Spend(t.Context(), "u1", "c2", 900, 1000, time.Now()); err != nil {
						t.Fatal(err)
					}
					b.sync()
					b.sync()
				}
				f.gateway.delay = tt.delay
				b.syncAll(10)
				if b.syncs < 2 || len(b.notes) != tt.notes+2 {
					t.Errorf("%d notes came in %d pages, want %d", len(b.notes), b.syncs, tt.notes+2)
				}
				if b.notes[late] == 0 {
					t.Error("the late note never came")
				}
			})
		})
	}
}
