package feedtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// LinearWriters is how many processes [Record] needs.
const LinearWriters = 50

// linearSteps is how many updates each process makes.
const linearSteps = 3

// Work is what a process does.
type Work int

// The works of processes. AllWorks returns all of them.
const (
	SharedParts      Work = iota // Two processes or more work on each part.
	FailingParts                 // More steps of a part have failed than was known.
	PartsOfAttempts              // Each part belongs to one of two attempts.
	PartsInAnyOrder              // Parts were sent before or after states.
	StatesInAnyOrder             // States were sent in another order than they come.
	StatesOfAllKinds             // States have both types, all statuses that are not ends, and steps.
	Attempts                     // Attempts fail, and later ones continue the run.
	Claims                       // The process claims the push of the row that it has read.
	Marks                        // A mark, or an end, is about the row that the process has read.
	NextRuns                     // The next run begins when half of the processes have made a call, and executions change.
	PushedParts                  // The process pushes each of its parts.
	numberOfWorks
)

// AllWorks returns all works.
func AllWorks() []Work {
	all := make([]Work, numberOfWorks)
	for i := range all {
		all[i] = Work(i)
	}
	return all
}

// request is the input of an operation of a history. One field is set, or none: then the operation reads the row.
type request struct {
	update *feed.Update
	claim  *feed.Row // the row whose push is claimed
}

// response is the output of an operation of a history.
type response struct {
	row     feed.Row
	outcome feed.Outcome
	claimed bool
	err     error
}

// recorder calls the stores of processes that work concurrently on one job, and records each call with the times of its start and end.
type recorder struct {
	start time.Time
	at    time.Time // of all updates and claims

	readers []feed.Store // by process

	mu      sync.Mutex
	history []porcupine.Operation
	calls   atomic.Int64
}

// do makes one call, and returns its response.
func (r *recorder) do(process int, in request, call func() response) response {
	started := time.Since(r.start)
	out := call()
	ended := time.Since(r.start)
	r.calls.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, porcupine.Operation{ClientId: process, Input: in, Output: out, Call: int64(started), Return: int64(ended)})
	return out
}

// apply applies u. After an error it tries again, as the notifier does.
func (r *recorder) apply(ctx context.Context, process int, s feed.Store, u feed.Update) response {
	var out response
	for range 3 {
		out = r.do(process, request{update: &u}, func() response {
			row, outcome, err := s.Apply(ctx, jobOwner, u)
			return response{row: row, outcome: outcome, err: err}
		})
		if out.err == nil {
			break
		}
	}
	return out
}

// read reads the row.
func (r *recorder) read(ctx context.Context, process int) response {
	return r.do(process, request{}, func() response {
		row, err := r.readers[process].Job(ctx, jobOwner, "job")
		return response{row: row, err: err}
	})
}

// claim claims the push of a row.
func (r *recorder) claim(ctx context.Context, process int, row feed.Row) {
	r.do(process, request{claim: &row}, func() response {
		newest, claimed, err := r.readers[process].ClaimPush(ctx, row, r.at)
		return response{row: newest, claimed: claimed, err: err}
	})
}

// Record lets the processes that use the stores, [LinearWriters] of them, write one job concurrently: parts, states of all kinds and
// orders, attempts, runs, marks, ends and pushes. It returns what each call did. Process i does works[i % len(works)]. seed decides which
// updates the processes make, not their order. Apply may fail with [ErrInjected]. The stores of readers are for the other calls, which must
// not fail.
func Record(ctx context.Context, stores, readers []feed.Store, works []Work, seed uint64) []porcupine.Operation {
	at := time.Date(2026, 11, 22, 10, 0, 10, 0, time.UTC)
	r := &recorder{start: time.Now(), at: at, readers: readers}
	var group sync.WaitGroup
	seeds := rand.New(rand.NewPCG(seed, 0))
	for process, s := range stores {
		random := rand.New(rand.NewPCG(seeds.Uint64(), 0))
		group.Go(func() {
			for step := range linearSteps {
				time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
				r.step(ctx, process, step, works[process%len(works)], s, random)
			}
		})
	}
	group.Wait()
	r.read(ctx, 0)

	return r.history
}

// waitForCalls waits until the processes have made a number of calls.
func (r *recorder) waitForCalls(n int64) {
	for r.calls.Load() < n {
		time.Sleep(time.Millisecond)
	}
}

