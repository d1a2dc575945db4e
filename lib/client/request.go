package client

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/herald-progress/herald/lib/message"
)

// maxCursor is the longest cursor that is sent back, in bytes of JSON: a sync must fit [message.MaxClientFrame].
const maxCursor = 4 << 10

// page is one sync and its answer. A user's jobs may take several pages: each but the first names the cursor at which
// it goes on.
type page struct {
	// jobs and notes are what came since the page was asked for; reached is the newest note of the answer.
	jobs, notes map[string]bool
	reached     string
	// since is what the page was asked with.
	since string
	// moved says that a state moved a job's position.
	moved bool

	// cursor is where the next page goes on with the jobs; empty is the first page.
	cursor string
	// first is the since of the first page.
	first string
	// marked says that the server marks the states of its answers as replayed: others are pushed, and do not count.
	marked bool
	// whole says that all pages of a sync have come, once. From then on a sync may be brief: it ends with a page of known
	// states, as the server sends newer ones first. A server that reads its store in several steps does so in each step only,
	// so not every sync is brief.
	whole, brief bool
}

func (p *page) countState(e message.Envelope, moved bool) {
	if e.Replayed && !p.marked {
		p.marked = true
		clear(p.jobs)
	}
	if e.Seq > 0 && p.jobs != nil && e.Replayed == p.marked {
		p.jobs[e.Job] = true
		p.moved = p.moved || moved
	}
}

func (p *page) countNote(id string) {
	if p.notes != nil {
		p.notes[id] = true
		p.reached = max(p.reached, id)
	}
}

// answer is what the end of a page means.
type answer int

const (
	// incomplete says that frames of the page were lost: it is asked for again.
	incomplete answer = iota
	// next says that there is another page.
	next
	// postponed says that the server answers later.
	postponed
	// complete says that nothing is missing.
	complete
)

// beginSync notes that the next sync begins anew, and whether it is brief.
func (v *View) beginSync(brief bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.page.brief = brief && v.page.whole
}

// firstPage makes the next sync ask for the first page. Where others were to follow, since goes back to that of the first
// one: only the cursor says that the notes before it have not come yet.
func (v *View) firstPage() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.page.cursor != "" && v.page.first != "" {
		v.notes.since = v.page.first
	}
	v.page.cursor = ""
}

// onFirstPage reports whether the next sync asks for the first page.
func (v *View) onFirstPage() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.page.cursor == ""
}

// noteSkipped reports, once, that a note was left to the next sync.
func (v *View) noteSkipped() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	skipped := v.notes.skipped
	v.notes.skipped = false
	return skipped
}

// syncRequest is the message that asks for what a client has missed.
type syncRequest struct {
	Action  string              `json:"action"`
	Have    map[string]position `json:"have,omitempty"`
	Since   string              `json:"since,omitempty"`
	Cursor  string              `json:"cursor,omitempty"`
	Welcome *bool               `json:"welcome,omitempty"`
}

// request returns the sync that asks for the next page, as JSON text, and begins to count what comes. It wants a welcome
// where the caller does, and where it says since when notes count.
func (v *View) request(welcome bool) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.page.jobs, v.page.notes, v.page.reached, v.page.moved = map[string]bool{}, map[string]bool{}, "", false
	if v.page.cursor == "" {
		v.page.first = v.notes.since
	}
	v.page.since = v.notes.since
	request := syncRequest{Action: "sync", Have: v.have(), Since: v.notes.since, Cursor: v.page.cursor}
	if no := false; !welcome && v.notes.since != "" {
		request.Welcome = &no
	}
	text, err := json.Marshal(request)
	if err != nil {
		return `{"action":"sync"}` // cannot be: texts and numbers
	}

	return string(text)
}

// have returns the positions of the jobs, running ones before ended ones and newer ones before older ones, as far as
// there is room.
func (v *View) have() map[string]position {
	jobs := slices.SortedFunc(maps.Keys(v.jobs), func(a, b string) int { return compareJobs(v.jobs[a], v.jobs[b]) })
	have, size := map[string]position{}, len(`{}`)
	for _, id := range jobs {
		at := v.jobs[id].at
		if at.seq == 0 || len(id) > message.MaxID {
			continue // the server takes no such id
		}
		entry, err := json.Marshal(map[string]position{id: at})
		size += len(entry) - len(`{}`) + len(`,`)
		if err != nil || size >= message.MaxHaveBytes || len(have) == message.MaxHave {
			break
		}
		have[id] = at
	}

	return have
}

// endPage handles the end of a page. Counts that are higher than what came say that frames were lost: then since stays
// where it was, and the same page is asked for again. An end that was late, of an earlier sync, may have moved since.
func (v *View) endPage(end message.Synced) answer {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := &v.page
	if len(p.jobs) < end.Jobs || len(p.notes) < end.Notes {
		if p.jobs != nil {
			v.notes.since = p.since
		}

		return incomplete
	}
	moved := p.moved || p.reached > v.notes.since
	v.notes.since = max(v.notes.since, p.reached)
	if !end.More {
		p.whole = true
		p.cursor = ""
		v.notes.since = max(v.notes.since, v.notes.welcomed)
		v.notes.welcomed = ""
		return complete
	}

	return p.more(usable(end.Cursor), end.RetryAfter > 0, moved)
}

// more decides what follows a page that is not the last. moved says that the page brought something new.
func (p *page) more(cursor string, later, moved bool) answer {
	switch {
	case later:
		p.cursor = cmp.Or(cursor, p.cursor)
		return postponed
	case moved, cursor != "" && cursor != p.cursor && !p.brief:
		p.cursor = cursor
		return next
	case cursor != "" && p.brief:
		p.cursor = ""
		return complete
	default:
		return incomplete // asking at once would bring the same again
	}
}

// usable returns a cursor that a sync can name, or none.
func usable(cursor string) string {
	if text, err := json.Marshal(cursor); err != nil || len(text) > maxCursor {
		return ""
	}
	return cursor
}
