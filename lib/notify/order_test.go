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

// TestClientsNeverGoBackAndEndOnTheStoredState lets four workers publish random states, while posts overtake each other. A client
// that drops a frame that is not newer than its last must see that:
//
//   - progress never falls;
//   - there are at most four pushes a second, not counting urgent states;
//   - the last state is the stored one, or differs by less progress than is pushed.
func TestClientsNeverGoBackAndEndOnTheStoredState(t *testing.T) {
	reordered := 0
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := &sharedRandom{r: rand.New(rand.NewPCG(seed, 1))}
				memory, to := &feed.Memory{}, newTabs()
				to.delay = func() time.Duration { return time.Duration(random.below(800)) * ms }
				var workers sync.WaitGroup
				for w := range 4 {
					n := newNotifier(t, memory, to)
					workers.Go(func() { publishRandomly(t, n, random, strconv.Itoa(w), seed%2 == 0) })
				}
				workers.Wait()
				if seed%3 > 0 { // in two of three runs, the last state is urgent, so that the tabs get it
					publish(t, newNotifier(t, memory, to), random.urgent())
				}
				stored := jobRow(t, memory)
				reordered += checkAsClient(t, to.received(), stored)
				atMostFourASecond(t, to.posted())
			})
		})
	}
	if reordered == 0 {
		t.Error("no frame was overtaken: the test proves nothing")
	}
}

// sharedRandom makes random numbers for several goroutines.
type sharedRandom struct {
	mu sync.Mutex
	r  *rand.Rand
}

// below returns a random number from 0 to n-1.
func (s *sharedRandom) below(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.r.IntN(n)
}

// urgent returns a state that is pushed at once: an end or a new phase.
func (s *sharedRandom) urgent() message.Request {
	return []message.Request{endedWith(message.StatusSucceeded), endedWith(message.StatusFailed), inPhase(stateAt(0), "the last")}[s.below(3)]
}

// inPhase returns r with its state in another phase.
func inPhase(r message.Request, name string) message.Request {
	return withState(r, func(p *message.UploadProgress) { p.Phase = name })
}

// publishRandomly publishes 40 random states after random pauses: states of the part that name identifies, or of the whole job.
func publishRandomly(t *testing.T, n *notify.Notifier, random *sharedRandom, name string, parts bool) {
	t.Helper()
	done := int64(0)
	for i := range 40 {
		time.Sleep(time.Duration(random.below(300)) * ms)
		r := stateAt(float64(random.below(60*(i+1))) / 25) // below 96 %, and often less than in the state before
		switch {
		case random.below(20) == 0:
			r = inPhase(r, fmt.Sprint("phase ", i))
		case parts:
			done += 1 + int64(random.below(60)) // at least 1, because a state that repeats the last one is posted again
			r = partState(name, done, 10_000)
		}
		publish(t, n, r)
	}
}

// checkAsClient handles the frames in the order of their arrival, as a client does, and checks what the client shows. stored is the
// job's row at the end. It returns how many frames the client dropped.
func checkAsClient(t *testing.T, frames []message.Envelope, stored feed.Row) int {
	t.Helper()
	var last message.Envelope // the newest frame that the client has
	dropped, progress := 0, 0.0
	for _, e := range frames {
		if e.Epoch < last.Epoch || e.Epoch == last.Epoch && e.Seq <= last.Seq {
			dropped++

			continue
		}
		state, _ := message.AsUploadProgress(e.Data)
		if state.Progress < progress {
			t.Errorf("seq %d: progress falls from %v to %v", e.Seq, progress, state.Progress)
		}
		last, progress = e, state.Progress
	}
	if last.Seq != stored.PushedSeq {
		t.Errorf("the client has seq %d, the last push had seq %d", last.Seq, stored.PushedSeq)
	}
	if behind := stored.VisibleState().Progress - progress; !stored.Pushed() && behind >= message.MinPushProgress {
		t.Errorf("the client is %v %% behind", behind)
	}
	if want := stored.Envelope(); stored.Pushed() {
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("the client's last frame (-stored +got):\n%s", diff)
		}
	}

	return dropped
}

// atMostFourASecond checks each second that begins with a push: at most four pushes of it changed nothing but the progress. The
// others are urgent.
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
		isFirst, newPhase := len(frames) == 0, state.Phase != before.Phase
		frames = append(frames, frame{p.At, isFirst || newPhase || state.Status.Terminal()})
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
