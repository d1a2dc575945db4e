package feedtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// jobOwner is the owner of the rows of all histories.
const jobOwner = "user/u"

// jobVerifier checks the rules for a job's row while writers change it.
type jobVerifier struct {
	stores    []feed.Store
	store     feed.Store // the verifier's own
	violation string

	row          feed.Row               // as of the last check
	seen         []feed.Row             // every row that an update led to, in order
	updates      map[string]feed.Update // all updates by id
	results      []result
	claimedRows  map[int]feed.Row // the row that a writer passed to its last ClaimPush, by writer
	posted       feed.Row         // the newest row that was posted
	updateFailed bool             // an update failed twice, or a writer could not read the row that it should post
	deleted      bool             // TTL deleted the row
}

// result is an update and the outcome that its writer got.
type result struct {
	feed.Update

	outcome feed.Outcome
}

// isOutdatedBy reports whether a row is of a newer run or a later attempt, or has another state than the update is about.
func (r result) isOutdatedBy(row feed.Row) bool {
	otherState := r.OnlySeq > 0 && row.Epoch == r.Epoch && row.Seq > r.OnlySeq
	return otherState || row.Epoch > r.Epoch || r.State.Attempt > 0 && row.Attempt > r.State.Attempt
}

// newJobVerifier returns a verifier that reads by the last store of the table. The other stores are the writers'.
func newJobVerifier(table Table) *jobVerifier {
	last := len(table.Stores) - 1
	return &jobVerifier{stores: table.Stores, store: table.Stores[last], updates: map[string]feed.Update{}, claimedRows: map[int]feed.Row{}}
}

// failf records the first violated rule.
func (v *jobVerifier) failf(format string, args ...any) {
	if v.violation == "" {
		v.violation = fmt.Sprintf(format, args...)
	}
}

// publish does what the notifier does: it retries a failed update once, and pushes a state whose push is due.
func (v *jobVerifier) publish(ctx context.Context, writer int, u feed.Update) {
	s := v.stores[writer]
	v.updates[u.ID] = u
	row, outcome, err := s.Apply(ctx, jobOwner, u)
	if err != nil {
		row, outcome, err = s.Apply(ctx, jobOwner, u)
	}
	if err != nil {
		v.updateFailed = true
		if !errors.Is(err, ErrInjected) && !errors.Is(err, feed.ErrTooManyParts) {
			v.failf("Apply: %v", err)
		}
		return
	}
	v.results = append(v.results, result{u, outcome})
	switch {
	case outcome == feed.Accepted && !row.Pushed():
		v.push(ctx, writer, row, u.At)
	case outcome.ShouldPost():
		v.post(row)
	}
}

// push claims the push of row and posts the newest row.
func (v *jobVerifier) push(ctx context.Context, writer int, row feed.Row, at time.Time) {
	if row.NextPushAt(at).Sub(at) > message.MinPushInterval {
		return // The push is not due soon. A later push includes the state.
	}
	v.claimedRows[writer] = row
	newest, claimed, err := v.stores[writer].ClaimPush(ctx, row, at)
	if err != nil { // The push may have been recorded.
		if !errors.Is(err, ErrInjected) && (!v.deleted || !errors.Is(err, feed.ErrNotFound)) {
			v.failf("ClaimPush: %v", err)
		}
		claimed = true
		if newest, err = v.stores[writer].Job(ctx, jobOwner, "job"); err != nil {
			v.updateFailed = true
			return
		}
	}
	if claimed {
		v.post(newest)
	}
}

// post records that row was posted, if no newer row was posted before.
func (v *jobVerifier) post(row feed.Row) {
	if row.Newer(v.posted.Epoch, v.posted.Seq) {
		v.posted = row
	}
}

// readRow reads and checks the row after a request of a writer.
func (v *jobVerifier) readRow(writer int) {
	row, err := v.store.Job(context.Background(), jobOwner, "job")
	switch {
	case errors.Is(err, feed.ErrNotFound):
		if v.row.Seq > 0 && !v.deleted {
			v.failf("the row is gone")
		}
		v.row = feed.Row{}
		return
	case err != nil:
		v.failf("Job: %v", err)
		return
	}
	before := v.row
	v.row = row
	v.checkChange(writer, before, row)
}

