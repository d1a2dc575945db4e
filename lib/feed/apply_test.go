package feed_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// These tests apply updates to rows without a store. A test case lists the updates before, each of which must be accepted, then one
// more update, and the row and outcome to which this update must lead. running returns an update. inEpoch, withKey, withStatus, inPhase
// and ofPart return changes of an update.

// Epochs of the updates, by the order of the runs.
const (
	firstEpoch    = "2026-11-22T10:00:00.123Z#0000"
	redrivenEpoch = "2026-11-22T10:00:00.123Z#0001"
	laterEpoch    = "2026-11-22T10:00:01.000Z#0000"
	// epochFromTime is the epoch of a run whose first update has no epoch and the time startPlus(1000).
	epochFromTime = "2026-11-22T10:00:01.123Z#0000"
)

// start is the time of most first updates.
var start = time.Date(2026, 11, 22, 10, 0, 0, 123_000_000, time.UTC)

// startPlus returns the time that is some milliseconds after the start.
func startPlus(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// running returns an update of the job "job" in the first epoch, to which it applies the edits.
func running(progress float64, at time.Time, edits ...func(*feed.Update)) feed.Update {
	u := feed.Update{
		State: message.UploadProgress{UploadID: "job", FileName: "f.csv", Progress: progress, Message: "m", Phase: "parse"},
		Epoch: firstEpoch, ID: fmt.Sprint("id ", progress, at.UnixMilli()), At: at,
	}
	for _, edit := range edits {
		edit(&u)
	}
	return u
}

func inEpoch(epoch string) func(*feed.Update) { return func(u *feed.Update) { u.Epoch = epoch } }
func withKey(key string) func(*feed.Update) {
	return func(u *feed.Update) { u.Key, u.ID = key, u.ID+" of another try" }
}
func withStatus(status message.Status) func(*feed.Update) {
	return func(u *feed.Update) { u.State.Status = status }
}
func inAttempt(n int64) func(*feed.Update) {
	return func(u *feed.Update) { u.State.Attempt, u.ID = n, fmt.Sprint(u.ID, " of attempt ", n) }
}
func sentAt(at time.Time) func(*feed.Update) { return func(u *feed.Update) { u.SentAt = at } }
func inPhase(name string) func(*feed.Update) { return func(u *feed.Update) { u.State.Phase = name } }
func ofPart(id string, done, failed int64) func(*feed.Update) {
	return func(u *feed.Update) {
		u.Part = &message.Part{ID: id, Done: done, Total: 100, Failed: failed, From: 20, To: 80}
	}
}

// applyAll applies updates, all of which must be accepted, and returns the row.
func applyAll(t *testing.T, updates ...feed.Update) feed.Row {
	t.Helper()
	row := feed.Row{Owner: feed.User("u")}
	for _, u := range updates {
		next, outcome, err := feed.Apply(row, u)
		if err != nil || outcome != feed.Accepted {
			t.Fatalf("the outcome of the update to %v %% is %q, %v", u.State.Progress, outcome, err)
		}
		row = next
	}
	return row
}

func TestApplyReturnsOutcomeAndRow(t *testing.T) {
	type updates = []feed.Update
	const expiry = 24*3600*1000 - 123 // in milliseconds: a row of start expires a day later, in whole seconds
	at := startPlus(1000)
	half := running(50, start)
	for _, tt := range []struct {
		name    string
		before  updates
		u       feed.Update
		outcome feed.Outcome
		// the row after it
		epoch    string
		seq      int64
		progress float64 // of the visible state
	}{
		{"the first update", nil, half, feed.Accepted, firstEpoch, 1, 50},
		{"the first update, without an epoch", nil, running(50, at, inEpoch("")), feed.Accepted, epochFromTime, 1, 50},
		{"the next", updates{half}, running(60, at), feed.Accepted, firstEpoch, 2, 60},
		{"progress does not fall", updates{half}, running(40, at), feed.Accepted, firstEpoch, 2, 50},

		{"an older epoch", updates{running(50, start, inEpoch(redrivenEpoch))}, running(60, at), feed.Stale, redrivenEpoch, 1, 50},
		{"an older epoch's end", updates{running(50, start, inEpoch(laterEpoch))}, running(60, at, withStatus(message.StatusFailed)), feed.Stale, laterEpoch, 1, 50},
		{"an older epoch's part", updates{running(50, start, inEpoch(laterEpoch))}, running(0, at, ofPart("1", 9, 0)), feed.Stale, laterEpoch, 1, 50},
		{"a redrive", updates{half, running(60, at)}, running(10, at, inEpoch(redrivenEpoch)), feed.Accepted, redrivenEpoch, 1, 10},
		{"a redrive after the end", updates{half, running(60, at, withStatus(message.StatusFailed))}, running(10, at, inEpoch(redrivenEpoch)), feed.Accepted, redrivenEpoch, 1, 10},
		{"a redrive by a part", updates{half, running(0, at, ofPart("1", 50, 0))}, running(0, at, inEpoch(redrivenEpoch), ofPart("2", 10, 0)), feed.Accepted, redrivenEpoch, 1, 26},
		{"a later run", updates{running(50, start, inEpoch(redrivenEpoch))}, running(10, at, inEpoch(laterEpoch)), feed.Accepted, laterEpoch, 1, 10},
		{"a newer epoch after no epoch", updates{running(50, start, inEpoch(""))}, running(10, at, inEpoch(laterEpoch)), feed.Accepted, laterEpoch, 1, 10},
		{"the workflow's epoch after no epoch", updates{running(50, at, inEpoch(""))}, running(10, at), feed.Accepted, epochFromTime, 2, 50},
		{"the workflow's end after no epoch", updates{running(50, at, inEpoch(""))}, running(10, at, withStatus(message.StatusSucceeded)), feed.Accepted, epochFromTime, 2, 100},
		{"the workflow's epoch again", updates{running(50, at, inEpoch("")), running(10, at)}, running(60, at), feed.Accepted, epochFromTime, 3, 60},
		{"no epoch after the workflow's", updates{running(50, at, inEpoch("")), running(10, at)}, running(60, at, inEpoch("")), feed.Accepted, epochFromTime, 3, 60},
		{"the row's own epoch after the workflow's", updates{running(50, at, inEpoch("")), running(10, at)}, running(60, at, inEpoch(epochFromTime)), feed.Accepted, epochFromTime, 3, 60},
		{"a redrive of the workflow's", updates{running(50, at, inEpoch("")), running(10, at)}, running(5, at, inEpoch(redrivenEpoch)), feed.Accepted, "2026-11-22T10:00:01.124Z#0001", 1, 5},
		{"an epoch before the workflow's", updates{running(50, at, inEpoch("")), running(10, at, inEpoch(redrivenEpoch))}, running(60, at), feed.Stale, epochFromTime, 2, 50},
		{"an older epoch after an end without an epoch", updates{running(50, at, inEpoch(""), withStatus(message.StatusFailed))}, running(60, at), feed.Stale, epochFromTime, 1, 50},
		{"an adopted epoch", updates{running(50, start, inEpoch(redrivenEpoch))}, running(40, at, inEpoch("")), feed.Accepted, redrivenEpoch, 2, 50},

		{"a key again", updates{running(50, start, withKey("k"))}, running(60, at, withKey("k")), feed.Duplicate, firstEpoch, 1, 50},
		{"a key again after the end", updates{running(50, start, withKey("k"), withStatus(message.StatusFailed))}, running(60, at, withKey("k")), feed.Duplicate, firstEpoch, 1, 50},
		{"a key in another epoch", updates{running(50, start, withKey("k"))}, running(60, at, withKey("k"), inEpoch(redrivenEpoch)), feed.Accepted, redrivenEpoch, 1, 60},
		{"another key", updates{running(50, start, withKey("k"))}, running(60, at, withKey("l")), feed.Accepted, firstEpoch, 2, 60},
		{"the same message", updates{half}, half, feed.Duplicate, firstEpoch, 1, 50},
		{"a key does not count with a part", updates{running(50, start, withKey("k"))}, running(0, at, withKey("k"), ofPart("1", 1, 0)), feed.Accepted, firstEpoch, 2, 50},

		{"succeeded", updates{half}, running(7, at, withStatus(message.StatusSucceeded)), feed.Accepted, firstEpoch, 2, 100},
		{"failed keeps the progress", updates{half}, running(70, at, withStatus(message.StatusFailed)), feed.Accepted, firstEpoch, 2, 50},
		{"cancelled keeps the progress", updates{half}, running(0, at, withStatus(message.StatusCancelled)), feed.Accepted, firstEpoch, 2, 50},
		{"failed keeps the parts' progress", updates{running(0, start, ofPart("1", 50, 0))}, running(0, at, withStatus(message.StatusFailed)), feed.Accepted, firstEpoch, 2, 50},
		{"failed at once", nil, running(30, at, withStatus(message.StatusFailed)), feed.Accepted, firstEpoch, 1, 30},
		{"after the end", updates{running(50, start, withStatus(message.StatusFailed))}, running(60, at), feed.Ignored, firstEpoch, 1, 50},
		{"a second end", updates{running(50, start, withStatus(message.StatusCancelled))}, running(60, at, withStatus(message.StatusSucceeded)), feed.Ignored, firstEpoch, 1, 50},
		{"a part after the end", updates{running(50, start, withStatus(message.StatusFailed))}, running(0, at, ofPart("1", 99, 0)), feed.Ignored, firstEpoch, 1, 50},

		{"a part begins the row", nil, running(99, at, ofPart("1", 50, 0)), feed.Accepted, firstEpoch, 1, 50},
		{"a part's data.progress does not count", updates{half}, running(99, at, ofPart("1", 10, 0)), feed.Accepted, firstEpoch, 2, 50},
		{"parts add up", updates{running(0, start, ofPart("1", 50, 0))}, running(0, at, ofPart("2", 25, 0)), feed.Accepted, firstEpoch, 2, 65},
		{"a part again", updates{running(0, start, ofPart("1", 50, 0))}, running(0, at, ofPart("1", 50, 0)), feed.Duplicate, firstEpoch, 1, 50},
		{"a part goes back", updates{running(0, start, ofPart("1", 50, 0))}, running(0, at, ofPart("1", 49, 9)), feed.Ignored, firstEpoch, 1, 50},
		{"a part of which more has failed", updates{running(0, start, ofPart("1", 50, 0))}, running(0, at, ofPart("1", 50, 1)), feed.Accepted, firstEpoch, 2, 50},
		{"more than all", updates{running(0, start, ofPart("1", 90, 0))}, running(0, at, ofPart("2", 90, 0)), feed.Accepted, firstEpoch, 2, 80},
		{"a state while parts run", updates{running(0, start, ofPart("1", 50, 0))}, running(10, at), feed.Accepted, firstEpoch, 2, 50},

		{"just alive", updates{half}, running(10, startPlus(expiry-1)), feed.Accepted, firstEpoch, 2, 50},
		{"just expired", updates{half}, running(10, startPlus(expiry)), feed.Accepted, firstEpoch, 2, 50},
		{"just alive, without an epoch", updates{half}, running(10, startPlus(expiry-1), inEpoch("")), feed.Accepted, firstEpoch, 2, 50},
		{"just expired, without an epoch", updates{half}, running(10, startPlus(expiry), inEpoch("")), feed.Accepted, "2026-11-23T10:00:00.000Z#0000", 1, 10},
		{"expired, and of a newer epoch", updates{running(50, start, inEpoch(laterEpoch))}, running(10, startPlus(25*3600*1000)), feed.Stale, laterEpoch, 1, 50},
		{"long after the end", updates{running(50, start, withStatus(message.StatusFailed))}, running(60, start.AddDate(0, 0, 15)), feed.Ignored, firstEpoch, 1, 50},
		{"a clock behind the row's epoch", updates{running(50, start, inEpoch(laterEpoch), withStatus(message.StatusFailed))}, running(1, startPlus(-1), inEpoch("")), feed.Ignored, laterEpoch, 1, 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := applyAll(t, tt.before...)
			untouched := applyAll(t, tt.before...)
			row, outcome, err := feed.Apply(before, tt.u)
			if err != nil || outcome != tt.outcome {
				t.Fatalf("Apply: %q, %v, want %q", outcome, err, tt.outcome)
			}
			if row.Epoch != tt.epoch || row.Seq != tt.seq || row.VisibleState().Progress != tt.progress || row.Owner != before.Owner {
				t.Errorf("the row has the epoch %s, the seq %d, the progress %v, the owner %q", row.Epoch, row.Seq, row.VisibleState().Progress, row.Owner)
			}
			if diff := cmp.Diff(untouched, before); diff != "" {
				t.Errorf("Apply changed the row that it was given (-before +after):\n%s", diff)
			}
			if outcome != feed.Accepted {
				if diff := cmp.Diff(before, row); diff != "" {
					t.Errorf("an update that is %s changed the row (-before +after):\n%s", outcome, diff)
				}
			}
			if outcome.ShouldPost() != (outcome == feed.Accepted || outcome == feed.Duplicate) {
				t.Errorf("ShouldPost of %q is %t", outcome, outcome.ShouldPost())
			}
		})
	}
}

