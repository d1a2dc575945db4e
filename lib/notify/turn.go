package notify

import (
	"context"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// claimTimeout bounds the recording of a push, and what is read where that failed.
const claimTimeout = StoreTimeout / 2

// turn waits until a row's state may be pushed, and returns the newest row and whether the caller is to post it. It is
// not where another push has been claimed meanwhile, as that one's state holds this one; nor where the turn is further off
// than a task may hold up its workflow for under one percent.
func (n *Notifier) turn(ctx context.Context, row feed.Row) (feed.Row, bool) {
	now := n.now()
	wait := row.NextPushAt(now).Sub(now)
	if wait > message.MinInterval {
		return row, false
	}
	if wait > 0 { // a part's turn may have come already
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return row, false
		}
	}
	newest, mine, err := n.claim(ctx, row)
	if err == nil {
		return newest, mine
	}
	n.log().WarnContext(ctx, "push not recorded", "uploadId", row.State.UploadID, "seq", row.Seq, "err", err)
	// The claim may have been recorded all the same, for a state newer than row's: that is the one to post.
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	if newest, err = n.Feed.Job(ctx, row.Owner, row.State.UploadID); err == nil {
		return newest, true
	}

	return row, true
}

func (n *Notifier) claim(ctx context.Context, row feed.Row) (feed.Row, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()

	return n.Feed.Claim(ctx, row, n.now()) //nolint:wrapcheck // it says what it is
}
