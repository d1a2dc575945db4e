package asl

import (
	"sync"
	"time"
)

// Event is one event of an execution's history, as GetExecutionHistory shows it.
type Event struct {
	// ID is the number of the event, from 1.
	ID int64
	// PreviousID is the ID of the event that caused this one. As on AWS, it is 0 for the first event, the entry of the first state, and the
	// events ExecutionAborted and ExecutionTimedOut.
	PreviousID int64
	// Time is when the event happened.
	Time time.Time
	// Type is the event's type, such as TaskStateEntered.
	Type string
	// Details holds the event's details. It is nil if the type has none.
	Details *Details
}

// maxEvents is the greatest number of events in a history.
const maxEvents = 25_000

// A recorder numbers the events of an execution. A nil *recorder records nothing.
type recorder struct {
	mu     sync.Mutex
	last   int64       // The ID of the event that was recorded last.
	record func(Event) // Execution.Record; it may be nil.
	onFull func()      // Ends the execution, because its history is full.
}

// add records an event and returns its ID. previous is the ID of the event that caused it. The last place of the history is for the
// event that ends the execution: if only that place is free, add records nothing, calls onFull and returns previous.
func (r *recorder) add(previous int64, kind string, details *Details) int64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last >= maxEvents-1 {
		r.onFull()
		return previous
	}
	return r.append(previous, kind, details)
}

// addLast records the event that ends the execution. previous is the ID of the event that caused it.
func (r *recorder) addLast(previous int64, kind string, details *Details) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.append(previous, kind, details)
}

// append records an event and returns its ID. The caller holds the lock.
func (r *recorder) append(previous int64, kind string, details *Details) int64 {
	r.last++
	if r.record != nil {
		r.record(Event{ID: r.last, PreviousID: previous, Time: time.Now().UTC(), Type: kind, Details: details})
	}
	return r.last
}

// record records an event that the thread's previous event caused and that does not end the execution. It returns the event's ID.
func (t *thread) record(kind string, details *Details) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.previous = t.recorder.add(t.previous, kind, details)
	return t.previous
}

// follow makes the next event follow the event with the ID.
func (t *thread) follow(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.previous = id
}

// recordBeside records an event that causes no other event: the next event has the same cause as this one. It returns the event's ID.
func (t *thread) recordBeside(kind string, details *Details) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recorder.add(t.previous, kind, details)
}

// recordLazily does what record does. It calls makeDetails only if somebody receives the events.
func (t *thread) recordLazily(kind string, makeDetails func() *Details) int64 {
	if !t.recorder.hasReceiver() {
		return t.record(kind, nil)
	}
	return t.record(kind, makeDetails())
}

// hasReceiver reports whether somebody receives the events.
func (r *recorder) hasReceiver() bool { return r != nil && r.record != nil }

// object holds the fields of an event's details.
type object = map[string]any

// withText adds a field with the JSON text of v, and its notTruncated object, to fields. It returns fields.
func (t *thread) withText(fields object, name string, v any) object {
	fields[name] = t.texts.text(v)
	fields[name+"Details"] = notTruncated
	return fields
}

// isUpTo reports whether v's JSON text has at most limit bytes. If an event will hold the text, it is made now.
func (t *thread) isUpTo(v any, limit int) bool {
	if t.recorder.hasReceiver() {
		_, ok := t.texts.textUpTo(v, limit)
		return ok
	}
	return t.texts.isUpTo(v, limit)
}

// errorDetails returns the fields of a failure, without those that are empty.
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
