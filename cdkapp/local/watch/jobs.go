package watch

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// silentAfter is how long a running job may report no new state before its rate and its time left are no longer shown.
const silentAfter = 30 * time.Second

// job is the newest state of a job.
type job struct {
	message.UploadProgress

	id, epoch string
	// at is the time in the frame, by the clock of the server.
	at time.Time
	// newsAt is when this program first saw the state, by the clock of this machine.
	newsAt time.Time
	// steps are what the job went through.
	steps []message.Step
}

// news identifies a state of a job by epoch, seq and the time in its frame (stamp), and says when the state came (see job.newsAt). It also has
// the steps of the state.
type news struct {
	epoch string
	seq   int64
	stamp time.Time
	came  time.Time
	// text has the steps as they came, so that they are decoded once only.
	text  message.Steps
	steps []message.Step
}

// jobs are the jobs in the order of the screen: first the running jobs, the newest run first; then the ended jobs, the last end
// first. Progress does not change the place of a running job.
type jobs struct {
	running, ended []job
	// since has the newest state of each job, by job id, and since when it is the newest.
	since map[string]news
}

// set replaces all jobs by those of frames. now is the time at which a new state counts as come.
func (j *jobs) set(frames []message.Envelope, now time.Time) {
	before := j.since
	*j = jobs{since: make(map[string]news, len(frames))}
	for _, e := range frames {
		state, ok := message.AsUploadProgress(e.Data)
		if !ok {
			continue
		}
		n := news{epoch: e.Epoch, seq: e.Seq, stamp: e.Timestamp.Time, came: now, text: state.Steps}
		old, known := before[e.Job]
		if known && old.epoch == n.epoch && old.seq == n.seq && old.stamp.Equal(n.stamp) {
			n.came = old.came // The state is not new.
		}
		if n.steps = old.steps; old.text != n.text {
			n.steps = n.text.List()
		}
		j.since[e.Job] = n
		next := job{UploadProgress: state, id: e.Job, epoch: e.Epoch, at: e.Timestamp.Time, newsAt: n.came, steps: n.steps}
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
