package message_test

import (
	"encoding/json"
	"errors"
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

// TestABatchIsEncodedLikeAnyEnvelope: Encode joins the frames itself, and makes the same JSON as an Envelope.
func TestABatchIsEncodedLikeAnyEnvelope(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.FixedZone("CET", 3600))
	b := message.Batch{Frames: []json.RawMessage{}}
	for n := range 4 {
		if n != 1 { // a batch of one frame is the frame
			got, err := b.Encode(now)
			want, wantErr := message.New(b, "", now).Encode()
			if err != nil || wantErr != nil || string(got) != string(want) {
				t.Errorf("%d frames: %s, %v; want %s, %v", n, got, err, want, wantErr)
			}
		}
		frame, err := message.New(message.Notification{Title: "<é>", Message: `"` + "\u2028", Severity: message.SeverityInfo}, "id", now).Encode()
		if err != nil {
			t.Fatal(err)
		}
		b.Frames = append(b.Frames, frame)
	}
	large := json.RawMessage(`"` + strings.Repeat("x", message.MaxFrame/2) + `"`)
	var tooLarge *message.TooLarge
	if _, err := (message.Batch{Frames: []json.RawMessage{large, large}}).Encode(now); !errors.As(err, &tooLarge) || tooLarge.Size <= message.MaxFrame {
		t.Errorf("a batch over MaxFrame: %v", err)
	}
}
