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
	// contentionTime is how long Apply goes on while others write the same row, where its context has no deadline.
	contentionTime = 2 * time.Second
	// contentionReserve is left of the context's time when Apply gives up, so that its last request was answered.
	contentionReserve = 50 * time.Millisecond
	// Between two tries lies a random time, under firstPause at first and doubling up to maxPause.
	firstPause = 4 * time.Millisecond
	maxPause   = 128 * time.Millisecond
	// maxDoublings is after how many tries the time is maxPause.
	maxDoublings = 5
)

// errConflict says that the row was not the expected one.
var errConflict = errors.New("dynamo: the row has changed")

// Apply carries out u. Mostly a part's update is one UpdateItem, and any other one GetItem and one PutItem, or only the
// PutItem where this process wrote the row a moment ago. Both are conditions on what they build upon. When they fail, the
// rules are applied anew to the row that failed them, at once at first; then, as many write the row, to the row that is
// read after a pause. When ctx has no time for another try, or after contentionTime, the error is [feed.ErrContention].
func (s *Feed) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	row, outcome, err := s.apply(ctx, owner, u)
	if err != nil && !errors.Is(err, feed.ErrTooManyParts) {
		return feed.Row{}, "", fmt.Errorf("apply update: %w", err)
	}
	return row.Row, outcome, err
}

func (s *Feed) apply(ctx context.Context, owner string, u feed.Update) (storedRow, feed.Outcome, error) {
	end := s.retryDeadline(ctx)
	row, err := s.baseRow(ctx, owner, u)
	if err == nil && u.Part != nil {
		return row, feed.Accepted, nil
	}
	for try := 0; ; try++ {
		if err != nil && !errors.Is(err, errConflict) {
			return storedRow{}, "", err
		}
		next, outcome, rule := feed.Apply(row.Row, u)
		if rule != nil || outcome != feed.Accepted {
			return storedRow{Row: next}, outcome, rule
		}
		written, failed := s.writeRow(ctx, row, next, u)
		if failed == nil {
			return written, feed.Accepted, nil
		}
		row, err = written, failed
		if try > 0 && errors.Is(err, errConflict) {
			if err := backOff(ctx, try, end); err != nil {
				return storedRow{}, "", err
			}
			row, err = s.getRow(ctx, owner, u.State.UploadID)
		}
	}
}

// retryDeadline returns when Apply begins no other try.
func (s *Feed) retryDeadline(ctx context.Context) time.Time {
	end := time.Now().Add(contentionTime)
	if deadline, ok := ctx.Deadline(); ok {
		end = deadline.Add(-contentionReserve)
	}
	return end
}

// baseRow returns the row that u is to be applied to: what this process wrote a moment ago if u follows it, and else what is
// stored, as nothing else may decide that u is not accepted. Of a part, it writes the update without a read if it can, and
// returns the row after it; otherwise the error is errConflict.
func (s *Feed) baseRow(ctx context.Context, owner string, u feed.Update) (storedRow, error) {
	if u.Part != nil {
		return s.applyPart(ctx, owner, u)
	}
	if row, ok := s.cache.getRecent(owner, u.State.UploadID, u.At); ok {
		if _, outcome, err := feed.Apply(row.Row, u); err == nil && outcome == feed.Accepted {
			return row, nil
		}
	}
	return s.getRow(ctx, owner, u.State.UploadID)
}

// applyPart writes a part's update without a read. It returns the row that is stored with errConflict where that cannot
// be.
func (s *Feed) applyPart(ctx context.Context, owner string, u feed.Update) (storedRow, error) {
	row, ok := s.cache.get(owner, u.State.UploadID)
	if !ok || u.Epoch != "" && u.Epoch != row.Epoch && u.Epoch != row.NamedEpoch {
		row = storedRow{Row: feed.Row{Owner: owner, Epoch: u.Epoch}}
	}
	if stored, ok := row.Parts[u.Part.ID]; !ok || u.Part.Done > stored.Done {
		row, err := s.updatePart(ctx, row, u)
		if invalid := smithy.APIError(nil); !errors.As(err, &invalid) || invalid.ErrorCode() != "ValidationException" {
			return row, err
		} // attributes of other types are there than this version writes
	}
	row, err := s.getRow(ctx, owner, u.State.UploadID)
	if err != nil {
		return storedRow{}, err
	}

	return row, errConflict
}

