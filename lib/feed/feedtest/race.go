package feedtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

const (
	// 50 writers: of parts, of states and of ends.
	racingParts, racingStates, racingEnds = 41, 4, 5
	// racingSteps is how many updates each writer of parts or of states makes. All states together
	// have 4*3 = 12 keys, fewer than the 16 that a row stores.
	racingSteps = 3
	// retries is how often a writer tries after injected faults and conflicts.
	retries = 100
)

// writers update one job concurrently and record the outcomes.
type writers struct {
	store feed.Store
	owner string
	at    time.Time

	group   sync.WaitGroup
	written atomic.Int64 // updates of parts and states

	mu          sync.Mutex
	rows        []feed.Row       // that accepted updates led to
	parts       map[string]int64 // the most done steps that were stored, by part
	ends        []string         // ids of accepted ends
	failedCalls int
}

// write applies u until it succeeds, and then once more.
func (w *writers) write(t *testing.T, u feed.Update) {
	t.Helper()
	defer w.written.Add(1)
	for attempt := range 2 {
		row, outcome, err := w.retry(t.Context(), u)
		if err != nil {
			t.Errorf("after %d tries: %v", retries, err)
			return
		}
		if attempt == 1 && outcome == feed.Accepted {
			t.Errorf("%s was accepted again", u.ID)
		}
		w.record(u, row, outcome)
	}
}

// retry applies u until it succeeds, at most retries times.
func (w *writers) retry(ctx context.Context, u feed.Update) (row feed.Row, outcome feed.Outcome, err error) {
	for range retries {
		if row, outcome, err = w.store.Apply(ctx, w.owner, u); err == nil {
			return row, outcome, nil
		}
		w.mu.Lock()
		w.failedCalls++
		w.mu.Unlock()
	}
	return row, outcome, err
}

// record records the outcome of u.
func (w *writers) record(u feed.Update, row feed.Row, outcome feed.Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u.Part != nil && outcome.ShouldPost() {
		w.parts[u.Part.ID] = max(w.parts[u.Part.ID], u.Part.Done)
	}
	if outcome != feed.Accepted {
		return
	}
	w.rows = append(w.rows, row)
	if u.State.Status.Terminal() {
		w.ends = append(w.ends, u.ID)
	}
}

// run runs the writers of parts and states. When half of their updates are written, it starts as many writers of ends as ends says.
func (w *writers) run(t *testing.T, ends int) {
	t.Helper()
	for n := range racingParts {
		w.group.Go(func() {
			for step := range racingSteps {
				w.write(t, part(fmt.Sprint("part ", n), int64(step+1), int64(step/2), w.at))
			}
		})
	}
	for n := range racingStates {
		w.group.Go(func() {
			for step := range racingSteps {
				u := update(float64(10*step), w.at)
				u.ID = fmt.Sprint("state ", n, " ", step)
				u.Key = u.ID
				w.write(t, u)
			}
		})
	}
	statuses := []message.Status{message.StatusFailed, message.StatusSucceeded, message.StatusCancelled}
	for n := range ends {
		w.group.Go(func() {
			for w.written.Load() < (racingParts+racingStates)*racingSteps/2 {
				time.Sleep(time.Duration(1+n) * time.Millisecond / racingEnds) // a different part of a millisecond for each writer
			}
			u := ended(statuses[n%len(statuses)], w.at)
			u.ID = fmt.Sprint("end ", n)
			w.write(t, u)
		})
	}
	w.group.Wait()
}

// check requires that the sum of the parts is exact and that progress never fell. It returns the stored row.
func (w *writers) check(t *testing.T) feed.Row {
	t.Helper()
	final, err := w.job(t)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for id, done := range w.parts {
		sum += done
		if final.Parts[id].Done != done {
			t.Errorf("%s: %d steps are done, the row says %d", id, done, final.Parts[id].Done)
		}
	}
	if final.PartsDone != sum {
		t.Errorf("%d steps of parts are done, the row says %d", sum, final.PartsDone)
	}
	slices.SortFunc(w.rows, func(a, b feed.Row) int { return int(a.Seq - b.Seq) })
	for n, row := range w.rows[1:] {
		if before := w.rows[n]; row.Seq == before.Seq || row.VisibleState().Progress < before.VisibleState().Progress {
			t.Errorf("after seq %d at %v %% came seq %d at %v %%", before.Seq, before.VisibleState().Progress, row.Seq, row.VisibleState().Progress)
		}
	}
	return final
}

// job reads the row with retries.
func (w *writers) job(t *testing.T) (row feed.Row, err error) {
	t.Helper()
	for range retries {
		if row, err = w.store.Job(t.Context(), w.owner, "job"); err == nil {
			break
		}
	}
	return row, err
}

