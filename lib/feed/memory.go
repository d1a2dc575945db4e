package feed

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a [Store] in memory. Its zero value is ready. It forgets notes when they are dismissed, and jobs never.
type Memory struct {
	// Now is the store's clock; nil means time.Now.
	Now func() time.Time

	mu       sync.Mutex
	jobs     map[string]map[string]Row  // by owner and job
	notes    map[string]map[string]Note // by owner and id
	keys     map[string]Note            // the note that came first with a key, by owner and key
	pointers map[pointerKey]Pointer
}

// pointerKey tells pointers apart.
type pointerKey struct{ execution, owner, job string }

func (p Pointer) key() pointerKey { return pointerKey{p.Execution, p.Owner, p.Job} }

// Apply carries out u.
func (m *Memory) Apply(_ context.Context, owner string, u Update) (Row, Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.jobs[owner][u.State.UploadID]
	row.Owner = owner
	next, outcome, err := Apply(row, u)
	if err != nil || outcome != Accepted {
		return next, outcome, err
	}
	if m.jobs == nil {
		m.jobs = map[string]map[string]Row{}
	}
	if m.jobs[owner] == nil {
		m.jobs[owner] = map[string]Row{}
	}
	m.jobs[owner][u.State.UploadID] = next
	m.point(row, next)

	return next, outcome, nil
}

// point keeps the pointer of the row's execution as long as the job runs.
func (m *Memory) point(before, after Row) {
	switch {
	case after.Points(before):
		if m.pointers == nil {
			m.pointers = map[pointerKey]Pointer{}
		}
		p := after.Pointer()
		m.pointers[p.key()] = p
	case after.Terminal():
		delete(m.pointers, after.Pointer().key())
	}
}

// Claim records a push.
func (m *Memory) Claim(_ context.Context, row Row, at time.Time) (Row, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, ok := m.jobs[row.Owner][row.State.UploadID]
	if !ok || now.Expired(at) {
		return Row{}, false, ErrNotFound
	}
	if now.Epoch != row.Epoch || now.PushedSeq != row.PushedSeq || now.Pushed() {
		return now, false, nil
	}
	now = now.Claimed(at)
	m.jobs[row.Owner][row.State.UploadID] = now

	return now, true, nil
}

// Job returns the row of a job, or [ErrNotFound].
func (m *Memory) Job(_ context.Context, owner, job string) (Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.jobs[owner][job]
	if !ok || row.Expired(m.now()) {
		return Row{}, ErrNotFound
	}

	return row, nil
}

// Jobs yields the owner's rows as they were when the reading began.
func (m *Memory) Jobs(ctx context.Context, owner string) iter.Seq2[Row, error] {
	return m.JobsAfter(ctx, owner, "")
}

// JobsAfter yields rows of an owner as they were when the reading began.
func (m *Memory) JobsAfter(_ context.Context, owner, after string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		m.mu.Lock()
		rows := slices.Collect(maps.Values(m.jobs[owner]))
		m.mu.Unlock()
		slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.State.UploadID, b.State.UploadID) })
		for _, row := range rows {
			if row.State.UploadID > after && !row.Expired(m.now()) && !yield(row, nil) {
				return
			}
		}
	}
}

// Add keeps a note.
func (m *Memory) Add(_ context.Context, owner string, n Note) (Note, Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n.At = n.At.UTC().Truncate(time.Millisecond)
	if now := m.now(); !n.Timely(now) {
		n = n.Renewed(now)
	}
	key := owner + "\x00" + n.Key
	if first, ok := m.keys[key]; ok && n.Key != "" && first.ID != n.ID && n.At.Before(first.At.Add(JobLife)) {
		n.ID, n.At = first.ID, first.At

		return n, Duplicate, nil
	}
	if m.notes == nil {
		m.notes, m.keys = map[string]map[string]Note{}, map[string]Note{}
	}
	if m.notes[owner] == nil {
		m.notes[owner] = map[string]Note{}
	}
	if n.Key != "" {
		m.keys[key] = n
	}
	kept := n
	kept.Key = ""
	m.notes[owner][n.ID] = kept

	return n, Accepted, nil
}

func (m *Memory) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}

	return m.Now()
}

// Notes returns the owner's notes after since, or the newest.
func (m *Memory) Notes(_ context.Context, owner, since string, limit int) ([]Note, error) {
	notes := m.sortedNotes(owner, func(id string) bool { return id > since })
	if since == "" {
		return notes[max(0, len(notes)-limit):], nil
	}

	return notes[:min(limit, len(notes))], nil
}

// NotesUpTo returns the newest of the owner's notes over after and up to upTo.
func (m *Memory) NotesUpTo(_ context.Context, owner, after, upTo string, limit int) ([]Note, error) {
	notes := m.sortedNotes(owner, func(id string) bool { return id > after && id <= upTo })

	return notes[max(0, len(notes)-limit):], nil
}

// sortedNotes returns the owner's living notes that are wanted, by id.
func (m *Memory) sortedNotes(owner string, wanted func(id string) bool) []Note {
	m.mu.Lock()
	defer m.mu.Unlock()
	var notes []Note
	for id, n := range m.notes[owner] {
		if now := m.now(); wanted(id) && now.Before(n.ExpiresAt()) && !n.Early(now) {
			notes = append(notes, n)
		}
	}
	slices.SortFunc(notes, func(a, b Note) int { return strings.Compare(a.ID, b.ID) })

	return notes
}

// Dismiss deletes a note and reports whether there was one.
func (m *Memory) Dismiss(_ context.Context, owner, id string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.notes[owner][id]
	delete(m.notes[owner], id)

	return ok && m.now().Before(n.ExpiresAt()), nil
}

// Execution yields the pointers of an execution as they were when the reading began.
func (m *Memory) Execution(ctx context.Context, arn string) iter.Seq2[Pointer, error] {
	return func(yield func(Pointer, error) bool) {
		for p := range m.Executions(ctx) {
			if p.Execution == arn && !yield(p, nil) {
				return
			}
		}
	}
}

// Executions yields the pointers as they were when the reading began.
func (m *Memory) Executions(context.Context) iter.Seq2[Pointer, error] {
	return func(yield func(Pointer, error) bool) {
		m.mu.Lock()
		pointers := slices.Collect(maps.Values(m.pointers))
		m.mu.Unlock()
		for _, p := range pointers {
			if m.now().Before(p.ExpiresAt()) && !yield(p, nil) {
				return
			}
		}
	}
}

// Forget deletes a pointer, unless it has been made anew since.
func (m *Memory) Forget(_ context.Context, p Pointer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.pointers[p.key()]; now.Epoch == p.Epoch && now.At.Equal(p.At) {
		delete(m.pointers, p.key())
	}

	return nil
}
