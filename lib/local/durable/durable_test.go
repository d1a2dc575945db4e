package durable_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/herald-progress/herald/lib/local/durable"
)

// openStore opens a store and closes it at the end of the test.
func openStore(t *testing.T, path string) *durable.Store {
	t.Helper()
	s, err := durable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // The test may have closed it.
	return s
}

// records returns all records of the table t.
func records(t *testing.T, s *durable.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := s.Each("t", func(key string, value []byte) error {
		all[key] = string(value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func put(key, value string) durable.Change {
	return durable.Change{Table: "t", Key: key, Value: []byte(value)}
}

func TestRecordsAreThereAfterTheStoreIsOpenedAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new folder", "state.db")
	s := openStore(t, path)
	s.Add(put("a", "1"), put("b", "2"), put("c", ""))
	s.Add(put("a", "3"), durable.Change{Table: "t", Key: "b"}, durable.Change{Table: "other", Key: "a", Value: []byte("x")}, durable.Change{Table: "t", Key: "none"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "3", "c": ""}, records(t, openStore(t, path))); diff != "" {
		t.Error(diff)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("files are left: %v", left)
	}
}

func TestConcurrentFlushesWriteAll(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s := openStore(t, path)
	const writers, each = 20, 5
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				s.Add(put(fmt.Sprint(w, "-", i), "x"))
				if err := s.Flush(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := len(records(t, s)); n != writers*each {
		t.Errorf("%d records", n)
	}
}

func TestASecondStoreOfTheSameFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s := openStore(t, path)
	if _, err := durable.Open(path); !errors.Is(err, durable.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, path)
}

func TestAFailedCommitIsReportedForEver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s := openStore(t, path)
	s.Add(durable.Change{Table: "t", Value: []byte("a record needs a key")})
	first := s.Flush()
	s.Add(put("a", "1"))
	if again := s.Flush(); first == nil || !strings.Contains(first.Error(), path) || !errors.Is(again, first) {
		t.Errorf("got %v, then %v", first, again)
	}
}

// written returns the path and the records of a file with records of many sizes.
func written(t *testing.T) (string, map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s := openStore(t, path)
	for i := range 200 {
		s.Add(put(fmt.Sprintf("key-%03d", i), strings.Repeat(fmt.Sprint(i), i)))
		if i%50 == 49 {
			s.Add(durable.Change{Table: "t", Key: fmt.Sprintf("key-%03d", i-20)})
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := records(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path, want
}

// TestADamagedFileIsRefusedOrLosesNothing changes bytes of a file, or cuts it off. A change in a part that nothing uses does no harm.
func TestADamagedFileIsRefusedOrLosesNothing(t *testing.T) {
	t.Parallel()
	path, want := written(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for round := range 300 {
		damaged := bytes.Clone(good)
		switch round % 3 {
		case 0:
			damaged[random.IntN(len(damaged))] ^= 1 << random.IntN(8)
		case 1:
			at := random.IntN(len(damaged))
			clear(damaged[at:min(at+512, len(damaged))])
		default:
			damaged = damaged[:random.IntN(len(damaged))]
		}
		path := fmt.Sprint(path, round) // The lock of a file that is too damaged to open is held until the test ends.
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := durable.Open(path)
		if err != nil {
			refused++
			if !errors.Is(err, durable.ErrCorrupt) && !errors.Is(err, durable.ErrNewer) || !strings.Contains(err.Error(), path) {
				t.Errorf("round %d: %v", round, err)
			}
			continue
		}
		if got := records(t, s); !maps.Equal(got, want) {
			t.Errorf("round %d: %d records of %d, without an error", round, len(got), len(want))
		}
		s.Add(put("more", strings.Repeat("x", 20_000)))
		if err := s.Close(); err != nil {
			t.Errorf("round %d: write: %v", round, err)
		}
	}
	if refused < 100 {
		t.Errorf("only %d damaged files are refused", refused)
	}
}

func TestAForeignOrNewerFileIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	newer := filepath.Join(folder, "newer.db")
	if err := openStore(t, newer).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(newer, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("herald")).Put([]byte("format"), binary.BigEndian.AppendUint64(nil, 2))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(folder, "foreign.db")
	if db, err = bolt.Open(foreign, 0o600, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	text, empty := filepath.Join(folder, "text.db"), filepath.Join(folder, "empty.db")
	if err := errors.Join(os.WriteFile(text, []byte("not a state"), 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{newer: durable.ErrNewer, foreign: durable.ErrCorrupt, text: durable.ErrCorrupt, empty: durable.ErrCorrupt} {
		if _, err := durable.Open(path); !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if _, err := durable.Open(folder); err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("a folder: %v", err)
	}
}

func TestARecordWithAnUnknownFieldIsNotDecoded(t *testing.T) {
	t.Parallel()
	type record struct{ Name string }
	var got record
	if err := durable.Decode(durable.JSON("t", "k", record{"a"}).Value, &got); err != nil || got.Name != "a" {
		t.Errorf("decoded %+v, %v", got, err)
	}
	for _, text := range []string{`{"Name":"a","Other":1}`, `{"Name":1}`, `{`, ``} {
		if err := durable.Decode([]byte(text), &got); err == nil {
			t.Errorf("%s is decoded", text)
		}
	}
}
