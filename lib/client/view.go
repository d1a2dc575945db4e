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

// maxJobs is the maximum number of jobs that a view holds. If there are more, it drops the last ones in the order of compareJobs.
const maxJobs = 10_000

// View holds the jobs and notes that a client's user should see. It depends only on the received frames, not on time or
// connections. It is safe for concurrent use. Its zero value is empty.
type View struct {
	mu    sync.Mutex
	jobs  map[string]job
	notes notes
	page  page
}

// job is one job of a view: the frame that is shown, and the position of the newest stored state.
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

// position is a position in a job's history; as JSON it is an array, [epoch, seq]. A zero seq means none.
type position struct {
	epoch string
	seq   int64
}

// after reports whether p is newer than another position.
func (p position) after(other position) bool {
	return other.seq == 0 || p.epoch > other.epoch || p.epoch == other.epoch && p.seq > other.seq
}

func (p position) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{p.epoch, p.seq}) //nolint:wrapcheck // a json.Marshaler: encoding/json adds the context
}

// apply stores the content of a frame and reports whether the frame is new and must be shown:
//
//   - A stored state of a job has a seq. It is new if its epoch and seq are newer than those of all states before. There is one
//     exception: if it is running, and a shown state that was not stored has more progress, it only changes the position,
//     because the shown progress never falls.
//   - A state without seq was not stored. It is new if it does not belong to an older run, the run has not ended, and the
//     progress does not fall. It does not change the position.
//   - A note is new if its id has not come before, or it has no id.
//   - A dismissal is new if the note was shown.
//   - Every other frame is new.
func (v *View) apply(e message.Envelope) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if state, ok := message.AsUploadProgress(e.Data); ok {
		return v.applyState(e, state)
	}
	switch data := e.Data.(type) {
	case message.Dismissed:
		return v.notes.dismiss(data.ID)
	case message.Welcome:
		v.notes.welcome(data.ServerTime.Time)
	default:
		if message.IsNote(data) {
			return v.addNote(e)
		}
	}

	return true
}

func (v *View) applyState(e message.Envelope, state message.UploadProgress) bool {
	e.Job = cmp.Or(e.Job, state.UploadID)
	if e.Job == "" {
		return true // a state without a job cannot be stored
	}
	if v.jobs == nil {
		v.jobs = map[string]job{}
	}
	before := v.jobs[e.Job]
	shown := e
	shown.Replayed = false // Replayed describes how the frame came, not the state
	next, isNew := before.apply(shown, state)
	v.page.countState(e, next.at != before.at)
	v.jobs[e.Job] = next
	if len(v.jobs) > maxJobs && v.dropLastJob() == e.Job {
		return false
	}

	return isNew
}

// dropLastJob drops the job that is last in the order of compareJobs, and returns its id.
func (v *View) dropLastJob() (last string) {
	for id, j := range v.jobs {
		if last == "" || compareJobs(j, v.jobs[last]) > 0 {
			last = id
		}
	}
	delete(v.jobs, last)
	return last
}

// apply returns the job after a frame, and whether the frame is new. The zero j is a job without frames.
func (j job) apply(e message.Envelope, state message.UploadProgress) (job, bool) {
	before, _ := message.AsUploadProgress(j.shown.Data)
	ended := before.Status.Terminal()
	falls := state.Progress < before.Progress && !ended && !state.Status.Terminal() // a terminal state may have less progress
	run := j.compareRun(e.Epoch)
	if stored := e.Seq > 0; !stored {
		if olderRun, sameRun := run < 0, run == 0; olderRun || sameRun && (ended || falls) {
			return j, false
		}
		return job{shown: e, at: j.at}, true
	}
	at := position{epoch: e.Epoch, seq: e.Seq}
	if !at.after(j.at) {
		return j, false
	}
	shownIsStored := j.shown.Seq > 0
	if !shownIsStored && (run < 0 || run == 0 && falls) { // the shown state was not stored, and is of a newer run or has more progress
		return job{shown: j.shown, at: at}, false
	}

	return job{shown: e, at: at}, true
}

// compareRun compares an epoch with that of the shown run: it returns -1 for an older run, 1 for a newer one, and 0 for the
// same one. If either has no epoch, they are the same run.
func (j job) compareRun(epoch string) int {
	shown := cmp.Or(j.shown.Epoch, j.at.epoch)
	if epoch == "" || shown == "" {
		return 0
	}
	return strings.Compare(epoch, shown)
}

func (v *View) addNote(e message.Envelope) bool {
	if e.ID == "" {
		return true // an answer of the server, or a note that was not stored
	}
	if e.Replayed {
		v.page.countNote(e.ID)
	}
	return v.notes.add(e)
}

// Job returns the shown frame of a job.
func (v *View) Job(id string) (message.Envelope, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	j, ok := v.jobs[id]
	return j.shown, ok
}

// Jobs returns the shown frames of all jobs, sorted by job.
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
