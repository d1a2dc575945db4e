package notify

import (
	"errors"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// The errors of the notifier task. aws-lambda-go names a function's error after its outermost Go type, and the Retry and Catch of
// a workflow match that name. So these types are not pointers, are never wrapped, and do not all end in Error.
type (
	// InvalidMessage names the fields and the rules that they break. A retry is useless.
	InvalidMessage struct{ Reason string }
	// PayloadTooLarge means that the frame is over API Gateway's limit. A retry is useless.
	PayloadTooLarge struct{ Reason string }
	// Throttled means that nothing was stored, because API Gateway throttled every post of a message that is only posted, or
	// because too many writers wrote the same job at once.
	Throttled struct{}
	// StoreError means that a store failed: the message may not be stored, or may not have reached all connections.
	StoreError struct{}
	// DeliveryError means that every post failed, and nothing was stored.
	DeliveryError struct{}
)

// Is reports whether target is [message.ErrRefused].
func (InvalidMessage) Is(target error) bool { return target == message.ErrRefused }

// Is reports whether target is [message.ErrRefused].
func (PayloadTooLarge) Is(target error) bool { return target == message.ErrRefused }

func (e InvalidMessage) Error() string  { return e.Reason }
func (e PayloadTooLarge) Error() string { return e.Reason }
func (Throttled) Error() string         { return "Too many messages" }
func (StoreError) Error() string        { return "Failed to store message" }
func (DeliveryError) Error() string     { return "Failed to deliver message" }

// taskError returns the error of the notifier task for err, or nil for nil. The cause of a StoreError or DeliveryError is only
// logged.
func taskError(err error) error {
	if err == nil {
		return nil
	}
	var invalid *message.Invalid
	var large *message.TooLarge
	switch {
	case errors.As(err, &invalid):
		return InvalidMessage{Reason: invalid.Error()}
	case errors.As(err, &large):
		return PayloadTooLarge{Reason: large.Error()}
	case errors.Is(err, broadcast.ErrThrottled), errors.Is(err, feed.ErrContention):
		return Throttled{}
	case errors.Is(err, broadcast.ErrStore), errors.Is(err, errNotStored):
		return StoreError{}
	default:
		return DeliveryError{}
	}
}

// prefixFields returns err with path before each of its field names if err is a [*message.Invalid]. Any other error is returned
// unchanged.
func prefixFields(path string, err error) error {
	var bad *message.Invalid
	if !errors.As(err, &bad) {
		return err
	}
	prefixed := make([]message.Problem, len(bad.Problems))
	for i, p := range bad.Problems {
		prefixed[i] = message.Problem{Field: path + "." + p.Field, Rule: p.Rule}
		if p.Field == "input" { // package message calls the whole message "input"
			prefixed[i].Field = path
		}
	}

	return &message.Invalid{Problems: prefixed}
}
