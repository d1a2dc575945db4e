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

var errBroken = errors.New("store broken")

// flaky is a store whose call number at fails: before it is applied, or after, as when the answer is lost. When at
// is below 0, nothing fails and no call counts.
type flaky struct {
	csvimport.Memory

	at      int
	applied bool
	mu      sync.Mutex
	calls   int
}

func (f *flaky) fails(do func() error) error {
	f.mu.Lock()
	if f.at >= 0 {
		f.calls++
	}
	hit := f.calls == f.at
	f.mu.Unlock()
	if !hit {
		return do()
	}
	if f.applied {
		return errors.Join(errBroken, do())
	}

	return errBroken
}

func (f *flaky) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := f.fails(func() (err error) {
		body, err = f.Memory.Get(ctx, from, offset, length)
		return err
	})
	if f.applied && errors.Is(err, errBroken) && body != nil { // the connection breaks in the middle
		return io.NopCloser(io.MultiReader(io.LimitReader(body, length/2+10), broken{})), nil
	}
	return body, err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func (f *flaky) Read(ctx context.Context, key string) ([]byte, string, error) {
	var content []byte
	var etag string
	err := f.fails(func() (err error) {
		content, etag, err = f.Memory.Read(ctx, key)
		return err
	})
	return content, etag, err
}

func (f *flaky) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	var keys []string
	err := f.fails(func() (err error) {
		keys, err = f.Memory.List(ctx, prefix, after, limit)
		return err
	})
	return keys, err
}

func (f *flaky) Create(ctx context.Context, key string, mode csvimport.Mode) csvimport.Writer {
	return flakyWriter{f.Memory.Create(ctx, key, mode), f}
}

type flakyWriter struct {
	csvimport.Writer

	store *flaky
}

func (w flakyWriter) Close() error { return w.store.fails(w.Writer.Close) }

func (f *flaky) Copy(ctx context.Context, dst, src string) error {
	return f.fails(func() error { return f.Memory.Copy(ctx, dst, src) })
}

func (f *flaky) Delete(ctx context.Context, keys ...string) error {
	return f.fails(func() error { return f.Memory.Delete(ctx, keys...) })
}

// outcome is what is left in the store after an import: its rows, its rejects, its keys.
type outcome struct {
	Counts        csvimport.Counts
	Rows, Rejects string
	Keys          []string
}

func outcomeOf(t *testing.T, f *flaky, s csvimport.Summary) outcome {
	t.Helper()
	return outcome{s.Counts, rows(t, f, s), object(t, f, s.Prefix+s.Rejects), f.Keys("")}
}

const fourRows = "part,color,quantity\n3001,Red,1\n3001,Red,0\n3002,Blue,3\n,,\n"

func TestEveryFailureOfTheStoreCanBeRetried(t *testing.T) {
	calm := &flaky{}
	s, err := run(t, csvimport.Config{Store: calm, RangeBytes: 1}, put(t, calm, []byte(fourRows)), "x", 0)
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	calls := calm.calls
	want := outcomeOf(t, calm, s)
	for at := 2; at <= calls; at++ { // 1 is the upload
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("call %d, applied %v", at, applied), func(t *testing.T) {
				f := &flaky{}
				e := put(t, f, []byte(fourRows))
				f.at, f.applied = at, applied
				s, err := run(t, csvimport.Config{Store: f, RangeBytes: 1}, e, "x", 1)
				if err != nil {
					t.Fatalf("import: %v", err)
				}
				if diff := cmp.Diff(want, outcomeOf(t, f, s)); diff != "" {
					t.Errorf("outcome (-undisturbed +got):\n%s", diff)
				}
			})
		}
	}
}

func TestStoreFailuresAreStoreErrors(t *testing.T) {
	for at := 2; ; at++ {
		f := &flaky{}
		e := put(t, f, []byte(fourRows))
		f.at = at
		_, err := run(t, csvimport.Config{Store: f}, e, "x", 0)
		if f.calls < at {
			return
		}
		var store *csvimport.StoreError
		if !errors.As(err, &store) || !errors.Is(err, errBroken) {
			t.Errorf("call %d fails and the error is %T %v, want a *StoreError", at, err, err)
		}
	}
}

func TestASummaryNamesOnlyWhatIsThere(t *testing.T) {
	const prefix = "results/YXV0aDB8NDcxMS_DpA/up-1/"
	want := []string{"part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl", "part-00003.jsonl", "rejected.csv", "summary.json"}
	seen := false
	for at := 2; ; at++ {
		f := &flaky{}
		e := put(t, f, []byte(fourRows))
		f.at, f.applied = at, true
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

func TestRepeatedEventEndsQuietly(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	e := put(t, store, []byte(fourRows))
	handle := func(e csvimport.Event, execution string) csvimport.PlanOutput {
		to := &heard{t: t}
		c.Publisher = to
		out, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Execution: execution, Detail: e})
		if err != nil {
			t.Fatalf("plan: %v", err)
		}
		if out.Repeated == (len(to.requests) > 0) {
			t.Errorf("repeated is %v, and there are %d pushes", out.Repeated, len(to.requests))
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
		if got := handle(tt.event, runs+tt.execution).Repeated; got != tt.want {
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

func TestStepsRefuseWhatDoesNotAddUp(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Detail: put(t, store, []byte(fourRows))})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	r := plan.Ranges[0]
	r.Rows++
	var store2 *csvimport.StoreError
	if _, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: plan.File, Range: r}); !errors.As(err, &store2) {
		t.Errorf("chunk with a wrong count says %v, want a *StoreError", err)
	}
	if _, err := csvimport.NewFinish(c).Handle(t.Context(), csvimport.FinishInput{File: plan.File, TotalRows: 4}); err == nil {
		t.Error("finish without its chunks succeeds")
	}
	if _, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Step: "dance", Detail: csvimport.Event{}}); err == nil || strings.Contains(err.Error(), "store") {
		t.Errorf("an unknown step says %v", err)
	}
}