// step makes one step of a process.
func (r *recorder) step(ctx context.Context, process, step int, work Work, s feed.Store, random *rand.Rand) {
	var u feed.Update
	switch work {
	case Claims:
		r.waitForCalls(LinearWriters / 5)
		if out := r.read(ctx, process); out.err == nil {
			r.claim(ctx, process, out.row)
		}
		return
	case Marks:
		r.waitForCalls(LinearWriters / 5)
		out := r.read(ctx, process)
		if out.err != nil {
			return
		}
		u = stalledMark(out.row.Seq, r.at)
		if process >= LinearWriters*4/5 && step == linearSteps-1 {
			u = ended(message.StatusFailed, r.at)
		}
		u.Epoch, u.OnlySeq = out.row.Epoch, out.row.Seq
	case NextRuns:
		r.waitForCalls(LinearWriters / 2)
		u = update(float64(10*step+process%10), r.at)
		if process < LinearWriters/2 {
			u.Epoch = epoch(1)
		}
		u.Execution = fmt.Sprint("arn ", process%2)
	case SharedParts, FailingParts, PartsOfAttempts, PartsInAnyOrder, PushedParts:
		u = partOf(work, process, step, r.at, random)
	default:
		u = stateOf(work, process, step, r.at, random)
	}
	u.ID = fmt.Sprint(work, " ", process, " ", step)
	if out := r.apply(ctx, process, s, u); work == PushedParts && out.outcome == feed.Accepted && !out.row.Pushed() {
		r.claim(ctx, process, out.row)
	}
}

// sentAtRandom returns a time at which an update may have been sent.
func sentAtRandom(at time.Time, random *rand.Rand) time.Time {
	return at.Add(time.Duration(random.IntN(40)) * time.Second)
}

// partOf returns the update of a part that a process makes in a step.
func partOf(work Work, process, step int, at time.Time, random *rand.Rand) feed.Update {
	own := part(fmt.Sprint(work, " ", process), int64(step+1), 0, at)
	switch work {
	case SharedParts:
		return part(fmt.Sprint("part ", process%3), int64(step+1+process/10%2), int64(random.IntN(step+2)), at)
	case FailingParts:
		return part(fmt.Sprint("failing ", process%2), int64(3+step/2), int64(random.IntN(4)), at)
	case PartsOfAttempts:
		own.State.Attempt = 1 + random.Int64N(2)
	case PartsInAnyOrder:
		own.SentAt = sentAtRandom(at, random)
	default:
	}
	return own
}

// stateOf returns the state that a process makes in a step.
func stateOf(work Work, process, step int, at time.Time, random *rand.Rand) feed.Update {
	u := update(float64(10*step+process%10), at)
	u.State.ExpectEvery = 60
	switch work {
	case StatesInAnyOrder:
		u.SentAt, u.State.Message = sentAtRandom(at, random), fmt.Sprint("message ", process, " ", step)
	case StatesOfAllKinds:
		statuses := map[int]message.Status{0: message.StatusRunning, 1: message.StatusQueued, 2: message.StatusWaiting, 3: message.StatusRetrying}
		u.Key, u.State.Status = fmt.Sprint("key ", process, " ", step), statuses[random.IntN(len(statuses))]
		u.State = u.State.WithSteps(message.Steps(fmt.Sprintf(`[{"name":"step %d"}]`, process)))
		if random.IntN(2) == 0 {
			u.Type = message.TypeJobProgress
		}
	case Attempts:
		u.State.Attempt = 1 + random.Int64N(3)
		if step == 1 {
			u.State.Status = message.StatusFailed
		}
	default:
	}
	return u
}

// Mix returns how many calls of a history were of each outcome or kind.
func Mix(history []porcupine.Operation) map[string]int {
	counts := map[string]int{}
	for _, op := range history {
		in, _ := op.Input.(request)
		out, _ := op.Output.(response)
		switch {
		case out.err != nil:
			counts["failed"]++
		case in.claim != nil && out.claimed:
			counts["claimed"]++
		case in.claim != nil:
			counts["not claimed"]++
		case in.update == nil:
			counts["read"]++
		default:
			counts[string(out.outcome)]++
		}
	}
	return counts
}