func TestApplyRemembersTheLast16Keys(t *testing.T) {
	var row feed.Row
	for n := range 20 {
		row, _, _ = feed.Apply(row, running(float64(n), start, withKey(fmt.Sprint("key ", n))))
		want := min(n+1, 16)
		if len(row.Keys) != want || row.Seq != int64(n+1) {
			t.Fatalf("after %d keys the row has %d, its seq is %d", n+1, len(row.Keys), row.Seq)
		}
	}
	for n := range 20 {
		_, outcome, _ := feed.Apply(row, running(50, start, withKey(fmt.Sprint("key ", n))))
		if stored := outcome == feed.Duplicate; stored != (n >= 20-16) {
			t.Errorf("key %d of 20 is %q", n, outcome)
		}
	}
}

func TestApplyAllows256Parts(t *testing.T) {
	var row feed.Row
	for n := range feed.MaxParts {
		var err error
		if row, _, err = feed.Apply(row, running(0, start, ofPart(fmt.Sprint(n), 1, 0))); err != nil {
			t.Fatalf("part %d: %v", n, err)
		}
	}
	if _, _, err := feed.Apply(row, running(0, start, ofPart("one more", 1, 0))); !errors.Is(err, feed.ErrTooManyParts) {
		t.Errorf("part 257: %v, want ErrTooManyParts", err)
	}
	if _, outcome, err := feed.Apply(row, running(0, start, ofPart("7", 2, 0))); err != nil || outcome != feed.Accepted {
		t.Errorf("a stored part: %q, %v", outcome, err)
	}
	if _, outcome, err := feed.Apply(row, running(0, start, inEpoch(redrivenEpoch), ofPart("one more", 1, 0))); err != nil || outcome != feed.Accepted {
		t.Errorf("a part of another epoch: %q, %v", outcome, err)
	}
}

