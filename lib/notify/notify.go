// Package notify is the notifier: the task that a workflow, an operator or a worker calls to tell a user something.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/message"
)

// Store makes messages durable before they are posted. A nil Store keeps nothing: then a message reaches whoever is
// connected.
type Store interface {
	// Put keeps data as the user's newest state of its job, or as a note.
	Put(ctx context.Context, userID string, data message.Data) error
}

// Notifier validates, stores and delivers messages.
type Notifier struct {
	Broadcaster *broadcast.Broadcaster
	// Store may be nil.
	Store Store
	// Log is silent when nil.
	Log *slog.Logger
}

// Output is the task's result.
type Output struct {
	broadcast.Report

	// Stored says whether the message outlives a closed tab.
	Stored bool `json:"stored"`
}

// Handle carries out one request of the notifier task, JSON as [Decode] reads it. Its errors are the types that a
// workflow matches by name: [InvalidMessage], [PayloadTooLarge], [Throttled], [StoreError], [DeliveryError].
func (n *Notifier) Handle(ctx context.Context, raw json.RawMessage) (Output, error) {
	in, err := Decode(raw)
	if err != nil {
		n.log().WarnContext(ctx, "request refused", "err", err)

		return Output{}, named(err)
	}
	var out Output
	if in.ConnectionID != "" {
		out.Report, err = n.Broadcaster.ToConnection(ctx, in.ConnectionID, in.Message)
	} else {
		out, err = n.toUser(ctx, in.UserID, in.Message)
	}
	n.log().InfoContext(ctx, "notified", "type", in.Message.Type(), "messageId", out.MessageID,
		"connections", out.Connections, "delivered", out.Delivered, "gone", out.Gone, "failed", out.Failed,
		"expired", out.Expired, "err", err)
	if err != nil {
		return Output{}, named(err)
	}

	return out, nil
}

// Publish stores and delivers data from a worker's own process. It returns the errors of Handle.
func (n *Notifier) Publish(ctx context.Context, userID string, data message.Data) error {
	if err := checkID("userId", userID); err != nil {
		return named(err)
	}
	if err := data.Validate(); err != nil {
		return named(err)
	}
	_, err := n.toUser(ctx, userID, data)

	return named(err)
}

func (n *Notifier) toUser(ctx context.Context, userID string, data message.Data) (Output, error) {
	var out Output
	if n.Store != nil {
		if err := n.Store.Put(ctx, userID, data); err != nil {
			return out, errors.Join(broadcast.ErrStore, err)
		}
		out.Stored = true
	}
	var err error
	out.Report, err = n.Broadcaster.ToUser(ctx, userID, data)
	if out.Stored && (errors.Is(err, broadcast.ErrDelivery) || errors.Is(err, broadcast.ErrThrottled)) {
		err = nil // the store has it
	}

	return out, err
}

func (n *Notifier) log() *slog.Logger {
	if n.Log == nil {
		return slog.New(slog.DiscardHandler)
	}

	return n.Log
}
