package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/benchtest"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

// lastPost is a gateway that records the last post.
type lastPost struct{ frame []byte }

func (g *lastPost) Send(_ context.Context, _ string, frame []byte) error {
	g.frame = frame
	return nil
}

func (*lastPost) Close(context.Context, string) error { return nil }

// BenchmarkSync compares the answer to a sync of a tab that missed 50 notes and the states of 10 jobs with its floor: encoding the same
// answer by encoding/json from structs. The stores are in memory and posts take no time.
func BenchmarkSync(b *testing.B) {
	const user, connectionID = "u1", "c1"
	connections, jobs, gateway := &connection.Memory{}, &feed.Memory{}, &lastPost{}
	now := time.Now().UTC()
	if err := connections.Put(b.Context(), connection.Connection{ID: connectionID, UserID: user, ConnectedAt: now, TokenExpiresAt: now.Add(time.Hour)}); err != nil {
		b.Fatal(err)
	}
	for n := range 10 {
		state := message.UploadProgress{UploadID: fmt.Sprint("u-", n), FileName: "parts-list.csv", Progress: 42.5, Message: "Parsing rows"}
		if _, _, err := jobs.Apply(b.Context(), feed.User(user), feed.Update{State: state, Epoch: epochOf(now), ID: ulid.Make().String(), At: now}); err != nil {
			b.Fatal(err)
		}
	}
	for n := range 50 {
		data := message.Notification{Title: fmt.Sprint("Import ", n), Message: "Your parts list is imported", Severity: message.SeveritySuccess}
		if _, _, err := jobs.Add(b.Context(), feed.User(user), feed.Note{ID: ulid.Make().String(), At: now, Data: data}); err != nil {
			b.Fatal(err)
		}
	}
	handler := &session.Default{
		Gateway: gateway, Connections: connections, Feed: jobs, Verifier: tokens{}, Limits: session.Limits{MaxPosts: 1 << 30},
		Broadcaster: &broadcast.Broadcaster{Store: connections, Sender: gateway},
	}
	request := session.Request{Body: syncInBatches}
	request.RequestContext.ConnectionID = connectionID
	sync := func() {
		if response, err := handler.Handle(b.Context(), request); err != nil || response.StatusCode != 200 {
			b.Fatal(response, err)
		}
	}
	sync()
	answer := decodeAnswer(b, gateway.frame)
	benchtest.Compare(b, 1, sync, func() {
		if _, err := json.Marshal(answer); err != nil {
			b.Fatal(err)
		}
	})
}

// plainBatch and plainFrame are a batch and its frames for encoding/json.
type plainBatch struct {
	Type, Timestamp string
	Data            struct{ Frames []plainFrame }
}

type plainFrame struct {
	Type, Timestamp, ID, Job, Epoch string
	Seq                             int64
	Data                            any
}

// decodeAnswer decodes the answer to a sync of 62 frames: welcome, 10 states, 50 notes and synced.
func decodeAnswer(b *testing.B, frame []byte) plainBatch {
	b.Helper()
	var answer plainBatch
	if err := json.Unmarshal(frame, &answer); err != nil {
		b.Fatal(err)
	}
	if n := len(answer.Data.Frames); n != 62 {
		b.Fatalf("the answer has %d frames, want 62", n)
	}
	batch, err := message.Parse(frame)
	if err != nil {
		b.Fatal(err)
	}
	frames, err := unpack(batch, frame)
	if err != nil {
		b.Fatal(err)
	}
	for i, e := range frames {
		answer.Data.Frames[i].Data = e.Data
	}
	return answer
}
