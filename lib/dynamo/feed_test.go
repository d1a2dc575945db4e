package dynamo_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/feed/feedtest"
	"github.com/herald-progress/herald/lib/message"
)

// These tests run on the emulators. The tests of one emulator do not disturb each other: each opens a new table. openFeed also returns
// the wire, on which a test lets requests fail and counts them.

func TestFeedMeetsTheStoreContract(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, _ := openFeed(t, variable, nil)
			feedtest.Run(t, func(*testing.T) feed.Store { return store })
		})
	}
}

func TestFeedExpiresNotesAndCorrectsClocks(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			feedtest.RunClock(t, func(t *testing.T) (feed.Store, feedtest.Clock) {
				t.Helper()
				store, w := openFeed(t, variable, nil)
				store.Now = w.Now
				return store, w
			})
		})
	}
}

func TestRetriesSucceedWhenFeedRequestsFail(t *testing.T) {
	for name, variable := range endpoints {
		for retries, newRetryer := range retryers {
			t.Run(name+", "+retries, func(t *testing.T) {
				t.Parallel()
				const seed, rate = 4711, 0.1 // A tenth of the requests fails.
				faults := feedtest.NewFaults(seed, rate)
				store, w := openFeed(t, variable, newRetryer())
				w.setFault(func(string) feedtest.Fault { return faults.Next() })
				feedtest.RunFaulty(t, func(*testing.T) feed.Store { return store })
				if faults.Injected() == 0 {
					t.Error("no request failed")
				}
			})
		}
	}
}

// failNth returns a fault for [wire]: the nth request of an operation fails.
func failNth(operation string, n int, fault feedtest.Fault) func(string) feedtest.Fault {
	return func(sent string) feedtest.Fault {
		if sent == operation {
			if n--; n == 0 {
				return fault
			}
		}
		return feedtest.NoFault
	}
}

// stateUpdate returns a running state of a job. Its ID depends on the arguments.
func stateUpdate(job string, progress float64, at time.Time) feed.Update {
	data := message.UploadProgress{UploadID: job, FileName: "f.csv", Progress: progress, Message: "m", Phase: "parse"}
	return feed.Update{State: data, Epoch: "2026-11-22T10:00:00.123Z#0000", ID: fmt.Sprint(job, progress, at.UnixMilli()), At: at}
}

// partUpdate returns an update of a part of a job of 1,000 steps.
func partUpdate(job, id string, done int64, at time.Time) feed.Update {
	u := stateUpdate(job, 0, at)
	u.ID = fmt.Sprint(id, done)
	u.Part = &message.Part{ID: id, Done: done, Total: 1000}
	return u
}

// onlyPointer returns the only pointer of the execution "arn".
func onlyPointer(t *testing.T, s *dynamo.Feed) feed.Pointer {
	t.Helper()
	all := collectPointers(t, s, "arn")
	if len(all) != 1 {
		t.Fatalf("the pointers are %+v, want one", all)
	}
	return all[0]
}

