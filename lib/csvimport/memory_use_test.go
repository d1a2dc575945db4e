//go:build !race

// The race detector makes this twenty times slower and finds nothing here that other tests do not show.

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

// generated is a store that generates its only upload while it is read, and discards staged objects.
type generated struct {
	csvimport.Memory

	head, row []byte
	rows      int64
}

func newGenerated(size int64) *generated {
	g := &generated{
		head: []byte("part,color,quantity,description\n"),
		row:  []byte("3001,Dark Bluish Gray,0000012,\"Brick 2 x 4, \"\"classic\"\"\nsecond line\"\n3001,Red,0,\n"),
	}
	g.rows = size / int64(len(g.row))
	return g
}

func (g *generated) size() int64 { return int64(len(g.head)) + g.rows*int64(len(g.row)) }

func (g *generated) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	if from.Key != key {
		return g.Memory.Get(ctx, from, offset, length)
	}
	if length < 0 {
		length = g.size() - offset
	}
	return io.NopCloser(&generatedReader{g: g, at: offset, end: min(offset+length, g.size())}), nil
}

type generatedReader struct {
	g       *generated
	at, end int64
}

func (r *generatedReader) Read(p []byte) (int, error) {
	if r.at == r.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.end-r.at)]
	text := r.g.row
	if head := int64(len(r.g.head)); r.at < head {
		text = r.g.head[r.at:]
	} else {
		text = text[(r.at-head)%int64(len(text)):]
	}
	n := copy(p, text)
	for n < len(p) {
		n += copy(p[n:], r.g.row)
	}
	r.at += int64(n)
	return n, nil
}

func (g *generated) Create(ctx context.Context, k string, mode csvimport.Mode) csvimport.Writer {
	if strings.HasPrefix(k, "staged/") {
		return discardWriter{}
	}
	return g.Memory.Create(ctx, k, mode)
}

type discardWriter struct{}

func (discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (discardWriter) Close() error                { return nil }
func (discardWriter) Abort()                      {}

// peak returns a function that returns the highest growth of the heap since the call of peak, in bytes.
func peak() func() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	look := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	start := look()
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, look())
			select {
			case <-stop:
				result <- most - min(start, most)
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-result }
}

// TestRecordOfAnyBytesTakesBoundedMemory scans 256 MiB without a record's end.
func TestRecordOfAnyBytesTakesBoundedMemory(t *testing.T) {
	const size, limit = 256 << 20, 16 << 20
	for _, head := range []string{"part,color,quantity\n", ""} {
		for _, text := range []string{`"`, `""`, `"",`, ",", "x", " ", `"a"b`, "\"\"\r\n", "\xff", `x"`} {
			store := newGenerated(0)
			store.head, store.row, store.rows = []byte(head), []byte(text), size/int64(len(text))
			var e csvimport.Event
			e.Object.Key, e.Object.Size = key, store.size()
			grown := peak()
			plan, err := csvimport.NewPlan(csvimport.Config{Store: store}).Handle(t.Context(), csvimport.PlanInput{Detail: e})
			if got := grown(); got > limit {
				t.Errorf("%q, then 256 MiB of %q take %d bytes of heap, want at most %d", head, text, got, limit)
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
	store := newGenerated(size)
	c := csvimport.Config{Store: store}
	var e csvimport.Event
	e.Object.Key, e.Object.Size = key, store.size()

	grown := peak()
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Detail: e})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	if got := grown(); got > limit {
		t.Errorf("plan takes %d bytes of heap for %d bytes of CSV, want at most %d", got, size, limit)
	}
	if plan.TotalRows != 2*store.rows || len(plan.Ranges) < 30 {
		t.Errorf("plan has %d rows in %d ranges, want %d rows", plan.TotalRows, len(plan.Ranges), 2*store.rows)
	}
	grown = peak()
	var rejected int64
	for _, r := range plan.Ranges {
		out, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: plan.File, TotalRows: plan.TotalRows, Range: r})
		if err != nil {
			t.Fatalf("chunk: %v", err)
		}
		rejected += out.Rejected
	}
	got := grown()
	if got > limit {
		t.Errorf("chunks take %d bytes of heap, want at most %d", got, limit)
	}
	if rejected != store.rows {
		t.Errorf("%d rows are rejected, want %d", rejected, store.rows)
	}
	t.Logf("%d ranges, the chunks' heap grew by %.1f MiB", len(plan.Ranges), float64(got)/(1<<20))
}