func TestFirstPartSetsTheScope(t *testing.T) {
	u := running(0, startPlus(100), ofPart("2", 1, 0))
	u.Part.Total, u.Part.From, u.Part.To = 1_000_000, 0, 0
	row := applyAll(t, running(0, start, ofPart("1", 50, 2)), u)
	want := feed.Scope{Total: 100, From: 20, To: 80, Since: start}
	if diff := cmp.Diff(want, row.Scope); diff != "" {
		t.Errorf("Scope (-want +got):\n%s", diff)
	}
	if row.PartsDone != 51 || row.PartsFailed != 2 || row.State.Message != "m" || row.VisibleState().Progress != 50.6 {
		t.Errorf("the row is %+v, want 51 steps, 2 of them failed, the last message and 20 + 60*51/100 %%", row)
	}
}

func TestApplyCoalescesPushes(t *testing.T) {
	begin := running(10, start)
	for _, tt := range []struct {
		name   string
		before []feed.Update
		u      feed.Update
		pushed bool
	}{
		{"the first", nil, begin, true},
		{"1 % in 249 ms", []feed.Update{begin}, running(11, startPlus(249)), false},
		{"1 % in 250 ms", []feed.Update{begin}, running(11, startPlus(250)), true},
		{"0.99 % in 1,999 ms", []feed.Update{begin}, running(10.99, startPlus(1999)), false},
		{"0.99 % in 2,000 ms", []feed.Update{begin}, running(10.99, startPlus(2000)), true},
		{"nothing in 2 s", []feed.Update{begin}, running(10, startPlus(2000)), true},
		{"1 % since the push, in two updates", []feed.Update{begin, running(10.5, startPlus(200))}, running(11, startPlus(250)), true},
		{"another phase", []feed.Update{begin}, running(10, startPlus(1), inPhase("load")), true},
		{"succeeded", []feed.Update{begin}, running(10, startPlus(1), withStatus(message.StatusSucceeded)), true},
		{"failed", []feed.Update{begin}, running(10, startPlus(1), withStatus(message.StatusFailed)), true},
		{"another epoch", []feed.Update{begin}, running(10, startPlus(1), inEpoch(redrivenEpoch)), true},
		{"a part begins", nil, running(0, start, ofPart("1", 1, 0)), true},
		{"a part whose push is due needs ClaimPush", []feed.Update{begin}, running(0, startPlus(5000), ofPart("1", 50, 0)), false},
		{"the clock goes back", []feed.Update{begin}, running(99, startPlus(-5000)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row := applyAll(t, append(tt.before, tt.u)...)
			if row.Pushed() != tt.pushed {
				t.Errorf("Pushed is %t, the next push is due %v after the start", row.Pushed(), row.NextPushAt(row.UpdatedAt).Sub(start))
			}
			if tt.pushed && (!row.PushedAt.Equal(tt.u.At) || row.PushedProgress != row.VisibleState().Progress) {
				t.Errorf("the push is recorded at %v, with %v %%", row.PushedAt, row.PushedProgress)
			}
		})
	}
}

