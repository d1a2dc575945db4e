package upload

import (
	"encoding/json"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// Record is an upload, or the slots of a user, of a [Memory], in a form that encoding/json can write and read.
type Record struct {
	Upload *Upload `json:",omitempty"`
	// UserID is the user of Slots.
	UserID string                        `json:",omitempty"`
	Slots  *[message.MaxOpenUploads]Slot `json:",omitempty"`
}

// Expired reports whether nothing needs the record any more at a time.
func (r Record) Expired(at time.Time) bool {
	if r.Upload != nil {
		return !at.Before(r.Upload.ExpiresAt)
	}
	for _, slot := range r.Slots {
		if slot.UploadID != "" && at.Before(slot.Until) {
			return false
		}
	}
	return true
}

// Restore adds a record that Changed has passed. It does not call Changed. Call it before all other methods.
func (m *Memory) Restore(r Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case r.Upload != nil:
		if m.uploads == nil {
			m.uploads = map[[2]string]Upload{}
		}
		m.uploads[[2]string{r.Upload.UserID, r.Upload.ID}] = *r.Upload
	case r.Slots != nil:
		if m.slots == nil {
			m.slots = map[string]*[message.MaxOpenUploads]Slot{}
		}
		m.slots[r.UserID] = r.Slots
	}
}

func (m *Memory) changedUpload(u Upload) {
	if m.Changed != nil {
		m.Changed(recordKey("upload", u.UserID, u.ID), Record{Upload: &u})
	}
}

func (m *Memory) changedSlots(userID string) {
	if m.Changed != nil {
		slots := *m.slots[userID]
		m.Changed(recordKey("slots", userID), Record{UserID: userID, Slots: &slots})
	}
}

// recordKey returns the key under which a record is stored.
func recordKey(kind string, parts ...string) string {
	text, err := json.Marshal(parts)
	if err != nil { // Cannot happen: strings can be encoded.
		panic(err)
	}
	return kind + string(text)
}
