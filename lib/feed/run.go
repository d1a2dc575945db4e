package feed

import (
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// A job may run several times. Each run has an epoch. Tabs order the states of a job by epoch and seq, so each run must have a
// greater epoch than the run before. If the epoch in the updates of a run is not greater, the run gets another one ([Row].Epoch),
// and the row stores the epoch in the updates as NamedEpoch.

// runRelation is the relation between the run of an update and the run of the row.
type runRelation int

const (
	olderRun runRelation = iota
	sameRun
	newRun
)

// relationTo returns how the run of u relates to the row's run, and the epoch of the run of u. It depends on the epoch of u:
//
//   - u has no epoch, and the row has not expired → the same run.
//   - u has no epoch, and there is no row or the row has expired → a new run, whose epoch is the time of u.
//   - u has the row's Epoch or NamedEpoch → the same run, even if the row has expired.
//   - u has an older epoch, and no update of the row's run had one so far → the same run. The row adopts the epoch: it is the
//     start of the job's workflow, which is before the first update.
//   - u has any other older epoch → an older run.
//   - u has a newer epoch → a new run.
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

// adoptsEpoch reports whether an update with this epoch belongs to the row's run although no update of the run had an epoch so
// far. See relationTo.
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

// epochAbove returns epoch if it is greater than the row's. Otherwise it returns the row's epoch plus a millisecond, with the
// redrive count of epoch: "2026-11-22T10:00:00.123Z#0001" has the redrive count 0001. If that is not possible, it appends a plus
// sign to the row's epoch.
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

// epochAt returns the epoch of a run that began at a time. It returns an empty string if the year has five digits.
func epochAt(at time.Time) string {
	epoch, err := message.NormalizeEpoch(at.UTC().Format(time.RFC3339Nano))
	if err != nil {
		return ""
	}
	return epoch
}
