package notify

import (
	"errors"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// The errors of the notifier task. aws-lambda-go names a function's error by the outermost Go type, and that name is
// what a workflow's Retry and Catch match: hence types by value, not wrapped, without the suffix of Go's custom.
type (
	// InvalidMessage says which fields break which rules. It is never worth a retry.
	InvalidMessage struct{ Reason string }
	// PayloadTooLarge says that the frame is over API Gateway's limit. It is never worth a retry.
	PayloadTooLarge struct{ Reason string }
	// Throttled says that API Gateway took none of the posts for now, or that too many wrote the same job at once. Nothing was
	// stored.
	Throttled struct{}
	// StoreError says that a store failed: the message may not have reached everyone, or not be kept.
	StoreError struct{}
	// DeliveryError says that every post that was tried failed, and nothing was stored.
	DeliveryError struct{}
)

func (e InvalidMessage) Error() string  { return e.Reason }
func (e PayloadTooLarge) Error() string { return e.Reason }
func (Throttled) Error() string         { return "Too many messages" }
func (StoreError) Error() string        { return "Failed to store message" }
func (DeliveryError) Error() string     { return "Failed to deliver message" }

// named gives an error the name that workflows match. What lies behind a StoreError or DeliveryError is only logged.
func named(err error) error {
	invalid, large := (*message.Invalid)(nil), (*message.TooLarge)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return InvalidMessage{Reason: invalid.Error()}
	case errors.As(err, &large):
		return PayloadTooLarge{Reason: large.Error()}
	case errors.Is(err, broadcast.ErrThrottled), errors.Is(err, feed.ErrContention):
		return Throttled{}
	case errors.Is(err, broadcast.ErrStore), errors.Is(err, errLost):
		return StoreError{}
	default:
		return DeliveryError{}
	}
}

// within puts the fields of a [*message.Invalid] below path.
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