// race lets 50 writers update one job, without faults. So the outcome of every update is known.
func race(t *testing.T, s feed.Store) {
	for name, ends := range map[string]int{"without ends": 0, "with ends in between": racingEnds} {
		t.Run(name, func(t *testing.T) {
			w := &writers{store: s, owner: feed.User(t.Name()), at: now(), parts: map[string]int64{}}
			w.run(t, ends)
			final := w.check(t)
			for n, row := range w.rows {
				if row.Seq != int64(n+1) {
					t.Fatalf("the accepted update %d has seq %d", n+1, row.Seq)
				}
			}
			if final.Seq != int64(len(w.rows)) {
				t.Errorf("%d updates were accepted, the row's seq is %d", len(w.rows), final.Seq)
			}
			all := int64((racingParts + racingStates) * racingSteps)
			if ends == 0 && (final.Seq != all || final.PartsDone != racingParts*racingSteps) {
				t.Errorf("%d updates were made, the row's seq is %d, with %d steps", all, final.Seq, final.PartsDone)
			}
			if ends > 0 && (len(w.ends) != 1 || final.ID != w.ends[0] || !final.State.Status.Terminal() || final.Seq > all+1) {
				t.Errorf("the ends %v were accepted, want one; the row is %+v", w.ends, final)
			}
		})
	}
}

// claimPushes tests which claims succeed: with nothing to push, many at once, of a row from before the last push, of an old epoch.
func claimPushes(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	pushed := apply(t, s, owner, update(10, at), feed.Accepted)
	if row, claimed, err := s.ClaimPush(t.Context(), pushed, at); err != nil || claimed || row.PushedSeq != 1 {
		t.Errorf("with nothing to push, ClaimPush returned %+v, %t, %v", row, claimed, err)
	}
	row := apply(t, s, owner, part("one", 1, 0, at), feed.Accepted)
	apply(t, s, owner, part("one", 2, 0, at), feed.Accepted)
	at = at.Add(time.Second)
	const seq = 3 // of the newest state
	if winners := claimConcurrently(t, s, row, at, seq); winners != 1 {
		t.Errorf("%d claims succeeded", winners)
	}
	stale := row
	row = apply(t, s, owner, part("one", 3, 0, at), feed.Accepted)
	if _, claimed, err := s.ClaimPush(t.Context(), stale, at); claimed || err != nil {
		t.Errorf("a claim from before the last one: %t, %v", claimed, err)
	}
	if _, claimed, err := s.ClaimPush(t.Context(), row, at); !claimed || err != nil {
		t.Errorf("the next claim: %t, %v", claimed, err)
	}
	next := update(1, at)
	next.Epoch = epoch(1)
	apply(t, s, owner, next, feed.Accepted)
	if got, claimed, err := s.ClaimPush(t.Context(), row, at); claimed || err != nil || got.Epoch != epoch(1) {
		t.Errorf("a claim of the old epoch: %+v, %t, %v", got, claimed, err)
	}
}

// claimConcurrently makes 20 concurrent claims for row and returns how many succeeded. The newest state, which each claim must
// return, has the seq.
func claimConcurrently(t *testing.T, s feed.Store, row feed.Row, at time.Time, seq int64) int64 {
	t.Helper()
	var group sync.WaitGroup
	var winners atomic.Int64
	for range 20 {
		group.Go(func() {
			got, claimed, err := s.ClaimPush(t.Context(), row, at)
			if err != nil {
				t.Error(err)
			}
			if claimed {
				winners.Add(1)
			}
			if !got.Pushed() || got.Seq != seq || !got.PushedAt.Equal(at) {
				t.Errorf("ClaimPush returned %+v", got)
			}
		})
	}
	group.Wait()
	return winners.Load()
}

// everyStateIsPushed runs writers that claim the push of every state that Apply did not mark as pushed, as the notifier does.
func everyStateIsPushed(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	apply(t, s, owner, update(10, at), feed.Accepted)
	var group sync.WaitGroup
	var mu sync.Mutex
	posted := map[int64]int{} // how often the push of each seq was claimed
	for n := range 10 {
		group.Go(func() {
			for step := range 3 {
				row, outcome, err := s.Apply(t.Context(), owner, part(fmt.Sprint(n), int64(step+1), 0, at))
				if err != nil || outcome != feed.Accepted {
					t.Errorf("Apply: %q, %v", outcome, err)
					return
				}
				newest, claimed, err := s.ClaimPush(t.Context(), row, row.NextPushAt(at))
				if err != nil {
					t.Error(err)
					return
				}
				if claimed {
					mu.Lock()
					posted[newest.PushedSeq]++
					mu.Unlock()
				} else if newest.Epoch == row.Epoch && newest.PushedSeq < row.Seq {
					t.Errorf("the push of seq %d was refused, but the last push is of seq %d", row.Seq, newest.PushedSeq)
				}
			}
		})
	}
	group.Wait()
	row, err := s.Job(t.Context(), owner, "job")
	if err != nil || !row.Pushed() || posted[row.Seq] != 1 {
		t.Errorf("the last state is %+v, posted %d times, %v", row, posted[row.Seq], err)
	}
	for seq, times := range posted {
		if times != 1 {
			t.Errorf("seq %d was claimed %d times", seq, times)
		}
	}
}
