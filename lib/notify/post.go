package notify

import (
	"context"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/message"
)

// post encodes the frame, once for all recipients, and posts it.
func post(ctx context.Context, recipients broadcast.Recipients, frame message.Envelope) (broadcast.Report, error) {
	body, err := frame.Encode()
	if err != nil {
		return broadcast.Report{}, err
	}

	return recipients.Post(ctx, broadcast.Frame{ID: frame.ID, Body: body})
}
