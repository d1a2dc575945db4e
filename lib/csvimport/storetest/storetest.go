// Package storetest tests implementations of [csvimport.Store]. [Run] is the contract test. [Orders] runs concurrent imports on a
// store in all orders of their requests.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

const (
	// Large is the size of a large object, in bytes. No store's writer buffers it completely. On Amazon S3 it takes three parts.
	Large = 11 << 20

	toEnd = -1 // the length for a Get up to the end of the object
)

// Run runs the contract test. It calls open for a new, empty store for each subtest.
func Run(t *testing.T, open func(t *testing.T) csvimport.Store) {
	t.Helper()
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s csvimport.Store)
	}{
		{"Get reads ranges of an object", ranges},
		{"missing objects", missingObjects},
		{"the ETag must match", etagMustMatch},
		{"Read returns content and ETag", contentAndETag},
		{"list", listKeys},
		{"a write is visible at Close", visibleAtClose},
		{"Abort leaves nothing", abort},
		{"a large object in many writes", large},
		{"IfAbsent leaves an existing object", ifAbsent},
		{"one of many IfAbsent succeeds", raceIfAbsent},
		{"IfMatch replaces the object with that ETag only", ifMatch},
		{"one of many IfMatch succeeds", raceIfMatch},
		{"IfMatch and IfAbsent never both succeed", raceIfMatchAndIfAbsent},
		{"copy", copyObject},
		{"delete", deleteObjects},
		{"odd keys", oddKeys},
		{"a cancelled context", cancelled},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

// put writes an object.
func put(t *testing.T, s csvimport.Store, key string, content []byte) {
	t.Helper()
	w := s.Create(t.Context(), key, csvimport.Replace)
	if _, err := w.Write(content); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	w.Abort() // It must do nothing after Close.
}

// get returns the bytes of an object, or the error of Get.
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

// wantContent checks that the object has the content.
func wantContent(t *testing.T, s csvimport.Store, key, content string) {
	t.Helper()
	got, err := get(t, s, csvimport.Object{Key: key}, 0, toEnd)
	if err != nil || string(got) != content {
		t.Errorf("%s is %q, %v, want %q", key, got, err, content)
	}
}

// wantMissing checks that Get does not find the object.
func wantMissing(t *testing.T, s csvimport.Store, from csvimport.Object) {
	t.Helper()
	if got, err := get(t, s, from, 0, toEnd); !errors.Is(err, csvimport.ErrNotFound) {
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

func missingObjects(t *testing.T, s csvimport.Store) {
	wantMissing(t, s, csvimport.Object{Key: "nothing"})
	if _, err := get(t, s, csvimport.Object{Key: "nothing"}, 0, 10); !errors.Is(err, csvimport.ErrNotFound) {
		t.Errorf("Get of a range says %v, want ErrNotFound", err)
	}
	if err := s.Copy(t.Context(), "k", "nothing"); !errors.Is(err, csvimport.ErrNotFound) {
		t.Errorf("Copy says %v, want ErrNotFound", err)
	}
	if _, _, err := s.Read(t.Context(), "nothing"); !errors.Is(err, csvimport.ErrNotFound) {
		t.Errorf("Read says %v, want ErrNotFound", err)
	}
}

func etagMustMatch(t *testing.T, s csvimport.Store) {
	old, current := []byte("old"), []byte("current")
	put(t, s, "k", old)
	put(t, s, "k", current)
	for _, length := range []int64{-1, 1, 0} {
		if got, err := get(t, s, csvimport.Object{Key: "k", ETag: csvimport.ETag(old)}, 0, length); !errors.Is(err, csvimport.ErrReplaced) {
			t.Errorf("Get with an old ETag, %d bytes, is %q, %v, want ErrReplaced", length, got, err)
		}
	}
	wantMissing(t, s, csvimport.Object{Key: "nothing", ETag: csvimport.ETag(old)})
	if got, err := get(t, s, csvimport.Object{Key: "k", ETag: csvimport.ETag(current)}, 0, toEnd); err != nil || !bytes.Equal(got, current) {
		t.Errorf("Get with the current ETag is %q, %v", got, err)
	}
}

func contentAndETag(t *testing.T, s csvimport.Store) {
	for _, content := range []string{"one", "two", ""} {
		put(t, s, "k", []byte(content))
		got, etag, err := s.Read(t.Context(), "k")
		if err != nil || string(got) != content || etag != csvimport.ETag(got) {
			t.Errorf("Read is %q, ETag %s, %v, want %q", got, etag, err, content)
		}
		if got, err := get(t, s, csvimport.Object{Key: "k", ETag: etag}, 0, toEnd); err != nil || string(got) != content {
			t.Errorf("Get with the ETag that was read is %q, %v", got, err)
		}
	}
}

func listKeys(t *testing.T, s csvimport.Store) {
	all := []string{"p/a", "p/a/b", "p/a/c", "p/ä", "p/b c+d", "q"}
	for _, key := range all {
		put(t, s, key, []byte(key))
	}
	slices.Sort(all)
	for _, tt := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"", "", 1000, all},
		{"p/", "", 1000, all[:5]}, {"p/", "p/", 1000, all[:5]}, {"p/a/", "", 1000, all[1:3]}, {"p/a", "", 1000, all[:3]},
		{"p/", "p/a/b", 1000, all[2:5]}, {"p/", "p/a/bb", 1000, all[2:5]}, {"p/", "p/ä", 1000, nil},
		{"p/", "", 2, all[:2]}, {"p/", all[1], 2, all[2:4]}, {"nothing", "", 1000, nil},
	} {
		got, err := s.List(t.Context(), tt.prefix, tt.after, tt.limit)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("List of %q after %q, %d at most, is %q, %v, want %q", tt.prefix, tt.after, tt.limit, got, err, tt.want)
		}
	}
}

