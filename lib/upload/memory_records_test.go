package upload_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/upload"
	"github.com/herald-progress/herald/lib/upload/uploadtest"
)

// restored is a store that is restored from its records before each call, as after a restart. The records are JSON.
type restored struct {
	mu      sync.Mutex
	records map[string][]byte
}

// memory returns a new Memory with the records.
func (s *restored) memory() *upload.Memory {
	m := &upload.Memory{}
	for _, text := range s.records {
		var r upload.Record
		if err := json.Unmarshal(text, &r); err != nil {
			panic(err)
		}
		m.Restore(r)
	}
	m.Changed = func(key string, r upload.Record) {
		text, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		if s.records == nil {
			s.records = map[string][]byte{}
		}
		s.records[key] = text
	}
	return m
}

func (s *restored) Reserve(ctx context.Context, userID string, slot upload.Slot, at time.Time) (upload.Slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().Reserve(ctx, userID, slot, at)
}

func (s *restored) Put(ctx context.Context, u upload.Upload) (upload.Upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().Put(ctx, u)
}

func (s *restored) Find(ctx context.Context, userID, id string, at time.Time) (upload.Upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().Find(ctx, userID, id, at)
}

func (s *restored) End(ctx context.Context, u upload.Upload, o upload.Outcome, until time.Time) (upload.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().End(ctx, u, o, until)
}

// TestAMemoryThatIsRestoredBeforeEachCallMeetsTheContract checks that the records hold all that a Memory knows.
func TestAMemoryThatIsRestoredBeforeEachCallMeetsTheContract(t *testing.T) {
	uploadtest.RunStore(t, func(*testing.T) upload.Store { return &restored{} })
}

func TestARecordExpiresWithItsUploads(t *testing.T) {
	at := time.Now()
	m := &upload.Memory{}
	var last upload.Record
	m.Changed = func(_ string, r upload.Record) { last = r }
	if _, err := m.Reserve(t.Context(), "ann", upload.Slot{UploadID: "u-1", Until: at.Add(time.Minute)}, at); err != nil {
		t.Fatal(err)
	}
	if last.Expired(at) || !last.Expired(at.Add(time.Minute)) {
		t.Errorf("the slots %+v expire at another time", last)
	}
	if _, err := m.Put(t.Context(), upload.Upload{UserID: "ann", ID: "u-1", ExpiresAt: at.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if last.Expired(at) || !last.Expired(at.Add(time.Hour)) {
		t.Errorf("the upload %+v expires at another time", last)
	}
}
