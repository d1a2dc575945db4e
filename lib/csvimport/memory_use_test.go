//go:build !race

// This file measures the memory of plan and chunk. With the race detector its tests take twenty times as long, and find no race that
// other tests do not find.

package csvimport_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/csvimport"
)

// generatedStore is a store whose only upload has head, and then row again and again. The store generates the upload while it is read.
// It discards staged objects.
type generatedStore struct {
	csvimport.Memory

	head, row []byte
	rows      int64 // how often row is repeated
}

// newGeneratedStore returns a store whose upload has about size bytes. Each repetition of its row has two records, one of which is
// rejected.
func newGeneratedStore(size int64) *generatedStore {
	g := &generatedStore{
		head: []byte("part,color,quantity,description\n"),
		row:  []byte("3001,Dark Bluish Gray,0000012,\"Brick 2 x 4, \"\"classic\"\"\nsecond line\"\n3001,Red,0,\n"),
	}
	g.rows = size / int64(len(g.row))
	return g
}

// size returns the size of the upload.
func (s *generatedStore) size() int64 { return int64(len(s.head)) + s.rows*int64(len(s.row)) }

func (s *generatedStore) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	if from.Key != key {
		return s.Memory.Get(ctx, from, offset, length)
	}
	if length < 0 {
		length = s.size() - offset
	}
	return io.NopCloser(&generatedReader{store: s, at: offset, end: min(offset+length, s.size())}), nil
}

// generatedReader reads the upload from at to end.
type generatedReader struct {
	store   *generatedStore
	at, end int64
}

func (r *generatedReader) Read(p []byte) (int, error) {
	if r.at == r.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.end-r.at)]
	text := r.store.row
	if head := int64(len(r.store.head)); r.at < head {
		text = r.store.head[r.at:]
	} else {
		text = text[(r.at-head)%int64(len(text)):]
	}
	n := copy(p, text)
	for n < len(p) {
		n += copy(p[n:], r.store.row)
	}
	r.at += int64(n)
	return n, nil
}

func (s *generatedStore) Create(ctx context.Context, k string, mode csvimport.Mode) csvimport.Writer {
	if strings.HasPrefix(k, "staged/") {
		return discardWriter{}
	}
	return s.Memory.Create(ctx, k, mode)
}

// discardWriter discards a staged object.
type discardWriter struct{}

func (discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (discardWriter) Close() error                { return nil }
func (discardWriter) Abort()                      {}

// measureHeap starts to measure the heap. The returned function stops the measurement, and returns by how many bytes the heap
// grew at most.
func measureHeap() func() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	heapBytes := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	start := heapBytes()
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		var highest uint64
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			highest = max(highest, heapBytes())
			select {
			case <-stop:
				result <- highest - min(start, highest)
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-result }
}

// TestRecordOfAnyBytesTakesBoundedMemory plans files of 256 MiB that repeat a text which may never end a record.
func TestRecordOfAnyBytesTakesBoundedMemory(t *testing.T) {
	const size, limit = 256 << 20, 16 << 20
	for _, head := range []string{"part,color,quantity\n", ""} {
		for _, text := range []string{`"`, `""`, `"",`, ",", "x", " ", `"a"b`, "\"\"\r\n", "\xff", `x"`} {
			store := newGeneratedStore(0)
			store.head, store.row, store.rows = []byte(head), []byte(text), size/int64(len(text))
			var e csvimport.Event
			e.Object.Key, e.Object.Size = key, store.size()
			heapGrowth := measureHeap()
			plan, err := csvimport.NewPlan(csvimport.Config{Store: store}).Handle(t.Context(), csvimport.PlanInput{Detail: e})
			if got := heapGrowth(); got > limit {
				t.Errorf("%q, then 256 MiB of %q take %d bytes of heap, want at highest %d", head, text, got, limit)
			}
			if invalid := (*csvimport.InvalidFile)(nil); err != nil && !errors.As(err, &invalid) {
				t.Errorf("%q, then 256 MiB of %q: plan has %d rows, error %v, want InvalidFile", head, text, plan.TotalRows, err)
			}
		}
	}
}

func TestImportTakesConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 300 MiB; not with -short")
	}
	const size, limit = 300 << 20, 16 << 20
	store := newGeneratedStore(size)
	c := csvimport.Config{Store: store}
	var e csvimport.Event
	e.Object.Key, e.Object.Size = key, store.size()

	heapGrowth := measureHeap()
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Detail: e})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	if got := heapGrowth(); got > limit {
		t.Errorf("plan takes %d bytes of heap for %d bytes of CSV, want at highest %d", got, size, limit)
	}
	if plan.TotalRows != 2*store.rows || len(plan.Ranges) < 30 { // 300 MiB in ranges of about 8 MiB
		t.Errorf("plan has %d rows in %d ranges, want %d rows", plan.TotalRows, len(plan.Ranges), 2*store.rows)
	}
	heapGrowth = measureHeap()
	var rejected int64
	for _, r := range plan.Ranges {
		out, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: plan.File, TotalRows: plan.TotalRows, Range: r})
		if err != nil {
			t.Fatalf("chunk: %v", err)
		}
		rejected += out.Rejected
	}
	got := heapGrowth()
	if got > limit {
		t.Errorf("chunks take %d bytes of heap, want at highest %d", got, limit)
	}
	if rejected != store.rows { // one record of each repetition
		t.Errorf("%d rows are rejected, want %d", rejected, store.rows)
	}
	t.Logf("%d ranges, the chunks' heap grew by %.1f MiB", len(plan.Ranges), float64(got)/(1<<20))
}

// TestFilesInOtherEncodingsTakeConstantMemory plans and parses files in UTF-16 and in Windows-1252.
func TestFilesInOtherEncodingsTakeConstantMemory(t *testing.T) {
	const size, limit = 64 << 20, 16 << 20
	for encoding, text := range map[string][2]string{
		"utf-16le":     {"\xFF\xFEp\x00a\x00r\x00t\x00,\x00q\x00t\x00y\x00\n\x00", "3\x00,\x001\x00\n\x00"},
		"windows-1252": {"part,qty,color\n", "3001,1,Wei\xDF\n"},
	} {
		store := newGeneratedStore(0)
		store.head, store.row, store.rows = []byte(text[0]), []byte(text[1]), int64(size/len(text[1]))
		c := csvimport.Config{Store: store}
		var e csvimport.Event
		e.Object.Key, e.Object.Size = key, store.size()
		heapGrowth := measureHeap()
		plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Detail: e})
		if err != nil || plan.TotalRows != store.rows || plan.File.Encoding != encoding || len(plan.Ranges) < 7 {
			t.Fatalf("%s: plan has %d rows in %d ranges, encoding %s, error %v", encoding, plan.TotalRows, len(plan.Ranges), plan.File.Encoding, err)
		}
		out, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: plan.File, TotalRows: plan.TotalRows, Range: plan.Ranges[3]})
		if err != nil || out.Rejected > 0 {
			t.Errorf("%s: chunk has %+v, error %v", encoding, out, err)
		}
		if got := heapGrowth(); got > limit {
			t.Errorf("%s: %d bytes of heap for %d bytes, want at highest %d", encoding, got, size, limit)
		}
	}
}
