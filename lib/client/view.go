package client

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/herald-progress/herald/lib/message"
)

// maxJobs is how many jobs a view holds. A user who has more sees those that run, and the newest of the others.
const maxJobs = 10_000

// View is what a client knows of its user's jobs and notes. It has no clock: the same frames always make the same view, in
// whatever connections they came. It may be used concurrently. Its zero value knows nothing.
type View struct {
	mu    sync.Mutex
	jobs  map[string]job
	notes notes
	page  page
}

// job is what a view knows of one job: the frame that is shown, and the position of the newest stored state.
type job struct {
	shown message.Envelope
	at    position
}

func (j job) running() bool {
	state, ok := message.AsUploadProgress(j.shown.Data)
	return ok && !state.Status.Terminal()
}

// compareJobs orders running jobs before ended ones, and newer frames before older ones.
func compareJobs(a, b job) int {
	if a.running() != b.running() {
		if a.running() {
			return -1
		}
		return 1
	}
	return cmp.Or(b.shown.Timestamp.Compare(a.shown.Timestamp.Time), strings.Compare(a.shown.Job, b.shown.Job))
}

// position is a place in a job's history; as JSON it is an array, [epoch, seq]. A zero seq is no place.
type position struct {
	epoch string
	seq   int64
}

// after reports whether p is newer than another position.
func (p position) after(other position) bool {
	return other.seq == 0 || p.epoch > other.epoch || p.epoch == other.epoch && p.seq > other.seq
}

func (p position) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{p.epoch, p.seq}) //nolint:wrapcheck // a Marshaler
}

// apply reports whether a frame is news, to be shown, and remembers what it says:
//
//   - the state of a job, when its epoch and seq are newer than all before. A running state whose progress is under that
//     which an unstored one has shown moves the position and is no news: progress never runs backwards.
//   - a state without seq, which was not stored, when it is of no older run, the run has not ended and its progress does
//     not fall. It moves no position: any stored one may follow.
//   - a note, when its id has not come before; what has no id always.
//   - a dismissal, when the note was there.
//   - every other frame.
func (v *View) apply(e message.Envelope) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch data := e.Data.(type) {
	case message.UploadProgress:
		return v.applyState(e, data)
	case message.Notification, message.Error:
		return v.addNote(e)
	case message.Dismissed:
		return v.notes.dismiss(data.ID)
	case message.Welcome:
		v.notes.welcome(data.ServerTime.Time)
	}

	return true
}

func (v *View) applyState(e message.Envelope, state message.UploadProgress) bool {
	e.Job = cmp.Or(e.Job, state.UploadID)
	if e.Job == "" {
		return true // nothing can be remembered of it
	}
	if v.jobs == nil {
		v.jobs = map[string]job{}
	}
	before := v.jobs[e.Job]
	next, news := before.apply(e, state)
	v.page.countState(e, next.at != before.at)
	v.jobs[e.Job] = next
	if len(v.jobs) > maxJobs && v.forgetJob() == e.Job {
		return false
	}

	return news
}

// forgetJob drops the job that is last in the order of compareJobs, and returns its id.
func (v *View) forgetJob() (last string) {
	for id, j := range v.jobs {
		if last == "" || compareJobs(j, v.jobs[last]) > 0 {
			last = id
		}
	}
	delete(v.jobs, last)
	return last
}

// apply returns what is known of the job after a frame, and whether the frame is news. A zero j knows nothing.
func (j job) apply(e message.Envelope, state message.UploadProgress) (job, bool) {
	before, _ := message.AsUploadProgress(j.shown.Data)
	ended := before.Status.Terminal()
	falls := state.Progress < before.Progress && !ended && !state.Status.Terminal()
	run := j.run(e.Epoch)
	if e.Seq <= 0 {
		if run < 0 || run == 0 && (ended || falls) {
			return j, false
		}
		return job{shown: e, at: j.at}, true
	}
	at := position{epoch: e.Epoch, seq: e.Seq}
	if !at.after(j.at) {
		return j, false
	}
	unstored := j.shown.Seq <= 0
	if unstored && (run < 0 || run == 0 && falls) {
		return job{shown: j.shown, at: at}, false
	}

	return job{shown: e, at: at}, true
}

// run compares an epoch with that of the run that is shown: it returns -1 for an older run, 1 for a newer one, and 0 for
// the same one. A run without an epoch is the one that is known.
func (j job) run(epoch string) int {
	shown := cmp.Or(j.shown.Epoch, j.at.epoch)
	if epoch == "" || shown == "" {
		return 0
	}
	return strings.Compare(epoch, shown)
}

func (v *View) addNote(e message.Envelope) bool {
	if e.ID == "" {
		return true // the server's answer, or a note that was not stored
	}
	if e.Replayed {
		v.page.countNote(e.ID)
	}
	return v.notes.add(e)
}

// Job returns the frame of a job's state as it is shown.
func (v *View) Job(id string) (message.Envelope, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	j, ok := v.jobs[id]
	return j.shown, ok
}

// Jobs returns the frames of all jobs' states as they are shown, sorted by job.
func (v *View) Jobs() []message.Envelope {
	v.mu.Lock()
	defer v.mu.Unlock()
	frames := make([]message.Envelope, 0, len(v.jobs))
	for _, id := range slices.Sorted(maps.Keys(v.jobs)) {
		frames = append(frames, v.jobs[id].shown)
	}
	return frames
}

// Notes returns the frames of the notes that are not dismissed, the oldest first: the newest 1,000.
func (v *View) Notes() []message.Envelope {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.notes.shown)
}
