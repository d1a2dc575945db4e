package message_test

import (
	"encoding/json"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// TestFitsCountsExactly: a frame fits if and only if the encoded batch is at most MaxBatch bytes.
func TestFitsCountsExactly(t *testing.T) {
	frame := func(length int) json.RawMessage {
		const text = `{"type":"x","data":"<é>"}` // characters that some encoders escape
		return json.RawMessage(strings.Replace(text, "x", strings.Repeat("x", max(1, 1+length-len(text))), 1))
	}
	for _, n := range []int{1, 2, 10, 100, 300} {
		var b message.Batch
		for range n {
			b.Frames = append(b.Frames, frame(100))
		}
		last := sort.Search(message.MaxBatch, func(length int) bool { return !b.Fits(frame(length + 1)) })
		b.Frames = append(b.Frames, frame(last))
		got, err := b.Encode(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
		if err != nil || len(got) != message.MaxBatch {
			t.Errorf("%d frames and the longest that fits have %d bytes, want %d (%v)", n, len(got), message.MaxBatch, err)
		}
	}
}

func TestABatchOfOneFrameIsTheFrame(t *testing.T) {
	const frame = `{"type":"pong","data":{}}`
	got, err := message.Batch{Frames: []json.RawMessage{json.RawMessage(frame)}}.Encode(time.Now())
	if err != nil || string(got) != frame {
		t.Errorf("%s, %v; want %s", got, err, frame)
	}
}
