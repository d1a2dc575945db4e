package dynamo

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/feed"
)

const (
	// contentionTime is how long Apply retries after conflicts if its context has no deadline.
	contentionTime = 2 * time.Second
	// contentionReserve is how long before the deadline of its context Apply stops trying. It leaves time for the two requests of
	// the last try: if the context ended during the write, nobody would know whether the row was written.
	contentionReserve = 150 * time.Millisecond
	// urgentTime is the time before the end of the tries in which Apply no longer pauses. The updates that have waited the longest
	// then try the most often, so that newer ones do not overtake them until their time is over. Updates that have just come
	// pause, because one partition of DynamoDB takes 1,000 writes a second.
	urgentTime = 1200 * time.Millisecond
	// The pause between two tries is random. The longest possible pause is firstPause at first, doubles with each try, and is
	// at most maxPause.
	firstPause = 4 * time.Millisecond
	maxPause   = 128 * time.Millisecond
	// maxDoublings is the number of doublings from firstPause to maxPause.
	maxDoublings = 5
)

// errConflict means that the row has changed since it was read.
var errConflict = errors.New("dynamo: row has changed")

// Apply applies u. It usually sends:
//
//   - the update of a part → UpdateItem
//   - another update, if the row is cached → PutItem
//   - any other update → GetItem and PutItem
//
// An accepted terminal state takes a DeleteItem for the pointer, if the job has one, and a PutItem for the end of the
// run. The first update with an execution, or with a time after which the job counts as stalled or ends, takes a PutItem for the pointer.
//
// Each write has the condition that the stored row is still the one to which u was applied. If the condition fails, Apply tries again:
//
//   - for the first time, and in the last urgentTime → it applies u at once to the stored row that the response contains
//   - otherwise → it pauses, and then reads the row
//   - ctx has no time for another try → it returns [feed.ErrContention]. If ctx has no deadline, contentionTime is the limit.
func (f *Feed) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	row, outcome, err := f.apply(ctx, owner, u)
	if err != nil && !errors.Is(err, feed.ErrTooManyParts) {
		return feed.Row{}, "", fmt.Errorf("apply update: %w", err)
	}
	return row.Row, outcome, err
}

// apply finds a row to apply u to, and then applies and writes u until the write does not conflict with that of another process.
// If err is not nil, only err counts.
func (f *Feed) apply(ctx context.Context, owner string, u feed.Update) (storedRow, feed.Outcome, error) {
	deadline := retryDeadline(ctx)
	row, written, err := f.baseRow(ctx, owner, u)
	if err != nil || written {
		return row, feed.Accepted, err
	}
	for try := 0; ; try++ {
		if row, err = f.withEndedRow(ctx, owner, row, u); err != nil {
			return storedRow{}, "", err
		}
		next, outcome, err := f.applyRules(ctx, row.Row, u)
		if err != nil || outcome != feed.Accepted {
			return storedRow{Row: next}, outcome, err
		}
		stored, err := f.writeRow(ctx, row, next, u)
		if !errors.Is(err, errConflict) {
			return stored, feed.Accepted, err
		}
		row = stored // The row that another process has written meanwhile.
		left := time.Until(deadline)
		if left <= 0 {
			return storedRow{}, "", feed.ErrContention
		}
		if try == 0 || left < urgentTime {
			continue
		}
		if err := pause(ctx, longestPause(try)); err != nil {
			return storedRow{}, "", fmt.Errorf("%w: %w", feed.ErrContention, err)
		}
		if row, err = f.getRow(ctx, owner, u.State.UploadID); err != nil {
			if ctx.Err() != nil { // Nothing was written.
				err = fmt.Errorf("%w: %w", feed.ErrContention, err)
			}

			return storedRow{}, "", err
		}
	}
}

// withEndedRow returns row. If the job has no row, it returns the end of the job's last run as its row, see endedRow.
func (f *Feed) withEndedRow(ctx context.Context, owner string, row storedRow, u feed.Update) (storedRow, error) {
	if row.item != nil {
		return row, nil
	}
	ended, err := f.endedRow(ctx, owner, u)
	return storedRow{Row: ended}, err
}

// applyRules applies u to row by [feed.Apply]. If u is a repetition of the end, it stores the end of the run again, because the
// first try may have failed before it stored the end.
func (f *Feed) applyRules(ctx context.Context, row feed.Row, u feed.Update) (feed.Row, feed.Outcome, error) {
	next, outcome, err := feed.Apply(row, u)
	if outcome == feed.Duplicate && next.Terminal() {
		err = f.putEnd(ctx, next)
	}
	return next, outcome, err
}

// retryDeadline returns the time after which Apply does not try again.
func retryDeadline(ctx context.Context) time.Time {
	if deadline, ok := ctx.Deadline(); ok {
		return deadline.Add(-contentionReserve)
	}
	return time.Now().Add(contentionTime - contentionReserve)
}

// baseRow returns the row to apply u to. It returns true if it has written u already: then the row is the one after u.
//
//   - u updates a part → it tries to write u without a read. If that conflicts → the stored row.
//   - A recently cached row accepts u → the cached row. It may be out of date, but then the condition of the write fails.
//   - Otherwise → the stored row. Only the stored row may decide that u is not accepted.
func (f *Feed) baseRow(ctx context.Context, owner string, u feed.Update) (row storedRow, written bool, err error) {
	if u.Part != nil {
		row, err = f.applyPart(ctx, owner, u)
		if errors.Is(err, errConflict) {
			return row, false, nil
		}
		return row, err == nil, err
	}
	if row, ok := f.cache.getRecent(owner, u.State.UploadID, u.At); ok {
		if _, outcome, err := feed.Apply(row.Row, u); err == nil && outcome == feed.Accepted {
			return row, false, nil
		}
	}
	row, err = f.getRow(ctx, owner, u.State.UploadID)
	return row, false, err
}

