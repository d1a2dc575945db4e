package csvimport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

// A fault is what becomes of one request to the store.
type fault int

const (
	fine    fault = iota
	refused       // not applied, and answered with an error
	lost          // applied, and answered with an error
	killed        // not applied; the import never goes on
	killedAfter
	faults
)

var errKilled = errors.New("killed")

// world is a store with versions, and what imports there are at once. At each request that others can notice, an import
// waits until it is chosen.
type world struct {
	csvimport.Memory

	versions map[string][]byte // by key and version
	imports  []*importer
}

// importer is one import, as a workflow runs it.
type importer struct {
	*world

	name      string
	event     csvimport.Event
	epoch     string
	execution string
	content   string
	uploads   bool // puts its file first

	at     chan string // the request that it waits at; closed at its end
	choice chan fault
	dead   bool
	claim  string
	err    error
}

// request waits until the import is chosen, and then does what there is to do, or not.
func (i *importer) request(what string, do func() error) error {
	if i.dead {
		return errKilled
	}
	i.at <- what
	switch f := <-i.choice; f {
	case refused:
		return errBroken
	case lost:
		return errors.Join(errBroken, do())
	case killed:
		i.dead = true

		return errKilled
	case killedAfter:
		i.dead = true

		return errors.Join(errKilled, do())
	default:
		return do()
	}
}

func (i *importer) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	if content, ok := i.versions[from.Key+"?"+from.Version]; ok {
		if length < 0 {
			length = int64(len(content))
		}

		return io.NopCloser(io.LimitReader(strings.NewReader(string(content[offset:])), length)), nil
	}

	return i.Memory.Get(ctx, from, offset, length)
}

func (i *importer) Read(ctx context.Context, key string) ([]byte, string, error) {
	if !strings.HasSuffix(key, "/summary.json") {
		return i.Memory.Read(ctx, key)
	}
	var content []byte
	var etag string
	err := i.request("read summary", func() (err error) {
		content, etag, err = i.Memory.Read(ctx, key)

		return err
	})

	return content, etag, err
}

func (i *importer) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	var keys []string
	err := i.request("list", func() (err error) {
		keys, err = i.Memory.List(ctx, prefix, after, limit)

		return err
	})

	return keys, err
}

func (i *importer) Create(ctx context.Context, key string, mode csvimport.Mode) csvimport.Writer {
	return importWriter{i.Memory.Create(ctx, key, mode), i, key}
}

type importWriter struct {
	csvimport.Writer

	i   *importer
	key string
}

func (w importWriter) Close() error {
	if strings.HasPrefix(w.key, "staged/") || strings.HasSuffix(w.key, "rejected.csv") { // nobody else looks there
		if w.i.dead {
			return errKilled
		}

		return w.Writer.Close()
	}

	return w.i.request("write", w.Writer.Close)
}

func (i *importer) Copy(ctx context.Context, dst, src string) error {
	return i.request("promote", func() error { return i.Memory.Copy(ctx, dst, src) })
}

func (i *importer) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}

	return i.request("delete", func() error { return i.Memory.Delete(ctx, keys...) })
}

// run is the workflow: it repeats a step whose store failed, and one whose file was replaced.
func (i *importer) run(t *testing.T) {
	t.Helper()
	defer close(i.at)
	if i.uploads {
		_ = i.request("upload", func() error { put(t, &i.Memory, []byte(i.content)); return nil })
	}
	c := csvimport.Config{Store: i}
	plan, err := again(t, i, csvimport.NewPlan(c).Handle, csvimport.PlanInput{Epoch: i.epoch, Execution: i.execution, Detail: i.event})
	if i.err = err; err != nil {
		return
	}
	i.claim = plan.File.Claim
	in := csvimport.FinishInput{File: plan.File, TotalRows: plan.TotalRows}
	for _, r := range plan.Ranges {
		out, err := again(t, i, csvimport.NewChunk(c).Handle, csvimport.ChunkInput{File: plan.File, TotalRows: plan.TotalRows, Range: r})
		if i.err = err; errors.As(err, new(*csvimport.Superseded)) {
			_, i.err = again(t, i, csvimport.NewFinish(c).Handle, csvimport.FinishInput{Step: csvimport.StepDiscard, File: plan.File})
			if i.err == nil {
				i.err = err
			}
		}
		if i.err != nil {
			return
		}
		in.Chunks = append(in.Chunks, out)
	}
	_, i.err = again(t, i, csvimport.NewFinish(c).Handle, in)
}

