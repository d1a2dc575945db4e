package feedtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// leads wants the store to hold just this pointer from its execution.
func leads(t *testing.T, s feed.Store, want feed.Pointer) {
	t.Helper()
	got, err := s.Execution(t.Context(), want.Execution)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Execution (-want +got):\n%s", diff)
	}
	var listed []feed.Pointer
	for _, p := range collect(t, s.Executions(t.Context())) {
		if p.Execution == want.Execution {
			listed = append(listed, p)
		}
	}
	if diff := cmp.Diff([]feed.Pointer{want}, listed); diff != "" {
		t.Errorf("Executions (-want +got):\n%s", diff)
	}
}

// leadsNowhere wants the store to hold no pointer from the execution.
func leadsNowhere(t *testing.T, s feed.Store, arn string) {
	t.Helper()
	if p, err := s.Execution(t.Context(), arn); !errors.Is(err, feed.ErrNotFound) {
		t.Errorf("Execution: %+v, %v, want ErrNotFound", p, err)
	}
	for _, p := range collect(t, s.Executions(t.Context())) {
		if p.Execution == arn {
			t.Errorf("Executions yields %+v", p)
		}
	}
}

func pointers(t *testing.T, s feed.Store) {
	owner, at, arn := feed.User(t.Name()), now(), "arn:"+t.Name()
	leadsNowhere(t, s, arn)
	apply(t, s, owner, update(1, at), feed.Accepted)
	leadsNowhere(t, s, arn)
	u := update(2, at.Add(time.Second))
	u.Execution = arn
	apply(t, s, owner, u, feed.Accepted)
	want := feed.Pointer{Execution: arn, Owner: owner, Job: "job", Epoch: epoch(0), At: at.Add(time.Second)}
	leads(t, s, want)
	later := update(3, at.Add(2*time.Second))
	later.Execution = arn
	apply(t, s, owner, later, feed.Accepted)
	leads(t, s, want) // it was made once
	apply(t, s, owner, ended(message.StatusFailed, at), feed.Accepted)
	leadsNowhere(t, s, arn)
	u.ID = "late"
	apply(t, s, owner, u, feed.Ignored)
	leadsNowhere(t, s, arn)

	redriven := update(1, at.Add(time.Minute))
	redriven.Epoch, redriven.Execution = epoch(1), arn
	apply(t, s, owner, redriven, feed.Accepted)
	want.Epoch, want.At = epoch(1), at.Add(time.Minute)
	leads(t, s, want)
	old := ended(message.StatusFailed, at)
	old.ID, old.Execution = "an old end", arn
	apply(t, s, owner, old, feed.Stale)
	leads(t, s, want)

	want = feed.Pointer{Owner: owner, Epoch: epoch(0), At: at}
	all := map[string]feed.Pointer{}
	for n := range 40 { // over all shards
		more := update(1, at)
		more.State.UploadID, more.Execution = fmt.Sprint(n), fmt.Sprint(arn, n)
		apply(t, s, owner, more, feed.Accepted)
		want.Job, want.Execution = more.State.UploadID, more.Execution
		all[more.Execution] = want
	}
	listed := map[string]feed.Pointer{}
	for _, p := range collect(t, s.Executions(t.Context())) {
		if p.Owner == owner && p.Job != "job" {
			listed[p.Execution] = p
		}
	}
	if diff := cmp.Diff(all, listed); diff != "" {
		t.Errorf("Executions (-want +got):\n%s", diff)
	}
}

func forget(t *testing.T, s feed.Store) {
	owner, at, arn := feed.User(t.Name()), now(), "arn:"+t.Name()
	u := update(1, at)
	u.Execution = arn
	apply(t, s, owner, u, feed.Accepted)
	first, err := s.Execution(t.Context(), arn)
	if err != nil {
		t.Fatal(err)
	}
	u.Epoch, u.At, u.ID = epoch(1), at.Add(time.Second), "redriven"
	apply(t, s, owner, u, feed.Accepted)
	second := feed.Pointer{Execution: arn, Owner: owner, Job: "job", Epoch: epoch(1), At: u.At}
	if err := s.Forget(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	leads(t, s, second) // it was made anew since
	for range 2 {
		if err := s.Forget(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		leadsNowhere(t, s, arn)
	}
	u.Epoch, u.At, u.ID = epoch(2), at.Add(2*time.Second), "redriven again"
	apply(t, s, owner, u, feed.Accepted)
	leads(t, s, feed.Pointer{Execution: arn, Owner: owner, Job: "job", Epoch: epoch(2), At: u.At})

	old := update(1, at.Add(-feed.PointerLife-time.Second))
	old.State.UploadID, old.Execution = "old", arn+" old"
	if _, _, err := s.Apply(t.Context(), owner, old); err != nil {
		t.Fatal(err)
	}
	leadsNowhere(t, s, old.Execution)
}
