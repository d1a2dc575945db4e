package notify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// withKey returns r with an idempotency key.
func withKey(r message.Request) message.Request {
	r.Key = "k"

	return r
}

// partState returns a request with the state of a part of job "j".
func partState(id string, done, total int64) message.Request {
	r := stateAt(0)
	r.Part = &message.Part{ID: id, Done: done, Total: total}

	return r
}

// noteWithKey returns a request with a note, and an idempotency key unless key is empty.
func noteWithKey(key string) message.Request {
	return message.Request{UserID: "u1", Key: key, Message: message.Notification{Title: "t", Message: "m", Severity: message.SeverityInfo}}
}

// TestStoreFailuresLoseNoStateSilently: a message that the feed fails to store is posted without seq, or its task fails.
func TestStoreFailuresLoseNoStateSilently(t *testing.T) {
	always, once := false, true // how many calls fail
	for _, tt := range []struct {
		name   string
		r      message.Request
		method string
		fault  fault
		once   bool
		err    error // of the task
		posted bool  // to the tabs
		seq    int64 // of the frame; 0: the frame has no seq
	}{
		{"state", stateAt(10), "Apply", notApplied, always, nil, true, 0},
		{"state, the first call fails", stateAt(10), "Apply", notApplied, once, nil, true, 0},
		{"state, the first call is applied and fails", stateAt(10), "Apply", applied, once, nil, true, 2},
		{"state, the store hangs", stateAt(10), "Apply", hangs, always, nil, true, 0},
		{"state with a key", withKey(stateAt(10)), "Apply", notApplied, always, nil, true, 0},
		{"state with a key, the first call fails", withKey(stateAt(10)), "Apply", notApplied, once, nil, true, 2},
		{"state with a key, the first call is applied and fails", withKey(stateAt(10)), "Apply", applied, once, nil, true, 2},
		{"part", partState("a", 10, 100), "Apply", notApplied, always, notify.StoreError{}, false, 0},
		{"part, the first call fails", partState("a", 10, 100), "Apply", notApplied, once, nil, true, 2},
		{"part, the first call is applied and fails", partState("a", 10, 100), "Apply", applied, once, nil, true, 2},
		{"terminal", endedWith(message.StatusFailed), "Apply", notApplied, always, notify.StoreError{}, false, 0},
		{"terminal, the first call fails", endedWith(message.StatusFailed), "Apply", notApplied, once, nil, true, 2},
		{"terminal, the first call is applied and fails", endedWith(message.StatusFailed), "Apply", applied, once, nil, true, 2},
		{"terminal, every call is applied and fails", endedWith(message.StatusFailed), "Apply", applied, always, notify.StoreError{}, false, 0},
		{"note", noteWithKey(""), "Add", notApplied, always, nil, true, 0},
		{"note, the first call fails", noteWithKey(""), "Add", notApplied, once, nil, true, 0},
		{"note, the first call is applied and fails", noteWithKey(""), "Add", applied, once, nil, true, 0},
		{"note, the store hangs", noteWithKey(""), "Add", hangs, always, nil, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				publish(t, newNotifier(t, memory, newTabs()), stateAt(1))
				time.Sleep(time.Minute)
				f := &faultyFeed{Memory: memory, fault: map[string]fault{tt.method: tt.fault}, once: tt.once}
				start := time.Now()
				if err := newNotifier(t, f, to).Publish(t.Context(), tt.r); err != tt.err {
					t.Errorf("error is %v, want %v", err, tt.err)
				}
				if took := time.Since(start); took > notify.StoreTimeout {
					t.Errorf("took %v, want at most %v", took, notify.StoreTimeout)
				}
				got := to.received()
				if posted := len(got) == 1; posted != tt.posted {
					t.Fatalf("the tab has %v, want a frame: %v", got, tt.posted)
				}
				if tt.posted && (got[0].Seq != tt.seq || (got[0].Epoch != "") != (tt.seq > 0)) {
					t.Errorf("frame has epoch %q and seq %d, want %d", got[0].Epoch, got[0].Seq, tt.seq)
				}
			})
		})
	}
}

func TestAMessageNeitherStoredNorDeliveredIsAStoreError(t *testing.T) {
	for name, r := range map[string]message.Request{"state": stateAt(10), "note": noteWithKey("")} {
		t.Run(name, func(t *testing.T) {
			f := &faultyFeed{Memory: &feed.Memory{}, fault: map[string]fault{"Apply": notApplied, "Add": notApplied}}
			withoutTabs := newNotifier(t, f, newTabs())
			withoutTabs.Broadcaster.Store = &connection.Memory{}
			failingTabs := newTabs()
			failingTabs.err = errors.New("403")
			for why, n := range map[string]*notify.Notifier{"nobody is connected": withoutTabs, "every post fails": newNotifier(t, f, failingTabs)} {
				if err := n.Publish(t.Context(), r); err != (notify.StoreError{}) {
					t.Errorf("%s: %v, want StoreError", why, err)
				}
			}
		})
	}
}

func TestAStoredMessageSucceedsWithoutDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, fail := range map[string]error{
			"refused": errors.New("403"), "throttled": broadcast.ErrThrottled, "unavailable": broadcast.ErrUnavailable, "gone": broadcast.ErrGone,
		} {
			memory, to := &feed.Memory{}, newTabs()
			to.err = fail
			n := newNotifier(t, memory, to)
			for _, r := range []message.Request{stateAt(10), partState("a", 1, 2), noteWithKey(""), endedWith(message.StatusSucceeded)} {
				if err := n.Publish(t.Context(), r); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if notes, err := memory.Notes(t.Context(), feed.User("u1"), "", 9); err != nil || len(notes) != 1 {
				t.Errorf("%s: notes are %v, %v", name, notes, err)
			}
			if got := jobRow(t, memory); got.State.Status != message.StatusSucceeded || got.Seq != 3 {
				t.Errorf("%s: row is %+v", name, got)
			}
		}
	})
}

func TestARetriedTaskNeitherRepeatsNorReorders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		n := newNotifier(t, memory, to)
		send := func(r message.Request, outcome feed.Outcome, seq int64) {
			t.Helper()
			out, err := n.Handle(t.Context(), inputOf(t, r))
			if err != nil || out.Outcome != outcome || out.Seq != seq || out.Stored != outcome.ShouldPost() {
				t.Errorf("%+v, %v; want %s with seq %d", out, err, outcome, seq)
			}
			time.Sleep(time.Minute)
		}
		send(withKey(stateAt(10)), feed.Accepted, 1)
		send(withKey(stateAt(10)), feed.Duplicate, 1)
		send(stateAt(20), feed.Accepted, 2)
		send(withKey(stateAt(10)), feed.Duplicate, 2)
		older := stateAt(90)
		older.Epoch = "1999-12-31T09:00:00.000Z#0000"
		send(older, feed.Stale, 2)
		send(endedWith(message.StatusFailed), feed.Accepted, 3)
		send(stateAt(30), feed.Ignored, 3)
		frames := to.posted()
		if len(frames) != 5 {
			t.Fatalf("posted %v, want five posts: three accepted states and two repetitions", frames)
		}
		for _, same := range [][2]int{{0, 1}, {2, 3}} {
			if diff := cmp.Diff(frames[same[0]].Frame, frames[same[1]].Frame); diff != "" {
				t.Errorf("a repetition's frame differs (-want +got):\n%s", diff)
			}
		}
	})
}

func TestARetriedNoteIsStoredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		n := newNotifier(t, memory, to)
		for _, outcome := range []feed.Outcome{feed.Accepted, feed.Duplicate} {
			out, err := n.Handle(t.Context(), inputOf(t, noteWithKey("k")))
			if err != nil || out.Outcome != outcome || !out.Stored || out.Delivered != 2 {
				t.Errorf("%+v, %v; want %s", out, err, outcome)
			}
			time.Sleep(time.Second)
		}
		if posts := to.posted(); len(posts) != 2 || posts[0].Frame != posts[1].Frame {
			t.Errorf("posts are %v, want the same frame twice", posts)
		}
		if notes, err := memory.Notes(t.Context(), feed.User("u1"), "", 9); err != nil || len(notes) != 1 {
			t.Errorf("notes are %v, %v; want one", notes, err)
		}
	})
}

func TestMoreThan256PartsAreRefused(t *testing.T) {
	memory := &feed.Memory{}
	for i := range feed.MaxParts {
		r := partState(fmt.Sprint(i), 1, 1000)
		u := feed.Update{State: r.Message.(message.UploadProgress), Epoch: r.Epoch, Part: r.Part, At: time.Now()}
		if _, outcome, err := memory.Apply(t.Context(), feed.User("u1"), u); err != nil || outcome != feed.Accepted {
			t.Fatal(outcome, err)
		}
	}
	want := notify.InvalidMessage{Reason: "part.id must be one of at most 256 of a job"}
	if err := newNotifier(t, memory, newTabs()).Publish(t.Context(), partState("more", 1, 1000)); err != want {
		t.Errorf("%v, want %v", err, want)
	}
}

// inputOf returns a request as the task's input.
func inputOf(t *testing.T, r message.Request) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"userId": r.UserID, "message": map[string]any{"type": r.Message.Type(), "data": r.Message},
		"epoch": orNull(r.Epoch), "key": orNull(r.Key), "part": r.Part,
	})
	if err != nil {
		t.Fatal(err)
	}

	return raw
}

// orNull returns s, or nil for an empty s.
func orNull(s string) any {
	if s == "" {
		return nil
	}

	return s
}
