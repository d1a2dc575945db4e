package feedtest

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing/synctest"
	"time"
)

// A schedule is an order in which the requests of some writers reach a store, with the fault of each. Schedules are enumerated
// depth first: the next schedule repeats the choices of the last one up to the last choice with another option.
type schedule struct {
	choices    []choice
	position   int
	faultsLeft int // the number of faults that this schedule may still inject

	writers []*scheduledWriter
	crashed bool
	failed  bool
}

// choice is the option that a schedule chose, and the number of options.
type choice struct{ option, options int }

// scheduledWriter is a writer that waits before each request until the schedule resumes it.
type scheduledWriter struct {
	schedule *schedule
	resume   chan Fault
	waiting  atomic.Bool
	reading  atomic.Bool // The request is a read.
	done     atomic.Bool
}

type scheduledKey struct{}

// Step waits until the schedule in ctx selects the writer. Then it makes the writer's request: once, twice or not at all,
// according to the fault. Without a schedule in ctx, it makes the request at once.
func Step(ctx context.Context, reads bool, request func() error) error {
	w, ok := ctx.Value(scheduledKey{}).(*scheduledWriter)
	if !ok {
		return request()
	}
	for {
		w.reading.Store(reads)
		w.waiting.Store(true)
		fault := <-w.resume
		w.waiting.Store(false)
		switch fault {
		case NoFault:
			return request()
		case NotApplied:
			return ErrInjected
		case Applied:
			_ = request()
			return ErrInjected
		case Resent:
			_ = request()
		case CrashedBefore:
			runtime.Goexit()
		case CrashedAfter:
			_ = request()
			runtime.Goexit()
		}
	}
}

// everySchedule runs all schedules with up to faults faults, and returns their number. begin returns the writers, and the
// functions that are called after each request and at the end of a schedule. If check returns false, everySchedule stops. It
// must be called in a synctest bubble.
func everySchedule(faults int, begin func() (writers []func(context.Context), after func(writer int), check func(*schedule) bool)) int {
	s := &schedule{}
	for n := 1; ; n++ {
		s.position, s.faultsLeft, s.crashed, s.failed = 0, faults, false, false
		writers, after, check := begin()
		s.run(writers, after)
		if !check(s) || !s.next() {
			return n
		}
	}
}

// next changes the last choice that has another option, and drops the choices after it.
func (s *schedule) next() bool {
	for len(s.choices) > 0 {
		last := &s.choices[len(s.choices)-1]
		if last.option++; last.option < last.options {
			return true
		}
		s.choices = s.choices[:len(s.choices)-1]
	}
	return false
}

// choose returns the option at the current position of the schedule.
func (s *schedule) choose(options int) int {
	if s.position == len(s.choices) {
		s.choices = append(s.choices, choice{options: options})
	}
	s.position++
	return s.choices[s.position-1].option
}

func (s *schedule) run(writers []func(context.Context), after func(writer int)) {
	s.writers = nil
	for _, write := range writers {
		w := &scheduledWriter{schedule: s, resume: make(chan Fault)}
		s.writers = append(s.writers, w)
		go func() {
			defer func() { w.done.Store(true) }()
			write(context.WithValue(context.Background(), scheduledKey{}, w))
		}()
		synctest.Wait()
	}
	for {
		ready := s.ready()
		if len(ready) == 0 {
			return
		}
		var writer int
		var fault Fault
		option := s.choose(s.countOptions(ready))
		for _, writer = range ready {
			kinds := s.possibleFaults(s.writers[writer])
			if option < len(kinds) {
				fault = kinds[option]
				break
			}
			option -= len(kinds)
		}
		if fault != NoFault {
			s.faultsLeft--
			s.failed = true
			s.crashed = s.crashed || fault == CrashedBefore || fault == CrashedAfter
		}
		s.writers[writer].resume <- fault
		synctest.Wait()
		after(writer)
	}
}

// ready returns the writers that wait before a request. It first lets the pauses of the other writers pass.
func (s *schedule) ready() []int {
	for {
		synctest.Wait()
		var ready []int
		pausing := false
		for n, w := range s.writers {
			if w.waiting.Load() {
				ready = append(ready, n)
			}
			pausing = pausing || !w.waiting.Load() && !w.done.Load()
		}
		if !pausing {
			return ready
		}
		time.Sleep(200 * time.Millisecond) // Longer than any pause of a store.
	}
}

func (s *schedule) countOptions(ready []int) int {
	all := 0
	for _, writer := range ready {
		all += len(s.possibleFaults(s.writers[writer]))
	}
	return all
}

// possibleFaults returns the faults that the request of a writer may have. For a read, all failures have the same effect.
func (s *schedule) possibleFaults(w *scheduledWriter) []Fault {
	switch {
	case s.faultsLeft == 0:
		return []Fault{NoFault}
	case w.reading.Load():
		return []Fault{NoFault, NotApplied}
	default:
		return []Fault{NoFault, NotApplied, Applied, Resent, CrashedBefore, CrashedAfter}
	}
}
