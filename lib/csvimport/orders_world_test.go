package csvimport_test

import (
	"context"
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
