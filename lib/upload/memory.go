package upload

import (
	"context"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// Memory is a [Store] in memory. Its zero value is ready to use.
type Memory struct {
	// Changed, if not nil, is called for each record that changes, in the order of the changes, one call at a time. It must not call
	// methods of the Memory.
	Changed func(key string, r Record)

	mu      sync.Mutex
	slots   map[string]*[message.MaxOpenUploads]Slot
	uploads map[[2]string]Upload // by user and id
}

// Reserve implements [Store].
func (m *Memory) Reserve(_ context.Context, userID string, s Slot, at time.Time) (Slot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slots == nil {
		m.slots = map[string]*[message.MaxOpenUploads]Slot{}
	}
	if m.slots[userID] == nil {
		m.slots[userID] = &[message.MaxOpenUploads]Slot{}
	}
	slots := m.slots[userID]
	n, other := Choose(slots[:], s, at)
	if other != nil {
		return *other, nil
	}
	if n < 0 {
		return Slot{}, ErrTooManyOpen
	}
	if slots[n].UploadID == s.UploadID {
		s.Request = slots[n].Request
	}
	s.Until = s.Until.UTC().Truncate(time.Millisecond)
	slots[n] = s
	m.changedSlots(userID)
	return s, nil
}

// Choose returns the index of the slot that an upload may take: the upload's own slot, or a free one. It returns -1 if there is none.
// If another upload with the same request has a slot, Choose also returns that slot, and otherwise nil.
func Choose(slots []Slot, s Slot, at time.Time) (int, *Slot) {
	free := -1
	var other *Slot
	for n := range slots {
		taken := slots[n].UploadID != "" && at.Before(slots[n].Until)
		switch {
		case slots[n].UploadID == s.UploadID:
			return n, nil
		case taken && s.Request != "" && slots[n].Request == s.Request:
			other = &slots[n]
		case !taken && free < 0:
			free = n
		}
	}
	return free, other
}

// Put implements [Store].
func (m *Memory) Put(_ context.Context, u Upload) (Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.uploads == nil {
		m.uploads = map[[2]string]Upload{}
	}
	key := [2]string{u.UserID, u.ID}
	if stored, ok := m.uploads[key]; ok {
		return stored, nil
	}
	u.ExpiresAt = u.ExpiresAt.UTC().Truncate(time.Second)
	m.uploads[key] = u
	m.changedUpload(u)
	return u, nil
}

// Find implements [Store].
func (m *Memory) Find(_ context.Context, userID, id string, at time.Time) (Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, ok := m.uploads[[2]string{userID, id}]
	if !ok || !at.Before(u.ExpiresAt) {
		return Upload{}, ErrNotFound
	}
	return u, nil
}

// End implements [Store].
func (m *Memory) End(_ context.Context, ended Upload, o Outcome, until time.Time) (Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{ended.UserID, ended.ID}
	u, ok := m.uploads[key]
	if !ok {
		return Open, ErrNotFound
	}
	if o.MayFollow(u.Outcome) {
		u.Outcome = o
		if o.Final() {
			u.ExpiresAt = until.UTC().Truncate(time.Second)
		}
		m.uploads[key] = u
		m.changedUpload(u)
	}
	if slots := m.slots[ended.UserID]; slots != nil && u.Outcome.Final() {
		for n := range slots {
			if slots[n].UploadID == ended.ID {
				slots[n] = Slot{}
				m.changedSlots(ended.UserID)
			}
		}
	}

	return u.Outcome, nil
}
