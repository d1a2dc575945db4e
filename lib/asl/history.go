package asl

import (
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// Event is one event of an execution's history, as GetExecutionHistory shows it.
type Event struct {
	// ID counts the events from 1.
	ID int64
	// PreviousID is the ID of the event that led to this one; 0 for the first.
	PreviousID int64
	// Time is when the event happened.
	Time time.Time
	// Type is the event's type, such as TaskStateEntered.
	Type string
	// Details holds the type's details object under its name in the API, such as stateEnteredEventDetails, when the
	// type has one: ready to be marshalled beside the fields above.
	Details map[string]any
}

// maxEvents is the number of events after which the service ends an execution.
const maxEvents = 25_000

// recorder numbers the events of an execution. A nil *recorder records nothing.
type recorder struct {
	mu     sync.Mutex
	last   int64
	record func(Event)
	full   func() // Called when no more than the last event fits.
}

// add records an event after the given one and returns its ID. Of the events that do not fit, only the last is recorded.
func (r *recorder) add(previous int64, kind string, details map[string]any, final bool) int64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()

	if r.last >= maxEvents-1 && !final {
		r.full()
		return previous
	}

	r.last++
	if r.record != nil {
		r.record(Event{ID: r.last, PreviousID: previous, Time: time.Now().UTC(), Type: kind, Details: details})
	}
	return r.last
}

// record records an event of the thread.
func (t *thread) record(kind string, details map[string]any) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.previous = t.recorder.add(t.previous, kind, details, false)
	return t.previous
}

// object is the details object of an event.
type object = map[string]any

// details returns the details of an event.
func details(name string, fields object) map[string]any { return map[string]any{name: fields} }

// notTruncated stands beside each text that the API may truncate.
func notTruncated() object { return object{"truncated": false} }

// withText sets a field to the JSON text of v, and its companion.
func withText(fields object, name string, v any) object {
	fields[name] = string(jsontree.Marshal(v))
	fields[name+"Details"] = notTruncated()
	return fields
}

// errorDetails returns the fields of a failure. Those that are empty are left out.
func errorDetails(name, cause string) object {
	fields := object{}
	if name != "" {
		fields["error"] = name
	}
	if cause != "" {
		fields["cause"] = cause
	}
	return fields
}