func TestRequestsPerUpdate(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, w := openFeed(t, variable, aws.NopRetryer{})
			other := &dynamo.Feed{Client: store.Client, Table: store.Table} // another process
			w.requests()                                                    // Forget the requests that created the table.
			at := time.Now()
			execution := stateUpdate("job", 5, at.Add(5*time.Second))
			execution.Execution = "arn"
			const pointerThenRow = "PutItem PutItem"
			otherPart := partUpdate("job", "2", 1, at.Add(6*time.Second))
			otherPart.Execution = execution.Execution
			end := stateUpdate("job", 100, at.Add(7*time.Second))
			end.State.Status = message.StatusSucceeded
			for _, step := range []struct {
				what  string
				store *dynamo.Feed
				u     feed.Update
				want  string
			}{
				{"the first update of a job", store, stateUpdate("job", 1, at), "GetItem PutItem"},
				{"the same process again", store, stateUpdate("job", 2, at), "PutItem"},
				{"another process", other, stateUpdate("job", 3, at), "GetItem PutItem"},
				{"the first process, after its cached row is too old", store, stateUpdate("job", 4, at.Add(5*time.Second)), "GetItem PutItem"},
				{"the same update again", store, stateUpdate("job", 4, at.Add(5*time.Second)), "GetItem"},
				{"the first update with an execution", store, execution, pointerThenRow},
				{"the execution again", store, func() feed.Update { u := execution; u.ID = "again"; return u }(), "PutItem"},
				{"the first update of a part", store, partUpdate("job", "1", 1, at), "UpdateItem"},
				{"the second update of the part", store, partUpdate("job", "1", 2, at.Add(6*time.Second)), "UpdateItem"},
				{"another part in another process", other, otherPart, "UpdateItem"},
				{"the first part, in the first process again", store, partUpdate("job", "1", 3, at.Add(6*time.Second)), "UpdateItem"},
				{"the same update of the part again", store, partUpdate("job", "1", 3, at.Add(6*time.Second)), "GetItem"},
				{"the end", store, end, "PutItem DeleteItem PutItem"},
			} {
				step.u.Epoch = epochAt(at, 0) // a job that began less than a day ago
				if _, _, err := step.store.Apply(t.Context(), "user/u", step.u); err != nil {
					t.Fatalf("%s: %v", step.what, err)
				}
				if got := w.requests(); got != step.want {
					t.Errorf("%s costs %s, want %s", step.what, got, step.want)
				}
			}
		})
	}
}

// TestClaimPushSucceedsWhenItsResponseIsLost loses the response to an applied request. The SDK resends the request. Then the condition
// fails, because the first request was applied.
func TestClaimPushSucceedsWhenItsResponseIsLost(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, w := openFeed(t, variable, retryers["the SDK retries"]())
			at := time.Now()
			if _, _, err := store.Apply(t.Context(), "user/u", stateUpdate("job", 1, at)); err != nil {
				t.Fatal(err)
			}
			row, _, err := store.Apply(t.Context(), "user/u", partUpdate("job", "1", 1, at))
			if err != nil {
				t.Fatal(err)
			}
			w.setFault(failNth("UpdateItem", 1, feedtest.Applied))
			if got, won, err := store.ClaimPush(t.Context(), row, at); err != nil || !won || !got.Pushed() {
				t.Errorf("ClaimPush: %+v, %t, %v", got, won, err)
			}
			if _, won, err := store.ClaimPush(t.Context(), row, at); err != nil || won {
				t.Errorf("ClaimPush of another process: %t, %v", won, err)
			}
		})
	}
}

// TestDismissReportsANoteWhenItsResponseIsLost loses the response to an applied request. The SDK resends the request, which finds no
// note, because the first request has deleted it.
func TestDismissReportsANoteWhenItsResponseIsLost(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, w := openFeed(t, variable, retryers["the SDK retries"]())
			note := feed.Note{ID: "01JD900000000000000000001", At: time.Now(), Data: message.Error{Code: "C", Message: "m"}}
			if _, _, err := store.Add(t.Context(), "user/u", note); err != nil {
				t.Fatal(err)
			}
			w.setFault(failNth("DeleteItem", 1, feedtest.Applied))
			if existed, err := store.Dismiss(t.Context(), "user/u", note.ID); err != nil || !existed {
				t.Errorf("Dismiss: %t, %v", existed, err)
			}
			if existed, err := store.Dismiss(t.Context(), "user/u", note.ID); err != nil || existed {
				t.Errorf("Dismiss of a deleted note: %t, %v", existed, err)
			}
		})
	}
}

