package feed_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// withText returns an edit that changes the message and the row count.
func withText(text string, currentRow int64) func(*feed.Update) {
	return func(u *feed.Update) {
		u.State.Message, u.State.CurrentRow = text, currentRow
		u.ID += " " + text
	}
}

func TestAStateThatWasSentEarlierCountsOnlyWithItsProgress(t *testing.T) {
	sent := func(seconds int) func(*feed.Update) { return sentAt(start.Add(time.Duration(seconds) * time.Second)) }
	at := startPlus(1000)
	newest := running(50, start, sent(10), inPhase("save"), withText("newest", 50))
	withoutTime := running(50, start, inPhase("save"), withText("newest", 50))
	failed := func(edits ...func(*feed.Update)) feed.Update {
		return running(50, at, append(edits, withStatus(message.StatusFailed), withText("late", 5))...)
	}
	type shown struct {
		phase, text string
		row         int64
		progress    float64
	}
	for _, tt := range []struct {
		name   string
		before []feed.Update
		u      feed.Update
		want   shown
	}{
		{"earlier", []feed.Update{newest}, running(40, at, sent(9), withText("late", 5)), shown{"save", "newest", 50, 50}},
		{"earlier, with more progress", []feed.Update{newest}, running(60, at, sent(9), withText("late", 5)), shown{"save", "newest", 50, 60}},
		{"at the same time", []feed.Update{newest}, running(60, at, sent(10), withText("late", 5)), shown{"parse", "late", 5, 60}},
		{"later", []feed.Update{newest}, running(60, at, sent(11), withText("late", 5)), shown{"parse", "late", 5, 60}},
		{"without a time", []feed.Update{newest}, running(60, at, withText("late", 5)), shown{"parse", "late", 5, 60}},
		{"earlier than one before a state without a time", []feed.Update{newest, running(55, at, withText("no time", 55))}, running(60, at, sent(9), withText("late", 5)), shown{"parse", "no time", 55, 60}},
		{"the first with a time", []feed.Update{withoutTime}, running(60, at, sent(9), withText("late", 5)), shown{"parse", "late", 5, 60}},
		{"an end", []feed.Update{newest}, failed(sent(9)), shown{"parse", "late", 5, 50}},
		{"in a new run", []feed.Update{newest}, running(1, at, sent(9), withText("late", 5), inEpoch(redrivenEpoch)), shown{"parse", "late", 5, 1}},
		{"a part that was sent earlier", []feed.Update{newest}, running(0, at, sent(9), withText("late", 5), ofPart("1", 90, 0)), shown{"save", "newest", 50, 74}},
		{"a part that was sent later", []feed.Update{newest}, running(0, at, sent(11), withText("late", 5), ofPart("1", 90, 0)), shown{"save", "late", 50, 74}},
		{"a state that was sent between two parts", []feed.Update{newest, running(0, at, sent(15), withText("part", 5), ofPart("1", 90, 0))}, running(60, at, sent(12), withText("late", 5)), shown{"parse", "late", 5, 74}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row := applyAll(t, append(tt.before, tt.u)...)
			state := row.VisibleState()
			if got := (shown{state.Phase, state.Message, state.CurrentRow, state.Progress}); got != tt.want {
				t.Errorf("the row shows %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestAStateThatWasSentEarlierDoesNotChangeWhatTheRowKnows(t *testing.T) {
	before := applyAll(t, running(50, start, sentAt(startPlus(10)), func(u *feed.Update) { u.Execution = "new" }))
	before.UnknownFields = `{"mood":"good"}`
	u := running(40, startPlus(20), sentAt(startPlus(9)), inPhase("old"), withKey("k"), func(u *feed.Update) { u.Execution = "old" })
	row, outcome, err := feed.Apply(before, u)
	if err != nil || outcome != feed.Accepted {
		t.Fatalf("%q, %v", outcome, err)
	}
	want := before
	want.ID, want.UpdatedAt, want.Seq, want.Keys = u.ID, u.At, 2, row.Keys
	if diff := cmp.Diff(want, row); diff != "" || len(row.Keys) != 1 {
		t.Errorf("the row (-want +got):\n%s", diff)
	}
	if row.Pushed() {
		t.Error("a state that shows nothing new is pushed at once")
	}
}

// TestReorderedStatesNeverStepBack applies 1,000 states, each of which arrives up to 20 places later than it was sent. Without the times of
// sending, phase or text step back in some of them.
func TestReorderedStatesNeverStepBack(t *testing.T) {
	const states, phases, spread = 1000, 10, 20
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		back := map[bool]int{}
		for _, timed := range []bool{false, true} {
			row := feed.Row{Owner: feed.User("u")}
			shown, highest := 0, 0
			for i, n := range reordered(random, states, spread) {
				u := running(float64(n)/10, startPlus(10*i), inPhase(fmt.Sprint(n/(states/phases))), withText(fmt.Sprint(n), int64(n)))
				if timed {
					u.SentAt = startPlus(10 * n)
				}
				var outcome feed.Outcome
				var err error
				if row, outcome, err = feed.Apply(row, u); err != nil || outcome != feed.Accepted {
					t.Fatalf("%q, %v", outcome, err)
				}
				state := row.VisibleState()
				if int(state.CurrentRow) < shown {
					back[timed]++
				}
				shown, highest = int(state.CurrentRow), max(highest, n)
				if timed && (shown != highest || state.Phase != fmt.Sprint(highest/(states/phases)) || state.Progress != float64(highest)/10) {
					t.Fatalf("seed %d: after state %d the row shows %+v, want that of %d", seed, n, state, highest)
				}
			}
		}
		if back[false] == 0 || back[true] != 0 {
			t.Errorf("seed %d: %d steps back without the times of sending, %d with them; want some, and none", seed, back[false], back[true])
		}
	}
}

// reordered returns the numbers from 0 to n, each at most spread places away from its own.
func reordered(random *rand.Rand, n, spread int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	for i := 0; i+spread <= n; i += spread {
		block := numbers[i : i+spread]
		random.Shuffle(spread, func(a, b int) { block[a], block[b] = block[b], block[a] })
	}
	return numbers
}
