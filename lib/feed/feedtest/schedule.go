package feedtest

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing/synctest"
	"time"
)

// A schedule is an order in which the requests of some writers reach a store, with a fault for each request. Before each request
// it chooses one of the options: which writer is next, and with which fault. Schedules are enumerated depth first: the next schedule
// repeats the choices of the last one, except that the last choice that has further options takes the next option.
type schedule struct {
	choices    []choice
	position   int // the index of the next choice
	faultsLeft int // the number of faults that this schedule may still inject

	writers []*scheduledWriter
	crashed bool // a writer crashed
}

// choice is the option that a schedule chose, from 0, and the number of options.
type choice struct{ option, options int }

// scheduledWriter is a writer that waits before each request until the schedule resumes it.
type scheduledWriter struct {
	schedule *schedule
	resume   chan Fault  // receives the fault of the next request
	waiting  atomic.Bool // before a request
	reading  atomic.Bool // the request is a read
	done     atomic.Bool
}

// scheduledKey is the key of the *scheduledWriter in the context of a writer.
type scheduledKey struct{}

// Step waits until the schedule of ctx selects the writer of ctx. Then it makes the writer's request: once, twice or not at all,
// according to the fault. If ctx has no schedule, it makes the request at once. reads is true if the request changes nothing.
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
			_ = request() // The loop waits again, and then makes the second request.
		case CrashedBefore:
			runtime.Goexit()
		case CrashedAfter:
			_ = request()
			runtime.Goexit()
		}
	}
}

// everySchedule runs all schedules with up to faults faults, and returns their number. It calls begin before each schedule. begin
// returns the writers, the function after, which is called after each request, and the function atEnd, which is called at the end
// of the schedule. If atEnd returns false, everySchedule stops. It must be called in a synctest bubble.
func everySchedule(faults int, begin func() (writers []func(context.Context), after func(writer int), atEnd func(*schedule) bool)) int {
	s := &schedule{}
	for n := 1; ; n++ {
		s.position, s.faultsLeft, s.crashed = 0, faults, false
		writers, after, atEnd := begin()
		s.run(writers, after)
		if !atEnd(s) || !s.next() {
			return n
		}
	}
}

// next takes the next option of the last choice that has further options, and drops the choices after it. It returns false if
// no choice has further options.
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

// choose returns the option that the schedule takes at the current position, from 0 to options-1. A new choice takes option 0.
func (s *schedule) choose(options int) int {
	if s.position == len(s.choices) {
		s.choices = append(s.choices, choice{options: options})
	}
	s.position++
	return s.choices[s.position-1].option
}

// run starts the writers, and resumes one of them after the other until all are done.
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
		option := s.choose(s.countOptions(ready)) // counted over the ready writers, and the faults of each
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
			s.crashed = s.crashed || fault == CrashedBefore || fault == CrashedAfter
		}
		s.writers[writer].resume <- fault
		synctest.Wait()
		after(writer)
	}
}

// ready returns the writers that wait before a request. If another writer pauses between its requests, ready first lets the
// pause pass.
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
		time.Sleep(200 * time.Millisecond) // The longest pause of a store is 128 ms.
	}
}

// countOptions returns the number of pairs of a ready writer and a fault of its request.
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
