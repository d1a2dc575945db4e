package client

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/herald-progress/herald/lib/message"
)

// page is one sync request and its answer. A user's jobs may take several pages: each but the first starts at a cursor.
type page struct {
	// jobs and notes are the ids that came since the request; newestNote is the newest note of the answer.
	jobs, notes map[string]bool
	newestNote  string
	// since is the since of the page's request.
	since string
	// moved says that a state of the page changed a job's position.
	moved bool

	// cursor is where the next page starts; empty means the first page.
	cursor string
	// firstSince is the since of the first page's request.
	firstSince string
	// marked says that the server marks the states of its answers as replayed: other states are pushed, and do not count.
	marked bool
	// hadAllPages says that all pages of some sync have come. From then on a sync may be brief: it ends after a page whose
	// states are all known, as the server sends newer states first. This order holds only within one read of the server's
	// store, so not every sync is brief.
	hadAllPages, brief bool
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
		p.newestNote = max(p.newestNote, id)
	}
}

// pageResult says what follows the end of a page.
type pageResult int

const (
	// incomplete means that frames of the page were lost: the client requests it again.
	incomplete pageResult = iota
	// next means that there is another page.
	next
	// postponed means that the server accepts the next request later.
	postponed
	// complete means that the sync is complete.
	complete
)

// beginSync begins a new sync, which may be brief once all pages of some sync have come.
func (v *View) beginSync(brief bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.page.brief = brief && v.page.hadAllPages
}

// resetCursor makes the next request start at the first page. If the sync had more pages, since goes back to that of its first
// page: the pages that did not come may have notes before the current since.
func (v *View) resetCursor() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.page.cursor != "" && v.page.firstSince != "" {
		v.notes.since = v.page.firstSince
	}
	v.page.cursor = ""
}

// onFirstPage reports whether the next request starts at the first page.
func (v *View) onFirstPage() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.page.cursor == ""
}

// resetSkipped reports whether a note was skipped since the last call.
func (v *View) resetSkipped() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	skipped := v.notes.skipped
	v.notes.skipped = false
	return skipped
}

// syncRequest is the sync message.
type syncRequest struct {
	Action  string              `json:"action"`
	Have    map[string]position `json:"have,omitempty"`
	Since   string              `json:"since,omitempty"`
	Cursor  string              `json:"cursor,omitempty"`
	Overlap string              `json:"overlap,omitempty"`
	Welcome *bool               `json:"welcome,omitempty"`
}

// request returns the sync message for the next page, as JSON, and starts to count the page's frames. The message requests
// a welcome if welcome is true or there is no since yet.
func (v *View) request(welcome bool) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.page.jobs, v.page.notes, v.page.newestNote, v.page.moved = map[string]bool{}, map[string]bool{}, "", false
	if v.page.cursor == "" {
		v.page.firstSince = v.notes.since
	}
	v.page.since = v.notes.since
	request := syncRequest{
		Action: "sync", Have: v.have(), Since: v.notes.since, Cursor: v.page.cursor, Overlap: v.notes.overlap(v.page.firstSince),
	}
	if !welcome && v.notes.since != "" {
		request.Welcome = new(bool) // false
	}
	text, err := json.Marshal(request)
	if err != nil {
		return `{"action":"sync"}` // cannot happen: strings and numbers always encode
	}

	return string(text)
}

// have returns the positions of as many jobs as a sync may name: running jobs first, newer before older ones.
func (v *View) have() map[string]position {
	jobs := slices.SortedFunc(maps.Keys(v.jobs), func(a, b string) int { return compareJobs(v.jobs[a], v.jobs[b]) })
	have, size := map[string]position{}, len(`{}`)
	for _, id := range jobs {
		at := v.jobs[id].at
		if at.seq == 0 || len(id) > message.MaxID {
			continue // the server ignores such an id
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

// endPage handles the end of a page. If fewer frames came than the server counts, frames were lost: since goes back to that
// of the request, as a late end of an earlier sync may have changed it, and the client requests the same page again.
func (v *View) endPage(end message.Synced) pageResult {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := &v.page
	if len(p.jobs) < end.Jobs || len(p.notes) < end.Notes {
		if p.jobs != nil {
			v.notes.since = p.since
		}
		return incomplete
	}
	moved := p.moved || p.newestNote > v.notes.since
	v.notes.since = max(v.notes.since, p.newestNote)
	if !end.More {
		p.hadAllPages = true
		p.cursor = ""
		v.notes.since = max(v.notes.since, v.notes.welcomed)
		v.notes.welcomed = ""
		return complete
	}

	return p.afterPage(validCursor(end.Cursor), end.RetryAfter > 0, moved)
}

// afterPage decides what follows a page that is not the last. postpone says that the server accepts the next request later, and
// moved that the page had something new.
func (p *page) afterPage(cursor string, postpone, moved bool) pageResult {
	otherPage := cursor != "" && cursor != p.cursor
	switch {
	case postpone:
		p.cursor = cmp.Or(cursor, p.cursor)
		return postponed
	case moved || otherPage && !p.brief:
		p.cursor = cursor
		return next
	case cursor != "" && p.brief:
		p.cursor = ""
		return complete
	default:
		return incomplete // the same request would have the same answer
	}
}

// validCursor returns the cursor, or "" if it is too long for a sync.
func validCursor(cursor string) string {
	if text, err := json.Marshal(cursor); err != nil || len(text)-len(`""`) > message.MaxCursor {
		return ""
	}
	return cursor
}
