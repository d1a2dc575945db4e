package feedtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// wantPointers requires that the store has exactly these pointers, which are all of the same execution.
func wantPointers(t *testing.T, s feed.Store, want ...feed.Pointer) {
	t.Helper()
	wantPointersOf(t, s, want[0].Execution, want)
}

// wantNoPointer requires that the store has no pointer of the execution.
func wantNoPointer(t *testing.T, s feed.Store, arn string) {
	t.Helper()
	wantPointersOf(t, s, arn, []feed.Pointer{})
}

func wantPointersOf(t *testing.T, s feed.Store, arn string, want []feed.Pointer) {
	t.Helper()
	sorted := func(all []feed.Pointer) []feed.Pointer {
		slices.SortFunc(all, func(a, b feed.Pointer) int {
			return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Job, b.Job))
		})
		return all
	}
	want = sorted(want)
	if diff := gocmp.Diff(want, sorted(collect(t, s.PointersOf(t.Context(), arn)))); diff != "" {
		t.Errorf("PointersOf (-want +got):\n%s", diff)
	}
	all := slices.DeleteFunc(collect(t, s.AllPointers(t.Context())), func(p feed.Pointer) bool { return p.Execution != arn })
	if diff := gocmp.Diff(want, sorted(all)); diff != "" {
		t.Errorf("AllPointers (-want +got):\n%s", diff)
	}
}

// pointers follows the pointer of one job through its run and a redrive. Then it lists the pointers of many executions.
func pointers(t *testing.T, s feed.Store) {
	owner, at, arn := feed.User(t.Name()), now(), "arn:"+t.Name()
	wantNoPointer(t, s, arn)
	apply(t, s, owner, update(1, at), feed.Accepted)
	wantNoPointer(t, s, arn)
	u := update(2, at.Add(time.Second))
	u.Execution = arn
	apply(t, s, owner, u, feed.Accepted)
	want := feed.Pointer{Execution: arn, Owner: owner, Job: "job", Epoch: epoch(0), At: at.Add(time.Second)}
	wantPointers(t, s, want)
	later := update(3, at.Add(2*time.Second))
	later.Execution = arn
	apply(t, s, owner, later, feed.Accepted)
	wantPointers(t, s, want) // The second update did not write it again.
	apply(t, s, owner, ended(message.StatusFailed, at), feed.Accepted)
	wantNoPointer(t, s, arn)
	u.ID = "late"
	apply(t, s, owner, u, feed.Ignored)
	wantNoPointer(t, s, arn)
	redriven := update(1, at.Add(time.Minute))
	redriven.Epoch, redriven.Execution = epoch(1), arn
	apply(t, s, owner, redriven, feed.Accepted)
	want.Epoch, want.At = epoch(1), at.Add(time.Minute)
	wantPointers(t, s, want)
	old := ended(message.StatusFailed, at)
	old.ID, old.Execution = "an old end", arn
	apply(t, s, owner, old, feed.Stale)
	wantPointers(t, s, want)
	all := map[string]feed.Pointer{}
	for n := range 40 { // A store may spread pointers over shards: 40 are in most of its 16 shards.
		more := update(1, at)
		more.State.UploadID, more.Execution = fmt.Sprint(n), fmt.Sprint(arn, n)
		apply(t, s, owner, more, feed.Accepted)
		all[more.Execution] = feed.Pointer{Execution: more.Execution, Owner: owner, Job: more.State.UploadID, Epoch: epoch(0), At: at}
	}
	listed := map[string]feed.Pointer{}
	for _, p := range collect(t, s.AllPointers(t.Context())) {
		if p.Owner == owner && p.Job != "job" {
			listed[p.Execution] = p
		}
	}
	if diff := gocmp.Diff(all, listed); diff != "" {
		t.Errorf("AllPointers (-want +got):\n%s", diff)
	}
}