// checkChange checks the change of the row by one request of a writer: an update, a claimed push, or nothing.
func (v *jobVerifier) checkChange(writer int, before, row feed.Row) {
	var done, failed int64
	for _, count := range row.Parts {
		done, failed = done+count.Done, failed+count.Failed
	}
	if row.PartsDone != done || row.PartsFailed != failed {
		v.failf("the sums of the parts are wrong: %+v", row)
	}
	sameRun := row.Epoch == before.Epoch && before.Seq > 0
	if sameRun && row.Seq == before.Seq {
		v.checkPush(writer, before, row)
		return
	}
	if sameRun {
		v.checkUpdate(before, row)
	} else if before.Seq > 0 && (row.Epoch < before.Epoch || row.Seq != 1) {
		v.failf("seq %d of the epoch %s followed seq %d of the epoch %s", row.Seq, row.Epoch, before.Seq, before.Epoch)
	}
	if slices.ContainsFunc(v.seen, func(r feed.Row) bool { return r.ID == row.ID }) && !v.deleted {
		v.failf("the message %s was written twice", row.ID)
	}
	v.seen = append(v.seen, row)
}

// checkUpdate checks the row after an update in the same run.
func (v *jobVerifier) checkUpdate(before, row feed.Row) {
	u := v.updates[row.ID]
	v.checkKeys(u, before, row)
	v.checkKind(u, before, row)
	v.checkParts(before, row)
	v.checkOrder(u, before, row)
	v.checkAttempt(u, before, row)
	v.checkSilence(u, before, row)
	v.checkSteps(u, before, row)
	switch {
	case row.Seq != before.Seq+1:
		v.failf("seq %d followed %d", row.Seq, before.Seq)
	case row.VisibleState().Progress < before.VisibleState().Progress:
		v.failf("progress fell from %v to %v", before.VisibleState().Progress, row.VisibleState().Progress)
	case row.PushedSeq < before.PushedSeq:
		v.failf("the row no longer has the push of seq %d", before.PushedSeq)
	case before.Execution != "" && row.Execution == "":
		v.failf("the row no longer has the execution")
	case u.EndedExecution != "" && before.Execution != u.EndedExecution:
		v.failf("the end of %s ended the job of %s", u.EndedExecution, before.Execution)
	}
}

// checkKeys checks that a row has the keys of its last updates, as many as fit.
func (v *jobVerifier) checkKeys(u feed.Update, before, row feed.Row) {
	const most = 16
	want := before.Keys
	if added := u.Part == nil && u.Key != "" && len(row.Keys) > 0; added {
		want = append(slices.Clone(want), row.Keys[len(row.Keys)-1])
		if slices.Contains(before.Keys, row.Keys[len(row.Keys)-1]) {
			v.failf("the update %s has added no key", u.ID)
		}
	}
	want = want[max(0, len(want)-most):]
	if !slices.Equal(row.Keys, want) {
		v.failf("after the update %s the keys are %v, want %v", u.ID, row.Keys, want)
	}
}

// checkKind checks that the type and the status are those of the newest state, and that no part changes them.
func (v *jobVerifier) checkKind(u feed.Update, before, row feed.Row) {
	kind, status := before.Type, before.State.Status
	if u.Part == nil && !u.Stalled && !before.Supersedes(u) {
		status = u.State.Status
		if kind = u.Type; kind == message.TypeUploadProgress {
			kind = ""
		}
	}
	continued := u.Part != nil && before.Terminal() // by a part of a later attempt
	if row.Type != kind || row.State.Status != status && !continued {
		v.failf("after the update %s the type is %q and the status %q, want %q and %q", u.ID, row.Type, row.State.Status, kind, status)
	}
}

// checkParts checks the counts of parts after an update in the same run.
func (v *jobVerifier) checkParts(before, row feed.Row) {
	for id, previous := range before.Parts {
		if count := row.Parts[id]; count.Done < previous.Done || count.Failed < previous.Failed {
			v.failf("the counts of the part %s fell from %v to %v", id, previous, count)
		}
	}
	if len(row.Parts) > feed.MaxParts {
		v.failf("the row has %d parts", len(row.Parts))
	}
}

// checkAttempt checks that nothing follows the end except a later attempt, and that an earlier attempt changes nothing.
func (v *jobVerifier) checkAttempt(u feed.Update, before, row feed.Row) {
	laterAttempt := before.State.Attempt > 0 && u.State.Attempt > before.State.Attempt
	if before.Terminal() && !laterAttempt {
		v.failf("the update %s was applied after the end", row.ID)
	}
	if u.State.Attempt > 0 && u.State.Attempt < before.Attempt || row.Attempt < before.Attempt {
		v.failf("the update %s of attempt %d was applied after attempt %d", row.ID, u.State.Attempt, before.Attempt)
	}
}

// checkSilence checks that a mark or an end because of silence follows the state that it is about, and that only a mark leaves the job
// stalled.
func (v *jobVerifier) checkSilence(u feed.Update, before, row feed.Row) {
	if u.OnlySeq > 0 && u.OnlySeq != before.Seq {
		v.failf("the update %s is about seq %d, and was applied to seq %d", u.ID, u.OnlySeq, before.Seq)
	}
	if row.Stalled() != u.Stalled {
		v.failf("after the update %s the job is stalled: %v", u.ID, row.Stalled())
	}
	if u.Stalled && (row.State != before.State || !row.UpdatedAt.Equal(before.UpdatedAt)) {
		v.failf("the mark %s led from %+v to %+v", u.ID, before, row)
	}
}

