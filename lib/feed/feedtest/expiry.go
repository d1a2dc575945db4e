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