// writeRow stores next, which follows row by u. It returns the row that is stored, with errConflict where that is another
// than row.
func (s *Feed) writeRow(ctx context.Context, row storedRow, next feed.Row, u feed.Update) (storedRow, error) {
	sameRun := next.Epoch == row.Epoch && next.Seq > 1 && !row.Unreadable
	sameLifetime := next.Execution == row.Execution && next.NamedEpoch == row.NamedEpoch && !row.Expired(u.At)
	if u.Part != nil && sameRun && sameLifetime {
		return s.updatePart(ctx, row, u)
	}
	if next.NeedsPointer(row.Row) {
		if err := s.putPointer(ctx, next.Pointer()); err != nil {
			return storedRow{}, err
		}
	}
	stored, err := s.putRow(ctx, row, next, sameRun)
	if err == nil && next.Terminal() && next.Execution != "" {
		s.deletePointerOf(ctx, next)
	}

	return stored, err
}

// putRow replaces row by next; same says that they are of one run.
func (s *Feed) putRow(ctx context.Context, row storedRow, next feed.Row, sameRun bool) (storedRow, error) {
	it, err := encodeJob(next)
	if err != nil {
		return storedRow{}, err
	}
	if sameRun {
		copyUnknown(row.item, it)
	}
	condition, names, values := unchangedCondition(row.item)
	if _, err = s.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: it,
		ConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}); err != nil {
		return s.conflictingRow(ctx, next.Owner, next.State.UploadID, err)
	}
	written := storedRow{Row: next, item: it}
	s.cache.put(written)
	return written, nil
}

// updatePart counts the progress of a part since row.
func (s *Feed) updatePart(ctx context.Context, row storedRow, u feed.Update) (storedRow, error) {
	input, err := s.partUpdate(row.Row, u)
	if err != nil {
		return storedRow{}, err
	}
	out, err := s.Client.UpdateItem(ctx, input)
	if err != nil {
		return s.conflictingRow(ctx, row.Owner, u.State.UploadID, err)
	}
	written := s.decodeStored(ctx, row.Owner, u.State.UploadID, out.Attributes)
	if written.Unreadable || written.Seq == 0 { // it was written blindly
		return written, errConflict
	}
	s.cache.put(written)
	return written, nil
}

// conflictingRow returns the row that failed a condition with errConflict, or err where it is none.
func (s *Feed) conflictingRow(ctx context.Context, owner, job string, err error) (storedRow, error) {
	it, failed := conflictingItem(err)
	if !failed {
		return storedRow{}, err
	}
	if it == nil { // there is none, or the endpoint does not tell
		if it, err = s.getItem(ctx, owner, jobEntry(job)); err != nil {
			return storedRow{}, fmt.Errorf("get job: %w", err)
		}
	}
	return s.decodeStored(ctx, owner, job, it), errConflict
}

// backOff waits a random time before another try, the longer the more tries there were. It returns [feed.ErrContention]
// where the try would come after end.
func backOff(ctx context.Context, try int, end time.Time) error {
	if time.Until(end) < min(maxPause, firstPause<<min(try, maxDoublings)) {
		return feed.ErrContention
	}
	if err := pause(ctx, try); err != nil {
		return fmt.Errorf("%w: %w", feed.ErrContention, err)
	}
	return nil
}

// pause waits a random time, the longer the more tries there were.
func pause(ctx context.Context, try int) error {
	longest := min(maxPause, firstPause<<min(try, maxDoublings))
	timer := time.NewTimer(mathrand.N(longest)) //nolint:gosec // spreads load, keeps no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another try: %w", context.Cause(ctx))
	}
}
