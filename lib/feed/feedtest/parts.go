package feedtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

func parts(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	apply(t, s, owner, update(10, at), feed.Accepted)
	for _, step := range []struct {
		id           string
		done, failed int64
		want         feed.Outcome
		// the row after it
		seq, doneSum, failedSum int64
	}{
		{"one", 100, 0, feed.Accepted, 2, 100, 0},
		{"two", 50, 5, feed.Accepted, 3, 150, 5},
		{"one", 100, 0, feed.Duplicate, 3, 150, 5},
		{"one", 99, 0, feed.Ignored, 3, 150, 5},
		{"one", 200, 1, feed.Accepted, 4, 250, 6},
		{"one", 200, 3, feed.Accepted, 5, 250, 8}, // as many steps, more of them failed
		{"two", 51, 1, feed.Accepted, 6, 251, 8},  // fewer failed steps than stored do not count
		{"two", 51, 1, feed.Duplicate, 6, 251, 8},
		{"a.b #c", 0, 0, feed.Accepted, 7, 251, 8},
	} {
		row := apply(t, s, owner, part(step.id, step.done, step.failed, at), step.want)
		if row.Seq != step.seq || row.PartsDone != step.doneSum || row.PartsFailed != step.failedSum {
			t.Errorf("after %v the row is %+v", step, row)
		}
	}
	other := part("two", 60, 0, at)
	other.Part.Total, other.Part.From = 100_000, 0 // Progress would fall if the scope could change.
	if row := apply(t, s, owner, other, feed.Accepted); row.VisibleState().Progress != 30.8 {
		t.Errorf("at 260 of 1000 between 10 and 90 the progress is %v", row.VisibleState().Progress)
	}
}

func firstPart(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	row := apply(t, s, owner, part("one", 100, 0, at), feed.Accepted)
	if row.Seq != 1 || !row.Pushed() || row.State.Progress != 10 || row.VisibleState().Progress != 18 {
		t.Errorf("the row begins as %+v", row)
	}
	named := part("one", 101, 0, at)
	named.Execution = "arn:" + t.Name()
	if row := apply(t, s, owner, named, feed.Accepted); row.Execution != named.Execution || row.Seq != 2 {
		t.Errorf("with an execution the row is %+v", row)
	}
	if p, err := firstOf(s.PointersOf(t.Context(), named.Execution)); err != nil || p.Job != "job" {
		t.Errorf("PointersOf yields %+v, %v", p, err)
	}
	named.Part = &message.Part{ID: "two", Done: 1, Total: 1000}
	apply(t, s, owner, named, feed.Accepted)
}

func tooManyParts(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	id := func(n int) string { return fmt.Sprintf("part-%011d", n) }
	for n := range feed.MaxParts {
		if _, outcome, err := s.Apply(t.Context(), owner, part(id(n), 1, 0, at)); err != nil || outcome != feed.Accepted {
			t.Fatalf("part %d: %q, %v", n, outcome, err)
		}
	}
	if _, _, err := s.Apply(t.Context(), owner, part("one more", 1, 0, at)); !errors.Is(err, feed.ErrTooManyParts) {
		t.Errorf("part 257: %v, want ErrTooManyParts", err)
	}
	row := apply(t, s, owner, part(id(7), 2, 0, at), feed.Accepted)
	if len(row.Parts) != feed.MaxParts || row.PartsDone != feed.MaxParts+1 || row.Seq != feed.MaxParts+1 {
		t.Errorf("the row has %d parts with %d steps, seq %d", len(row.Parts), row.PartsDone, row.Seq)
	}
}
