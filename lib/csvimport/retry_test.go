package csvimport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/csvimport"
)

var errStoreDown = errors.New("store broken")

// flakyStore is a store that counts its calls, one of which fails.
type flakyStore struct {
	csvimport.Memory

	// failAt is the number of the call that fails, from 1. If it is 0, no call fails. If it is negative, no call fails or counts.
	failAt int
	// failAfter is true if the call fails after it was applied, as if its response was lost.
	failAfter bool

	mu    sync.Mutex
	calls int // that were counted
}

// call counts a call, and then makes it or fails.
func (f *flakyStore) call(do func() error) error {
	f.mu.Lock()
	if f.failAt >= 0 {
		f.calls++
	}
	fails := f.calls == f.failAt
	f.mu.Unlock()
	if !fails {
		return do()
	}
	if f.failAfter {
		return errors.Join(errStoreDown, do())
	}
	return errStoreDown
}

// Get counts as a call. If it fails after it was applied, the connection breaks in the middle of the body.
func (f *flakyStore) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := f.call(func() (err error) {
		body, err = f.Memory.Get(ctx, from, offset, length)
		return err
	})
	if f.failAfter && errors.Is(err, errStoreDown) && body != nil {
		return io.NopCloser(io.MultiReader(io.LimitReader(body, length/2+10), failingReader{})), nil
	}
	return body, err
}

// failingReader is a body whose connection has broken.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errStoreDown }

func (f *flakyStore) Read(ctx context.Context, key string) ([]byte, string, error) {
	var content []byte
	var etag string
	err := f.call(func() (err error) {
		content, etag, err = f.Memory.Read(ctx, key)
		return err
	})
	return content, etag, err
}

func (f *flakyStore) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	var keys []string
	err := f.call(func() (err error) {
		keys, err = f.Memory.List(ctx, prefix, after, limit)
		return err
	})
	return keys, err
}

func (f *flakyStore) Create(ctx context.Context, key string, mode csvimport.Mode) csvimport.Writer {
	return flakyWriter{f.Memory.Create(ctx, key, mode), f}
}

// flakyWriter counts Close as the call that stores an object.
type flakyWriter struct {
	csvimport.Writer

	store *flakyStore
}

func (w flakyWriter) Close() error { return w.store.call(w.Writer.Close) }

func (f *flakyStore) Copy(ctx context.Context, dst, src string) error {
	return f.call(func() error { return f.Memory.Copy(ctx, dst, src) })
}

func (f *flakyStore) Delete(ctx context.Context, keys ...string) error {
	return f.call(func() error { return f.Memory.Delete(ctx, keys...) })
}

// outcome is the content of the store after an import.
type outcome struct {
	Counts        csvimport.Counts
	Rows, Rejects string
	Keys          []string
}

// outcomeOf returns the outcome of the import with a summary.
func outcomeOf(t *testing.T, f *flakyStore, s csvimport.Summary) outcome {
	t.Helper()
	return outcome{s.Counts, rows(t, f, s), object(t, f, s.Prefix+s.Rejects), f.Keys("")}
}

// fourRows is a file with four rows, two of which are rejected.
const fourRows = "part,color,quantity\n3001,Red,1\n3001,Red,0\n3002,Blue,3\n,,\n,Red,\n"

// TestEveryFailureOfTheStoreCanBeRetried first imports a file without failures to count the calls of the store. Then it imports the
// file again and again, and lets another call fail each time. The outcome must be the same.
func TestEveryFailureOfTheStoreCanBeRetried(t *testing.T) {
	reliable := &flakyStore{} // No call fails, and all are counted.
	s, err := run(t, csvimport.Config{Store: reliable, RangeBytes: 1}, put(t, reliable, []byte(fourRows)), "x", 0)
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	calls := reliable.calls
	want := outcomeOf(t, reliable, s)
	for at := 2; at <= calls; at++ { // Call 1 is the upload of the file.
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("call %d, applied %v", at, applied), func(t *testing.T) {
				f := &flakyStore{}
				e := put(t, f, []byte(fourRows))
				f.failAt, f.failAfter = at, applied
				s, err := run(t, csvimport.Config{Store: f, RangeBytes: 1}, e, "x", 1)
				if err != nil {
					t.Fatalf("import: %v", err)
				}
				if diff := cmp.Diff(want, outcomeOf(t, f, s)); diff != "" {
					t.Errorf("outcome (-without failures +got):\n%s", diff)
				}
			})
		}
	}
}

func TestStoreFailuresAreStoreErrors(t *testing.T) {
	for at := 2; ; at++ {
		f := &flakyStore{}
		e := put(t, f, []byte(fourRows))
		f.failAt = at
		_, err := run(t, csvimport.Config{Store: f}, e, "x", 0)
		if f.calls < at { // The import has fewer calls, so none failed.
			return
		}
		var storeErr *csvimport.StoreError
		if !errors.As(err, &storeErr) || !errors.Is(err, errStoreDown) {
			t.Errorf("call %d fails and the error is %T %v, want a *StoreError", at, err, err)
		}
	}
}

