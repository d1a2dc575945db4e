package feedtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

func roundTrip(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	u := update(42.5, at.Add(123*time.Microsecond))
	u.Key, u.Execution = "a key", "arn:aws:states:us-east-1:123456789012:execution:csv_import:"+t.Name()
	u.State.CurrentRow, u.State.TotalRows, u.State.FailedRows = 1<<53, 1<<53, 2
	u.State.RowsPerSecond, u.State.ETAMillis = 1e300, 320
	u.State.Message = "Parsing “row” <4250>\n"
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
		t.Errorf("Claim of an absent job: %t, %v, want ErrNotFound", claimed, err)
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
		break // an iteration may stop early
	}
}

func jobsAfter(t *testing.T, s feed.Store) {
	owner := feed.User(t.Name())
	ids := []string{"#", "1", "10", "2", "B", "a", "a#", "a\u00e9", "b", "\u20ac"} // as bytes sort
	for _, n := range []int{3, 0, 9, 7, 1, 5, 2, 8, 6, 4} {
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

func epochs(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	in := func(epoch string, progress float64) feed.Update {
		u := update(progress, at)
		u.Epoch, u.Key = epoch, "the same key"
		u.ID += epoch
		return u
	}
	if row := apply(t, s, owner, in(epoch(0), 20), feed.Accepted); row.Seq != 1 || row.State.Progress != 20 {
		t.Errorf("the first epoch begins with %+v", row)
	}
	other := in("", 10)
	other.Key = "other"
	if row := apply(t, s, owner, other, feed.Accepted); row.Epoch != epoch(0) || row.Seq != 2 || row.State.Progress != 20 {
		t.Errorf("without an epoch the row becomes %+v", row)
	}
	apply(t, s, owner, part("one", 5, 0, at), feed.Accepted)
	apply(t, s, owner, ended(message.StatusFailed, at), feed.Accepted)
	apply(t, s, owner, part("one", 6, 0, at), feed.Ignored)
	if row := apply(t, s, owner, in(epoch(1), 5), feed.Accepted); row.Seq != 1 || row.State.Progress != 5 || row.Parts != nil {
		t.Errorf("a redrive begins with %+v", row)
	}
	apply(t, s, owner, in(epoch(0), 99), feed.Stale)
	apply(t, s, owner, part("one", 7, 0, at), feed.Stale)
	over := ended(message.StatusSucceeded, at)
	apply(t, s, owner, over, feed.Stale)
	over.Epoch = ""
	if row := apply(t, s, owner, over, feed.Accepted); row.Epoch != epoch(1) || row.State.Progress != 100 {
		t.Errorf("the end is %+v", row)
	}
	redriven := part("one", 1, 0, at)
	redriven.Epoch = epoch(2)
	if row := apply(t, s, owner, redriven, feed.Accepted); row.Seq != 1 || row.PartsDone != 1 || row.State.Status != "" {
		t.Errorf("a part begins the next epoch with %+v", row)
	}
}

// noEpoch tests that a job without an epoch gets one from its time, so that tabs can order its runs.
func noEpoch(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	begun := update(30, at.Add(-feed.JobTTL-time.Hour))
	begun.Epoch = ""
	first, outcome, err := s.Apply(t.Context(), owner, begun)
	if want := begun.At.Format("2006-01-02T15:04:05.000Z") + "#0000"; err != nil || outcome != feed.Accepted || first.Epoch != want || first.Seq != 1 {
		t.Errorf("without an epoch the row begins as %+v, %q, %v, want the epoch %s", first, outcome, err, want)
	}
	begun.At, begun.ID = at, "again"
	row := apply(t, s, owner, begun, feed.Accepted)
	if !row.Newer(first.Epoch, 57) || row.Seq != 1 {
		t.Errorf("a tab that has seq 57 of %s drops %s, %d", first.Epoch, row.Epoch, row.Seq)
	}
	workflow := update(20, at)
	next := apply(t, s, owner, workflow, feed.Accepted)
	if next.Seq != 2 || next.State.Progress != 30 || next.Epoch != row.Epoch {
		t.Errorf("the workflow's epoch leads from %+v to %+v", row, next)
	}
	over := ended(message.StatusSucceeded, at)
	if row := apply(t, s, owner, over, feed.Accepted); !row.Terminal() || row.Epoch != next.Epoch {
		t.Errorf("the workflow's end leads to %+v", row)
	}
	redriven := part("one", 1, 0, at)
	redriven.Epoch = epoch(1)
	if row := apply(t, s, owner, redriven, feed.Accepted); !row.Newer(next.Epoch, 57) || row.Terminal() {
		t.Errorf("its redrive begins as %+v", row)
	}
}

func parts(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	apply(t, s, owner, update(10, at), feed.Accepted)
	for _, step := range []struct {
		id           string
		done, failed int64
		want         feed.Outcome
		seq, sum     int64
		failedSum    int64
	}{
		{"one", 100, 0, feed.Accepted, 2, 100, 0},
		{"two", 50, 5, feed.Accepted, 3, 150, 5},
		{"one", 100, 0, feed.Duplicate, 3, 150, 5},
		{"one", 99, 0, feed.Ignored, 3, 150, 5},
		{"one", 200, 1, feed.Accepted, 4, 250, 6},
		{"one", 200, 3, feed.Accepted, 5, 250, 8}, // no step more, but more of them failed
		{"two", 51, 1, feed.Accepted, 6, 251, 8},  // failures do not fall either
		{"two", 51, 1, feed.Duplicate, 6, 251, 8},
		{"a.b #c", 0, 0, feed.Accepted, 7, 251, 8},
	} {
		row := apply(t, s, owner, part(step.id, step.done, step.failed, at), step.want)
		if row.Seq != step.seq || row.PartsDone != step.sum || row.PartsFailed != step.failedSum {
			t.Errorf("after %v the row is %+v", step, row)
		}
	}
	other := part("two", 60, 0, at)
	other.Part.Total, other.Part.From = 100_000, 0 // progress would fall
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
	if p, err := only(s.PointersOf(t.Context(), named.Execution)); err != nil || p.Job != "job" {
		t.Errorf("Execution: %+v, %v", p, err)
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

// expiredJob tests that tabs do not see expired jobs, and that their runs may continue.
func expiredJob(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	long := at.Add(-feed.JobTTL - time.Second)
	for name, begin := range map[string]feed.Update{"state": update(50, long), "part": part("one", 500, 0, long)} {
		t.Run(name, func(t *testing.T) {
			begin.State.UploadID = name
			old, outcome, err := s.Apply(t.Context(), owner, begin)
			if err != nil || outcome != feed.Accepted {
				t.Fatalf("Apply: %q, %v", outcome, err)
			}
			wantAbsent(t, s, owner, name)
			if _, _, err := s.ClaimPush(t.Context(), old, at); !errors.Is(err, feed.ErrNotFound) {
				t.Errorf("Claim: %v, want ErrNotFound", err)
			}
			begin.At, begin.ID = at, "new"
			if begin.Part != nil {
				begin.Part = part("two", 500, 0, at).Part // which the old row does not have
			}
			row := apply(t, s, owner, begin, feed.Accepted)
			if row.Seq != 2 || row.VisibleState().Progress < old.VisibleState().Progress {
				t.Errorf("the run goes on as %+v", row)
			}
		})
	}
	jobs := map[string]bool{}
	for _, row := range collect(t, s.Jobs(t.Context(), owner)) {
		jobs[row.State.UploadID] = true
	}
	if got := slices.Sorted(maps.Keys(jobs)); !slices.Equal(got, []string{"part", "state"}) {
		t.Errorf("Jobs yields %v", got)
	}
}

// updatesAfterExpiry tests updates of an ended job whose row has expired.
func updatesAfterExpiry(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	for _, days := range []int{1, 14} {
		t.Run(fmt.Sprint(days, " days"), func(t *testing.T) {
			over := ended(message.StatusFailed, at.AddDate(0, 0, -days).Add(-time.Second))
			over.State.UploadID, over.Epoch = t.Name(), epoch(1)
			if _, outcome, err := s.Apply(t.Context(), owner, over); err != nil || outcome != feed.Accepted {
				t.Fatalf("Apply: %q, %v", outcome, err)
			}
			for name, tt := range map[string]struct {
				u     feed.Update
				epoch string
				want  feed.Outcome
			}{
				"a state":                  {update(99, at), epoch(1), feed.Ignored},
				"a part":                   {part("one", 1, 0, at), epoch(1), feed.Ignored},
				"an end":                   {ended(message.StatusSucceeded, at), epoch(1), feed.Ignored},
				"a state of an older run":  {update(98, at), epoch(0), feed.Stale},
				"a part of an older run":   {part("two", 1, 0, at), epoch(0), feed.Stale},
				"a clock that is far back": {update(97, at.AddDate(0, 0, -99)), epoch(1), feed.Ignored},
				"a clock that is ahead":    {update(96, at.AddDate(0, 0, 14)), epoch(1), feed.Ignored},
			} {
				tt.u.State.UploadID, tt.u.Epoch = t.Name(), tt.epoch
				tt.u.ID += " late"
				if _, outcome, err := s.Apply(t.Context(), owner, tt.u); err != nil || outcome != tt.want {
					t.Errorf("%s: %q, %v, want %q", name, outcome, err, tt.want)
				}
			}
			wantAbsent(t, s, owner, t.Name())
			again := update(1, at)
			again.State.UploadID, again.Epoch = t.Name(), ""
			if row := apply(t, s, owner, again, feed.Accepted); row.Seq != 1 || row.Epoch <= epoch(1) {
				t.Errorf("the next run begins as %+v", row)
			}
		})
	}
}

// endsOfExecutions tests ends of executions whose job another execution may have.
func endsOfExecutions(t *testing.T, s feed.Store) {
	at := now()
	for _, tt := range []struct {
		name   string
		epochs [2]string // of the first execution's update, and of the second one's
		end    string    // of the first execution's end
		want   feed.Outcome
	}{
		{"alone", [2]string{epoch(0), ""}, epoch(0), feed.Accepted},
		{"two in one epoch", [2]string{epoch(0), epoch(0)}, epoch(0), feed.Stale},
		{"two in one epoch, and a pointer without it", [2]string{epoch(0), epoch(0)}, "", feed.Stale},
		{"two in two epochs", [2]string{epoch(0), epoch(1)}, epoch(0), feed.Stale},
		{"two in two epochs, and a pointer without one", [2]string{epoch(0), epoch(1)}, "", feed.Stale},
	} {
		t.Run(tt.name, func(t *testing.T) {
			owner := feed.User(t.Name())
			for n, epoch := range tt.epochs {
				if u := update(float64(n), at); epoch != "" {
					u.Epoch, u.Execution = epoch, fmt.Sprint("arn ", n)
					apply(t, s, owner, u, feed.Accepted)
				}
			}
			end := ended(message.StatusFailed, at)
			end.Epoch, end.EndedExecution = tt.end, "arn 0"
			row := apply(t, s, owner, end, tt.want)
			if row.Terminal() != (tt.want == feed.Accepted) {
				t.Errorf("the end of the first execution leads to %+v", row)
			}
		})
	}
	for _, epoch := range []string{"", epoch(0)} {
		end := ended(message.StatusFailed, at)
		end.Epoch, end.EndedExecution = epoch, "arn"
		if _, outcome, err := s.Apply(t.Context(), feed.User(t.Name()), end); err != nil || outcome != feed.Stale {
			t.Errorf("the end of an execution without a job: %q, %v", outcome, err)
		}
	}
}

// longSilence tests that jobs with running executions do not expire with [feed.JobTTL].
func longSilence(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	long := at.Add(-feed.JobTTL - time.Second)
	named := update(1, long)
	named.Execution = "arn:" + t.Name()
	apply(t, s, owner, named, feed.Accepted)
	row := apply(t, s, owner, part("one", 1, 0, long), feed.Accepted) // which does not name it
	if _, claimed, err := s.ClaimPush(t.Context(), row, at); err != nil || !claimed {
		t.Errorf("Claim: %t, %v", claimed, err)
	}
	if rows := collect(t, s.Jobs(t.Context(), owner)); len(rows) != 1 {
		t.Errorf("Jobs yields %+v", rows)
	}
	if row := apply(t, s, owner, part("one", 2, 0, at), feed.Accepted); row.Seq != 3 || row.Execution != named.Execution {
		t.Errorf("a day later the row is %+v", row)
	}

	begun := part("one", 1, 0, long)
	begun.State.UploadID, begun.Execution = "parts", named.Execution
	apply(t, s, owner, begun, feed.Accepted)
	again := part("one", 2, 0, long)
	again.State.UploadID = begun.State.UploadID
	apply(t, s, owner, again, feed.Accepted)
	over := ended(message.StatusFailed, long)
	over.State.UploadID = begun.State.UploadID
	if _, outcome, err := s.Apply(t.Context(), owner, over); err != nil || outcome != feed.Accepted {
		t.Fatalf("Apply: %q, %v", outcome, err)
	}
	wantAbsent(t, s, owner, begun.State.UploadID)
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
