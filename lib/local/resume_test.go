package local_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// liveTab runs a tab until the test ends, and collects its frames.
type liveTab struct {
	*client.Client

	mu     sync.Mutex
	frames []message.Envelope
	socket client.Socket // the newest connection
	dials  int
}

// openLiveTab opens a tab of ann whose tokens are valid for life. If dropEvery is not zero, the tab's connection is dropped after
// each dropEvery frames.
func openLiveTab(t *testing.T, twin *local.Twin, life time.Duration, dropEvery int) *liveTab {
	t.Helper()
	l := &liveTab{}
	l.Client = client.New(client.Config{
		URL:   twin.WebSocketURL(),
		Token: func(context.Context) (string, error) { return twin.Token("ann", life) },
		Dial: func(ctx context.Context, url, token string) (client.Socket, error) {
			socket, err := client.Dial(ctx, url, token)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.socket = socket
			l.dials++
			return socket, err
		},
		OnFrame: func(e message.Envelope, _ []byte) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.frames = append(l.frames, e)
			if dropEvery > 0 && len(l.frames)%dropEvery == 0 {
				_ = l.socket.Drop()
			}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			t.Errorf("the tab gave up: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return l
}

// await waits for a frame of the type and returns all frames up to now.
func (l *liveTab) await(t *testing.T, kind message.Type) []message.Envelope {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		frames := slices.Clone(l.frames)
		l.mu.Unlock()
		if slices.ContainsFunc(frames, func(e message.Envelope) bool { return e.Type == kind }) {
			return frames
		}
	}
	t.Fatalf("no frame of type %s was received", kind)
	return nil
}

// TestDisconnectedTabsMissNothing imports a file while one tab stays connected and another is disconnected repeatedly.
func TestDisconnectedTabsMissNothing(t *testing.T) {
	const bytesPerSecond = 400_000 // slow enough to disconnect the tab during the import
	feedStore := &feed.Memory{}
	twin, err := local.Start(t.Context(), local.Config{BytesPerSecond: bytesPerSecond, Feed: feedStore, IndexLag: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	// The first tab stays connected. The second tab is disconnected after each three frames.
	tabs := []*liveTab{openLiveTab(t, twin, time.Hour, 0), openLiveTab(t, twin, time.Hour, 3)}
	for _, tab := range tabs {
		tab.await(t, message.TypeSynced)
	}
	putPartsList(t, twin, "ann", "u-42")
	for i, tab := range tabs {
		last, steps := -1.0, 0
		for _, e := range tab.await(t, message.TypeNotification) {
			if state, ok := message.AsUploadProgress(e.Data); ok {
				if state.Progress < last {
					t.Errorf("tab %d: the progress fell from %v %% to %v %%", i, last, state.Progress)
				}
				last, steps = state.Progress, steps+1
			}
		}
		if err := tab.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		row, err := feedStore.Job(t.Context(), feed.User("ann"), "u-42")
		if err != nil {
			t.Fatal(err)
		}
		job, _ := tab.View().Job("u-42")
		if diff := cmp.Diff(row.Envelope(), job); diff != "" || !row.State.Status.Terminal() || steps < 2 {
			t.Errorf("tab %d, after %d states, differs from the feed (-feed +tab):\n%s", i, steps, diff)
		}
		if notes := tab.View().Notes(); len(notes) != 1 {
			t.Errorf("tab %d has %d notes, want 1", i, len(notes))
		}
	}
	if tabs[1].dials < 2 {
		t.Error("the second tab was never cut off")
	}
}

// types returns the types of frames.
func types(frames []message.Envelope) (all []message.Type) {
	for _, e := range frames {
		all = append(all, e.Type)
	}
	return all
}

// TestTabIsCurrentAfterOneSync kills a tab during a job, opens another one, and a third one after the job's end.
func TestTabIsCurrentAfterOneSync(t *testing.T) {
	done := make(chan struct{})
	// The state machine and its task have no further fields.
	twin, _ := startWorkflow(t, "", "", func(ctx context.Context) error {
		await(ctx, done)
		return nil
	})
	untilJob(t, twin)
	killed := openTab(t, twin, "ann")
	if err := killed.Drop(); err != nil {
		t.Fatal(err)
	}
	frames := synced(t, openTab(t, twin, "ann"))
	if diff := cmp.Diff([]message.Type{message.TypeWelcome, message.TypeUploadProgress, message.TypeSynced}, types(frames)); diff != "" {
		t.Fatalf("during the job (-want +got):\n%s", diff)
	}
	if state := frames[1].Data.(message.UploadProgress); state.Message != "Working" || frames[1].Seq != 1 {
		t.Errorf("during the job the state is %+v", frames[1])
	}
	notifyByHand(t, twin, `{"userId":"ann","message":{"type":"upload_progress","data":{"uploadId":"u-42","fileName":"f.csv","progress":100,"message":"Done","status":"succeeded"}}}`)
	notifyByHand(t, twin, hello)
	close(done)
	frames = synced(t, openTab(t, twin, "ann"))
	if len(frames) == 4 && frames[1].Type == message.TypeNotification { // states and notes come in any order
		frames[1], frames[2] = frames[2], frames[1]
	}
	want := []message.Type{message.TypeWelcome, message.TypeUploadProgress, message.TypeNotification, message.TypeSynced}
	if diff := cmp.Diff(want, types(frames)); diff != "" {
		t.Fatalf("after the job's end (-want +got):\n%s", diff)
	}
	if state := frames[1].Data.(message.UploadProgress); state.Status != message.StatusSucceeded || !frames[2].Replayed {
		t.Errorf("after the job's end the state is %+v and the note %+v", frames[1], frames[2])
	}
	if diff := cmp.Diff(message.Data(message.Synced{Jobs: 1, Notes: 1}), frames[3].Data); diff != "" {
		t.Errorf("synced (-want +got):\n%s", diff)
	}
}

// notifyByHand invokes the notifier with a request.
func notifyByHand(t *testing.T, twin *local.Twin, payload string) {
	t.Helper()
	invokeByHand(t, twin, local.NotifierName, payload)
}

// invokeByHand invokes a function as an operator does.
func invokeByHand(t *testing.T, twin *local.Twin, function, payload string) {
	t.Helper()
	out, err := lambda.NewFromConfig(twin.AWSConfig()).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &function, Payload: []byte(payload)})
	if err != nil || out.FunctionError != nil {
		t.Fatalf("%s: %v %s", function, err, aws.ToString(out.FunctionError))
	}
}

// TestReaperSendsAClosingFrame moves the stored end of a token to the past.
func TestReaperSendsAClosingFrame(t *testing.T) {
	connections := &connection.Memory{}
	twin, err := local.Start(t.Context(), local.Config{Connections: connections})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	expiring := openTab(t, twin, "ann")
	invokeByHand(t, twin, "herald-reaper", `{"detail-type":"Scheduled Event"}`) // the token is still valid
	for c := range connections.ByUser(t.Context(), "ann") {
		c.TokenExpiresAt = time.Now().Add(-time.Second)
		if err := connections.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	other := openTab(t, twin, "ann")
	invokeByHand(t, twin, "herald-reaper", `{"detail-type":"Scheduled Event"}`)
	e, _, err := expiring.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if closing, ok := e.Data.(message.Closing); !ok || closing.Code != message.CloseTokenExpired || closing.Reconnect {
		t.Errorf("the closing frame is %+v", e)
	}
	if _, _, err := expiring.Next(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("after the closing frame: %v, want a normal close", err)
	}
	notifyByHand(t, twin, hello)
	if frames := until(t, other, func(message.Envelope) bool { return true }); frames[0].Type != message.TypeNotification {
		t.Errorf("the other session received %+v", frames[0])
	}
}

// TestSessionOutlastsItsToken gives a tab tokens that are valid for a few seconds. The client replaces a token after half of its time.
func TestSessionOutlastsItsToken(t *testing.T) {
	t.Parallel() // it waits
	twin, _ := startTwin(t)
	tab := openLiveTab(t, twin, 20*time.Second, 0)
	var ends []message.Time
	for _, e := range tab.await(t, message.TypeRefreshed) {
		switch data := e.Data.(type) {
		case message.Welcome:
			ends = append(ends, data.SessionEnd)
		case message.Refreshed:
			ends = append(ends, data.SessionEnd)
		}
	}
	if len(ends) < 2 || !ends[1].After(ends[0].Time) {
		t.Errorf("the session's end times are %v, want two, the second one later", ends)
	}
	if tab.dials != 1 {
		t.Errorf("%d connections, want 1", tab.dials)
	}
}

// TestTabReconnectsWhenItsConnectionIsNotStored deletes the stored connection of an open tab.
func TestTabReconnectsWhenItsConnectionIsNotStored(t *testing.T) {
	connections := &connection.Memory{}
	twin, err := local.Start(t.Context(), local.Config{Connections: connections})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	tab := openLiveTab(t, twin, time.Hour, 0)
	tab.await(t, message.TypeSynced)
	for c := range connections.ByUser(t.Context(), "ann") {
		if err := connections.Delete(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	notifyByHand(t, twin, hello) // no connection receives it
	if err := tab.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	frames := tab.await(t, message.TypeNotification)
	i := slices.IndexFunc(frames, func(e message.Envelope) bool { return e.Type == message.TypeClosing })
	if i < 0 || !frames[i].Data.(message.Closing).Reconnect {
		t.Errorf("the tab received %+v, want a closing frame after which it connects again", frames)
	}
}
