// Package storetest holds the contract that every [csvimport.Store] keeps.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

// Large is more than any store's writer keeps in memory, in bytes: two parts and a bit on Amazon S3.
const Large = 11 << 20

// Run tests the store that open returns: a fresh, empty one for each test.
func Run(t *testing.T, open func(t *testing.T) csvimport.Store) {
	t.Helper()
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s csvimport.Store)
	}{
		{"ranges", ranges},
		{"missing objects", missing},
		{"ETag pins a state", pinned},
		{"a write is visible at Close", visibleAtClose},
		{"Abort leaves nothing", abort},
		{"a large object in many writes", large},
		{"IfAbsent keeps what is there", ifAbsent},
		{"of many IfAbsent one wins", race},
		{"copy", copied},
		{"delete", deleted},
		{"odd keys", oddKeys},
		{"a cancelled context", cancelled},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

func put(t *testing.T, s csvimport.Store, key string, content []byte) {
	t.Helper()
	w := s.Create(t.Context(), key, csvimport.Replace)
	if _, err := w.Write(content); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	w.Abort() // after Close it does nothing
}

func get(t *testing.T, s csvimport.Store, from csvimport.Object, offset, length int64) ([]byte, error) {
	t.Helper()
	body, err := s.Get(t.Context(), from, offset, length)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatalf("read %s: %v", from.Key, err)
	}

	return content, nil
}

func want(t *testing.T, s csvimport.Store, key, content string) {
	t.Helper()
	got, err := get(t, s, csvimport.Object{Key: key}, 0, -1)
	if err != nil || string(got) != content {
		t.Errorf("%s is %q, %v, want %q", key, got, err, content)
	}
}

func wantMissing(t *testing.T, s csvimport.Store, from csvimport.Object) {
	t.Helper()
	if got, err := get(t, s, from, 0, -1); !errors.Is(err, csvimport.ErrNotFound) {
		t.Errorf("Get %+v is %q, %v, want ErrNotFound", from, got, err)
	}
}

func ranges(t *testing.T, s csvimport.Store) {
	put(t, s, "k", []byte("0123456789"))
	put(t, s, "empty", nil)
	for _, tt := range []struct {
		key            string
		offset, length int64
		want           string
	}{
		{"k", 0, -1, "0123456789"}, {"k", 3, -1, "3456789"}, {"k", 3, 4, "3456"}, {"k", 0, 1, "0"}, {"k", 3, 0, ""},
		{"k", 8, 100, "89"}, {"k", 10, 5, ""}, {"k", 99, -1, ""},
		{"empty", 0, -1, ""}, {"empty", 0, 5, ""},
	} {
		if got, err := get(t, s, csvimport.Object{Key: tt.key}, tt.offset, tt.length); err != nil || string(got) != tt.want {
			t.Errorf("Get %s from %d, %d bytes, is %q, %v, want %q", tt.key, tt.offset, tt.length, got, err, tt.want)
		}
	}
}

func missing(t *testing.T, s csvimport.Store) {
	wantMissing(t, s, csvimport.Object{Key: "nothing"})
	if _, err := get(t, s, csvimport.Object{Key: "nothing"}, 0, 10); !errors.Is(err, csvimport.ErrNotFound) {
		t.Errorf("Get of a range says %v, want ErrNotFound", err)
	}
	if err := s.Copy(t.Context(), "k", "nothing"); !errors.Is(err, csvimport.ErrNotFound) {
		t.Errorf("Copy says %v, want ErrNotFound", err)
	}
}

func pinned(t *testing.T, s csvimport.Store) {
	old, current := []byte("old"), []byte("current")
	put(t, s, "k", old)
	put(t, s, "k", current)
	wantMissing(t, s, csvimport.Object{Key: "k", ETag: csvimport.ETag(old)})
	if got, err := get(t, s, csvimport.Object{Key: "k", ETag: csvimport.ETag(current)}, 0, -1); err != nil || !bytes.Equal(got, current) {
		t.Errorf("Get with the current ETag is %q, %v", got, err)
	}
}

