package notify

import (
	"context"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// claimTimeout bounds the request that claims a push, and also the read after a claim failed.
const claimTimeout = StoreTimeout / 2

// pushDecision is whether a stored state is posted now.
type pushDecision int

const (
	// pushNow means that the caller must post the row.
	pushNow pushDecision = iota
	// isPushed means that the push of the state was claimed when it was stored, because it was urgent or its interval had passed.
	isPushed
	// pushedByOther means that another caller posts this state or a newer one.
	pushedByOther
	// pushSoon means that the state may be pushed within 250 ms, but the caller does not wait.
	pushSoon
	// pushLater means that the state waits in the feed for the next push or sync.
	pushLater
)

// waitToPush waits until the row's state may be pushed. Then it claims the push, which means that it records the push in the row,
// so that only one caller posts. It returns the newest row, and whether the caller must post that row:
//
//	the state is marked as pushed         isPushed
//	the next push is over 250 ms away     pushLater: a task must not delay its workflow to show less than one percent
//	the caller does not want to wait      pushSoon, unless the state may be pushed now
//	ctx ends before the next push         pushLater: the time of the broadcast is over
//	another caller has claimed the push   pushedByOther
//	this caller has claimed the push      pushNow
//	the claim failed                      pushNow: clients drop a state that they already have
func (n *Notifier) waitToPush(ctx context.Context, row feed.Row, noWait bool) (feed.Row, pushDecision) {
	now := n.now()
	wait := row.NextPushAt(now).Sub(now)
	switch {
	case row.Pushed():
		return row, isPushed
	case wait > message.MinPushInterval:
		return row, pushLater
	case wait > 0 && noWait:
		return row, pushSoon
	}
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return row, pushLater
		}
	}
	newest, claimed, err := n.claimPush(ctx, row)
	switch {
	case err == nil && claimed:
		return newest, pushNow
	case err == nil:
		return newest, pushedByOther
	}
	n.log().WarnContext(ctx, "push not recorded", "uploadId", row.State.UploadID, "seq", row.Seq, "err", err)
	// The claim may have been recorded although it failed. Then other callers do not post, so this caller must post the newest
	// state, which may be newer than row's.
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	if newest, err = n.Feed.Job(ctx, row.Owner, row.State.UploadID); err == nil {
		return newest, pushNow
	}

	return row, pushNow
}

// claimPush claims the push of the job's newest state. It returns the newest row, and whether this caller has claimed the push.
func (n *Notifier) claimPush(ctx context.Context, row feed.Row) (feed.Row, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()

	return n.Feed.ClaimPush(ctx, row, n.now())
}
