package notify

import (
	"context"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// claimTimeout bounds the request that records a push, and the read after it failed.
const claimTimeout = StoreTimeout / 2

// waitToPush waits until the row's state may be pushed, and returns the newest row and whether the caller posts it:
//
//	the next push is over 250 ms away     no: a task must not delay its workflow to show less than one percent
//	another caller has claimed the push   no: that push carries this state or a newer one
//	this caller has claimed the push      yes
//	the claim failed                      yes: clients drop a state that they have
func (n *Notifier) waitToPush(ctx context.Context, row feed.Row) (feed.Row, bool) {
	now := n.now()
	wait := row.NextPushAt(now).Sub(now)
	if wait > message.MinPushInterval {
		return row, false
	}
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return row, false
		}
	}
	newest, claimed, err := n.claimPush(ctx, row)
	if err == nil {
		return newest, claimed
	}
	n.log().WarnContext(ctx, "push not recorded", "uploadId", row.State.UploadID, "seq", row.Seq, "err", err)
	// The claim may have been recorded for a state newer than row's. Then that state must be posted.
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	if newest, err = n.Feed.Job(ctx, row.Owner, row.State.UploadID); err == nil {
		return newest, true
	}

	return row, true
}

func (n *Notifier) claimPush(ctx context.Context, row feed.Row) (feed.Row, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()

	return n.Feed.ClaimPush(ctx, row, n.now())
}
