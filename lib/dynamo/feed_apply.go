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
	// contentionReserve is how long before the deadline of its context Apply stops, so that its last request is answered.
	contentionReserve = 50 * time.Millisecond
	// The pause between two tries is random. Its maximum is firstPause at first and doubles up to maxPause.
	firstPause = 4 * time.Millisecond
	maxPause   = 128 * time.Millisecond
	// maxDoublings is the number of tries after which the maximum is maxPause.
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
// Each write has the condition that the stored row is still the one to which u was applied. If the condition fails for the first
// time, Apply applies u at once to the stored row that the response contains. After that it pauses and reads the row before each
// try. If ctx has no time for another try, or after contentionTime, it returns [feed.ErrContention].
func (f *Feed) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	row, outcome, err := f.apply(ctx, owner, u)
	if err != nil && !errors.Is(err, feed.ErrTooManyParts) {
		return feed.Row{}, "", fmt.Errorf("apply update: %w", err)
	}
	return row.Row, outcome, err
}

func (f *Feed) apply(ctx context.Context, owner string, u feed.Update) (storedRow, feed.Outcome, error) {
	deadline := f.retryDeadline(ctx)
	row, err := f.baseRow(ctx, owner, u)
	if err == nil && u.Part != nil {
		return row, feed.Accepted, nil
	}
	for try := 0; ; try++ {
		if err != nil && !errors.Is(err, errConflict) {
			return storedRow{}, "", err
		}
		next, outcome, rulesErr := f.applyRules(ctx, owner, &row, u)
		if rulesErr != nil || outcome != feed.Accepted {
			return storedRow{Row: next}, outcome, rulesErr
		}
		if row, err = f.writeRow(ctx, row, next, u); err == nil {
			return row, feed.Accepted, nil
		}
		if try > 0 && errors.Is(err, errConflict) {
			if err := backOff(ctx, try, deadline); err != nil {
				return storedRow{}, "", err
			}
			row, err = f.getRow(ctx, owner, u.State.UploadID)
		}
	}
}

// applyRules applies u to row, or to the end of the last run if the job has no row. It stores the end of a duplicate again,
// because the first try may not have stored it.
func (f *Feed) applyRules(ctx context.Context, owner string, row *storedRow, u feed.Update) (feed.Row, feed.Outcome, error) {
	if row.item == nil {
		var err error
		if row.Row, err = f.endedRow(ctx, owner, u); err != nil {
			return feed.Row{}, "", err
		}
	}
	next, outcome, err := feed.Apply(row.Row, u)
	if outcome == feed.Duplicate && next.Terminal() {
		err = f.putEnd(ctx, next)
	}
	return next, outcome, err
}

// retryDeadline returns the time after which Apply does not try again.
func (f *Feed) retryDeadline(ctx context.Context) time.Time {
	if deadline, ok := ctx.Deadline(); ok {
		return deadline.Add(-contentionReserve)
	}
	return time.Now().Add(contentionTime)
}

// baseRow returns the row to apply u to:
//
//   - A part → it writes the update without a read and returns the row after it, or the stored row with errConflict.
//   - A recently cached row that accepts u → the cached row. The condition of the write checks it.
//   - Otherwise → the stored row. Only this row may decide that u is not accepted.
func (f *Feed) baseRow(ctx context.Context, owner string, u feed.Update) (storedRow, error) {
	if u.Part != nil {
		return f.applyPart(ctx, owner, u)
	}
	if row, ok := f.cache.getRecent(owner, u.State.UploadID, u.At); ok {
		if _, outcome, err := feed.Apply(row.Row, u); err == nil && outcome == feed.Accepted {
			return row, nil
		}
	}
	return f.getRow(ctx, owner, u.State.UploadID)
}

// applyPart writes the update of a part without a read. If that is not possible, it returns the stored row with errConflict.
func (f *Feed) applyPart(ctx context.Context, owner string, u feed.Update) (storedRow, error) {
	row, ok := f.cache.get(owner, u.State.UploadID)
	if !ok || u.Epoch != "" && u.Epoch != row.Epoch && u.Epoch != row.NamedEpoch {
		row = storedRow{Row: feed.Row{Owner: owner, Epoch: u.Epoch}}
	}
	if stored, ok := row.Parts[u.Part.ID]; !ok || u.Part.Done > stored.Done {
		row, err := f.updatePart(ctx, row, u)
		apiErr := smithy.APIError(nil)
		if otherTypes := errors.As(err, &apiErr) && apiErr.ErrorCode() == "ValidationException"; !otherTypes {
			return row, err
		}
		// The row has attributes of other types than this version writes: the update cannot change them.
	}
	row, err := f.getRow(ctx, owner, u.State.UploadID)
	if err != nil {
		return storedRow{}, err
	}
	return row, errConflict
}

// writeRow writes next, the row after u was applied to row. If the stored row is not row, it returns the stored row with
// errConflict.
func (f *Feed) writeRow(ctx context.Context, row storedRow, next feed.Row, u feed.Update) (storedRow, error) {
	sameRun := next.Epoch == row.Epoch && next.Seq > 1 && !row.Unreadable
	sameLifetime := next.Execution == row.Execution && next.NamedEpoch == row.NamedEpoch && !row.Expired(u.At)
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
	if next.Execution != "" {
		f.deletePointerOf(ctx, next)
	}
	return stored, f.putEnd(ctx, next)
}

// putRow replaces row with next. sameRun says that they are of the same run.
func (f *Feed) putRow(ctx context.Context, row storedRow, next feed.Row, sameRun bool) (storedRow, error) {
	it, err := encodeJob(next)
	if err != nil {
		return storedRow{}, err
	}
	if sameRun {
		copyUnknown(row.item, it)
	}
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

// updatePart writes the progress of a part since row.
func (f *Feed) updatePart(ctx context.Context, row storedRow, u feed.Update) (storedRow, error) {
	input, err := f.partUpdate(row.Row, u)
	if err != nil {
		return storedRow{}, err
	}
	out, err := f.Client.UpdateItem(ctx, input)
	if err != nil {
		return f.conflictingRow(ctx, row.Owner, u.State.UploadID, err)
	}
	written := f.decodeStored(ctx, row.Owner, u.State.UploadID, out.Attributes)
	if written.Unreadable || written.Seq == 0 { // The update did not depend on the attributes that cannot be decoded.
		return written, errConflict
	}
	f.cache.put(written)
	return written, nil
}

// conflictingRow returns the stored row with errConflict if err is a failed condition, and err otherwise.
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

// backOff pauses before another try. It returns [feed.ErrContention] if that try could start after the deadline.
func backOff(ctx context.Context, try int, deadline time.Time) error {
	if time.Until(deadline) < min(maxPause, firstPause<<min(try, maxDoublings)) {
		return feed.ErrContention
	}
	if err := pause(ctx, try); err != nil {
		return fmt.Errorf("%w: %w", feed.ErrContention, err)
	}
	return nil
}

// pause waits a random time whose maximum grows with the number of tries.
func pause(ctx context.Context, try int) error {
	longest := min(maxPause, firstPause<<min(try, maxDoublings))
	timer := time.NewTimer(mathrand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another try: %w", context.Cause(ctx))
	}
}
