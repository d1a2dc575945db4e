package feedtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// ErrInjected is the error of every injected fault.
var ErrInjected = errors.New("feedtest: injected fault")

// Fault is the kind of failure of a call.
type Fault int

// The faults. Faults selects from NotApplied and Applied only. A schedule (see [Step]) selects from all.
const (
	NoFault Fault = iota
	// NotApplied returns an error instead of applying the call.
	NotApplied
	// Applied applies the call and returns an error.
	Applied
	// Resent applies the call, loses its response and applies the call again, as the AWS SDK does when it retries.
	Resent
	// CrashedBefore ends the caller instead of applying the call.
	CrashedBefore
	// CrashedAfter applies the call and ends the caller.
	CrashedAfter
)

// Faults selects the calls that fail. The selection is random, from a seed.
type Faults struct {
	// Rate is the share of calls that fail, from 0 to 1. Half of the failed calls are applied.
	Rate float64

	mu       sync.Mutex
	random   *rand.Rand
	injected int
}

// NewFaults returns faults from a seed. They are reproducible if the order of the calls is.
func NewFaults(seed uint64, rate float64) *Faults {
	return &Faults{Rate: rate, random: rand.New(rand.NewPCG(seed, 0))}
}

// Next returns the fault of the next call.
func (f *Faults) Next() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.random.Float64() >= f.Rate {
		return NoFault
	}
	f.injected++
	return NotApplied + Fault(f.random.IntN(2)) // NotApplied or Applied
}

// Injected returns how many calls have failed.
func (f *Faults) Injected() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.injected
}

// Faulty is a store whose calls fail according to Faults.
type Faulty struct {
	feed.Store

	Faults *Faults
}

// Apply may fail before or after the call is applied.
func (f Faulty) Apply(ctx context.Context, owner string, u feed.Update) (row feed.Row, outcome feed.Outcome, err error) {
	err = f.call(func() error {
		row, outcome, err = f.Store.Apply(ctx, owner, u)
		return err
	})
	return row, outcome, err
}

// ClaimPush may fail before or after the call is applied.
func (f Faulty) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (newest feed.Row, claimed bool, err error) {
	err = f.call(func() error {
		newest, claimed, err = f.Store.ClaimPush(ctx, row, at)
		return err
	})
	return newest, claimed && err == nil, err
}

// Job may fail before or after the call is applied.
func (f Faulty) Job(ctx context.Context, owner, job string) (row feed.Row, err error) {
	err = f.call(func() error {
		row, err = f.Store.Job(ctx, owner, job)
		return err
	})
	return row, err
}

// Add may fail before or after the call is applied.
func (f Faulty) Add(ctx context.Context, owner string, n feed.Note) (stored feed.Note, outcome feed.Outcome, err error) {
	err = f.call(func() error {
		stored, outcome, err = f.Store.Add(ctx, owner, n)
		return err
	})
	return stored, outcome, err
}

// DeletePointer may fail before or after the call is applied.
func (f Faulty) DeletePointer(ctx context.Context, p feed.Pointer) error {
	return f.call(func() error { return f.Store.DeletePointer(ctx, p) })
}

// Jobs may fail after the last row.
func (f Faulty) Jobs(ctx context.Context, owner string) iter.Seq2[feed.Row, error] {
	return func(yield func(feed.Row, error) bool) {
		for row, err := range f.Store.Jobs(ctx, owner) {
			if !yield(row, err) {
				return
			}
		}
		if f.Faults.Next() != NoFault {
			yield(feed.Row{}, ErrInjected)
		}
	}
}

// call calls do with the next fault.
func (f Faulty) call(do func() error) error {
	fault := f.Faults.Next()
	if fault == NotApplied {
		return ErrInjected
	}
	if err := do(); err != nil || fault == NoFault {
		return err
	}
	return ErrInjected
}

