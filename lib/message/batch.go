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

// Encode returns the JSON of the batch, or of its frame if it has only one. now is the batch's timestamp. The errors are those of
// [Envelope.Encode].
func (b Batch) Encode(now time.Time) ([]byte, error) {
	if len(b.Frames) == 1 {
		return b.Frames[0], nil
	}
	return New(b, "", now).Encode()
}

// emptyBatchBytes is the size of a batch without frames. Timestamps have a fixed size.
var emptyBatchBytes = len(`{"type":"batch","timestamp":"` + timeLayout + `","data":{"frames":[]}}`)
