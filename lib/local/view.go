package local

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

const (
	// maxNotes is how many notes a view holds; of older ones it knows no more than that they are not new.
	maxNotes = 1000
	// maxHave bounds, in bytes, what a sync says of the jobs that are known: a frame of a browser has at most 32 KB. The
	// states of jobs that are left out come again, and are dropped.
	maxHave = 24 << 10
	// maxHaveJobs is how many jobs a sync speaks of: the server takes no more than 1,000.
	maxHaveJobs = 500
)

// View is what a browser's tab knows of its user's jobs and notes. It has no clock: the same frames always make the same
// view, in whatever connections they came. It may be used concurrently. Its zero value knows nothing.
type View struct {
	mu   sync.Mutex
	jobs map[string]known
	// notes are those that were received, dismissed ones without data; all up to forgotten are dropped ones.
	notes     map[string]message.Envelope
	forgotten string

	// since is the newest note up to which nothing is missing; reached is the newest that the current sync has brought.
	since, reached string
	// heard counts what came since the current sync was asked for.
	heard  message.Synced
	missed bool
}

// known is what a view knows of one job: the state that is shown, and the position of the newest stored one.
type known struct {
	shown message.Envelope
	at    position
}

// position is a place in a job's history; as JSON it is an array, [epoch, seq].
type position struct {
	epoch string
	seq   int64
}

// after reports whether p is newer than another position, of which a zero seq is none.
func (p position) after(other position) bool {
	return other.seq == 0 || p.epoch > other.epoch || p.epoch == other.epoch && p.seq > other.seq
}

func (p position) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{p.epoch, p.seq}) //nolint:wrapcheck // a Marshaler
}

// Take reports whether a frame is news, to be shown, and remembers what it says:
//
//   - the state of a job, when its epoch and seq are newer than all before. A running state whose progress is under that
//     which an unstored one has shown moves the position and is no news: progress never runs backwards.
//   - a state without seq, which was not stored, when the job has not ended and its progress does not fall. It moves no
//     position: any stored one may follow.
//   - a note, when its id has not come before; what has no id always.
//   - a dismissal, when the note was there.
//   - every other frame.
func (v *View) Take(e message.Envelope) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch data := e.Data.(type) {
	case message.UploadProgress:
		return v.takeState(e, data)
	case message.Notification, message.Error:
		return v.takeNote(e)
	case message.Dismissed:
		return v.dismiss(data.ID)
	case message.Welcome:
		v.welcome(data)
	case message.Synced:
		v.synced(data)
	}

	return true
}

func (v *View) takeState(e message.Envelope, state message.UploadProgress) bool {
	if v.jobs == nil {
		v.jobs = map[string]known{}
	}
	if e.Seq > 0 {
		v.heard.Jobs++
	}
	job := cmp.Or(e.Job, state.UploadID)
	had := v.jobs[job]
	if !e.Timestamp.Before(had.shown.Timestamp.Add(feed.JobLife)) {
		had = known{} // the server has forgotten it, too, or still has it: then the next state is newer in any case
	}
	next, news := had.take(e, state)
	v.jobs[job] = next

	return news
}

// take returns what is known of the job after a frame, and whether it is news. A zero k knows nothing.
func (k known) take(e message.Envelope, state message.UploadProgress) (known, bool) {
	before, _ := message.AsUploadProgress(k.shown.Data)
	over := before.Status.Terminal()
	falls := state.Progress < before.Progress && !over && !state.Status.Terminal()
	if e.Seq == 0 {
		if over || falls {
			return k, false
		}

		return known{shown: e, at: k.at}, true
	}
	at := position{epoch: e.Epoch, seq: e.Seq}
	if !at.after(k.at) {
		return k, false
	}
	unstored, sameRun := k.shown.Seq == 0, k.at.seq == 0 || k.at.epoch == at.epoch
	if falls && unstored && sameRun {
		return known{shown: k.shown, at: at}, false
	}

	return known{shown: e, at: at}, true
}