// TestClockThatIsAheadDelaysNoPush pushes once with a clock that is ahead. Then come updates with the right time, which move the
// progress by less than a percent. The pushes of these must be at most two slow intervals apart.
func TestClockThatIsAheadDelaysNoPush(t *testing.T) {
	for _, ahead := range []time.Duration{time.Second, 10 * time.Second, 5 * time.Minute, 1000 * time.Hour} {
		for kind, edit := range map[string]func(n int) func(*feed.Update){
			"states": func(int) func(*feed.Update) { return func(*feed.Update) {} },
			"parts":  func(n int) func(*feed.Update) { return ofPart("1", int64(n), 0) },
		} {
			row := applyAll(t, running(10, start), running(20, start.Add(ahead), inPhase("another")))
			lastPush := start
			for n := range 30 {
				at := startPlus(1000 * n)
				next, outcome, err := feed.Apply(row, running(20+float64(n)/100, at, inPhase("another"), edit(n)))
				if err != nil || outcome != feed.Accepted {
					t.Fatalf("Apply: %q, %v", outcome, err)
				}
				if !next.Pushed() && !next.NextPushAt(at).After(at) { // As the notifier does, claim a push that is due.
					next = next.WithPush(at)
				}
				if row = next; row.Pushed() {
					lastPush = at
				}
				if silence := at.Sub(lastPush); silence > 2*message.SlowPushInterval {
					t.Fatalf("%s: after a push by a clock that was %v ahead, there is no push for %v", kind, ahead, silence)
				}
			}
		}
	}
}

