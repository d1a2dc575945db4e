package client

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/herald-progress/herald/lib/message"
)

// page is the current page of a sync: one request and its answer. A sync of a user with many jobs takes several pages. Each page
// after the first starts at a cursor.
type page struct {
	// jobs and notes are the ids of the states and notes that came after the request. newestNote is the largest id in notes.
	jobs, notes map[string]bool
	newestNote  string
	// since is the field "since" of the page's request.
	since string
	// moved says that a state of the page changed a job's position.
	moved bool

	// cursor is where the next page starts. Empty means that the next page is a first page.
	cursor string
	// firstSince is the field "since" of the request of the sync's first page.
	firstSince string
	// marksReplayed says that the server marks the states of its answers as replayed. Then states without the mark are pushed,
	// and do not count as states of the page.
	marksReplayed bool
	// hadAllPages says that all pages of some sync have come. From then on a sync may be brief: it ends after a page whose
	// states the view already has, because the server sends newer states first. This order holds only within one read of the
	// server's store, so not every sync is brief.
	hadAllPages, brief bool
}

// countState counts a state as one of the page, if the server may have sent it for the page. moved says that the state changed its
// job's position.
func (p *page) countState(e message.Envelope, moved bool) {
	if e.Replayed && !p.marksReplayed {
		p.marksReplayed = true
		clear(p.jobs) // the unmarked states that were counted so far were pushed
	}
	requested, stored := p.jobs != nil, e.Seq > 0
	if requested && stored && e.Replayed == p.marksReplayed {
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
	// nextPage means that there is another page.
	nextPage
	// postponed means that there is another page, but the server accepts its request only later.
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

// resetCursor makes the next request that of a first page. If the current sync has not had all its pages, notes.since goes back to
// its value at the first page: the missing pages may have notes with smaller ids than the current value.
func (v *View) resetCursor() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.page.cursor != "" && v.page.firstSince != "" {
		v.notes.since = v.page.firstSince
	}
	v.page.cursor = ""
}

// onFirstPage reports whether the next request is that of a first page.
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
	Batch   bool                `json:"batch,omitempty"`
}

// request returns the sync message for the next page, as JSON, and starts to count the page's frames. The message asks for a
// welcome if welcome is true or notes.since is empty, and for batches if batch is true.
func (v *View) request(welcome, batch bool) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.page.jobs, v.page.notes, v.page.newestNote, v.page.moved = map[string]bool{}, map[string]bool{}, "", false
	if v.page.cursor == "" {
		v.page.firstSince = v.notes.since
	}
	v.page.since = v.notes.since
	request := syncRequest{
		Action: "sync", Have: v.have(), Since: v.notes.since, Cursor: v.page.cursor, Overlap: v.notes.overlap(v.page.firstSince),
		Batch: batch,
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

// have returns the field "have" of a sync: the positions of as many jobs as it may name, in the order of compareJobs.
func (v *View) have() map[string]position {
	jobs := slices.SortedFunc(maps.Keys(v.jobs), func(a, b string) int { return compareJobs(v.jobs[a], v.jobs[b]) })
	have, size := map[string]position{}, len(`{}`) // size is that of the JSON in bytes
	for _, id := range jobs {
		at := v.jobs[id].at
		if at.seq == 0 || len(id) > message.MaxID {
			continue // no state of the job was stored, or the server ignores its id
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

// endPage handles the end of a page. If fewer frames came than the server has counted, frames were lost: the client requests the
// same page again. For that notes.since goes back to its value in the request, because the late end of an earlier sync may have
// changed it.
func (v *View) endPage(end message.Synced) pageResult {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := &v.page
	if len(p.jobs) < end.Jobs || len(p.notes) < end.Notes { // frames were lost
		if requested := p.jobs != nil; requested {
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

// afterPage decides what follows a page that is not the last one. cursor is where the server continues, or empty. postpone says
// that the server accepts the next request only later. moved says that the page had something new.
func (p *page) afterPage(cursor string, postpone, moved bool) pageResult {
	otherPage := cursor != "" && cursor != p.cursor
	switch {
	case postpone:
		p.cursor = cmp.Or(cursor, p.cursor)
		return postponed
	case moved || otherPage && !p.brief:
		p.cursor = cursor
		return nextPage
	case cursor != "" && p.brief: // the view already has the states of this page, so it has those of later pages, too
		p.cursor = ""
		return complete
	default:
		return incomplete // the same request would have the same answer
	}
}

// validCursor returns the cursor, or "" if it is too long for the request of a sync.
func validCursor(cursor string) string {
	if text, err := json.Marshal(cursor); err != nil || len(text)-len(`""`) > message.MaxCursor {
		return ""
	}
	return cursor
}