func again[In, Out any](t *testing.T, i *importer, step func(context.Context, In) (Out, error), in In) (Out, error) {
	t.Helper()
	store, replaced := 3, 2
	for {
		out, err := step(t.Context(), in)
		switch {
		case i.dead:
			return out, errKilled
		case errors.As(err, new(*csvimport.StoreError)) && store > 0:
			store--
		case errors.As(err, new(*csvimport.FileReplaced)) && replaced > 0:
			replaced--
		default:
			return out, err
		}
	}
}

// choices is one way through all that may happen: at each choice, which of how many.
type choices struct {
	taken, of []int
	at        int
}

// choose returns the next choice.
func (c *choices) choose(of int) int {
	if c.at == len(c.taken) {
		c.taken, c.of = append(c.taken, 0), append(c.of, 0)
	}
	c.of[c.at] = of
	c.at++

	return c.taken[c.at-1]
}

// next goes on to the next way, and reports whether there is one.
func (c *choices) next() bool {
	c.taken, c.of, c.at = c.taken[:c.at], c.of[:c.at], 0
	for n := len(c.taken) - 1; n >= 0; n-- {
		if c.taken[n]++; c.taken[n] < c.of[n] {
			c.taken = c.taken[:n+1]

			return true
		}
	}

	return false
}

// history runs the imports in the order that c chooses, with at most so many switches from an import that could go on, and
// so many faults. It returns what happened.
func (w *world) history(t *testing.T, c *choices, switches, mayFail int) []string {
	t.Helper()
	var log []string
	waiting := make([]string, len(w.imports)) // "" is at its end
	wait := func(n int) {
		waiting[n] = <-w.imports[n].at
	}
	for n, i := range w.imports {
		i.world, i.at, i.choice = w, make(chan string), make(chan fault)
		go i.run(t)
		wait(n)
	}
	last := -1
	for {
		var ready []int
		for n, what := range waiting {
			if what != "" && n != last {
				ready = append(ready, n)
			}
		}
		goesOn := last >= 0 && waiting[last] != ""
		switch {
		case !goesOn && len(ready) == 0:
			return log
		case !goesOn:
			last = ready[c.choose(len(ready))]
		case switches > 0 && len(ready) > 0:
			if n := c.choose(1 + len(ready)); n > 0 {
				last = ready[n-1]
				switches--
			}
		}
		f := fine
		if mayFail > 0 && waiting[last] != "upload" { // without an upload there is no import
			if f = fault(c.choose(int(faults))); f != fine {
				mayFail--
			}
		}
		log = append(log, fmt.Sprintf("%s %s %d", w.imports[last].name, waiting[last], f))
		w.imports[last].choice <- f
		wait(last)
	}
}

// check says what is wrong with what two or more imports have left; the last of them is the newest.
func (w *world) check(t *testing.T) []string {
	t.Helper()
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	newest := w.imports[len(w.imports)-1]
	dead, failed := false, false
	for _, i := range w.imports {
		dead, failed = dead || i.dead, failed || errors.As(i.err, new(*csvimport.FileReplaced))
		quiet := errors.As(i.err, new(*csvimport.Superseded)) || errors.As(i.err, new(*csvimport.FileReplaced))
		if i.err != nil && !i.dead && (!quiet || i == newest) {
			say("%s ends with %v", i.name, i.err)
		}
	}
	prefix := "results/YXV0aDB8NDcxMS_DpA/" + upload + "/"
	var s csvimport.Summary
	if content, _, err := w.Read(t.Context(), prefix+"summary.json"); err == nil {
		if err := json.Unmarshal(content, &s); err != nil {
			say("summary: %v", err)
		}
	} else if !newest.dead {
		say("no summary: %v", err)
	}
	if !newest.dead && s.Claim != newest.claim {
		say("the results are those of %s %s, want the newest", s.FileName, s.Claim)
	}
	named := map[string]bool{prefix + "summary.json": true}
	for _, name := range append([]string{s.Rejects}, s.Results...) {
		if s.Claim == "" {
			continue
		}
		named[s.Prefix+name] = true
		content, _, err := w.Read(t.Context(), s.Prefix+name)
		if err != nil {
			say("%s, which the summary names: %v", name, err)
		}
		if lines := int64(strings.Count(string(content), "\n")); name != s.Rejects && lines != s.Accepted || name == s.Rejects && lines != s.Rejected+1 {
			say("%s has %d lines, the summary says %d accepted, %d rejected", name, lines, s.Accepted, s.Rejected)
		}
	}
	for _, key := range append(w.Keys("results/"), w.Keys("staged/")...) {
		if !named[key] && !dead && (!failed || strings.HasPrefix(key, "results/")) {
			say("%s is left", key)
		}
	}
	if dead && wrong == nil { // what is left in results goes with the next import, what is staged expires
		if err := w.Delete(t.Context(), w.Keys("staged/")...); err != nil {
			say("delete: %v", err)
		}
		next := &importer{name: "next", event: w.imports[0].event, epoch: "2026-11-22T11:00:00Z#0", execution: "next"}
		next.event.Object.Key, next.event.Object.Sequencer = csvimport.UploadKey(user, upload, "next.csv"), "0099"
		w.versions[next.event.Object.Key+"?"+next.event.Object.VersionID] = []byte(fourRows)
		w.imports = []*importer{next}
		w.history(t, &choices{}, 0, 0)

		return w.check(t)
	}

	return wrong
}