func TestNeedsPointerOncePerExecutionAndRun(t *testing.T) {
	named := func(u *feed.Update) { u.Execution = "arn" } // names the execution
	other := func(u *feed.Update) { u.Execution = "other" }
	begin := running(1, start)
	for _, tt := range []struct {
		name   string
		before []feed.Update
		u      feed.Update
		want   bool
	}{
		{"no execution", nil, begin, false},
		{"the first update names it", nil, running(1, start, named), true},
		{"the second update names it", []feed.Update{begin}, running(2, start, named), true},
		{"both updates name it", []feed.Update{running(1, start, named)}, running(2, start, named), false},
		{"only the first of two updates names it", []feed.Update{running(1, start, named)}, running(2, start), false},
		{"another execution", []feed.Update{running(1, start, named)}, running(2, start, other), true},
		{"a redrive", []feed.Update{running(1, start, named)}, running(2, start, named, inEpoch(redrivenEpoch)), true},
		{"a redrive that does not name it", []feed.Update{running(1, start, named)}, running(2, start, inEpoch(redrivenEpoch)), false},
		{"after a day", []feed.Update{running(1, start, named)}, running(2, start.Add(feed.JobTTL), named), false},
		{"after its pointer expired", []feed.Update{running(1, start, named)}, running(2, start.Add(feed.PointerTTL), named), true},
		{"a redrive a day after the end", []feed.Update{running(1, start, named, withStatus(message.StatusFailed))}, running(2, start.Add(feed.JobTTL), named, inEpoch(redrivenEpoch)), true},
		{"the end", []feed.Update{begin}, running(2, start, named, withStatus(message.StatusFailed)), false},
		{"a part", []feed.Update{begin}, running(0, start, named, ofPart("1", 1, 0)), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := applyAll(t, tt.before...)
			row, _, err := feed.Apply(before, tt.u)
			if err != nil {
				t.Fatal(err)
			}
			if got := row.NeedsPointer(before); got != tt.want {
				t.Errorf("NeedsPointer is %t, want %t", got, tt.want)
			}
			want := feed.Pointer{Execution: row.Execution, Owner: row.Owner, Job: "job", Epoch: row.Epoch, At: tt.u.At}
			if diff := cmp.Diff(want, row.Pointer()); diff != "" {
				t.Errorf("Pointer (-want +got):\n%s", diff)
			}
		})
	}
}