// checkSteps checks that the steps are those of the newest state that named some.
func (v *jobVerifier) checkSteps(u feed.Update, before, row feed.Row) {
	want := u.State.Steps
	if u.Part != nil || want == "" || before.Supersedes(u) {
		want = before.State.Steps
	}
	if row.State.Steps != want {
		v.failf("after the update %s the steps are %s, want %s", u.ID, row.State.Steps, want)
	}
}

// checkOrder checks that the newest state of those with a time of sending is shown, whatever the order in which they are applied.
func (v *jobVerifier) checkOrder(u feed.Update, before, row feed.Row) {
	if u.SentAt.IsZero() || u.State.Status.Terminal() {
		return
	}
	want := u.State.Message
	if u.SentAt.Before(before.SentAt) && u.State.Attempt <= before.Attempt {
		want = before.State.Message
	}
	if row.State.Message != want {
		v.failf("after the update %s the message is %q, want %q", u.ID, row.State.Message, want)
	}
	if u.Part == nil && row.SentAt.Before(u.SentAt) || row.SentAt.Before(before.SentAt) {
		v.failf("after the update %s, sent at %s, the newest state was sent at %s", u.ID, u.SentAt, row.SentAt)
	}
}

// checkPush checks a change of the row that is not an update. The only such change is a recorded push, which the writer must have claimed
// for the row as it was before.
func (v *jobVerifier) checkPush(writer int, before, row feed.Row) {
	if row.ID != before.ID {
		v.failf("both %s and %s have seq %d", before.ID, row.ID, row.Seq)
	}
	if row.PushedSeq == before.PushedSeq {
		return // The request was a read or was refused.
	}
	claim := v.claimedRows[writer]
	if row.PushedSeq != row.Seq || claim.Epoch != before.Epoch || claim.PushedSeq != before.PushedSeq {
		v.failf("a claim for seq %d of %s after the push of %d led from %+v to %+v", claim.Seq, claim.Epoch, claim.PushedSeq, before, row)
	}
}

func (v *jobVerifier) afterRequest(writer int) string {
	v.readRow(writer)
	return v.violation
}

// atEnd checks the outcomes that the writers got, that the last state which is recorded as pushed was posted, and that a running
// execution has a pointer.
func (v *jobVerifier) atEnd(s *schedule) string {
	for _, r := range v.results {
		v.checkOutcome(r)
	}
	mustBePosted := !s.crashed && !v.updateFailed && !v.deleted && v.row.Seq > 0
	if mustBePosted && (v.posted.Epoch != v.row.Epoch || v.posted.Seq < v.row.PushedSeq) {
		v.failf("seq %d of the epoch %s is recorded as pushed, but the newest posted state is seq %d of the epoch %s",
			v.row.PushedSeq, v.row.Epoch, v.posted.Seq, v.posted.Epoch)
	}
	if v.row.HasPointer() && !v.row.Terminal() {
		pointers := v.store.PointersOf(context.Background(), v.row.Execution)
		if v.row.Execution == "" {
			pointers = v.store.AllPointers(context.Background())
		}
		p, err := firstOf(pointers)
		if err != nil || p.Epoch < v.row.Epoch {
			v.failf("the pointer of %s is %+v, %v", v.row.Execution, p, err)
		}
	}
	return v.violation
}

// checkOutcome checks the outcome that a writer got against the rows that were stored.
func (v *jobVerifier) checkOutcome(r result) {
	anyRow := func(matches func(feed.Row) bool) bool { return slices.ContainsFunc(v.seen, matches) }
	written := anyRow(func(row feed.Row) bool { return row.ID == r.ID })
	partWithDone := func(minDone int64) bool { // A row has the part of the update with at least minDone done steps.
		return r.Part != nil && anyRow(func(row feed.Row) bool { return row.Parts[r.Part.ID].Done >= minDone })
	}
	switch r.outcome {
	case feed.Accepted:
		if !written {
			v.failf("%s was accepted, but never stored", r.ID)
		}
	case feed.Duplicate:
		if !written && (r.Part == nil || !partWithDone(r.Part.Done)) {
			v.failf("%s is a duplicate, but was never stored", r.ID)
		}
	case feed.Ignored:
		if !anyRow(feed.Row.Terminal) && (r.Part == nil || !partWithDone(r.Part.Done+1)) {
			v.failf("%s was ignored, but there was no end and no later state of its part", r.ID)
		}
	case feed.Stale:
		if r.EndedExecution == "" && !anyRow(r.isOutdatedBy) {
			v.failf("%s is stale, but there was no newer run or attempt", r.ID)
		}
	}
}
