package notify_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// TestACallerThatDoesNotWaitIsAnsweredAtOnce sends states with "wait": false. The notifier stores each, posts those whose push is due,
// and says which are pending.
func TestACallerThatDoesNotWaitIsAnsweredAtOnce(t *testing.T) {
	type call struct {
		at       time.Duration
		progress float64
		wait     string // the field wait, or nothing
		took     time.Duration
		pending  bool
	}
	for name, calls := range map[string][]call{
		"the first state is pushed": {{0, 0, `"wait":false,`, 0, false}},
		"a state before its push is stored": {
			{0, 0, `"wait":false,`, 0, false}, {100 * ms, 5, `"wait":false,`, 0, true}, {249 * ms, 9, `"wait":false,`, 0, true},
			{250 * ms, 10, `"wait":false,`, 0, false},
		},
		"under one percent is stored for two seconds": {
			{0, 0, `"wait":false,`, 0, false}, {1900 * ms, 0.5, `"wait":false,`, 0, true}, {2000 * ms, 0.6, `"wait":false,`, 0, false},
		},
		"a caller that waits is pending only if its push is far away": {
			{0, 0, ``, 0, false}, {100 * ms, 0.5, ``, 0, true}, {200 * ms, 5, `"wait":true,`, 50 * ms, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				to := newTabs()
				n := newNotifier(t, &feed.Memory{}, to)
				posts := 0
				for _, c := range calls {
					time.Sleep(time.Until(start.Add(c.at)))
					began := time.Now()
					out, err := n.Handle(t.Context(), json.RawMessage(fmt.Sprintf(`{"userId":"u1",%s"message":{"type":"upload_progress",`+
						`"data":{"uploadId":"up-1","fileName":"f.csv","progress":%g,"message":"m"}}}`, c.wait, c.progress)))
					if err != nil {
						t.Fatal(err)
					}
					if !c.pending {
						posts++
					}
					if took := time.Since(began); took != c.took || out.Pending != c.pending || !out.Stored || len(to.posted()) != posts {
						t.Errorf("at %v: took %v, %+v, %d posts; want %v, pending %v, %d posts", c.at, took, out, len(to.posted()), c.took, c.pending, posts)
					}
				}
			})
		})
	}
}

// TestAPendingPartIsPushedOnce sends a part again that was pending, before and after another part has pushed it.
func TestAPendingPartIsPushedOnce(t *testing.T) {
	for name, otherPushes := range map[string]bool{"nothing follows": false, "another part pushes": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to := newTabs()
				n := newNotifier(t, &feed.Memory{}, to)
				send := func(id string, done int, wait string) notify.Output {
					t.Helper()
					out, err := n.Handle(t.Context(), json.RawMessage(fmt.Sprintf(`{"userId":"u1","part":{"id":%q,"done":%d,"total":1000},%s`+
						`"message":{"type":"upload_progress","data":{"uploadId":"j","fileName":"f.csv","progress":0,"message":"m"}}}`, id, done, wait)))
					if err != nil {
						t.Fatal(err)
					}
					return out
				}
				send("a", 0, `"wait":false,`)
				if far := send("a", 2, `"wait":false,`); far.Pending {
					t.Error("a part whose push is far away is pending, although other parts will push it")
				}
				time.Sleep(100 * ms)
				if near := send("a", 100, `"wait":false,`); !near.Pending {
					t.Error("a part whose push is near is not pending")
				}
				time.Sleep(time.Second)
				if otherPushes {
					send("b", 100, `"wait":false,`)
				}
				for range 2 {
					if again := send("a", 100, `"wait":false,`); again.Pending || !again.Stored {
						t.Errorf("sent again: %+v", again)
					}
				}
				if got := len(to.posted()); got != 2 {
					t.Errorf("%d posts, want the first state and one more", got)
				}
			})
		})
	}
}

// TestAStateThatAnotherCallerPushesIsNotPending lets two callers wait for one push.
func TestAStateThatAnotherCallerPushesIsNotPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		publishAll(t, memory, to, []step{{0, stateAt(0)}})
		pending := make(chan bool, 2)
		for _, percent := range []float64{5, 6} {
			go func() {
				raw := fmt.Sprintf(`{"userId":"u1","message":{"type":"upload_progress",`+
					`"data":{"uploadId":"j","fileName":"f.csv","progress":%g,"message":"m","phase":"p"}}}`, percent)
				out, err := newNotifier(t, memory, to).Handle(t.Context(), json.RawMessage(raw))
				if err != nil {
					t.Error(err)
				}
				pending <- out.Pending
			}()
		}
		for range 2 {
			if <-pending {
				t.Error("a state is pending, although another caller's push had it")
			}
		}
		if got := len(to.posted()); got != 2 {
			t.Errorf("%d posts, want the first state and one for both", got)
		}
	})
}

// TestAnEndIsPushedForACallerThatDoesNotWait sends what is urgent right after another state.
func TestAnEndIsPushedForACallerThatDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		n := newNotifier(t, memory, to)
		for _, r := range []message.Request{stateAt(0), inPhase(stateAt(1), "q"), endedWith(message.StatusSucceeded)} {
			r.NoWait = true
			publish(t, n, r)
		}
		if got := len(to.posted()); got != 3 {
			t.Errorf("%d posts, want all three at once", got)
		}
	})
}