func (v *View) takeNote(e message.Envelope) bool {
	if e.ID == "" {
		return true
	}
	if e.Replayed {
		v.heard.Notes++
		v.reached = max(v.reached, e.ID)
	}
	if _, seen := v.notes[e.ID]; seen || e.ID <= v.forgotten {
		return false
	}
	v.keep(e.ID, e)

	return true
}

// keep remembers a note, or its dismissal, and drops the oldest of too many.
func (v *View) keep(id string, e message.Envelope) {
	if v.notes == nil {
		v.notes = map[string]message.Envelope{}
	}
	v.notes[id] = e
	if len(v.notes) <= maxNotes {
		return
	}
	ids := slices.Sorted(maps.Keys(v.notes))
	for _, old := range ids[:len(ids)-maxNotes/2] { // half of them, so that it is seldom
		delete(v.notes, old)
		v.forgotten = old
	}
}

// dismiss forgets a note's data, not its id: the note may still be on its way.
func (v *View) dismiss(id string) bool {
	note, seen := v.notes[id]
	if !seen && id <= v.forgotten {
		return false
	}
	v.keep(id, message.Envelope{})

	return note.Data != nil
}

// welcome begins the answer to a sync. One without since brings all that is wanted of the time before it.
func (v *View) welcome(data message.Welcome) {
	var id ulid.ULID
	if v.since == "" && id.SetTime(ulid.Timestamp(data.ServerTime.Time)) == nil {
		v.reached = max(v.reached, id.String())
	}
}

// synced is the end of a sync. What it counts more than came was lost: then the newest note that came does not count.
func (v *View) synced(said message.Synced) {
	v.missed = v.heard.Jobs < said.Jobs || v.heard.Notes < said.Notes || said.More && v.reached <= v.since
	if !v.missed {
		v.since = max(v.since, v.reached)
	}
}

// Sync returns the message that asks for everything that the view does not know, as JSON text, and begins to count what
// comes.
func (v *View) Sync() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.heard, v.reached, v.missed = message.Synced{}, "", false
	request := struct {
		Action string              `json:"action"`
		Have   map[string]position `json:"have,omitempty"`
		Since  string              `json:"since,omitempty"`
	}{Action: "sync", Have: v.have(), Since: v.since}
	text, err := json.Marshal(request)
	if err != nil {
		return `{"action":"sync"}` // cannot be: texts and numbers
	}

	return string(text)
}

// have returns the positions of the jobs, the newest first as far as there is room.
func (v *View) have() map[string]position {
	jobs := slices.SortedFunc(maps.Keys(v.jobs), func(a, b string) int {
		return v.jobs[b].shown.Timestamp.Compare(v.jobs[a].shown.Timestamp.Time)
	})
	have, size := map[string]position{}, 0
	for _, job := range jobs {
		at := v.jobs[job].at
		if at.seq == 0 {
			continue
		}
		entry, err := json.Marshal(map[string]position{job: at})
		if size += len(entry); err != nil || size > maxHave || len(have) == maxHaveJobs {
			break
		}
		have[job] = at
	}

	return have
}

// Missed reports whether the sync that ended last left something out: frames of it were lost.
func (v *View) Missed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()

	return v.missed
}

// Job returns the frame of a job's state as it is shown.
func (v *View) Job(id string) (message.Envelope, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	job, ok := v.jobs[id]

	return job.shown, ok
}

// Jobs returns the frames of all jobs' states as they are shown, sorted by job.
func (v *View) Jobs() []message.Envelope {
	v.mu.Lock()
	defer v.mu.Unlock()
	jobs := make([]message.Envelope, 0, len(v.jobs))
	for _, id := range slices.Sorted(maps.Keys(v.jobs)) {
		jobs = append(jobs, v.jobs[id].shown)
	}

	return jobs
}

// Notes returns the frames of the notes that are not dismissed, the oldest first.
func (v *View) Notes() []message.Envelope {
	v.mu.Lock()
	defer v.mu.Unlock()
	var notes []message.Envelope
	for _, id := range slices.Sorted(maps.Keys(v.notes)) {
		if e := v.notes[id]; e.Data != nil {
			notes = append(notes, e)
		}
	}

	return notes
}
