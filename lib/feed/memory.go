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

// Memory is a [Store] in memory. Its zero value is ready to use. Reads skip expired rows, which only RemoveExpired deletes.
type Memory struct {
	// Now returns the current time of the store. Nil means time.Now.
	Now func() time.Time
	// Changed, if not nil, is called for each record that changes, in the order of the changes, one call at a time. A nil record means
	// that the one with the key was deleted. It must not call methods of the Memory.
	Changed func(key string, r *Record)

	mu         sync.Mutex
	jobs       map[string]map[string]Row  // by owner and job id
	notes      map[string]map[string]Note // by owner and note id
	keyedNotes map[noteKey]Note           // the first note with an idempotency key
	pointers   map[pointerKey]Pointer
}

// noteKey identifies an idempotency key of an owner's notes.
type noteKey struct{ owner, key string }

// pointerKey identifies a pointer.
type pointerKey struct{ execution, owner, job string }

func (p Pointer) key() pointerKey { return pointerKey{p.Execution, p.Owner, p.Job} }

// Apply applies u by the rules of the function [Apply].
func (m *Memory) Apply(_ context.Context, owner string, u Update) (Row, Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.jobs[owner][u.State.UploadID]
	row.Owner = owner
	next, outcome, err := Apply(row, u)
	if err != nil || outcome != Accepted {
		return next, outcome, err
	}
	m.makeMaps()
	m.putJob(next)
	m.changedJob(next)
	m.updatePointer(row, next)
	return next, outcome, nil
}

// updatePointer is called when the row after has replaced the row before. It stores the pointer of after's execution if the row needs
// one, or deletes the pointer if the job has ended.
func (m *Memory) updatePointer(before, after Row) {
	switch {
	case after.NeedsPointer(before):
		p := after.Pointer()
		m.pointers[p.key()] = p
		m.changed(p.key().record(), &Record{Pointer: &p})
	case after.Terminal():
		delete(m.pointers, after.Pointer().key())
		m.changed(after.Pointer().key().record(), nil)
	}
}

// ClaimPush records a push of the job's newest state, unless another push was recorded since row was read.
func (m *Memory) ClaimPush(_ context.Context, row Row, at time.Time) (Row, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	newest, ok := m.jobs[row.Owner][row.State.UploadID]
	if !ok || newest.Expired(at) {
		return Row{}, false, ErrNotFound
	}
	otherRun := newest.Epoch != row.Epoch
	pushedSince := newest.PushedSeq != row.PushedSeq // another push was recorded since row was read
	if otherRun || pushedSince || newest.Pushed() {
		return newest, false, nil
	}
	newest = newest.WithPush(at)
	m.putJob(newest)
	m.changedJob(newest)
	return newest, true, nil
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

// Jobs yields a snapshot of the owner's rows.
func (m *Memory) Jobs(_ context.Context, owner string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		m.mu.Lock()
		rows := slices.Collect(maps.Values(m.jobs[owner]))
		m.mu.Unlock()
		for _, row := range rows {
			if !row.Expired(m.now()) && !yield(row, nil) {
				return
			}
		}
	}
}

// JobsAfter returns a page of the owner's jobs with an id over after. Expired rows do not count toward the limit.
func (m *Memory) JobsAfter(_ context.Context, owner, after string, limit int) (JobPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs, now := m.jobs[owner], m.now()
	var ids []string
	for id := range jobs {
		if id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var page JobPage
	for _, id := range ids {
		row := jobs[id]
		if row.Expired(now) {
			continue
		}
		if len(page.Rows) == limit {
			page.Next = page.Rows[limit-1].State.UploadID
			break
		}
		page.Rows = append(page.Rows, row)
	}
	return page, nil
}

// Add stores a note, unless its key belongs to another note.
func (m *Memory) Add(_ context.Context, owner string, n Note) (Note, Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n.At = n.At.UTC().Truncate(time.Millisecond)
	if now := m.now(); !n.WithinSkew(now) {
		n = n.Restamped(now)
	}
	key := noteKey{owner, n.Key}
	first, exists := m.keyedNotes[key]
	keyIsValid := exists && n.At.Before(first.At.Add(NoteKeyTTL))
	if keyIsValid && first.ID != n.ID {
		n.ID, n.At = first.ID, first.At
		return n, Duplicate, nil
	}
	m.makeMaps()
	if n.Key != "" {
		m.keyedNotes[key] = n
		m.changedKey(owner, n)
	}
	stored := n
	stored.Key = "" // Reads do not return the key.
	m.putNote(owner, stored)
	m.changedNote(owner, stored)
	return n, Accepted, nil
}

func (m *Memory) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// Notes returns the owner's notes with an ID over since, at most limit of them: the oldest, or the newest if since is empty.
func (m *Memory) Notes(_ context.Context, owner, since string, limit int) ([]Note, error) {
	notes := m.sortedNotes(owner, func(id string) bool { return id > since })
	if since == "" {
		return notes[max(0, len(notes)-limit):], nil
	}
	return notes[:min(limit, len(notes))], nil
}

// NewestNotes returns the newest of the owner's notes with an ID in (after, upTo], at most limit of them.
func (m *Memory) NewestNotes(_ context.Context, owner, after, upTo string, limit int) ([]Note, error) {
	notes := m.sortedNotes(owner, func(id string) bool { return id > after && id <= upTo })
	return notes[max(0, len(notes)-limit):], nil
}

// sortedNotes returns the owner's notes whose ID passes include, sorted by ID. It leaves out expired notes and notes in the
// future.
func (m *Memory) sortedNotes(owner string, include func(id string) bool) []Note {
	m.mu.Lock()
	defer m.mu.Unlock()
	var notes []Note
	for id, n := range m.notes[owner] {
		if now := m.now(); include(id) && now.Before(n.ExpiresAt()) && !n.InFuture(now) {
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
	if ok {
		m.changed(recordKey("note", owner, id), nil)
	}
	return ok && m.now().Before(n.ExpiresAt()), nil
}

// PointersOf yields a snapshot of the pointers of an execution.
func (m *Memory) PointersOf(ctx context.Context, arn string) iter.Seq2[Pointer, error] {
	return func(yield func(Pointer, error) bool) {
		for p := range m.AllPointers(ctx) {
			if p.Execution == arn && !yield(p, nil) {
				return
			}
		}
	}
}

// AllPointers yields a snapshot of all pointers.
func (m *Memory) AllPointers(context.Context) iter.Seq2[Pointer, error] {
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

// DeletePointer deletes the stored pointer if it is equal to p.
func (m *Memory) DeletePointer(_ context.Context, p Pointer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stored := m.pointers[p.key()]; stored.Epoch == p.Epoch && stored.At.Equal(p.At) {
		delete(m.pointers, p.key())
		m.changed(p.key().record(), nil)
	}
	return nil
}
