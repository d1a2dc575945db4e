package feed_test

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/feed/feedtest"
	"github.com/herald-progress/herald/lib/message"
)

// restored is a store that is restored from its records before each call, as after a restart. The records are JSON.
type restored struct {
	mu      sync.Mutex
	records map[string][]byte
	now     func() time.Time
}

// memory returns a new Memory with the records.
func (s *restored) memory() *feed.Memory {
	m := &feed.Memory{Now: s.now}
	for _, text := range s.records {
		var r feed.Record
		if err := json.Unmarshal(text, &r); err != nil {
			panic(err)
		}
		if err := m.Restore(r); err != nil {
			panic(err)
		}
	}
	m.Changed = func(key string, r *feed.Record) {
		delete(s.records, key)
		if r != nil {
			text, err := json.Marshal(r)
			if err != nil {
				panic(err)
			}
			if s.records == nil {
				s.records = map[string][]byte{}
			}
			s.records[key] = text
		}
	}
	return m
}

func (s *restored) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().Apply(ctx, owner, u)
}

func (s *restored) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (feed.Row, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().ClaimPush(ctx, row, at)
}

func (s *restored) Job(ctx context.Context, owner, job string) (feed.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().Job(ctx, owner, job)
}

func (s *restored) Jobs(ctx context.Context, owner string) iter.Seq2[feed.Row, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().Jobs(ctx, owner)
}

func (s *restored) JobsAfter(ctx context.Context, owner, after string, limit int) (feed.JobPage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().JobsAfter(ctx, owner, after, limit)
}

func (s *restored) Add(ctx context.Context, owner string, n feed.Note) (feed.Note, feed.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().Add(ctx, owner, n)
}

func (s *restored) Notes(ctx context.Context, owner, since string, limit int) ([]feed.Note, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().Notes(ctx, owner, since, limit)
}

func (s *restored) NewestNotes(ctx context.Context, owner, after, upTo string, limit int) ([]feed.Note, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().NewestNotes(ctx, owner, after, upTo, limit)
}

func (s *restored) Dismiss(ctx context.Context, owner, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().Dismiss(ctx, owner, id)
}

func (s *restored) PointersOf(ctx context.Context, arn string) iter.Seq2[feed.Pointer, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().PointersOf(ctx, arn)
}

func (s *restored) AllPointers(ctx context.Context) iter.Seq2[feed.Pointer, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().AllPointers(ctx)
}

func (s *restored) DeletePointer(ctx context.Context, p feed.Pointer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory().DeletePointer(ctx, p)
}

// TestAMemoryThatIsRestoredBeforeEachCallMeetsTheContract checks that the records hold all that a Memory knows.
func TestAMemoryThatIsRestoredBeforeEachCallMeetsTheContract(t *testing.T) {
	feedtest.Run(t, func(*testing.T) feed.Store { return &restored{} })
}

func TestARestoredMemoryExpiresNotesAndCorrectsClocks(t *testing.T) {
	feedtest.RunClock(t, func(*testing.T) (feed.Store, feedtest.Clock) {
		c := &clock{now: start}
		return &restored{now: c.Now}, c
	})
}

// TestRemoveExpiredDeletesOnlyWhatNobodyReads lets time pass until all records have expired.
func TestRemoveExpiredDeletesOnlyWhatNobodyReads(t *testing.T) {
	c := &clock{now: start}
	keys := map[string]bool{}
	m := &feed.Memory{Now: c.Now, Changed: func(key string, r *feed.Record) { keys[key] = r != nil }}
	stored := func() (all []string) {
		m.RemoveExpired()
		for key, there := range keys {
			if there {
				kind, _, _ := strings.Cut(key, "[")
				all = append(all, kind)
			}
		}
		slices.Sort(all)
		return all
	}
	owner := feed.User("ann")
	_, _, err := m.Apply(t.Context(), owner, feed.Update{
		ID: "m-1", At: c.now, Execution: "arn:aws:states:us-east-1:000000000000:execution:m:x",
		State: message.UploadProgress{UploadID: "u-1", FileName: "f", Message: "m", Progress: 1, Status: message.StatusRunning},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Add(t.Context(), owner, feed.Note{ID: "n-1", At: c.now, Key: "k", Data: message.Notification{Title: "t", Message: "m", Severity: "info"}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		pass time.Duration
		want []string
	}{
		{0, []string{"job", "key", "note", "pointer"}}, {2 * 24 * time.Hour, []string{"job", "note", "pointer"}}, {6 * 24 * time.Hour, []string{"job", "pointer"}},
		{feed.PointerTTL, []string{"job"}}, {feed.EndedRunRetention, nil},
	} {
		c.Pass(tt.pass)
		if got := stored(); !slices.Equal(got, tt.want) {
			t.Errorf("after %v more: %v, want %v", tt.pass, got, tt.want)
		}
	}
}
