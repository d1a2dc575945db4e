package storetest

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

// These tests let several writers write one object at once.

func raceIfAbsent(t *testing.T, s csvimport.Store) {
	var won atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			w := s.Create(t.Context(), "k", csvimport.IfAbsent)
			if _, err := io.WriteString(w, "x"); err != nil {
				t.Errorf("Write: %v", err)
			}
			switch err := w.Close(); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, csvimport.ErrExists):
				t.Errorf("Close: %v", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d writers won, want 1", won.Load())
	}
}

func raceIfMatch(t *testing.T, s csvimport.Store) {
	put(t, s, "k", []byte("old"))
	wantOneWinner(t, s, func(int) csvimport.Mode { return csvimport.IfMatch(csvimport.ETag([]byte("old"))) })
}

func raceIfMatchAndIfAbsent(t *testing.T, s csvimport.Store) {
	wantOneWinner(t, s, func(i int) csvimport.Mode {
		if i%2 == 0 {
			return csvimport.IfAbsent
		}
		return csvimport.IfMatch(csvimport.ETag([]byte("never there")))
	})
}

// wantOneWinner runs several concurrent writers, each with the mode for its index. It checks that exactly one succeeds and that the
// object has the content of that writer.
func wantOneWinner(t *testing.T, s csvimport.Store, mode func(i int) csvimport.Mode) {
	t.Helper()
	const writers = 8
	var won [writers]bool
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			switch err := writeWithMode(t, s, strconv.Itoa(i), mode(i)); {
			case err == nil:
				won[i] = true
			case !errors.Is(err, csvimport.ErrExists) && !errors.Is(err, csvimport.ErrReplaced):
				t.Errorf("Close: %v", err)
			}
		})
	}
	all.Wait()
	first := slices.Index(won[:], true)
	if first < 0 || slices.Contains(won[first+1:], true) {
		t.Fatalf("writers that won: %v, want one", won)
	}
	wantContent(t, s, "k", strconv.Itoa(first))
}
