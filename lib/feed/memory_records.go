package feed

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// Record is a row, a note, the key of a note, or a pointer of a [Memory], in a form that encoding/json can write and read. One field is
// set.
type Record struct {
	Job     *Row        `json:",omitempty"`
	Note    *NoteRecord `json:",omitempty"`
	Key     *NoteRecord `json:",omitempty"` // Without Data.
	Pointer *Pointer    `json:",omitempty"`
}

// NoteRecord is a note of an owner.
type NoteRecord struct {
	Owner string
	ID    string
	At    time.Time
	Key   string          `json:",omitempty"`
	Type  message.Type    `json:",omitempty"`
	Data  json.RawMessage `json:",omitempty"`
}

// recordKey returns the key under which a record is stored.
func recordKey(kind string, parts ...string) string {
	text, err := json.Marshal(parts)
	if err != nil { // Cannot happen: strings can be encoded.
		panic(err)
	}
	return kind + string(text)
}

func (k pointerKey) record() string { return recordKey("pointer", k.execution, k.owner, k.job) }

// changed reports that the record with the key is now r, or was deleted if r is nil. The caller holds the lock.
func (m *Memory) changed(key string, r *Record) {
	if m.Changed != nil {
		m.Changed(key, r)
	}
}

func (m *Memory) changedJob(row Row) {
	m.changed(recordKey("job", row.Owner, row.State.UploadID), &Record{Job: &row})
}

func (m *Memory) changedNote(owner string, n Note) {
	if m.Changed == nil {
		return
	}
	data, err := MarshalData(n.Data)
	if err != nil { // Cannot happen: a note's data is validated before it is added.
		return
	}
	m.changed(recordKey("note", owner, n.ID), &Record{Note: &NoteRecord{Owner: owner, ID: n.ID, At: n.At, Type: n.Data.Type(), Data: data}})
}

func (m *Memory) changedKey(owner string, n Note) {
	m.changed(recordKey("key", owner, n.Key), &Record{Key: &NoteRecord{Owner: owner, ID: n.ID, At: n.At, Key: n.Key}})
}

// Restore adds a record that an earlier Memory has passed to its Changed. It does not call Changed. Call it before all other methods.
func (m *Memory) Restore(r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.makeMaps()
	switch {
	case r.Job != nil:
		m.putJob(*r.Job)
	case r.Note != nil:
		frame, err := marshalJSON(map[string]any{"type": r.Note.Type, "data": r.Note.Data})
		if err != nil {
			return err
		}
		envelope, err := message.Parse(frame)
		if err != nil {
			return fmt.Errorf("note: %w", err)
		}
		m.putNote(r.Note.Owner, Note{ID: r.Note.ID, At: r.Note.At, Data: envelope.Data})
	case r.Key != nil:
		m.keyedNotes[noteKey{r.Key.Owner, r.Key.Key}] = Note{ID: r.Key.ID, At: r.Key.At, Key: r.Key.Key}
	case r.Pointer != nil:
		m.pointers[r.Pointer.key()] = *r.Pointer
	}
	return nil
}

// RemoveExpired deletes what has expired. It keeps the end of a run for [EndedRunRetention].
func (m *Memory) RemoveExpired() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for owner, jobs := range m.jobs {
		for id, row := range jobs {
			if row.Expired(now.Add(-EndedRunRetention)) {
				delete(jobs, id)
				m.changed(recordKey("job", owner, id), nil)
			}
		}
	}
	for owner, notes := range m.notes {
		for id, n := range notes {
			if !now.Before(n.ExpiresAt()) {
				delete(notes, id)
				m.changed(recordKey("note", owner, id), nil)
			}
		}
	}
	for key, n := range m.keyedNotes {
		if now.After(n.At.Add(NoteKeyTTL + NoteSkew)) {
			delete(m.keyedNotes, key)
			m.changed(recordKey("key", key.owner, key.key), nil)
		}
	}
	for key, p := range m.pointers {
		if !now.Before(p.ExpiresAt()) {
			delete(m.pointers, key)
			m.changed(key.record(), nil)
		}
	}
}

func (m *Memory) makeMaps() {
	if m.jobs == nil {
		m.jobs, m.notes = map[string]map[string]Row{}, map[string]map[string]Note{}
		m.keyedNotes, m.pointers = map[noteKey]Note{}, map[pointerKey]Pointer{}
	}
}

func (m *Memory) putJob(row Row) {
	if m.jobs[row.Owner] == nil {
		m.jobs[row.Owner] = map[string]Row{}
	}
	m.jobs[row.Owner][row.State.UploadID] = row
}

func (m *Memory) putNote(owner string, n Note) {
	if m.notes[owner] == nil {
		m.notes[owner] = map[string]Note{}
	}
	m.notes[owner][n.ID] = n
}
