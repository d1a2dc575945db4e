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

// roundTrip stores extreme values: large and small numbers, times with microseconds, characters that HTML or JSON escapes.
func roundTrip(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	u := update(42.5, at.Add(123*time.Microsecond))
	u.Key, u.Execution = "a key", "arn:aws:states:us-east-1:123456789012:execution:csv_import:"+t.Name()
	u.State.CurrentRow, u.State.TotalRows, u.State.FailedRows = 1<<53, 1<<53, 2
	u.State.RowsPerSecond, u.State.ETAMillis = 1e300, 320
	u.State.Message = "Parsing “row” <4250>\n"
	u.State.Steps = message.NewSteps(message.Step{Name: "“a” <b>\n", At: message.Time{Time: at}, Status: message.StepFailed, Title: "&\u2028"})
	got := apply(t, s, owner, u, feed.Accepted)
	want := feed.Row{
		Owner: owner, Epoch: epoch(0), Seq: 1, ID: u.ID, State: u.State, UpdatedAt: at, Execution: u.Execution, Keys: got.Keys,
		PushedAt: at, PushedSeq: 1, PushedProgress: 42.5,
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Keys) != 1 {
		t.Errorf("the first row (-want +got):\n%s", diff)
	}
	u = update(43.111111, at.Add(time.Second))
	u.State.RowsPerSecond = 1e-200
	apply(t, s, owner, u, feed.Accepted)
	p := part("one", 7, 3, at.Add(2*time.Second))
	p.Part.From, p.Part.To = 1e-200, 100.0/3
	got = apply(t, s, owner, p, feed.Accepted)
	if got.Seq != 3 || got.State.Message != p.State.Message || got.Pushed() {
		t.Errorf("after a part the row is %+v", got)
	}
	apply(t, s, owner, update(44, at.Add(3*time.Second)), feed.Accepted)
	apply(t, s, owner, part("two", 1, 0, at.Add(4*time.Second)), feed.Accepted)
	got = apply(t, s, owner, ended(message.StatusFailed, at.Add(5*time.Second)), feed.Accepted)
	if got.Seq != 6 || got.State.Progress != 44 || got.PartsDone != 8 || got.PartsFailed != 3 || !got.Pushed() {
		t.Errorf("the last row is %+v", got)
	}
	rows := collect(t, s.Jobs(t.Context(), owner))
	if diff := cmp.Diff([]feed.Row{got}, rows); diff != "" {
		t.Errorf("Jobs (-want +got):\n%s", diff)
	}
}

func absentJob(t *testing.T, s feed.Store) {
	wantAbsent(t, s, feed.User(t.Name()), "job")
	at := now()
	row := feed.Row{Owner: feed.User(t.Name()), Seq: 1, State: message.UploadProgress{UploadID: "job"}, UpdatedAt: at}
	if _, claimed, err := s.ClaimPush(t.Context(), row, at); claimed || !errors.Is(err, feed.ErrNotFound) {
		t.Errorf("ClaimPush of an absent job: %t, %v, want ErrNotFound", claimed, err)
	}
	wantAbsent(t, s, feed.User(t.Name()), "job")
}

func separateJobs(t *testing.T, s feed.Store) {
	want := map[string]feed.Row{}
	for _, id := range []string{"a", "b", "a|b/c#d"} {
		for _, job := range []string{"1", "2", "note#1"} {
			u := update(1, now())
			u.State.UploadID = job
			owner := feed.User(t.Name() + id)
			want[owner+" "+job] = apply(t, s, owner, u, feed.Accepted)
		}
	}
	got := map[string]feed.Row{}
	for _, id := range []string{"a", "b", "a|b/c#d"} {
		for _, row := range collect(t, s.Jobs(t.Context(), feed.User(t.Name()+id))) {
			got[row.Owner+" "+row.State.UploadID] = row
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Jobs (-want +got):\n%s", diff)
	}
	for range s.Jobs(t.Context(), feed.User(t.Name()+"a")) {
		break // An iteration may stop early.
	}
}

func jobsAfter(t *testing.T, s feed.Store) {
	owner := feed.User(t.Name())
	ids := []string{"#", "1", "10", "2", "B", "a", "a#", "a\u00e9", "b", "\u20ac"} // sorted by bytes
	for _, n := range []int{3, 0, 9, 7, 1, 5, 2, 8, 6, 4} {                        // stored in another order
		u := update(1, now())
		u.State.UploadID = ids[n]
		apply(t, s, owner, u, feed.Accepted)
		apply(t, s, owner+"-other", u, feed.Accepted)
	}
	for after, want := range map[string][]string{
		"": ids, "!": ids, "1": ids[2:], "11": ids[3:], "a": ids[6:], "b": ids[9:], "\u20ac": {}, "~": ids[9:],
	} {
		for _, limit := range []int{1, 3, 100} {
			got := []string{}
			for page := (feed.JobPage{Next: after}); ; {
				var err error
				if page, err = s.JobsAfter(t.Context(), owner, page.Next, limit); err != nil || len(page.Rows) > limit {
					t.Fatalf("a page of %d has %d rows, %v", limit, len(page.Rows), err)
				}
				for _, row := range page.Rows {
					got = append(got, row.State.UploadID)
				}
				if page.Next == "" {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("jobs after %q in pages of %d (-want +got):\n%s", after, limit, diff)
			}
		}
	}
}

// keys applies 17 updates with a key, one more than a row stores, and repeats some of them.
func keys(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	keyed := func(n int) feed.Update {
		u := update(float64(n), at)
		u.Key, u.ID = fmt.Sprint("key ", n), fmt.Sprint("try of ", n)
		return u
	}
	for n := range 17 {
		apply(t, s, owner, keyed(n), feed.Accepted)
		again := keyed(n)
		again.ID = "again"
		if row := apply(t, s, owner, again, feed.Duplicate); row.Seq != int64(n+1) || row.State.Progress != float64(n) {
			t.Fatalf("a repetition returned %+v", row)
		}
	}
	second := keyed(1)
	second.ID = "much later"
	apply(t, s, owner, second, feed.Duplicate)
	first := keyed(0)
	first.ID = "too late"
	apply(t, s, owner, first, feed.Accepted) // Its key is no longer among the last 16.
	last := update(20, at)
	apply(t, s, owner, last, feed.Accepted)
	apply(t, s, owner, last, feed.Duplicate) // Without a key, its ID shows the repetition.
}

func unusualIDs(t *testing.T, s feed.Store) {
	for _, id := range []string{"auth0|a/b", "a b", "ü#€", "{}", "job#note#"} {
		owner := feed.User(t.Name() + id)
		u := update(1, now())
		u.State.UploadID = id
		if row := apply(t, s, owner, u, feed.Accepted); row.State.UploadID != id || row.Owner != owner {
			t.Errorf("the job %q of %q came back as %+v", id, owner, row)
		}
	}
}
