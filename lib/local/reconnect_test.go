package local_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// countingSocket counts the messages that arrive over a connection.
type countingSocket struct {
	client.Socket

	messages *atomic.Int32
}

func (s countingSocket) Next(ctx context.Context) (message.Envelope, []byte, error) {
	e, raw, err := s.Socket.Next(ctx)
	if err == nil {
		s.messages.Add(1)
	}
	return e, raw, err
}

// TestAReconnectWithFiftyNotesAndTenJobsIsFewMessages: API Gateway charges for each message, and a browser waits for them one after the
// other. A note has 300 bytes, as a sentence with a link has.
func TestAReconnectWithFiftyNotesAndTenJobsIsFewMessages(t *testing.T) {
	store := &feed.Memory{}
	twin, err := local.Start(t.Context(), local.Config{Feed: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	owner := feed.User("ann")
	for n := range 10 {
		state := message.UploadProgress{UploadID: fmt.Sprint("u-", n), FileName: "parts-list.csv", Progress: 42.5, Message: "Importing 10000 rows", Phase: "import"}
		if _, _, err := store.Apply(t.Context(), owner, feed.Update{State: state, ID: ulid.Make().String(), At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 50 {
		note := message.Notification{Title: fmt.Sprint("Imported colors-", n, ".csv"), Message: fmt.Sprintf("%0200d rows were imported", n), Severity: message.SeveritySuccess}
		if _, _, err := store.Add(t.Context(), owner, feed.Note{ID: ulid.Make().String(), At: time.Now(), Data: note}); err != nil {
			t.Fatal(err)
		}
	}

	var messages atomic.Int32
	synced := make(chan int32, 1)
	tab := client.New(client.Config{
		URL:   twin.WebSocketURL(),
		Token: func(context.Context) (string, error) { return twin.Token("ann", time.Hour) },
		Dial: func(ctx context.Context, url, token string) (client.Socket, error) {
			socket, err := client.Dial(ctx, url, token)
			if err != nil {
				return nil, err
			}
			return countingSocket{socket, &messages}, nil
		},
		OnFrame: func(e message.Envelope, _ []byte) {
			if e.Type == message.TypeSynced {
				select {
				case synced <- messages.Load():
				default: // a later sync
				}
			}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = tab.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	select {
	case n := <-synced:
		if n > 4 {
			t.Errorf("%d messages, want at most 4", n)
		}
		t.Logf("%d messages", n)
	case <-time.After(patience):
		t.Fatal("no synced was received")
	}
	if jobs, notes := len(tab.View().Jobs()), len(tab.View().Notes()); jobs != 10 || notes != 50 {
		t.Errorf("%d jobs and %d notes came, want 10 and 50", jobs, notes)
	}
}
