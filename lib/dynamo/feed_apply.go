package dynamo

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
)

const (
	// maxTries is how often Apply writes while others write the same row.
	maxTries = 16
	// Between two tries lies a random time, under firstPause at first and doubling up to maxPause.
	firstPause = 2 * time.Millisecond
	maxPause   = 100 * time.Millisecond
)

// ErrBusy says that a row changed under every one of the tries to write it. Nothing was written.
var ErrBusy = errors.New("dynamo: too many write the same job")

// errConflict says that the row was not the expected one.
var errConflict = errors.New("dynamo: the row has changed")

// Apply carries out u. Mostly a part's update is one UpdateItem, and any other one GetItem and one PutItem, or only the
// PutItem where this process wrote the row a moment ago. Both are conditions on what they build upon; when they fail, the
// row is read and the rules are applied anew, a bounded number of times, see [ErrBusy].
func (s *Feed) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	row, outcome, err := s.apply(ctx, owner, u)
	if err != nil && !errors.Is(err, feed.ErrParts) {
		return feed.Row{}, "", fmt.Errorf("apply update: %w", err)
	}

	return row, outcome, err
}

func (s *Feed) apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	var row feed.Row
	var err error
	if u.Part != nil {
		if row, err = s.applyPart(ctx, owner, u); err == nil {
			return row, feed.Accepted, nil
		}
		if !errors.Is(err, errConflict) {
			return feed.Row{}, "", err
		}
	} else if row, err = s.guess(ctx, owner, u); err != nil {
		return feed.Row{}, "", err
	}
	for try := range maxTries {
		next, outcome, err := feed.Apply(row, u)
		if err != nil || outcome != feed.Accepted {
			return next, outcome, err //nolint:wrapcheck // ErrParts is the contract's
		}
		if next, err = s.write(ctx, row, next, u); err == nil {
			return next, feed.Accepted, nil
		}
		if !errors.Is(err, errConflict) {
			return feed.Row{}, "", err
		}
		row = next
		if err := pause(ctx, try); err != nil {
			return feed.Row{}, "", err
		}
	}

	return feed.Row{}, "", ErrBusy
}

// guess returns the row that this process wrote a moment ago if u follows it, and else the one that is stored: nothing
// else may decide that u is not accepted.
func (s *Feed) guess(ctx context.Context, owner string, u feed.Update) (feed.Row, error) {
	if row, ok := s.known.recent(owner, u.State.UploadID, u.At); ok {
		if _, outcome, err := feed.Apply(row, u); err == nil && outcome == feed.Accepted {
			return row, nil
		}
	}

	return s.get(ctx, owner, u.State.UploadID)
}

// applyPart writes a part's update without a read. It returns the row that is stored with errConflict where that cannot
// be.
func (s *Feed) applyPart(ctx context.Context, owner string, u feed.Update) (feed.Row, error) {
	row, ok := s.known.last(owner, u.State.UploadID)
	if !ok || u.Epoch != "" && u.Epoch != row.Epoch {
		row = feed.Row{Owner: owner, Epoch: u.Epoch}
	}
	if had, ok := row.Parts[u.Part.ID]; !ok || u.Part.Done > had.Done {
		return s.updatePart(ctx, row, u)
	}
	row, err := s.get(ctx, owner, u.State.UploadID)
	if err != nil {
		return feed.Row{}, err
	}

	return row, errConflict
}

// write stores next, which follows row by u. It returns the row that is stored, with errConflict where that is another
// than row.
func (s *Feed) write(ctx context.Context, row, next feed.Row, u feed.Update) (feed.Row, error) {
	if u.Part != nil && next.Seq > 1 && next.Execution == row.Execution {
		return s.updatePart(ctx, row, u)
	}
	if next.Points(row) {
		if err := s.point(ctx, next.Pointer()); err != nil {
			return feed.Row{}, err
		}
	}
	stored, err := s.put(ctx, row, next)
	if err == nil && next.State.Status.Terminal() && next.Execution != "" {
		s.unpoint(ctx, next)
	}

	return stored, err
}

// put replaces row by next.
func (s *Feed) put(ctx context.Context, row, next feed.Row) (feed.Row, error) {
	it, err := encodeJob(next)
	if err != nil {
		return feed.Row{}, err
	}
	in := &dynamodb.PutItemInput{
		TableName: &s.Table, Item: it,
		ConditionExpression:                 aws.String("attribute_not_exists(#entry)"),
		ExpressionAttributeNames:            map[string]string{"#entry": "entry"},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if row.Seq > 0 { // a claim changes pushedSeq only
		in.ConditionExpression = aws.String("#epoch = :epoch AND #seq = :seq AND #pushedSeq = :pushedSeq")
		in.ExpressionAttributeNames = map[string]string{"#epoch": "epoch", "#seq": "seq", "#pushedSeq": "pushedSeq"}
		in.ExpressionAttributeValues = item{":epoch": text(row.Epoch), ":seq": number(row.Seq), ":pushedSeq": number(row.PushedSeq)}
	}
	if _, err = s.Client.PutItem(ctx, in); err != nil {
		return s.stored(ctx, next.Owner, next.State.UploadID, err)
	}
	s.known.keep(next)

	return next, nil
}

// updatePart counts the progress of a part since row.
func (s *Feed) updatePart(ctx context.Context, row feed.Row, u feed.Update) (feed.Row, error) {
	in, err := s.partUpdate(row, u)
	if err != nil {
		return feed.Row{}, err
	}
	out, err := s.Client.UpdateItem(ctx, in)
	if err != nil {
		return s.stored(ctx, row.Owner, u.State.UploadID, err)
	}
	next, err := decodeJob(out.Attributes)
	if err != nil {
		return feed.Row{}, err
	}
	s.known.keep(next)

	return next, nil
}

// stored returns the row that failed a condition with errConflict, or err where it is none.
func (s *Feed) stored(ctx context.Context, owner, job string, err error) (feed.Row, error) {
	it, failed := conflict(err)
	if !failed {
		return feed.Row{}, err
	}
	var row feed.Row
	if it == nil { // there is none, or the endpoint does not tell
		row, err = s.get(ctx, owner, job)
	} else {
		row, err = decodeJob(it)
	}
	if err != nil {
		return feed.Row{}, err
	}

	return row, errConflict
}

// pause waits a random time, the longer the more tries there were.
func pause(ctx context.Context, try int) error {
	longest := min(maxPause, firstPause<<try)
	timer := time.NewTimer(mathrand.N(longest)) //nolint:gosec // spreads load, keeps no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another try: %w", context.Cause(ctx))
	}
}
