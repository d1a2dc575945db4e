package feedtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// expiredJob tests that reads do not return an expired job, and that an update with its epoch continues its run.
func expiredJob(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	longAgo := at.Add(-feed.JobTTL - time.Second) // A job of this time has expired.
	for name, begin := range map[string]feed.Update{"state": update(50, longAgo), "part": part("one", 500, 0, longAgo)} {
		t.Run(name, func(t *testing.T) {
			begin.State.UploadID = name
			old, outcome, err := s.Apply(t.Context(), owner, begin)
			if err != nil || outcome != feed.Accepted {
				t.Fatalf("Apply: %q, %v", outcome, err)
			}
			wantAbsent(t, s, owner, name)
			if _, _, err := s.ClaimPush(t.Context(), old, at); !errors.Is(err, feed.ErrNotFound) {
				t.Errorf("ClaimPush: %v, want ErrNotFound", err)
			}
			next := begin
			next.At, next.ID = at, "new"
			if next.Part != nil {
				next.Part = part("two", 500, 0, at).Part // The old row does not have this part.
			}
			row := apply(t, s, owner, next, feed.Accepted)
			if row.Seq != 2 || row.VisibleState().Progress < old.VisibleState().Progress {
				t.Errorf("the run continues as %+v", row)
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

// updatesAfterExpiry tests updates of an ended job whose row has expired. The end is just over 1 or 14 days old.
func updatesAfterExpiry(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	for _, days := range []int{1, 14} {
		t.Run(fmt.Sprint(days, " days"), func(t *testing.T) {
			end := ended(message.StatusFailed, at.AddDate(0, 0, -days).Add(-time.Second))
			end.State.UploadID, end.Epoch = t.Name(), epoch(1)
			if _, outcome, err := s.Apply(t.Context(), owner, end); err != nil || outcome != feed.Accepted {
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

// longSilence tests that a job with an execution is still valid when its last update is older than [feed.JobTTL], and that it
// expires after JobTTL once it has ended.
func longSilence(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	longAgo := at.Add(-feed.JobTTL - time.Second)
	withExecution := update(1, longAgo)
	withExecution.Execution = "arn:" + t.Name()
	apply(t, s, owner, withExecution, feed.Accepted)
	row := apply(t, s, owner, part("one", 1, 0, longAgo), feed.Accepted) // This update does not name the execution.
	if _, claimed, err := s.ClaimPush(t.Context(), row, at); err != nil || !claimed {
		t.Errorf("ClaimPush: %t, %v", claimed, err)
	}
	if rows := collect(t, s.Jobs(t.Context(), owner)); len(rows) != 1 {
		t.Errorf("Jobs yields %+v", rows)
	}
	if row := apply(t, s, owner, part("one", 2, 0, at), feed.Accepted); row.Seq != 3 || row.Execution != withExecution.Execution {
		t.Errorf("a day later the row is %+v", row)
	}

	begun := part("one", 1, 0, longAgo)
	begun.State.UploadID, begun.Execution = "parts", withExecution.Execution
	apply(t, s, owner, begun, feed.Accepted)
	again := part("one", 2, 0, longAgo)
	again.State.UploadID = begun.State.UploadID
	apply(t, s, owner, again, feed.Accepted)
	end := ended(message.StatusFailed, longAgo)
	end.State.UploadID = begun.State.UploadID
	if _, outcome, err := s.Apply(t.Context(), owner, end); err != nil || outcome != feed.Accepted {
		t.Fatalf("Apply: %q, %v", outcome, err)
	}
	wantAbsent(t, s, owner, begun.State.UploadID)
}
