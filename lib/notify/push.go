package notify

import (
	"context"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// claimTimeout bounds the request that claims a push, and also the read after a claim failed.
const claimTimeout = StoreTimeout / 2

// waitToPush waits until the row's state may be pushed. Then it claims the push, which means that it records the push in the row,
// so that only one caller posts. It returns the newest row, and whether the caller must post that row:
//
//	the next push is over 250 ms away     no: a task must not delay its workflow to show less than one percent
//	ctx ends before the next push         no: the time of the broadcast is over
//	another caller has claimed the push   no: that push carries this state or a newer one
//	this caller has claimed the push      yes
//	the claim failed                      yes: clients drop a state that they already have
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
	// The claim may have been recorded although it failed. Then other callers do not post, so this caller must post the newest
	// state, which may be newer than row's.
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	if newest, err = n.Feed.Job(ctx, row.Owner, row.State.UploadID); err == nil {
		return newest, true
	}

	return row, true
}

// claimPush claims the push of the job's newest state. It returns the newest row, and whether this caller has claimed the push.
func (n *Notifier) claimPush(ctx context.Context, row feed.Row) (feed.Row, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()

	return n.Feed.ClaimPush(ctx, row, n.now())
}
