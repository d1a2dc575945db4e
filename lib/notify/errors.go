package notify

import (
	"errors"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// The errors of the notifier task. aws-lambda-go names a function's error by its outermost Go type, and a workflow's Retry
// and Catch match that name. So these are types by value, not wrapped, and without Go's usual suffix.
type (
	// InvalidMessage names the fields and the rules that they break. A retry is useless.
	InvalidMessage struct{ Reason string }
	// PayloadTooLarge means that the frame is over API Gateway's limit. A retry is useless.
	PayloadTooLarge struct{ Reason string }
	// Throttled means that API Gateway throttled every post, or that too many writers wrote the same job at once. Nothing was
	// stored.
	Throttled struct{}
	// StoreError means that a store failed: the message may not be stored, or may not have reached all connections.
	StoreError struct{}
	// DeliveryError means that every post failed, and nothing was stored.
	DeliveryError struct{}
)

func (e InvalidMessage) Error() string  { return e.Reason }
func (e PayloadTooLarge) Error() string { return e.Reason }
func (Throttled) Error() string         { return "Too many messages" }
func (StoreError) Error() string        { return "Failed to store message" }
func (DeliveryError) Error() string     { return "Failed to deliver message" }

// named returns the error that workflows match by name, or nil for nil. The cause of a StoreError or DeliveryError is only logged.
func named(err error) error {
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

// within puts path before the fields of a [*message.Invalid].
func within(path string, err error) error {
	var bad *message.Invalid
	if !errors.As(err, &bad) {
		return err
	}
	moved := make([]message.Problem, len(bad.Problems))
	for i, p := range bad.Problems {
		moved[i] = message.Problem{Field: path + "." + p.Field, Rule: p.Rule}
		if p.Field == "input" {
			moved[i].Field = path
		}
	}

	return &message.Invalid{Problems: moved}
}