func visibleAtClose(t *testing.T, s csvimport.Store) {
	put(t, s, "k", []byte("old"))
	w := s.Create(t.Context(), "k", csvimport.Replace)
	if _, err := w.Write(make([]byte, Large)); err != nil {
		t.Fatalf("Write: %v", err)
	}
	wantContent(t, s, "k", "old")
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if got, err := get(t, s, csvimport.Object{Key: "k"}, 0, toEnd); err != nil || len(got) != Large {
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
		content[i] = byte(i * 7 >> 3) // varied, so that parts in a wrong order are noticed
	}
	w := s.Create(t.Context(), "k", csvimport.Replace)
	const step = 1_000_003 // a prime, so that writes end inside parts
	for i := 0; i < len(content); i += step {
		n, err := w.Write(content[i:min(i+step, len(content))])
		if err != nil || n != min(step, len(content)-i) {
			t.Fatalf("Write returns %d, %v", n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	got, err := get(t, s, csvimport.Object{Key: "k"}, 0, toEnd)
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
	wantContent(t, s, "k", "first")
}

// writeWithMode writes the object k with the mode and returns the error of Close.
func writeWithMode(t *testing.T, s csvimport.Store, content string, mode csvimport.Mode) error {
	t.Helper()
	w := s.Create(t.Context(), "k", mode)
	defer w.Abort()
	if _, err := io.WriteString(w, content); err != nil {
		t.Errorf("Write: %v", err)
	}
	return w.Close()
}

func ifMatch(t *testing.T, s csvimport.Store) {
	if err := writeWithMode(t, s, "new", csvimport.IfMatch(csvimport.ETag([]byte("old")))); !errors.Is(err, csvimport.ErrReplaced) {
		t.Errorf("Close where there is no object says %v, want ErrReplaced", err)
	}
	wantMissing(t, s, csvimport.Object{Key: "k"})
	put(t, s, "k", []byte("old"))
	_, etag, err := s.Read(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		content string
		want    error
	}{{"new", nil}, {"another", csvimport.ErrReplaced}, {"new", csvimport.ErrReplaced}} {
		if err := writeWithMode(t, s, tt.content, csvimport.IfMatch(etag)); !errors.Is(err, tt.want) {
			t.Errorf("Close of %q says %v, want %v", tt.content, err, tt.want)
		}
	}
	wantContent(t, s, "k", "new")
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if err := writeWithMode(t, s, "late", csvimport.IfMatch(csvimport.ETag([]byte("new")))); !errors.Is(err, csvimport.ErrReplaced) {
		t.Errorf("Close after the object was deleted says %v, want ErrReplaced", err)
	}
	wantMissing(t, s, csvimport.Object{Key: "k"})
}

func copyObject(t *testing.T, s csvimport.Store) {
	put(t, s, "src", []byte("content"))
	put(t, s, "dst", []byte("something longer"))
	if err := s.Copy(t.Context(), "dst", "src"); err != nil {
		t.Fatalf("Copy: %v", err)
	}
	wantContent(t, s, "dst", "content")
	wantContent(t, s, "src", "content")
}

func deleteObjects(t *testing.T, s csvimport.Store) {
	for _, key := range []string{"a", "b", "c"} {
		put(t, s, key, []byte(key))
	}
	if err := s.Delete(t.Context(), "a", "nothing", "b"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if err := s.Delete(t.Context()); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	wantMissing(t, s, csvimport.Object{Key: "a"})
	wantMissing(t, s, csvimport.Object{Key: "b"})
	wantContent(t, s, "c", "c")
}

func oddKeys(t *testing.T, s csvimport.Store) {
	for _, key := range []string{"a/b c/d+e", "ä/ü?x=y&z#f", "100%/25%41", "quote'\"<>/=@:,;"} {
		put(t, s, key, []byte(key))
		if err := s.Copy(t.Context(), "copy of "+key, key); err != nil {
			t.Errorf("Copy %s: %v", key, err)
			continue
		}
		wantContent(t, s, "copy of "+key, key)
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
		"Get":    func() error { _, err := s.Get(ctx, csvimport.Object{Key: "k"}, 0, toEnd); return err }(),
		"Close":  w.Close(),
		"Copy":   s.Copy(ctx, "k2", "k"),
		"Delete": s.Delete(ctx, "k"),
		"Read":   func() error { _, _, err := s.Read(ctx, "k"); return err }(),
		"List":   func() error { _, err := s.List(ctx, "", "", 10); return err }(),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s says %v, want context.Canceled", what, err)
		}
	}
	wantMissing(t, s, csvimport.Object{Key: "new"})
	wantContent(t, s, "k", "content")
}
