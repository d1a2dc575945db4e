package trace

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxBatch bounds the size of a decompressed batch, in bytes. An event of Lambda has at most 6 MB, and CloudWatch Logs compresses batches of
// text to a tenth.
const MaxBatch = 64 << 20

// ErrBatch means that a batch is not what a subscription filter of CloudWatch Logs sends, or that it is larger than [MaxBatch]. Reading it
// again would not help.
var ErrBatch = errors.New("trace: not a batch of CloudWatch Logs")

// Batch is the events of one batch of log lines.
type Batch struct {
	// Events are the events, in the order of their lines.
	Events []Event
	// Others is how many lines were no events.
	Others int
}

// DecodeBatch decodes the data of an event of a subscription filter: the base64 of a gzipped JSON text
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html). A control message, which CloudWatch Logs sends to
// check the destination, is a Batch without events. An error wraps [ErrBatch].
func DecodeBatch(data []byte) (Batch, error) {
	unzipped, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(data)))
	if err != nil {
		return Batch{}, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	text, err := io.ReadAll(io.LimitReader(unzipped, MaxBatch+1))
	if err != nil {
		return Batch{}, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	if len(text) > MaxBatch {
		return Batch{}, fmt.Errorf("%w: it has over %d bytes", ErrBatch, MaxBatch)
	}
	var wire struct {
		MessageType string `json:"messageType"`
		LogEvents   []struct {
			Message string `json:"message"`
		} `json:"logEvents"`
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return Batch{}, fmt.Errorf("%w: it is not JSON", ErrBatch) // the JSON error may quote the text
	}
	switch wire.MessageType {
	case "DATA_MESSAGE":
	case "CONTROL_MESSAGE":
		return Batch{}, nil
	default:
		return Batch{}, fmt.Errorf("%w: unknown messageType", ErrBatch)
	}
	var b Batch
	for _, line := range wire.LogEvents {
		e, err := ParseEvent([]byte(line.Message))
		if err != nil {
			b.Others++
			continue
		}
		b.Events = append(b.Events, e)
	}
	return b, nil
}
