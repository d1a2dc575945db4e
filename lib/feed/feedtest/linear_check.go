package feedtest

import (
	gocmp "cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-progress/herald/lib/feed"
)

// errUndecided means that the time was not enough.
var errUndecided = errors.New("feedtest: undecided")

// version identifies a state of a job's row. Each change of the row makes it greater.
type version struct {
	epoch          string
	seq, pushedSeq int64
}

func versionOf(r feed.Row) version { return version{r.Epoch, r.Seq, r.PushedSeq} }

// change is what an update made of the row: its next state in a run.
type change struct {
	epoch string
	seq   int64
}

// evidence is what the responses of a history say about all of it.
type evidence struct {
	// reads has how many calls return a version and change nothing. All of them come before the next change, because no version comes
	// again. They may come in the order in which they started. To demand both keeps the search short, and excludes no history.
	reads map[version]int
	// missing has the changes that no call has reported as its own, so that calls that failed must have made them. The values are the
	// ids of their messages, if a call has seen them.
	missing map[change]string
	// last is the greatest version.
	last version
}

// newEvidence returns the evidence of a history.
func newEvidence(history []porcupine.Operation) evidence {
	e := evidence{reads: map[version]int{}, missing: map[change]string{}}
	reported, newest, ids := map[change]bool{}, map[string]int64{}, map[change]string{}
	for _, op := range history {
		in, _ := op.Input.(request)
		out, _ := op.Output.(response)
		if out.err != nil {
			if errors.Is(out.err, feed.ErrNotFound) {
				e.reads[version{}]++
			}
			continue
		}
		v, c := versionOf(out.row), change{out.row.Epoch, out.row.Seq}
		e.last = maxVersion(e.last, v)
		newest[c.epoch], ids[c] = max(newest[c.epoch], c.seq), out.row.ID
		switch {
		case !writes(in, out):
			e.reads[v]++
		case in.update != nil:
			reported[c] = true
		}
	}
	for epoch, last := range newest {
		for seq := int64(1); seq <= last; seq++ {
			if c := (change{epoch, seq}); !reported[c] {
				e.missing[c] = ids[c]
			}
		}
	}
	return e
}

// maxVersion returns the greater of two versions.
func maxVersion(a, b version) version {
	if gocmp.Or(strings.Compare(a.epoch, b.epoch), gocmp.Compare(a.seq, b.seq), gocmp.Compare(a.pushedSeq, b.pushedSeq)) < 0 {
		return b
	}
	return a
}

// writes reports whether a call has changed the row, by its response.
func writes(in request, out response) bool {
	return out.err == nil && (in.claim != nil && out.claimed || in.update != nil && out.outcome == feed.Accepted)
}

// ordered is a request, with its position among the calls that return the same version and change nothing.
type ordered struct {
	request

	position int
}

// linearState is the state of the specification: the row, and how many calls have returned this version of it and changed nothing.
type linearState struct {
	row   feed.Row
	reads int
}

// model returns the sequential specification of a job's row: feed.Apply, and the rules of ClaimPush and Job.
func (e evidence) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return linearState{row: feed.Row{Owner: jobOwner}} },
		Step: func(state, input, output any) (bool, any) {
			before, _ := state.(linearState)
			in, _ := input.(ordered)
			out, _ := output.(response)
			if failed(out) && versionOf(before.row) == e.last {
				return true, before // It had no effect.
			}
			next, ok := e.afterCall(before.row, in.request, out)
			switch {
			case !ok:
				return false, state
			case versionOf(next) == versionOf(before.row):
				return before.reads == in.position, linearState{before.row, before.reads + 1}
			default:
				return before.reads == e.reads[versionOf(before.row)], linearState{row: next}
			}
		},
		Equal: func(a, b any) bool {
			x, _ := a.(linearState)
			y, _ := b.(linearState)
			return x.reads == y.reads && sameRow(x.row, y.row)
		},
	}
}

// afterCall returns the row after a call. It returns false if the response is wrong, or if the call failed and cannot have made the next
// change.
func (e evidence) afterCall(row feed.Row, in request, out response) (feed.Row, bool) {
	switch {
	case in.update != nil:
		return e.afterApply(row, *in.update, out)
	case in.claim != nil:
		// An endpoint may not return the item for which a condition has failed. Then the row is that of a later read: it may have a further
		// state, although there was nothing to push in the row that was claimed.
		refusedBefore := !out.claimed && in.claim.Pushed()
		claimed := row.Epoch == in.claim.Epoch && row.PushedSeq == in.claim.PushedSeq && !row.Pushed() && !refusedBefore
		next := row
		if claimed {
			next = row.WithPush(row.UpdatedAt)
		}
		return next, claimed == out.claimed && sameRow(next, out.row)
	case errors.Is(out.err, feed.ErrNotFound):
		return row, row.Seq == 0
	default:
		return row, sameRow(row, out.row)
	}
}

// afterApply does the same as afterCall for an update.
func (e evidence) afterApply(row feed.Row, u feed.Update, out response) (feed.Row, bool) {
	next, outcome, err := feed.Apply(row, u)
	if err != nil {
		return next, false
	}
	if out.err == nil {
		return next, outcome == out.outcome && sameRow(next, out.row)
	}
	id, missing := e.missing[change{next.Epoch, next.Seq}]
	return next, outcome == feed.Accepted && missing && (id == "" || id == next.ID)
}

// failed reports whether nobody knows if a call had an effect.
func failed(out response) bool { return out.err != nil && !errors.Is(out.err, feed.ErrNotFound) }

// sameRow reports whether two rows are the same, except for the time and the progress of the last push, which stores may round down.
func sameRow(a, b feed.Row) bool {
	if a.Seq != b.Seq || a.ID != b.ID || a.Epoch != b.Epoch || a.PushedSeq != b.PushedSeq {
		return false
	}
	a.PushedAt, a.PushedProgress, b.PushedAt, b.PushedProgress = time.Time{}, 0, time.Time{}, 0
	return cmp.Equal(a, b, cmpopts.EquateEmpty())
}

// Linearizable reports whether there is an order of the calls of a history, each between its start and its end, in which all of them have
// the effects and the responses that [feed.Apply] and the rules of a [feed.Store] demand. A call that failed had its effect at any time
// after its start, or never. The error means that the limit is not enough to decide.
func Linearizable(history []porcupine.Operation, limit time.Duration) (bool, error) {
	history = slices.SortedFunc(slices.Values(history), func(a, b porcupine.Operation) int { return gocmp.Compare(a.Call, b.Call) })
	all := make([]porcupine.Operation, 0, len(history))
	positions := map[version]int{}
	for _, op := range history {
		in, _ := op.Input.(request)
		out, _ := op.Output.(response)
		v := versionOf(out.row)
		op.Input = ordered{in, positions[v]}
		if !failed(out) && !writes(in, out) {
			positions[v]++
		}
		if errors.Is(out.err, feed.ErrContention) { // It says that it had no effect.
			continue
		}
		if failed(out) {
			op.Return = math.MaxInt64
		}
		all = append(all, op)
	}
	result := porcupine.CheckOperationsTimeout(newEvidence(history).model(), all, limit)
	if result == porcupine.Unknown {
		return false, fmt.Errorf("%w: %d calls within %v", errUndecided, len(history), limit)
	}
	return result == porcupine.Ok, nil
}
