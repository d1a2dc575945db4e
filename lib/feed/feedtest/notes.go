package feedtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// noteID returns an id in the form of a ULID. Ids sort by n.
func noteID(n int) string { return fmt.Sprintf("01JD9%021d", n) }

// notification returns a note with the ID noteID(n), whatever at is.
func notification(n int, at time.Time) feed.Note {
	data := message.Notification{Title: fmt.Sprint("Note ", n), Message: "<m>", Severity: message.SeverityInfo, ActionURL: "/a?b#c"}
	return feed.Note{ID: noteID(n), At: at, Data: data}
}

// add adds n and requires the outcome want. It returns the stored note.
func add(t *testing.T, s feed.Store, owner string, n feed.Note, want feed.Outcome) feed.Note {
	t.Helper()
	got, outcome, err := s.Add(t.Context(), owner, n)
	if err != nil || outcome != want {
		t.Fatalf("Add: %q, %v, want %q", outcome, err, want)
	}
	return got
}

// wantNotes requires that the store returns exactly these notes.
func wantNotes(t *testing.T, s feed.Store, owner, since string, limit int, want []feed.Note) {
	t.Helper()
	got, err := s.Notes(t.Context(), owner, since, limit)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Notes since %q, at most %d (-want +got):\n%s", since, limit, diff)
	}
}

func notes(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	all := make([]feed.Note, 60)
	for n := range all {
		all[n] = notification(n, at)
	}
	all[7].Data = message.Error{Code: "ROW", Message: "m", Details: []byte(`{"line":7}`)}
	for _, n := range slices.Backward(all) { // Notes need not be added in order.
		add(t, s, owner, n, feed.Accepted)
	}
	apply(t, s, owner, update(1, at), feed.Accepted) // Notes must not return the rows of jobs.
	for _, tt := range []struct {
		since string
		limit int
		want  []feed.Note
	}{
		{"", 50, all[10:]},
		{"", 100, all},
		{"", 1, all[59:]},
		{"0", 50, all[:50]},
		{noteID(3), 3, all[4:7]},
		{noteID(3) + "a", 3, all[4:7]},
		{noteID(57), 50, all[58:]},
		{noteID(59), 50, nil},
		{"7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 50, nil},
		{"~~", 50, nil},
	} {
		wantNotes(t, s, owner, tt.since, tt.limit, tt.want)
	}
	wantNotes(t, s, feed.User("nobody of "+t.Name()), "", 50, nil)
	for _, tt := range []struct {
		after, upTo string
		limit       int
		want        []feed.Note
	}{
		{noteID(10), noteID(20), 50, all[11:21]},
		{noteID(10), noteID(20), 10, all[11:21]},
		{noteID(10), noteID(20), 3, all[18:21]},
		{"", noteID(20), 2, all[19:21]},
		{"", "~~", 1, all[59:]},
		{noteID(10), noteID(10), 3, nil},
		{noteID(10), noteID(9), 3, nil},
		{noteID(10), "", 3, nil},
		{noteID(10), noteID(20), 0, nil},
	} {
		got, err := s.NewestNotes(t.Context(), owner, tt.after, tt.upTo, tt.limit)
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("NewestNotes %q to %q, at most %d: %v (-want +got):\n%s", tt.after, tt.upTo, tt.limit, err, diff)
		}
	}
}

func noteKeys(t *testing.T, s feed.Store) {
	const key = "key"
	owner, at := feed.User(t.Name()), now()
	first := notification(1, at)
	first.Key = key
	add(t, s, owner, first, feed.Accepted)
	again := notification(2, at.Add(time.Second))
	again.Key = key
	if got := add(t, s, owner, again, feed.Duplicate); got.ID != first.ID || !got.At.Equal(at) || got.Data != again.Data {
		t.Errorf("the repetition returned %+v", got)
	}
	other := notification(3, at)
	other.Key = "other key"
	add(t, s, owner, other, feed.Accepted)
	got, err := s.Notes(t.Context(), owner, "", 50)
	if err != nil || len(got) != 2 || got[0].ID != first.ID || got[1].ID != other.ID {
		t.Errorf("Notes: %+v, %v", got, err)
	}
	otherOwner := notification(1, at)
	otherOwner.Key = key
	add(t, s, owner+"2", otherOwner, feed.Accepted)
}

func dismiss(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	one, two := notification(1, at), notification(2, at)
	add(t, s, owner, one, feed.Accepted)
	add(t, s, owner, two, feed.Accepted)
	// Only the first dismissal deletes a note. The last id is longer than a key of DynamoDB may be.
	for n, id := range []string{one.ID, one.ID, noteID(9), "", "auth0|ü #1", fmt.Sprintf("%02000d", 0)} {
		if existed, err := s.Dismiss(t.Context(), owner, id); err != nil || existed != (n == 0) {
			t.Errorf("Dismiss %d of %.30q: %t, %v", n, id, existed, err)
		}
	}
	if existed, err := s.Dismiss(t.Context(), owner+"2", two.ID); err != nil || existed {
		t.Errorf("Dismiss of another owner's note: %t, %v", existed, err)
	}
	wantNotes(t, s, owner, "", 50, []feed.Note{two})
}