// TestSummaryNamesOnlyExistingObjects lets one call after the other fail after it was applied. Whenever a summary is there and the
// import has failed, all results must be there.
func TestSummaryNamesOnlyExistingObjects(t *testing.T) {
	const prefix = "results/YXV0aDB8NDcxMS_DpA/up-1/"
	want := []string{"part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl", "part-00003.jsonl", "rejected.csv", "summary.json"}
	seen := false
	for at := 2; ; at++ {
		f := &flakyStore{}
		e := put(t, f, []byte(fourRows))
		f.failAt, f.failAfter = at, true
		_, err := run(t, csvimport.Config{Store: f, RangeBytes: 1}, e, "x", 0)
		if f.calls < at {
			break
		}
		if err == nil || f.Keys(prefix+"summary.json") == nil {
			continue
		}
		seen = true
		var got []string
		for _, key := range f.Keys(prefix) {
			got = append(got, path.Base(key))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("call %d fails with a summary there, results (-want +got):\n%s", at, diff)
		}
	}
	if !seen {
		t.Error("no failure left a summary: this test tests nothing")
	}
}

func TestRepeatedEventIsImportedOnce(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	e := put(t, store, []byte(fourRows))
	handle := func(e csvimport.Event, execution string) csvimport.PlanOutput {
		publisher := &recordingPublisher{t: t}
		c.Publisher = publisher
		out, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Execution: execution, Detail: e})
		if err != nil {
			t.Fatalf("plan: %v", err)
		}
		if out.Repeated == (len(publisher.requests) > 0) {
			t.Errorf("repeated is %v, and there are %d requests of progress", out.Repeated, len(publisher.requests))
		}
		if out.File.UserID != user {
			t.Errorf("user is %q, want %q in any case", out.File.UserID, user)
		}
		return out
	}
	overwritten := e
	overwritten.Object.Sequencer = "0063"
	version := e
	version.Object.VersionID = "v1"
	for _, tt := range []struct {
		name      string
		event     csvimport.Event
		execution string
		want      bool
	}{
		{"first", e, "x", false},
		{"retry by the same execution", e, "x", false},
		{"repeated event", e, "y", true},
		{"repeated again", e, "z", true},
		{"retry after the repetition", e, "x", false},
		{"the same content again", overwritten, "y", false},
	} {
		if got := handle(tt.event, arnPrefix+tt.execution).Repeated; got != tt.want {
			t.Errorf("%s: repeated is %v, want %v", tt.name, got, tt.want)
		}
	}
	first, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Step: csvimport.StepIdentify, Detail: version})
	version.Object.Sequencer, version.Object.ETag = "other", "other"
	second, err2 := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Step: csvimport.StepIdentify, Detail: version})
	if err := errors.Join(err, err2); err != nil || first.File.Claim != second.File.Claim {
		t.Errorf("one version has the claims %q, %q, error %v, want one", first.File.Claim, second.File.Claim, err)
	}
}

func TestNewVersionReplacesTheResults(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store, RangeBytes: 1}
	if _, err := run(t, c, put(t, store, []byte(fourRows)), "x", 0); err != nil {
		t.Fatalf("import: %v", err)
	}
	s, err := run(t, c, put(t, store, []byte("part,color,quantity\n1,Red,9\n")), "y", 0)
	if err != nil {
		t.Fatalf("second import: %v", err)
	}
	want := []string{s.Prefix + "part-00000.jsonl", s.Prefix + "rejected.csv", path.Dir(path.Dir(s.Prefix)) + "/summary.json"}
	if diff := cmp.Diff(want, store.Keys("results/")); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if got := rows(t, store, s); got != `{"line":2,"part":"1","color":"Red","quantity":9}`+"\n" {
		t.Errorf("rows are %q", got)
	}
}

func TestStepsRejectInputThatContradictsThePlan(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Detail: put(t, store, []byte(fourRows))})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	r := plan.Ranges[0]
	r.Rows++
	var storeErr *csvimport.StoreError
	if _, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: plan.File, Range: r}); !errors.As(err, &storeErr) {
		t.Errorf("chunk with a wrong count says %v, want a *StoreError", err)
	}
	if _, err := csvimport.NewFinish(c).Handle(t.Context(), csvimport.FinishInput{File: plan.File, TotalRows: 4}); err == nil {
		t.Error("finish without its chunks succeeds")
	}
	if _, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Step: "unknown", Detail: csvimport.Event{}}); err == nil || strings.Contains(err.Error(), "store") {
		t.Errorf("an unknown step says %v", err)
	}
}