func visibleAtClose(t *testing.T, s csvimport.Store) {
	put(t, s, "k", []byte("old"))
	w := s.Create(t.Context(), "k", csvimport.Replace)
	if _, err := w.Write(make([]byte, Large)); err != nil {
		t.Fatalf("Write: %v", err)
	}
	want(t, s, "k", "old")
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if got, err := get(t, s, csvimport.Object{Key: "k"}, 0, -1); err != nil || len(got) != Large {
		t.Errorf("object has %d bytes, %v, want %d", len(got), err, Large)
	}
}

func abort(t *testing.T, s csvimport.Store) {
	for _, size := range []int{0, 1, Large} {
		w := s.Create(t.Context(), "k", csvimport.Replace)
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatalf("Write: %v", err)
		}
		w.Abort()
		w.Abort()
		wantMissing(t, s, csvimport.Object{Key: "k"})
	}
}

func large(t *testing.T, s csvimport.Store) {
	content := make([]byte, Large)
	for i := range content {
		content[i] = byte(i * 7 >> 3)
	}
	w := s.Create(t.Context(), "k", csvimport.Replace)
	const step = 1_000_003
	for i := 0; i < len(content); i += step {
		n, err := w.Write(content[i:min(i+step, len(content))])
		if err != nil || n != min(step, len(content)-i) {
			t.Fatalf("Write returns %d, %v", n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	got, err := get(t, s, csvimport.Object{Key: "k"}, 0, -1)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back, %v, want the same %d", len(got), err, len(content))
	}
}

func ifAbsent(t *testing.T, s csvimport.Store) {
	for i, content := range []string{"first", "second"} {
		w := s.Create(t.Context(), "k", csvimport.IfAbsent)
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatalf("Write: %v", err)
		}
		err := w.Close()
		w.Abort()
		if i == 0 && err != nil || i == 1 && !errors.Is(err, csvimport.ErrExists) {
			t.Errorf("Close of the %s says %v", content, err)
		}
	}
	want(t, s, "k", "first")
}

func race(t *testing.T, s csvimport.Store) {
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

func copied(t *testing.T, s csvimport.Store) {
	put(t, s, "src", []byte("content"))
	put(t, s, "dst", []byte("something longer"))
	if err := s.Copy(t.Context(), "dst", "src"); err != nil {
		t.Fatalf("Copy: %v", err)
	}
	want(t, s, "dst", "content")
	want(t, s, "src", "content")
}

func deleted(t *testing.T, s csvimport.Store) {
	put(t, s, "a", []byte("a"))
	put(t, s, "b", []byte("b"))
	put(t, s, "c", []byte("c"))
	if err := s.Delete(t.Context(), "a", "nothing", "b"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if err := s.Delete(t.Context()); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	wantMissing(t, s, csvimport.Object{Key: "a"})
	wantMissing(t, s, csvimport.Object{Key: "b"})
	want(t, s, "c", "c")
}

func oddKeys(t *testing.T, s csvimport.Store) {
	for _, key := range []string{"a/b c/d+e", "ä/ü?x=y&z#f", "100%/25%41", "quote'\"<>/=@:,;"} {
		put(t, s, key, []byte(key))
		if err := s.Copy(t.Context(), "copy of "+key, key); err != nil {
			t.Errorf("Copy %s: %v", key, err)

			continue
		}
		want(t, s, "copy of "+key, key)
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete %s: %v", key, err)
		}
		wantMissing(t, s, csvimport.Object{Key: key})
	}
}

func cancelled(t *testing.T, s csvimport.Store) {
	put(t, s, "k", []byte("content"))
	ctx, cancel := context.WithCancel(t.Context())
	w := s.Create(ctx, "new", csvimport.Replace)
	_, _ = io.WriteString(w, "x")
	cancel()
	for what, err := range map[string]error{
		"Get":    func() error { _, err := s.Get(ctx, csvimport.Object{Key: "k"}, 0, -1); return err }(),
		"Close":  w.Close(),
		"Copy":   s.Copy(ctx, "k2", "k"),
		"Delete": s.Delete(ctx, "k"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s says %v, want context.Canceled", what, err)
		}
	}
	wantMissing(t, s, csvimport.Object{Key: "new"})
	want(t, s, "k", "content")
}
