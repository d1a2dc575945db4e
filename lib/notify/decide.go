package notify

import (
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// decision is what happens to a request.
type decision struct {
	recipients broadcast.Recipients
	// prefetch is true if the connections are read while the store works. It is false if the message will probably wait in the
	// feed for the next push. Then the connections are read only when the message is posted after all.
	prefetch bool
	// followed becomes [Output.Followed]. It is nil if the request names no execution.
	followed *bool
}

// decide decides what happens to a request.
func (n *Notifier) decide(r request) decision {
	d := decision{prefetch: r.stored && !n.mayCoalesce(r)}
	if r.Execution != "" {
		followed := r.stored && r.isState && n.follows(r.Execution)
		d.followed = &followed
	}
	if r.UserID != "" {
		d.recipients = n.Broadcaster.User(r.UserID)
	} else {
		d.recipients = n.Broadcaster.Connection(r.ConnectionID)
	}

	return d
}

// mayCoalesce reports whether the message of r will probably wait for the next push of its job. It is a guess: another
// process may have pushed the job since.
func (n *Notifier) mayCoalesce(r request) bool {
	if r.Part != nil { // most states of parts wait
		return true
	}
	if !r.isState || r.state.Status.Terminal() { // notes and ends are posted at once
		return false
	}
	row, cached := n.lastRows.find(feed.User(r.UserID), r.state.UploadID)
	otherRun := r.Epoch != "" && r.Epoch != row.Epoch
	newPhase := r.state.Phase != row.State.Phase
	newStatus := r.state.Status.Other(row.State.Status)
	if !cached || otherRun || newPhase || newStatus {
		return false
	}
	row.State = r.state // NextPushAt compares its progress with that of the last push
	now := n.now()

	return now.Before(row.NextPushAt(now))
}

// follows reports whether the sweeper will receive an event when the execution with an ARN ends.
func (n *Notifier) follows(arn string) bool {
	x, ok := message.ParseExecution(arn)
	inAccount := n.Account == "" || n.Account == x.Account
	inRegion := n.Region == "" || n.Region == x.Region

	return ok && !x.Express && inAccount && inRegion
}
