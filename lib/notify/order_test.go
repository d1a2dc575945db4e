package notify_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// TestClientsNeverGoBackAndEndOnTheStoredState lets four workers report what they like, with posts that overtake each
// other. A client that drops what is not newer sees a progress that never falls, at most four pushes a second besides
// the urgent ones, and at the end what is stored, but for a movement that is not worth a push.
func TestClientsNeverGoBackAndEndOnTheStoredState(t *testing.T) {
	reordered := 0
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := &dice{r: rand.New(rand.NewPCG(seed, 1))}
				memory, to := &feed.Memory{}, newTabs()
				to.delay = func() time.Duration { return time.Duration(random.upTo(800)) * ms }
				var workers sync.WaitGroup
				for w := range 4 {
					n := worker(t, memory, to)
					workers.Go(func() { work(t, n, random, strconv.Itoa(w), seed%2 == 0) })
				}
				workers.Wait()
				if seed%3 > 0 { // the rest ends as it happens
					publish(t, worker(t, memory, to), random.last())
				}
				stored := row(t, memory)
				reordered += watch(t, to.got(), stored)
				atMostFourASecond(t, to.sent())
			})
		})
	}
	if reordered == 0 {
		t.Error("no frame was overtaken: the test proves nothing")
	}
}

// dice are random numbers for several goroutines.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (d *dice) upTo(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()

	return d.r.IntN(n)
}

// last returns an update after which the tabs have the stored state.
func (d *dice) last() message.Request {
	return []message.Request{ended(message.StatusSucceeded), ended(message.StatusFailed), inPhase(at(0), "the last")}[d.upTo(3)]
}

func inPhase(r message.Request, name string) message.Request {
	return with(r, func(p *message.UploadProgress) { p.Phase = name })
}

// work makes random updates: of a part of its own, or of the whole job.
func work(t *testing.T, n *notify.Notifier, random *dice, name string, parts bool) {
	t.Helper()
	done := int64(0)
	for i := range 40 {
		time.Sleep(time.Duration(random.upTo(300)) * ms)
		r := at(float64(random.upTo(60*(i+1))) / 25) // up to 96, and often less than before
		switch {
		case random.upTo(20) == 0:
			r = inPhase(r, fmt.Sprint("phase ", i))
		case parts:
			done += 1 + int64(random.upTo(60)) // a repetition is posted again, whenever it comes
			r = part(name, done, 10_000)
		}
		publish(t, n, r)
	}
}

// watch looks at the frames in the order of their arrival as a client does, and returns how many it dropped.
func watch(t *testing.T, frames []message.Envelope, stored feed.Row) int {
	t.Helper()
	var has message.Envelope
	dropped, progress := 0, 0.0
	for _, e := range frames {
		if e.Epoch < has.Epoch || e.Epoch == has.Epoch && e.Seq <= has.Seq {
			dropped++

			continue
		}
		state, _ := message.AsUploadProgress(e.Data)
		if state.Progress < progress {
			t.Errorf("seq %d: progress falls from %v to %v", e.Seq, progress, state.Progress)
		}
		has, progress = e, state.Progress
	}
	if has.Seq != stored.PushedSeq {
		t.Errorf("the client has seq %d, the last push was of %d", has.Seq, stored.PushedSeq)
	}
	if behind := stored.VisibleState().Progress - progress; !stored.Pushed() && behind >= message.MinPushProgress {
		t.Errorf("the client is %v %% behind", behind)
	}
	if want := stored.Envelope(); stored.Pushed() {
		if diff := cmp.Diff(want, has); diff != "" {
			t.Errorf("the client's last frame (-stored +got):\n%s", diff)
		}
	}

	return dropped
}

// atMostFourASecond looks at every second that begins with a push, and counts those in it that changed nothing but the
// progress.
func atMostFourASecond(t *testing.T, posts []post) {
	t.Helper()
	type frame struct {
		at     time.Duration
		urgent bool
	}
	var frames []frame
	var before message.UploadProgress
	for _, p := range posts {
		e, err := message.Parse([]byte(p.Frame))
		if err != nil {
			t.Fatal(err)
		}
		state, _ := message.AsUploadProgress(e.Data)
		frames = append(frames, frame{p.At, len(frames) == 0 || state.Phase != before.Phase || state.Status.Terminal()})
		before = state
	}
	for i, first := range frames {
		n, urgent := 0, 0
		for _, f := range frames[i:] {
			if f.at >= first.at+time.Second {
				break
			}
			if n++; f.urgent {
				urgent++
			}
		}
		if n > 4+urgent {
			t.Errorf("%d pushes in the second after %v, of which %d are urgent", n, first.at, urgent)
		}
	}
}
