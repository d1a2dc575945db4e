package feedtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// inAttempt returns an edit of an update: its state names an attempt.
func inAttempt(n int64) func(*feed.Update) {
	return func(u *feed.Update) { u.State.Attempt, u.ID = n, fmt.Sprint(u.ID, " of attempt ", n) }
}

// attempts applies states and parts of two attempts.
func attempts(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	row := apply(t, s, owner, edit(update(40, at), inAttempt(2)), feed.Accepted)
	if row.Attempt != 2 {
		t.Errorf("the row has the attempt %d", row.Attempt)
	}
	for _, step := range []struct {
		u    feed.Update
		want feed.Outcome
	}{
		{edit(update(50, at), inAttempt(1)), feed.Stale},
		{edit(ended(message.StatusFailed, at), inAttempt(1)), feed.Stale},
		{edit(part("one", 5, 0, at), inAttempt(1)), feed.Stale},
		{edit(part("one", 5, 0, at), inAttempt(2)), feed.Accepted},
		{edit(part("one", 6, 0, at), inAttempt(1)), feed.Stale},
		{part("one", 6, 0, at), feed.Accepted},
		{edit(part("two", 5, 0, at), inAttempt(3)), feed.Accepted}, // It does not begin the attempt.
		{edit(update(50, at), inAttempt(2)), feed.Accepted},
		{edit(update(45, at), inAttempt(3)), feed.Accepted},
		{edit(update(60, at), inAttempt(2)), feed.Stale},
	} {
		row := apply(t, s, owner, step.u, step.want)
		if step.want == feed.Stale && row.ID == step.u.ID {
			t.Errorf("%s is stale, and yet it changed the row", step.u.ID)
		}
	}
}

// retriedAfterEnd continues a run with an execution after an attempt has failed, by a state and by a part.
func retriedAfterEnd(t *testing.T, s feed.Store) {
	for _, byPart := range []bool{false, true} {
		owner, at := feed.User(fmt.Sprint(t.Name(), byPart)), now()
		arn := "arn:aws:states:us-east-1:123456789012:execution:retried:" + fmt.Sprint(byPart, at.UnixNano())
		apply(t, s, owner, edit(update(40, at), inAttempt(1), withExecution(arn)), feed.Accepted)
		apply(t, s, owner, edit(ended(message.StatusFailed, at), inAttempt(1)), feed.Accepted)
		if _, err := firstOf(s.PointersOf(t.Context(), arn)); err == nil {
			t.Error("an ended job has a pointer")
		}
		apply(t, s, owner, update(50, at), feed.Ignored)
		next := edit(update(10, at.Add(time.Second)), inAttempt(2))
		if byPart {
			next = edit(part("one", 5, 0, at.Add(time.Second)), inAttempt(2))
		}
		row := apply(t, s, owner, next, feed.Accepted)
		if row.Terminal() || row.VisibleState().Progress != 40 || row.Seq != 3 || row.Attempt != 2 || row.Execution != arn {
			t.Errorf("by part %v: the row is %+v", byPart, row)
		}
		if _, err := firstOf(s.PointersOf(t.Context(), arn)); err != nil {
			t.Errorf("the job that goes on has no pointer: %v", err)
		}
		apply(t, s, owner, edit(update(60, at.Add(2*time.Second)), inAttempt(1)), feed.Stale)
		apply(t, s, owner, edit(part("one", 9, 0, at.Add(2*time.Second)), inAttempt(2)), feed.Accepted)
		row = apply(t, s, owner, edit(ended(message.StatusSucceeded, at.Add(3*time.Second)), inAttempt(2)), feed.Accepted)
		if row.State.Progress != 100 {
			t.Errorf("by part %v: the end is %+v", byPart, row)
		}
	}
}

// retriedAfterExpiry continues runs a day after their first attempt has failed, and after their second one was silent for a day.
func retriedAfterExpiry(t *testing.T, s feed.Store) {
	at := now()
	longAgo := at.Add(-feed.JobTTL - time.Second)
	applyTo := func(owner string, u feed.Update, want feed.Outcome) {
		t.Helper()
		if _, outcome, err := s.Apply(t.Context(), owner, u); err != nil || outcome != want { // Reads do not return an expired row.
			t.Fatalf("%s: %q, %v, want %q", u.ID, outcome, err, want)
		}
	}
	for name, second := range map[string]feed.Update{"state": update(10, at), "part": part("one", 5, 0, at)} {
		for _, reopened := range []bool{false, true} {
			owner := feed.User(fmt.Sprint(t.Name(), name, reopened))
			applyTo(owner, edit(update(40, longAgo), inAttempt(1)), feed.Accepted)
			applyTo(owner, edit(ended(message.StatusFailed, longAgo), inAttempt(1)), feed.Accepted)
			if reopened {
				applyTo(owner, edit(update(41, longAgo), inAttempt(2)), feed.Accepted)
			}
			late := edit(update(50, at), inAttempt(1))
			if reopened {
				applyTo(owner, late, feed.Stale)
			} else {
				applyTo(owner, late, feed.Ignored)
			}
			row := apply(t, s, owner, edit(second, inAttempt(2)), feed.Accepted)
			if row.Terminal() || row.Epoch != epoch(0) || row.Attempt != 2 {
				t.Errorf("%s, reopened before: %v: the row is %+v", name, reopened, row)
			}
			applyTo(owner, edit(ended(message.StatusSucceeded, at), inAttempt(2)), feed.Accepted)
			applyTo(owner, edit(update(60, at), inAttempt(3)), feed.Ignored)
		}
	}
}

// typesOfStates applies states of two types to one job.
func typesOfStates(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	asJob := func(u *feed.Update) { u.Type = message.TypeJobProgress }
	asUpload := func(u *feed.Update) { u.Type = message.TypeUploadProgress }
	for _, step := range []struct {
		u    feed.Update
		want message.Type
	}{
		{edit(part("one", 1, 0, at), asJob), message.TypeJobProgress},
		{edit(part("one", 2, 0, at), asUpload), message.TypeJobProgress},
		{edit(update(50, at), asUpload), message.TypeUploadProgress},
		{edit(update(60, at), asJob), message.TypeJobProgress},
		{edit(ended(message.StatusSucceeded, at), asJob), message.TypeJobProgress},
	} {
		if e := apply(t, s, owner, step.u, feed.Accepted).Envelope(); e.Type != step.want || e.Job != step.u.State.UploadID {
			t.Errorf("after %s the frame is %+v, want the type %s", step.u.ID, e, step.want)
		}
	}
}
