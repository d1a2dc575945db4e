package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

// fault says how one request to the store fails.
type fault int

const (
	noFault      fault = iota
	failedBefore       // not applied, and answered with an error
	failedAfter        // applied, and answered with an error
	killedBefore       // not applied; the import never goes on
	killedAfter
	faultCount
)

var (
	errKilled    = errors.New("killed")
	errStoreDown = errors.New("store is down")
)

// simulation is a store, to which it adds versions, and the concurrent imports that use it. Before each request that other
// imports can notice, an import waits until it is chosen.
type simulation struct {
	csvimport.Store

	versions map[string][]byte // by key and version
	imports  []*simulatedImport
}

// simulatedImport is one import, as a workflow runs it.
type simulatedImport struct {
	*simulation

	name      string
	event     csvimport.Event
	epoch     string
	execution string
	content   string
	uploads   bool // the import starts with the upload of its file

	at     chan string // the request for which the import waits; closed when the import ends
	choice chan fault
	dead   bool
	claim  string
	err    error
}

// request waits until the import is chosen, then calls do or fails, as chosen.
func (i *simulatedImport) request(what string, do func() error) error {
	if i.dead {
		return errKilled
	}
	i.at <- what
	switch f := <-i.choice; f {
	case failedBefore:
		return errStoreDown
	case failedAfter:
		return errors.Join(errStoreDown, do())
	case killedBefore:
		i.dead = true
		return errKilled
	case killedAfter:
		i.dead = true
		return errors.Join(errKilled, do())
	default:
		return do()
	}
}

func (i *simulatedImport) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	if content, ok := i.versions[from.Key+"?"+from.Version]; ok {
		if length < 0 {
			length = int64(len(content))
		}
		return io.NopCloser(io.LimitReader(strings.NewReader(string(content[offset:])), length)), nil
	}
	return i.Store.Get(ctx, from, offset, length)
}

func (i *simulatedImport) Read(ctx context.Context, key string) ([]byte, string, error) {
	if !strings.HasSuffix(key, "/summary.json") {
		return i.Store.Read(ctx, key)
	}
	var content []byte
	var etag string
	err := i.request("read summary", func() (err error) {
		content, etag, err = i.Store.Read(ctx, key)
		return err
	})
	return content, etag, err
}

func (i *simulatedImport) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	var keys []string
	err := i.request("list", func() (err error) {
		keys, err = i.Store.List(ctx, prefix, after, limit)
		return err
	})
	return keys, err
}

func (i *simulatedImport) Create(ctx context.Context, key string, mode csvimport.Mode) csvimport.Writer {
	return simulatedWriter{i.Store.Create(ctx, key, mode), i, key}
}

type simulatedWriter struct {
	csvimport.Writer

	i   *simulatedImport
	key string
}

func (w simulatedWriter) Close() error {
	if strings.HasPrefix(w.key, "staged/") || strings.HasSuffix(w.key, "rejected.csv") { // no other import reads these
		if w.i.dead {
			return errKilled
		}
		return w.Writer.Close()
	}
	return w.i.request("write", w.Writer.Close)
}

func (i *simulatedImport) Copy(ctx context.Context, dst, src string) error {
	return i.request("promote", func() error { return i.Store.Copy(ctx, dst, src) })
}

func (i *simulatedImport) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	return i.request("delete", func() error { return i.Store.Delete(ctx, keys...) })
}

// run runs the workflow. It retries a step that ends with a StoreError or a FileReplaced.
func (i *simulatedImport) run(t *testing.T) {
	t.Helper()
	defer close(i.at)
	if i.uploads {
		_ = i.request("upload", func() error { put(t, i.Store, i.event.Object.Key, []byte(i.content)); return nil })
	}
	c := csvimport.Config{Store: i}
	plan, err := retryStep(t, i, csvimport.NewPlan(c).Handle, csvimport.PlanInput{Epoch: i.epoch, Execution: i.execution, Detail: i.event})
	if i.err = err; err != nil {
		return
	}
	i.claim = plan.File.Claim
	in := csvimport.FinishInput{File: plan.File, TotalRows: plan.TotalRows}
	for _, r := range plan.Ranges {
		out, err := retryStep(t, i, csvimport.NewChunk(c).Handle, csvimport.ChunkInput{File: plan.File, TotalRows: plan.TotalRows, Range: r})
		if i.err = err; errors.As(err, new(*csvimport.Superseded)) {
			_, i.err = retryStep(t, i, csvimport.NewFinish(c).Handle, csvimport.FinishInput{Step: csvimport.StepDiscard, File: plan.File})
			if i.err == nil {
				i.err = err
			}
		}
		if i.err != nil {
			return
		}
		in.Chunks = append(in.Chunks, out)
	}
	_, i.err = retryStep(t, i, csvimport.NewFinish(c).Handle, in)
}

func retryStep[In, Out any](t *testing.T, i *simulatedImport, step func(context.Context, In) (Out, error), in In) (Out, error) {
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

// choiceSequence is one path through all possible choices: for each choice, the option taken and the number of options.
type choiceSequence struct {
	taken, counts []int
	position      int
}

// choose returns the option to take at the next choice, from 0 to of-1.
func (c *choiceSequence) choose(of int) int {
	if c.position == len(c.taken) {
		c.taken, c.counts = append(c.taken, 0), append(c.counts, 0)
	}
	c.counts[c.position] = of
	c.position++
	return c.taken[c.position-1]
}

// chooseFault returns the fault of a request, and counts it off mayFail.
func (c *choiceSequence) chooseFault(request string, mayFail *int) fault {
	if *mayFail == 0 || request == "upload" { // without an upload there is no import
		return noFault
	}
	f := fault(c.choose(int(faultCount)))
	if f != noFault {
		*mayFail--
	}
	return f
}

// next changes to the next path, and reports whether there is one.
func (c *choiceSequence) next() bool {
	c.taken, c.counts, c.position = c.taken[:c.position], c.counts[:c.position], 0
	for n := len(c.taken) - 1; n >= 0; n-- {
		if c.taken[n]++; c.taken[n] < c.counts[n] {
			c.taken = c.taken[:n+1]
			return true
		}
	}
	return false
}

// runHistory runs the imports in the order that c chooses. At most switches times it switches from an import that could
// continue to another, and at most mayFail requests fail. It returns the log of requests and faults.
func (w *simulation) runHistory(t *testing.T, c *choiceSequence, switches, mayFail int) []string {
	t.Helper()
	var log []string
	waiting := make([]string, len(w.imports)) // the request of each import; "" once it has ended
	wait := func(n int) {
		waiting[n] = <-w.imports[n].at
	}
	for n, i := range w.imports {
		i.simulation, i.at, i.choice = w, make(chan string), make(chan fault)
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
		f := c.chooseFault(waiting[last], &mayFail)
		log = append(log, fmt.Sprintf("%s %s %d", w.imports[last].name, waiting[last], f))
		w.imports[last].choice <- f
		wait(last)
	}
}
