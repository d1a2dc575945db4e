package feed

import (
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// A job may run several times. Each run has an epoch. Tabs order the states of a job by epoch and seq, so the epoch of a run
// is always greater than that of the run before, even if the epoch in its updates is not.

// runRelation is the relation between the run of an update and the run of the row.
type runRelation int

const (
	olderRun runRelation = iota
	sameRun
	newRun
)

// relationTo returns how the run of u relates to the row's run, and the epoch of the run of u:
//
//   - No epoch, and a row that has not expired → the same run.
//   - No epoch, and no row or an expired one → a new run, whose epoch is the time of the update.
//   - The epoch of the row, even if it has expired → the same run.
//   - An older epoch, if the row's run began without one and has had none since → the same run. The row adopts the epoch,
//     because the workflow of a job starts before its first update.
//   - Any other older epoch → an older run.
//   - A newer epoch → a new run.
func (r Row) relationTo(u Update) (runRelation, string) {
	switch {
	case r.Seq == 0 && u.Epoch == "":
		return newRun, epochAt(u.At)
	case r.Seq == 0:
		return newRun, u.Epoch
	case u.Epoch == "" && r.Expired(u.At):
		return newRun, r.epochAbove(epochAt(u.At))
	case u.Epoch == "", u.Epoch == r.Epoch, u.Epoch == r.NamedEpoch, r.adoptsEpoch(u.Epoch):
		return sameRun, r.Epoch
	case u.Epoch < r.epochOfUpdates():
		return olderRun, ""
	default:
		return newRun, r.epochAbove(u.Epoch)
	}
}

// adoptsEpoch reports whether the row's run began without an epoch and epoch may be its epoch.
func (r Row) adoptsEpoch(epoch string) bool {
	return r.EpochFromTime && epoch != "" && epoch < r.Epoch && !r.Terminal()
}

// epochOfUpdates returns the epoch in the updates of the row's run.
func (r Row) epochOfUpdates() string {
	if r.NamedEpoch != "" {
		return r.NamedEpoch
	}
	return r.Epoch
}

// epochAbove returns epoch if it is greater than the row's. Otherwise it returns the next epoch above the row's, with the
// redrive count of epoch.
func (r Row) epochAbove(epoch string) string {
	if epoch > r.Epoch {
		return epoch
	}
	const timeLength = len("2006-01-02T15:04:05.000Z")
	if len(r.Epoch) <= timeLength || len(epoch) <= timeLength {
		return r.Epoch + "+"
	}
	at, err := time.Parse(time.RFC3339, r.Epoch[:timeLength])
	next := epochAt(at.Add(time.Millisecond))
	if err != nil || next == "" {
		return r.Epoch + "+"
	}
	return next[:timeLength] + epoch[timeLength:]
}

// epochAt returns the epoch of a run that began at a time.
func epochAt(at time.Time) string {
	epoch, err := message.NormalizeEpoch(at.UTC().Format(time.RFC3339Nano))
	if err != nil { // The year has five digits.
		return ""
	}
	return epoch
}
