package local_test

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// randomTab is a tab that records what its user sees.
type randomTab struct {
	*client.Client

	user string

	mu     sync.Mutex
	socket *client.Conn // the newest connection
	dials  int
	shown  map[string]message.Envelope
	ended  map[string]string // the newest epoch of which a terminal state was shown, by job
	seen   map[string]bool   // the positions of states and the ids of notes that were shown
	counts verdict           // only Frames, BackwardSteps and AppliedTwice
}

// open runs a tab of the user until the test ends.
func (w *randomWorld) open(user string, noSync bool) *randomTab {
	tab := &randomTab{user: user, shown: map[string]message.Envelope{}, ended: map[string]string{}, seen: map[string]bool{}}
	tab.Client = client.New(client.Config{
		URL: w.twin.WebSocketURL(), OnFrame: tab.recordFrame,
		Token: func(context.Context) (string, error) { return w.twin.Token(user, time.Hour) },
		Dial: func(ctx context.Context, url, token string) (client.Socket, error) {
			socket, err := client.Dial(ctx, url, token)
			if err != nil {
				return nil, err
			}
			tab.mu.Lock()
			defer tab.mu.Unlock()
			tab.socket = socket
			tab.dials++
			if noSync {
				return silentSocket{socket}, nil
			}

			return socket, nil
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tab.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("tab of %s: %v", user, err)
		}
	})
	return tab
}

// silentSocket sends nothing. Without syncs, its tab misses the frames that were sent while it was not connected.
type silentSocket struct{ client.Socket }

func (silentSocket) Send(context.Context, string) error { return nil }

// dropOne cuts the connection of a random tab.
func (w *randomWorld) dropOne() {
	w.tabs[int(w.float()*float64(len(w.tabs)))].drop()
}

// drop cuts the tab's connection, if it has one.
func (tab *randomTab) drop() {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if tab.socket != nil {
		_ = tab.socket.Drop()
	}
}

// recordFrame records a frame that the client shows to the user.
func (tab *randomTab) recordFrame(e message.Envelope, _ []byte) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.counts.Frames++
	state, isState := message.AsUploadProgress(e.Data)
	key := "note " + e.ID
	if isState {
		key = "state " + e.Job + " " + e.Epoch + " " + strconv.FormatInt(e.Seq, 10)
	}
	if e.ID != "" {
		if tab.seen[key] {
			tab.counts.AppliedTwice++
		}
		tab.seen[key] = true
	}
	if !isState {
		return
	}
	before, known := tab.shown[e.Job]
	last, _ := message.AsUploadProgress(before.Data)
	olderRun, sameRun := e.Epoch < before.Epoch, e.Epoch == before.Epoch
	if known && (olderRun || sameRun && (e.Seq <= before.Seq || state.Progress < last.Progress)) {
		tab.counts.BackwardSteps++
	}
	e.Replayed = false // Replayed describes how the frame came, not the state
	tab.shown[e.Job] = e
	if state.Status.Terminal() {
		tab.ended[e.Job] = e.Epoch
	}
}

// waitForViolations waits until nothing is wrong, but not longer than until the given time, and returns the last verdict.
func (w *randomWorld) waitForViolations(until time.Time) verdict {
	for {
		v := w.verdict()
		if !v.Wrong() || !time.Now().Before(until) {
			return v
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// verdict returns the counts up to now.
func (w *randomWorld) verdict() verdict {
	w.mu.Lock()
	v := verdict{Publishes: w.published, Tabs: len(w.tabs), Jobs: len(w.jobs)}
	w.mu.Unlock()
	for _, tab := range w.tabs {
		tab.compare(&v, w)
	}
	return v
}

// compare adds the counts of a tab, and its differences from the feed, to the verdict.
func (tab *randomTab) compare(v *verdict, w *randomWorld) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	v.Reconnects += tab.dials - 1
	v.Frames += tab.counts.Frames
	v.AppliedTwice += tab.counts.AppliedTwice
	v.BackwardSteps += tab.counts.BackwardSteps
	for row, err := range w.feed.Jobs(w.t.Context(), feed.User(tab.user)) {
		if err != nil {
			w.t.Fatal(err)
		}
		want := row.Envelope()
		if tab.ended[want.Job] != row.Epoch {
			v.MissedTerminals++
		}
		got, _ := tab.View().Job(want.Job)
		if !cmp.Equal(want, got) || !cmp.Equal(want, tab.shown[want.Job]) {
			v.Differs++
		}
	}
	storedNotes, err := w.feed.Notes(w.t.Context(), feed.User(tab.user), "", randomNotes*w.scale)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, n := range storedNotes {
		if !tab.seen["note "+n.ID] {
			v.MissedNotes++
		}
	}
}