// RunFaulty tests a store whose calls sometimes fail, before or after they are applied. Callers that retry must get the same results as
// without failures.
func RunFaulty(t *testing.T, open func(t *testing.T) feed.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, feed.Store){
		"50 writers race on one job": faultyRace,
		"claims of pushes":           faultyPushes,
		"notes":                      faultyNotes,
		"pointers":                   faultyPointers,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// retryUntilSuccess calls do until it succeeds or returns [feed.ErrNotFound], at most retries times.
func retryUntilSuccess(t *testing.T, do func() error) error {
	t.Helper()
	var err error
	for range retries {
		if err = do(); err == nil || errors.Is(err, feed.ErrNotFound) {
			return err
		}
	}
	t.Errorf("after %d tries: %v", retries, err)
	return err
}

// faultyRace runs writers of parts and states, which retry. Then three writers end the job at once. The end of one of them must be stored,
// and only this one may get Accepted or Duplicate.
func faultyRace(t *testing.T, s feed.Store) {
	w := &writers{store: s, owner: feed.User(t.Name()), at: now(), parts: map[string]int64{}}
	w.run(t, 0) // no writer of an end
	final := w.check(t)
	all := int64((racingParts + racingStates) * racingSteps)
	if final.Seq != all || final.PartsDone != racingParts*racingSteps {
		t.Errorf("%d updates were made, the row's seq is %d, with %d steps", all, final.Seq, final.PartsDone)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]feed.Outcome{}
	for n, status := range []message.Status{message.StatusFailed, message.StatusSucceeded, message.StatusCancelled} {
		group.Go(func() {
			u := ended(status, w.at)
			u.ID = fmt.Sprint("end ", n)
			_, outcome, err := w.retry(t.Context(), u)
			if err != nil {
				t.Errorf("after %d tries: %v", retries, err)
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[u.ID] = outcome
		})
	}
	group.Wait()
	final, err := w.job(t)
	if err != nil || final.Seq != all+1 || !final.State.Status.Terminal() {
		t.Errorf("the ends left %+v, %v", final, err)
	}
	for id, outcome := range outcomes { // The winner may get Duplicate, if the response to its first try was lost.
		if outcome.ShouldPost() != (id == final.ID) {
			t.Errorf("the stored end is %s, the outcome of %s is %q", final.ID, id, outcome)
		}
	}
	if t.Failed() {
		t.Logf("%d calls failed", w.failedCalls)
	}
}

// faultyPushes claims the push of one row three times. At most one claim may succeed, and the row must then be pushed. If a claim is
// recorded but returns an error, its retry finds the push claimed. Then no claim succeeds, although the row is pushed.
func faultyPushes(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	for n := range 20 {
		job := fmt.Sprint("job ", n)
		apply := func(u feed.Update) feed.Row {
			u.State.UploadID = job
			var row feed.Row
			_ = retryUntilSuccess(t, func() (err error) {
				row, _, err = s.Apply(t.Context(), owner, u)
				return err
			})
			return row
		}
		apply(update(1, at))
		row := apply(part("one", 1, 0, at))
		claimed, failed := 0, 0
		for range 3 {
			var newest feed.Row
			_ = retryUntilSuccess(t, func() error {
				var won bool
				var err error
				newest, won, err = s.ClaimPush(t.Context(), row, at)
				if won {
					claimed++
				}
				if err != nil {
					failed++
				}
				return err
			})
			if !newest.Pushed() {
				t.Errorf("after a claim the row is %+v", newest)
			}
		}
		if claimed > 1 {
			t.Errorf("%d claims succeeded", claimed)
		}
		if claimed == 0 && failed == 0 {
			t.Error("no claim succeeded, and none failed")
		}
	}
}

// faultyNotes adds three notes with each of ten keys, concurrently. All callers with one key must get the same stored note.
func faultyNotes(t *testing.T, s feed.Store) {
	const keyed = 10 // the number of keys
	owner, at := feed.User(t.Name()), now()
	var group sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]map[string]bool{} // of the notes that callers got, by key
	for n := range 3 * keyed {
		group.Go(func() {
			var got feed.Note
			tries := 0
			key := fmt.Sprint("key ", n%keyed)
			_ = retryUntilSuccess(t, func() (err error) {
				note := notification(100*n+tries, at) // each try with another ID
				note.Key = key
				tries++
				got, _, err = s.Add(t.Context(), owner, note)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if ids[key] == nil {
				ids[key] = map[string]bool{}
			}
			ids[key][got.ID] = true
		})
	}
	group.Wait()
	var all []feed.Note
	_ = retryUntilSuccess(t, func() (err error) {
		all, err = s.Notes(t.Context(), owner, "", retries)
		return err
	})
	stored := map[string]bool{}
	for _, n := range all {
		stored[n.ID] = true
	}
	if len(stored) != keyed {
		t.Errorf("%d keys made %d notes", keyed, len(stored))
	}
	for key, ids := range ids {
		for id := range ids {
			if len(ids) != 1 || !stored[id] {
				t.Errorf("%q has the notes %v, %s is stored: %t", key, ids, id, stored[id])
			}
		}
	}
}

// faultyPointers applies an update with an execution, finds its pointer and deletes it, each with retries.
func faultyPointers(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	for n := range 20 {
		u := update(1, at)
		u.State.UploadID, u.Execution = fmt.Sprint("job ", n), fmt.Sprint("arn:", t.Name(), n)
		var p feed.Pointer
		for _, do := range []func() error{
			func() error {
				_, _, err := s.Apply(t.Context(), owner, u)
				return err
			},
			func() (err error) {
				p, err = firstOf(s.PointersOf(t.Context(), u.Execution))
				return err
			},
			func() error { return s.DeletePointer(t.Context(), p) },
		} {
			if err := retryUntilSuccess(t, do); err != nil {
				t.Error(err)
			}
		}
		err := retryUntilSuccess(t, func() error {
			_, err := firstOf(s.PointersOf(t.Context(), u.Execution))
			return err
		})
		if p.Job != u.State.UploadID || !errors.Is(err, feed.ErrNotFound) {
			t.Errorf("the pointer found is %+v; after its deletion PointersOf returned %v, want ErrNotFound", p, err)
		}
	}
}
