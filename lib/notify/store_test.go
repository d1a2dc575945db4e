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

func keyed(r message.Request) message.Request {
	r.Key = "k"

	return r
}

// part returns a request with the state of a part of job "j".
func part(id string, done, total int64) message.Request {
	r := at(0)
	r.Part = &message.Part{ID: id, Done: done, Total: total}

	return r
}

func note(key string) message.Request {
	return message.Request{UserID: "u1", Key: key, Message: message.Notification{Title: "t", Message: "m", Severity: message.SeverityInfo}}
}

func TestStoreFailures(t *testing.T) {
	always, once := false, true
	for _, tt := range []struct {
		name   string
		r      message.Request
		method string
		fault  fault
		once   bool
		err    error
		posted bool  // to both tabs
		seq    int64 // of the frame
	}{
		{"state", at(10), "Apply", notApplied, always, nil, true, 0},
		{"state, for once", at(10), "Apply", notApplied, once, nil, true, 0},
		{"state, applied", at(10), "Apply", applied, once, nil, true, 2},
		{"state, the store hangs", at(10), "Apply", hangs, always, nil, true, 0},
		{"state with a key", keyed(at(10)), "Apply", notApplied, always, nil, true, 0},
		{"state with a key, for once", keyed(at(10)), "Apply", notApplied, once, nil, true, 2},
		{"state with a key, applied", keyed(at(10)), "Apply", applied, once, nil, true, 2},
		{"part", part("a", 10, 100), "Apply", notApplied, always, notify.StoreError{}, false, 0},
		{"part, for once", part("a", 10, 100), "Apply", notApplied, once, nil, true, 2},
		{"part, applied", part("a", 10, 100), "Apply", applied, once, nil, true, 2},
		{"terminal", ended(message.StatusFailed), "Apply", notApplied, always, notify.StoreError{}, false, 0},
		{"terminal, for once", ended(message.StatusFailed), "Apply", notApplied, once, nil, true, 2},
		{"terminal, applied", ended(message.StatusFailed), "Apply", applied, once, nil, true, 2},
		{"terminal, applied, and the store stays down", ended(message.StatusFailed), "Apply", applied, always, notify.StoreError{}, false, 0},
		{"note", note(""), "Add", notApplied, always, nil, true, 0},
		{"note, for once", note(""), "Add", notApplied, once, nil, true, 0},
		{"note, applied", note(""), "Add", applied, once, nil, true, 0},
		{"note, the store hangs", note(""), "Add", hangs, always, nil, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				publish(t, worker(t, memory, newTabs()), at(1))
				time.Sleep(time.Minute)
				f := &faulty{Memory: memory, fault: map[string]fault{tt.method: tt.fault}, once: tt.once}
				start := time.Now()
				if err := worker(t, f, to).Publish(t.Context(), tt.r); err != tt.err {
					t.Errorf("error is %v, want %v", err, tt.err)
				}
				if took := time.Since(start); took > notify.StoreTimeout {
					t.Errorf("took %v, want at most %v", took, notify.StoreTimeout)
				}
				got := to.got()
				if posted := len(got) == 1; posted != tt.posted {
					t.Fatalf("posted %v, want that it is %v", got, tt.posted)
				}
				if tt.posted && (got[0].Seq != tt.seq || (got[0].Epoch != "") != (tt.seq > 0)) {
					t.Errorf("frame has epoch %q and seq %d, want %d", got[0].Epoch, got[0].Seq, tt.seq)
				}
			})
		})
	}
}

func TestAMessageNeitherStoredNorDeliveredIsAStoreError(t *testing.T) {
	for name, r := range map[string]message.Request{"state": at(10), "note": note("")} {
		t.Run(name, func(t *testing.T) {
			f := &faulty{Memory: &feed.Memory{}, fault: map[string]fault{"Apply": notApplied, "Add": notApplied}}
			away := worker(t, f, newTabs())
			away.Broadcaster.Store = &connection.Memory{}
			deaf := newTabs()
			deaf.err = errors.New("403")
			for why, n := range map[string]*notify.Notifier{"nobody is connected": away, "every post fails": worker(t, f, deaf)} {
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
			"refused": errors.New("403"), "throttled": broadcast.ErrThrottled, "out of order": broadcast.ErrUnavailable, "gone": broadcast.ErrGone,
		} {
			memory, to := &feed.Memory{}, newTabs()
			to.err = fail
			n := worker(t, memory, to)
			for _, r := range []message.Request{at(10), part("a", 1, 2), note(""), ended(message.StatusSucceeded)} {
				if err := n.Publish(t.Context(), r); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if notes, err := memory.Notes(t.Context(), feed.User("u1"), "", 9); err != nil || len(notes) != 1 {
				t.Errorf("%s: notes are %v, %v", name, notes, err)
			}
			if got := row(t, memory); got.State.Status != message.StatusSucceeded || got.Seq != 3 {
				t.Errorf("%s: row is %+v", name, got)
			}
		}
	})
}

func TestARetriedTaskNeitherRepeatsNorReorders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		n := worker(t, memory, to)
		send := func(r message.Request, outcome feed.Outcome, seq int64) {
			t.Helper()
			out, err := n.Handle(t.Context(), encode(t, r))
			if err != nil || out.Outcome != outcome || out.Seq != seq || out.Stored != outcome.ShouldPost() {
				t.Errorf("%+v, %v; want %s with seq %d", out, err, outcome, seq)
			}
			time.Sleep(time.Minute)
		}
		send(keyed(at(10)), feed.Accepted, 1)
		send(keyed(at(10)), feed.Duplicate, 1)
		send(at(20), feed.Accepted, 2)
		send(keyed(at(10)), feed.Duplicate, 2)
		older := at(90)
		older.Epoch = "1999-12-31T09:00:00.000Z#0000"
		send(older, feed.Stale, 2)
		send(ended(message.StatusFailed), feed.Accepted, 3)
		send(at(30), feed.Ignored, 3)
		frames := to.sent()
		if len(frames) != 5 {
			t.Fatalf("posted %v, want what was accepted and what was repeated", frames)
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
		n := worker(t, memory, to)
		for _, outcome := range []feed.Outcome{feed.Accepted, feed.Duplicate} {
			out, err := n.Handle(t.Context(), encode(t, note("k")))
			if err != nil || out.Outcome != outcome || !out.Stored || out.Delivered != 2 {
				t.Errorf("%+v, %v; want %s", out, err, outcome)
			}
			time.Sleep(time.Second)
		}
		if posts := to.sent(); len(posts) != 2 || posts[0].Frame != posts[1].Frame {
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
		r := part(fmt.Sprint(i), 1, 1000)
		u := feed.Update{State: r.Message.(message.UploadProgress), Epoch: r.Epoch, Part: r.Part, At: time.Now()}
		if _, outcome, err := memory.Apply(t.Context(), feed.User("u1"), u); err != nil || outcome != feed.Accepted {
			t.Fatal(outcome, err)
		}
	}
	want := notify.InvalidMessage{Reason: "part.id must be one of at most 256 of a job"}
	if err := worker(t, memory, newTabs()).Publish(t.Context(), part("more", 1, 1000)); err != want {
		t.Errorf("%v, want %v", err, want)
	}
}

// encode returns a request as the task's input.
func encode(t *testing.T, r message.Request) json.RawMessage {
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

func orNull(s string) any {
	if s == "" {
		return nil
	}

	return s
}
