package feedtest

import (
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// withSteps returns an edit of an update: its state lists steps with these names.
func withSteps(names ...string) func(*feed.Update) {
	steps := make([]message.Step, 0, len(names))
	for _, name := range names {
		steps = append(steps, message.Step{Name: name, Title: "<" + name + ">", Status: message.StepRunning, At: message.Time{Time: historyTime}})
	}
	return func(u *feed.Update) { u.State.Steps = message.NewSteps(steps...) }
}

// stepsOfARun applies states with and without steps, and requires which steps the row then has.
func stepsOfARun(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	after := func(seconds int) time.Time { return at.Add(time.Duration(seconds) * time.Second) }
	long := func(u *feed.Update) { u.State.Message = strings.Repeat("x", feed.MaxState-300) }
	for _, step := range []struct {
		name string
		u    feed.Update
		want string
	}{
		{"a part that begins the run", edit(part("one", 1, 0, at), withSteps("begin")), "begin"},
		{"steps", edit(update(10, at), withSteps("a", "b"), sent(after(3))), "a b"},
		{"a state without steps", edit(update(20, at), sent(after(4))), "a b"},
		{"a part", edit(part("one", 2, 0, at), withSteps("of a part")), "a b"},
		{"a new part", part("two", 2, 0, at), "a b"},
		{"steps that were sent earlier", edit(update(21, at), withSteps("a"), sent(after(2))), "a b"},
		{"fewer steps", edit(update(22, at), withSteps("b"), sent(after(5))), "b"},
		{"three steps", edit(update(23, at), withSteps("a", "b", "c")), "a b c"},
		{"a state that leaves no room for all steps", edit(update(24, at), long), "b c"},
		{"a mark", stalledMark(9, at), "b c"},
		{"the end of an attempt", edit(ended(message.StatusFailed, at), inAttempt(1)), "b c"},
		{"the next attempt", edit(update(25, at), inAttempt(2)), "b c"},
		{"the end", edit(ended(message.StatusSucceeded, at), withSteps("b", "c", "d")), "b c d"},
		{"the next run", edit(update(1, at), inEpoch(epoch(1))), ""},
	} {
		step.u.ID = step.name
		if step.u.Stalled {
			row, err := s.Job(t.Context(), owner, step.u.State.UploadID)
			if err != nil {
				t.Fatal(err)
			}
			step.u.OnlySeq = row.Seq
		}
		row := apply(t, s, owner, step.u, feed.Accepted)
		var names []string
		for _, listed := range row.VisibleState().Steps.List() {
			names = append(names, listed.Name)
		}
		if got := strings.Join(names, " "); got != step.want {
			t.Errorf("after %s the row has the steps %q, want %q", step.name, got, step.want)
		}
		if data, err := feed.MarshalData(row.State); err != nil || len(data) > feed.MaxState {
			t.Errorf("after %s the state has %d bytes, %v", step.name, len(data), err)
		}
	}
}
