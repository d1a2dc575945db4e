package message

import (
	"encoding/json"
	"time"
)

// Batch is many frames in one, for the answer to a sync that asks for batches. A client handles the frames in their order, as if
// each had come alone. A batch contains no batch.
type Batch struct {
	// Frames are whole frames, as [Envelope.Encode] returns them.
	Frames []json.RawMessage `json:"frames"`
}

// Type returns [TypeBatch].
func (Batch) Type() Type { return TypeBatch }

// Validate returns nil, because the server makes the frame.
func (Batch) Validate() error { return nil }

// Fits reports whether the batch with one more frame is at most [MaxBatch] bytes of JSON.
func (b Batch) Fits(frame []byte) bool {
	size := emptyBatchBytes + len(frame)
	for _, f := range b.Frames {
		size += len(f) + len(",")
	}
	return size <= MaxBatch
}

// Encode returns the compact JSON of the batch, or of its frame if it has only one. now is the batch's timestamp. It returns a
// [*TooLarge] if the JSON is over [MaxFrame] bytes.
func (b Batch) Encode(now time.Time) ([]byte, error) {
	if len(b.Frames) == 1 {
		return b.Frames[0], nil
	}
	frame := append([]byte(batchStart), Time{now}.String()...) // not by json.Encoder, which would read all frames again
	frame = append(frame, batchFrames...)
	for i, f := range b.Frames {
		if i > 0 {
			frame = append(frame, ',')
		}
		frame = append(frame, f...)
	}
	frame = append(frame, batchEnd...)
	if len(frame) > MaxFrame {
		return nil, &TooLarge{Size: len(frame), Limit: MaxFrame}
	}
	return frame, nil
}

// What a batch has before its timestamp, before its frames and after them.
const (
	batchStart  = `{"type":"batch","timestamp":"`
	batchFrames = `","data":{"frames":[`
	batchEnd    = `]}}`
)

// emptyBatchBytes is the size of a batch without frames. Timestamps have a fixed size.
const emptyBatchBytes = len(batchStart + timeLayout + batchFrames + batchEnd)
