package client

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// TestTheLargestSyncFitsAFrame requests with have, cursor and since at their limits.
func TestTheLargestSyncFitsAFrame(t *testing.T) {
	v := View{jobs: map[string]job{}}
	for n := range message.MaxHave {
		id := fmt.Sprintf("%s%04d", strings.Repeat("<", 100), n)
		v.jobs[id] = job{at: position{epoch: "2026-11-22T10:00:00.123Z#0000", seq: 1 << 53}}
	}
	v.notes.since = strings.Repeat("7", 26)
	v.page.cursor = validCursor(strings.Repeat("c", message.MaxCursor))
	if v.page.cursor == "" || validCursor(v.page.cursor+"c") != "" {
		t.Error("the longest cursor is not usable, or a longer one is")
	}
	request := v.request(false, true)
	if len(request) > message.MaxClientFrame || len(request) < message.MaxHaveBytes {
		t.Errorf("the sync takes %d bytes", len(request))
	}
}

// TestASyncNamesTheNotesThatItNeedNotRepeat checks that a sync has a digest of the notes from the five minutes before its since, so
// that the answer need not repeat these notes. The digest covers 200 notes at most. If there are few notes, there is no digest.
func TestASyncNamesTheNotesThatItNeedNotRepeat(t *testing.T) {
	for _, tt := range []struct{ notes, inDigest int }{{1, 0}, {minOverlap, 0}, {minOverlap + 1, minOverlap}, {250, 200}, {400, 200}} {
		var v View
		start := time.UnixMilli(1_700_000_000_000)
		var ids []string
		for n := range tt.notes {
			id := firstID(start.Add(time.Duration(n) * time.Second))
			if got := timeOf(id); !got.Equal(start.Add(time.Duration(n) * time.Second)) {
				t.Fatalf("the time of %s is %v", id, got)
			}
			v.notes.add(message.Envelope{ID: id})
			ids = append(ids, id)
		}
		tooOld, tooNew := firstID(start.Add(-message.NoteOverlap-time.Hour)), firstID(start.Add(time.Hour))
		v.notes.add(message.Envelope{ID: tooOld})
		v.notes.add(message.Envelope{ID: tooNew})
		v.notes.since = ids[len(ids)-1]
		want := ""
		if tt.inDigest > 0 {
			want = `"overlap":"` + message.NotesDigest(ids[len(ids)-1-tt.inDigest:len(ids)-1]) + `"`
		}
		request := v.request(true, true)
		if !strings.Contains(request, want) || strings.Contains(request, "overlap") != (want != "") {
			t.Errorf("%d notes: %s, want %s", tt.notes, request, want)
		}
	}
}