// TestAddStoresTheNoteOfAnInterruptedTry adds a note twice. The first try writes the key and fails before it writes the note.
func TestAddStoresTheNoteOfAnInterruptedTry(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, w := openFeed(t, variable, aws.NopRetryer{})
			at := time.Now().UTC().Truncate(time.Millisecond)
			note := feed.Note{ID: "01JD900000000000000000001", At: at, Data: message.Error{Code: "C", Message: "m"}, Key: "key"}
			w.setFault(failNth("PutItem", 2, feedtest.NotApplied))
			if _, _, err := store.Add(t.Context(), "user/u", note); err == nil {
				t.Fatal("the first try did not fail")
			}
			if notes, err := store.Notes(t.Context(), "user/u", "", 50); err != nil || len(notes) != 0 {
				t.Fatalf("after the first try: %+v, %v", notes, err)
			}
			again := note
			again.ID, again.At = "01JD900000000000000000002", at.Add(time.Second)
			got, outcome, err := store.Add(t.Context(), "user/u", again)
			if err != nil || outcome != feed.Duplicate || got.ID != note.ID || !got.At.Equal(at) {
				t.Errorf("the second try: %+v, %q, %v", got, outcome, err)
			}
			if notes, err := store.Notes(t.Context(), "user/u", "", 50); err != nil || len(notes) != 1 || notes[0].ID != note.ID {
				t.Errorf("after the second try: %+v, %v", notes, err)
			}
		})
	}
}

// TestPointerIsWrittenBeforeItsRow lets first the write of the pointer fail, then the write of the row. A row must never be without a
// pointer, because then nothing would end the job when its execution dies.
func TestPointerIsWrittenBeforeItsRow(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, w := openFeed(t, variable, aws.NopRetryer{})
			u := stateUpdate("job", 1, time.Now())
			u.Execution = "arn"
			w.setFault(failNth("PutItem", 1, feedtest.NotApplied))
			if _, _, err := store.Apply(t.Context(), "user/u", u); err == nil {
				t.Fatal("the pointer's write did not fail")
			}
			if _, err := store.Job(t.Context(), "user/u", "job"); err == nil {
				t.Fatal("there is a row without a pointer")
			}
			w.setFault(failNth("PutItem", 2, feedtest.NotApplied))
			if _, _, err := store.Apply(t.Context(), "user/u", u); err == nil {
				t.Fatal("the row's write did not fail")
			}
			if _, outcome, err := store.Apply(t.Context(), "user/u", u); err != nil || outcome != feed.Accepted {
				t.Fatalf("Apply: %q, %v", outcome, err)
			}
			if p := onlyPointer(t, store); p.Job != "job" {
				t.Errorf("the pointer is %+v", p)
			}
		})
	}
}

// TestConditionsCheckCachedRows lets another process change a row after the first process has cached it: it claims a push, and then
// it begins a new run. The next update of the first process must not undo either.
func TestConditionsCheckCachedRows(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, _ := openFeed(t, variable, aws.NopRetryer{})
			other := &dynamo.Feed{Client: store.Client, Table: store.Table}
			at := time.Now().UTC().Truncate(time.Millisecond)
			apply := func(s *dynamo.Feed, u feed.Update, want feed.Outcome) feed.Row {
				t.Helper()
				row, outcome, err := s.Apply(t.Context(), "user/u", u)
				if err != nil || outcome != want {
					t.Fatalf("Apply: %q, %v, want %q", outcome, err, want)
				}
				return row
			}
			apply(store, stateUpdate("job", 1, at), feed.Accepted)
			row := apply(store, partUpdate("job", "1", 100, at.Add(time.Second)), feed.Accepted)
			if _, won, err := other.ClaimPush(t.Context(), row, at.Add(time.Second)); err != nil || !won {
				t.Fatalf("ClaimPush: %t, %v", won, err)
			}
			row = apply(store, stateUpdate("job", 20, at.Add(1100*time.Millisecond)), feed.Accepted)
			if row.Pushed() || !row.PushedAt.Equal(at.Add(time.Second)) {
				t.Errorf("100 ms after the push of another process, Pushed is %t, the push is at %v", row.Pushed(), row.PushedAt)
			}

			redriven := stateUpdate("job", 1, at.Add(1200*time.Millisecond))
			redriven.Epoch, redriven.Execution = "2026-11-22T10:00:00.123Z#0001", "arn"
			apply(other, redriven, feed.Accepted)
			late := stateUpdate("job", 30, at.Add(1300*time.Millisecond))
			late.Execution = "arn"
			apply(store, late, feed.Stale)
			if p := onlyPointer(t, store); p.Epoch != redriven.Epoch {
				t.Errorf("after a late update of the earlier epoch, the pointer is %+v", p)
			}
		})
	}
}