// TestTheNewestVersionsResultsAreThereWhole runs imports of one upload in all orders of their requests, with the faults
// that a store and a function may have: those with few switches between them, and few faults.
func TestTheNewestVersionsResultsAreThereWhole(t *testing.T) {
	inAllOrders(t, bounds{{2, 0}, {0, 1}}, bounds{{1, 0}})
}

// bounds are pairs of how many switches there may be between imports that could go on, and how many faults.
type bounds [][2]int

// inAllOrders runs two imports within the bounds ofTwo, three within ofThree.
func inAllOrders(t *testing.T, ofTwo, ofThree bounds) {
	t.Helper()
	const before, after = fourRows, "part,color,quantity\n1,Red,9\n"
	event := func(file, content, sequencer, version string) csvimport.Event {
		var e csvimport.Event
		e.Object.Key, e.Object.Size, e.Object.ETag = csvimport.UploadKey(user, upload, file), int64(len(content)), csvimport.ETag([]byte(content))
		e.Object.Sequencer, e.Object.VersionID = sequencer, version

		return e
	}
	const first, second = "2026-11-22T10:00:00.000Z#0000", "2026-11-22T10:00:01.000Z#0000"
	for _, tt := range []struct {
		name    string
		imports func() []*importer
	}{
		{"two files", func() []*importer {
			return []*importer{
				{name: "a", event: event("a.csv", before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event("b.csv", after, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
		{"two files, the sequencers say nothing", func() []*importer {
			return []*importer{
				{name: "a", event: event("a.csv", before, "0064", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event("b.csv", after, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
		{"two files at the same time", func() []*importer {
			return []*importer{
				{name: "a", event: event("a.csv", before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event("b.csv", after, "0063", "v2"), epoch: first, execution: "b"},
			}
		}},
		{"the same key again", func() []*importer {
			return []*importer{
				{name: "a", event: event(fileName, before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event(fileName, after, "00621", "v2"), epoch: second, execution: "b"},
			}
		}},
		{"the same key again, and the older event comes later", func() []*importer {
			return []*importer{
				{name: "a", event: event(fileName, before, "0062", "v1"), epoch: second, execution: "a"},
				{name: "b", event: event(fileName, after, "0063", "v2"), epoch: first, execution: "b"},
			}
		}},
		{"the same key again, in a bucket without versions", func() []*importer {
			return []*importer{
				{name: "a", event: event(fileName, before, "0062", ""), epoch: first, execution: "a"},
				{name: "b", event: event(fileName, after, "0063", ""), epoch: second, execution: "b", content: after, uploads: true},
			}
		}},
		{"events without sequencers", func() []*importer {
			return []*importer{
				{name: "a", event: event(fileName, before, "", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event(fileName, after, "", "v2"), epoch: second, execution: "b"},
			}
		}},
		{"a step that runs twice at once", func() []*importer {
			return []*importer{
				{name: "a", event: event("a.csv", before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "a again", event: event("a.csv", before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event("b.csv", after, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			within := ofTwo
			if len(tt.imports()) > 2 {
				within = ofThree
			}
			histories := 0
			for _, b := range within {
				for c := (&choices{}); ; {
					w := &world{imports: tt.imports(), versions: map[string][]byte{}}
					put(t, &w.Memory, []byte(before))
					w.versions[csvimport.UploadKey(user, upload, fileName)+"?v1"] = []byte(before)
					w.versions[csvimport.UploadKey(user, upload, fileName)+"?v2"] = []byte(after)
					w.versions[csvimport.UploadKey(user, upload, "a.csv")+"?v1"] = []byte(before)
					w.versions[csvimport.UploadKey(user, upload, "b.csv")+"?v2"] = []byte(after)
					log := w.history(t, c, b[0], b[1])
					if wrong := w.check(t); wrong != nil {
						t.Fatalf("%s\nafter\n%s", strings.Join(wrong, "\n"), strings.Join(log, "\n"))
					}
					histories++
					if !c.next() {
						break
					}
				}
			}
			t.Logf("%d histories", histories)
		})
	}
}