// deletePointers tests that DeletePointer spares a pointer that was written again, and that a deleted one may be written again.
func deletePointers(t *testing.T, s feed.Store) {
	owner, at, arn := feed.User(t.Name()), now(), "arn:"+t.Name()
	u := update(1, at)
	u.Execution = arn
	apply(t, s, owner, u, feed.Accepted)
	first := feed.Pointer{Execution: arn, Owner: owner, Job: "job", Epoch: epoch(0), At: at}
	wantPointers(t, s, first)
	u.Epoch, u.At, u.ID = epoch(1), at.Add(time.Second), "redriven"
	apply(t, s, owner, u, feed.Accepted)
	second := feed.Pointer{Execution: arn, Owner: owner, Job: "job", Epoch: epoch(1), At: u.At}
	if err := s.DeletePointer(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	wantPointers(t, s, second) // The redrive wrote the pointer again, so it is not equal to first.
	for range 2 {
		if err := s.DeletePointer(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		wantNoPointer(t, s, arn)
	}
	u.Epoch, u.At, u.ID = epoch(2), at.Add(2*time.Second), "redriven again"
	apply(t, s, owner, u, feed.Accepted)
	wantPointers(t, s, feed.Pointer{Execution: arn, Owner: owner, Job: "job", Epoch: epoch(2), At: u.At})
	old := update(1, at.Add(-feed.PointerTTL-time.Second))
	old.State.UploadID, old.Execution = "old", arn+" old"
	if _, _, err := s.Apply(t.Context(), owner, old); err != nil {
		t.Fatal(err)
	}
	wantNoPointer(t, s, old.Execution)
}

// sharedExecution tests that each of several jobs of one execution has its own pointer.
func sharedExecution(t *testing.T, s feed.Store) {
	at, arn := now(), "arn:"+t.Name()
	begin := func(user, job, execution string) feed.Pointer {
		u := update(1, at)
		u.State.UploadID, u.Execution = job, execution
		owner := feed.User(t.Name() + user)
		apply(t, s, owner, u, feed.Accepted)
		return feed.Pointer{Execution: execution, Owner: owner, Job: job, Epoch: epoch(0), At: at}
	}
	one, two, hashes := begin("a", "1", arn), begin("a", "2", arn), begin("a", "#1#user/b", arn)
	ofOtherUser := begin("b", "1", arn)      // another user's job with the same id
	longerARN := begin("a", "3", arn+"1")    // arn is a prefix of it
	arnWithHash := begin("a", "4", arn+"#1") // real ARNs contain no #
	wantPointers(t, s, one, two, hashes, ofOtherUser)
	wantPointers(t, s, longerARN)
	wantPointers(t, s, arnWithHash)
	for range s.PointersOf(t.Context(), arn) {
		break // An iteration may stop early.
	}

	end := ended(message.StatusFailed, at)
	end.State.UploadID = one.Job
	apply(t, s, one.Owner, end, feed.Accepted)
	wantPointers(t, s, two, hashes, ofOtherUser)
	if err := s.DeletePointer(t.Context(), ofOtherUser); err != nil {
		t.Fatal(err)
	}
	wantPointers(t, s, two, hashes)
	end.State.UploadID = hashes.Job
	apply(t, s, hashes.Owner, end, feed.Accepted)
	wantPointers(t, s, two)
	wantPointers(t, s, longerARN)
}

// recreatedPointers tests that a run that continues after its pointer expired gets a new one.
func recreatedPointers(t *testing.T, s feed.Store) {
	owner, at, arn := feed.User(t.Name()), now(), "arn:"+t.Name()
	longAgo := at.Add(-feed.PointerTTL - time.Second) // A pointer of this time has expired.
	for name, u := range map[string]feed.Update{"state": update(1, longAgo), "part": part("one", 1, 0, longAgo)} {
		u.State.UploadID, u.Execution = name, arn+name
		if _, outcome, err := s.Apply(t.Context(), owner, u); err != nil || outcome != feed.Accepted {
			t.Fatalf("Apply: %q, %v", outcome, err)
		}
		wantAbsent(t, s, owner, name)
		wantNoPointer(t, s, u.Execution)
		u.ID, u.At = "later", at
		if u.Part != nil {
			u.Part = part("one", 2, 0, at).Part
		}
		apply(t, s, owner, u, feed.Accepted)
		wantPointers(t, s, feed.Pointer{Execution: u.Execution, Owner: owner, Job: name, Epoch: epoch(0), At: at})
	}
}
