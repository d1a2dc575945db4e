package feed

import (
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// A job is run again and again, and each run has an epoch. Tabs order the states of a job by epoch and seq, so the epoch
// of a run is always over that of the run before, whatever its updates name.

// place is where an update belongs among the runs of a job.
type place int

const (
	earlierRun place = iota
	sameRun
	newRun
)

// place returns where u belongs, and the epoch of that run:
//
//   - An update without an epoch belongs to the row's run. Where there is no row, or its life is over, it begins a run
//     whose epoch is the update's time.
//   - An update that names the row's epoch belongs to it, even when the life of the row is over: the run is the same.
//   - A run that began without an epoch takes in the first older epoch that is named: the workflow of a job was started
//     before its first update was written.
//   - Any other older epoch is an earlier run, and a newer one is a new run.
func (r Row) place(u Update) (place, string) {
	switch {
	case r.Seq == 0 && u.Epoch == "":
		return newRun, epochOf(u.At)
	case r.Seq == 0:
		return newRun, u.Epoch
	case u.Epoch == "" && r.Expired(u.At):
		return newRun, r.epochAfter(epochOf(u.At))
	case u.Epoch == "", u.Epoch == r.Epoch, u.Epoch == r.Run, r.takesIn(u.Epoch):
		return sameRun, r.Epoch
	case u.Epoch < r.named():
		return earlierRun, ""
	default:
		return newRun, r.epochAfter(u.Epoch)
	}
}

// takesIn reports whether the row's run has no named epoch yet, and epoch may be it.
func (r Row) takesIn(epoch string) bool {
	return r.Unnamed && epoch != "" && epoch < r.Epoch && !r.Terminal()
}

// named returns the epoch that updates of the row's run name.
func (r Row) named() string {
	if r.Run != "" {
		return r.Run
	}

	return r.Epoch
}

// epochAfter returns epoch where it is over the row's, or else the next one over the row's, with the redrive count of epoch.
func (r Row) epochAfter(epoch string) string {
	if epoch > r.Epoch {
		return epoch
	}
	const timeLength = len("2006-01-02T15:04:05.000Z")
	if len(r.Epoch) <= timeLength || len(epoch) <= timeLength {
		return r.Epoch + "+"
	}
	at, err := time.Parse(time.RFC3339, r.Epoch[:timeLength])
	next := epochOf(at.Add(time.Millisecond))
	if err != nil || next == "" {
		return r.Epoch + "+"
	}

	return next[:timeLength] + epoch[timeLength:]
}

// epochOf returns the epoch of a run that began at a time.
func epochOf(at time.Time) string {
	epoch, err := message.NormalizeEpoch(at.UTC().Format(time.RFC3339Nano))
	if err != nil { // a year of five digits
		return ""
	}

	return epoch
}
