package watch

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// silentAfter is the time without news of a running job after which its rate and its time left are not true any more.
const silentAfter = 30 * time.Second

// job is one job: its newest frame.
type job struct {
	message.UploadProgress

	id, epoch string
	at        time.Time
	// newsAt is when the newest state came, by this machine's clock.
	newsAt time.Time
}

// news says which state of a job came last, and when.
type news struct {
	epoch string
	seq   int64
	stamp time.Time
	came  time.Time
}

// jobs are the jobs in the order in which they are shown: the running ones, the newest run first, then the ended ones, the
// last end first. Running jobs stay in their place while they move.
type jobs struct {
	running, ended []job
	since          map[string]news
}

// set replaces the jobs by those of the frames, which came until now.
func (j *jobs) set(frames []message.Envelope, now time.Time) {
	before := j.since
	*j = jobs{since: make(map[string]news, len(frames))}
	for _, e := range frames {
		state, ok := message.AsUploadProgress(e.Data)
		if !ok {
			continue
		}
		n := news{epoch: e.Epoch, seq: e.Seq, stamp: e.Timestamp.Time, came: now}
		if old, known := before[e.Job]; known && old.epoch == n.epoch && old.seq == n.seq && old.stamp.Equal(n.stamp) {
			n.came = old.came
		}
		j.since[e.Job] = n
		next := job{UploadProgress: state, id: e.Job, epoch: e.Epoch, at: e.Timestamp.Time, newsAt: n.came}
		if state.Status.Terminal() {
			j.ended = append(j.ended, next)
		} else {
			j.running = append(j.running, next)
		}
	}
	slices.SortFunc(j.running, func(a, b job) int {
		return cmp.Or(strings.Compare(b.epoch, a.epoch), strings.Compare(a.id, b.id))
	})
	slices.SortFunc(j.ended, func(a, b job) int {
		return cmp.Or(b.at.Compare(a.at), strings.Compare(a.id, b.id))
	})
}