// applyPart writes the update of a part without a read. If that is not possible, it returns the stored row with errConflict.
func (f *Feed) applyPart(ctx context.Context, owner string, u feed.Update) (storedRow, error) {
	row, cached := f.cache.get(owner, u.State.UploadID)
	// u names an epoch, and it is not an epoch of the cached run.
	otherRun := u.Epoch != "" && u.Epoch != row.Epoch && u.Epoch != row.NamedEpoch
	if !cached || otherRun {
		row = storedRow{Row: feed.Row{Owner: owner, Epoch: u.Epoch}}
	}
	// If the part has made no progress since the cached row, only the stored row may decide about u.
	if stored, exists := row.Parts[u.Part.ID]; !exists || u.Part.Done > stored.Done {
		row, err := f.updatePart(ctx, row, u)
		// If the row has attributes of other types than this version writes, the UpdateItem cannot change them.
		apiErr := smithy.APIError(nil)
		otherTypes := errors.As(err, &apiErr) && apiErr.ErrorCode() == "ValidationException"
		if !otherTypes {
			return row, err
		}
	}
	row, err := f.getRow(ctx, owner, u.State.UploadID)
	if err != nil {
		return storedRow{}, err
	}
	return row, errConflict
}

// writeRow writes next, which is row after u was applied. An update of a part takes an UpdateItem if it does not change the run,
// the execution or the expiry; any other write replaces the row. A new execution gets its pointer before that. A terminal state
// then deletes the pointer and stores the end of the run.
//
// If the stored row is no longer row, writeRow returns the stored row with errConflict.
func (f *Feed) writeRow(ctx context.Context, row storedRow, next feed.Row, u feed.Update) (storedRow, error) {
	// next continues the run of row: the epoch is the same, u does not begin a run (Seq 1), and row could be decoded.
	sameRun := next.Epoch == row.Epoch && next.Seq > 1 && !row.Unreadable
	// The attributes that an UpdateItem does not change stay the same, and row has neither ended nor expired.
	sameLifetime := next.Execution == row.Execution && next.NamedEpoch == row.NamedEpoch && !row.Terminal() && !row.Expired(u.At)
	if u.Part != nil && sameRun && sameLifetime {
		return f.updatePart(ctx, row, u)
	}
	if next.NeedsPointer(row.Row) {
		if err := f.putPointer(ctx, next.Pointer()); err != nil {
			return storedRow{}, err
		}
	}
	stored, err := f.putRow(ctx, row, next, sameRun)
	if err != nil || !next.Terminal() {
		return stored, err
	}
	if next.HasPointer() {
		f.deletePointerOf(ctx, next)
	}
	return stored, f.putEnd(ctx, next)
}

// putRow replaces row with next. sameRun is true if both rows belong to the same run.
func (f *Feed) putRow(ctx context.Context, row storedRow, next feed.Row, sameRun bool) (storedRow, error) {
	var before item
	if sameRun {
		before = row.item
	}
	it, err := encodeJobAfter(next, before)
	if err != nil {
		return storedRow{}, err
	}
	copyUnknown(before, it)
	condition, names, values := unchangedCondition(row.item)
	if _, err = f.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &f.Table, Item: it,
		ConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}); err != nil {
		return f.conflictingRow(ctx, next.Owner, next.State.UploadID, err)
	}
	written := storedRow{Row: next, item: it}
	f.cache.put(written)
	return written, nil
}

// updatePart writes u, the update of a part, if the stored part is still the one in row. Otherwise it returns the stored row with
// errConflict.
func (f *Feed) updatePart(ctx context.Context, row storedRow, u feed.Update) (storedRow, error) {
	input, err := f.partUpdate(row, u)
	if err != nil {
		return storedRow{}, err
	}
	out, err := f.Client.UpdateItem(ctx, input)
	if err != nil {
		return f.conflictingRow(ctx, row.Owner, u.State.UploadID, err)
	}
	written := f.decodeStored(ctx, row.Owner, u.State.UploadID, out.Attributes)
	if written.Unreadable || written.Seq == 0 { // The row has damaged attributes, which the UpdateItem left as they were.
		return written, errConflict
	}
	f.cache.put(written)
	return written, nil
}

// conflictingRow returns the stored row with errConflict if err is a failed condition. Otherwise it returns err.
func (f *Feed) conflictingRow(ctx context.Context, owner, job string, err error) (storedRow, error) {
	it, failed := conflictingItem(err)
	if !failed {
		return storedRow{}, err
	}
	if it == nil { // The row does not exist, or the endpoint does not return it.
		if it, err = f.getItem(ctx, owner, jobEntry(job)); err != nil {
			return storedRow{}, fmt.Errorf("get job: %w", err)
		}
	}
	return f.decodeStored(ctx, owner, job, it), errConflict
}

// longestPause returns the longest possible pause after a number of tries.
func longestPause(try int) time.Duration { return min(maxPause, firstPause<<min(try, maxDoublings)) }

// pause waits for a random time from 0 to longest.
func pause(ctx context.Context, longest time.Duration) error {
	timer := time.NewTimer(mathrand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another try: %w", context.Cause(ctx))
	}
}
