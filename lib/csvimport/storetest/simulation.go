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
	killedBefore       // not applied; the import makes no more requests
	killedAfter        // applied; the import makes no more requests
	faultCount
)

var (
	errKilled    = errors.New("killed")
	errStoreDown = errors.New("store is down")
)

// simulation is a store and the concurrent imports that use it. Before each request that affects other imports, an import waits until
// the history chooses it.
type simulation struct {
	csvimport.Store

	versions map[string][]byte // the contents of objects' versions, which the store does not have, by key?version
	imports  []*simulatedImport
}

// simulatedImport is one import, as a workflow runs it.
type simulatedImport struct {
	*simulation

	name      string
	event     csvimport.Event
	epoch     string
	execution string
	uploads   bool   // the import starts with the upload of its file
	content   string // of the file, if uploads is true

	// waiting receives the name of each request before which the import waits to be chosen. It is closed when the import ends.
	waiting chan string
	// choice lets the waiting import continue. It receives the fault of the request.
	choice chan fault
	// killed is true once a fault has killed the import. claim is the claim of its plan, and err the error with which the import ended.
	killed bool
	claim  string
	err    error
}

// request waits until the import is chosen. Then it calls do, or fails, or does both, according to the fault.
func (imp *simulatedImport) request(what string, do func() error) error {
	if imp.killed {
		return errKilled
	}
	imp.waiting <- what
	switch f := <-imp.choice; f {
	case failedBefore:
		return errStoreDown
	case failedAfter:
		return errors.Join(errStoreDown, do())
	case killedBefore:
		imp.killed = true
		return errKilled
	case killedAfter:
		imp.killed = true
		return errors.Join(errKilled, do())
	default:
		return do()
	}
}

func (imp *simulatedImport) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	if content, ok := imp.versions[from.Key+"?"+from.Version]; ok {
		if length < 0 {
			length = int64(len(content))
		}
		return io.NopCloser(io.LimitReader(strings.NewReader(string(content[offset:])), length)), nil
	}
	return imp.Store.Get(ctx, from, offset, length)
}

func (imp *simulatedImport) Read(ctx context.Context, key string) ([]byte, string, error) {
	if !strings.HasSuffix(key, "/summary.json") {
		return imp.Store.Read(ctx, key)
	}
	var content []byte
	var etag string
	err := imp.request("read summary", func() (err error) {
		content, etag, err = imp.Store.Read(ctx, key)
		return err
	})
	return content, etag, err
}

func (imp *simulatedImport) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	var keys []string
	err := imp.request("list", func() (err error) {
		keys, err = imp.Store.List(ctx, prefix, after, limit)
		return err
	})
	return keys, err
}

func (imp *simulatedImport) Create(ctx context.Context, key string, mode csvimport.Mode) csvimport.Writer {
	return simulatedWriter{imp.Store.Create(ctx, key, mode), imp, key}
}

// simulatedWriter makes Close a request of its import, unless no other import reads the object.
type simulatedWriter struct {
	csvimport.Writer

	owner *simulatedImport
	key   string
}

func (w simulatedWriter) Close() error {
	if strings.HasPrefix(w.key, "staged/") || strings.HasSuffix(w.key, "rejected.csv") { // No other import reads these objects.
		if w.owner.killed {
			return errKilled
		}
		return w.Writer.Close()
	}
	return w.owner.request("write", w.Writer.Close)
}

func (imp *simulatedImport) Copy(ctx context.Context, dst, src string) error {
	return imp.request("copy", func() error { return imp.Store.Copy(ctx, dst, src) })
}

func (imp *simulatedImport) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	return imp.request("delete", func() error { return imp.Store.Delete(ctx, keys...) })
}

// run runs the workflow. It retries a step that ends with a StoreError or a FileReplaced.
func (imp *simulatedImport) run(t *testing.T) {
	t.Helper()
	defer close(imp.waiting)
	if imp.uploads {
		_ = imp.request("upload", func() error { put(t, imp.Store, imp.event.Object.Key, []byte(imp.content)); return nil })
	}
	c := csvimport.Config{Store: imp}
	plan, err := retryStep(t, imp, csvimport.NewPlan(c).Handle, csvimport.PlanInput{Epoch: imp.epoch, Execution: imp.execution, Detail: imp.event})
	if imp.err = err; err != nil {
		return
	}
	imp.claim = plan.File.Claim
	in := csvimport.FinishInput{File: plan.File, TotalRows: plan.TotalRows}
	for _, r := range plan.Ranges {
		out, err := retryStep(t, imp, csvimport.NewChunk(c).Handle, csvimport.ChunkInput{File: plan.File, TotalRows: plan.TotalRows, Range: r})
		if imp.err = err; errors.As(err, new(*csvimport.Superseded)) {
			_, imp.err = retryStep(t, imp, csvimport.NewFinish(c).Handle, csvimport.FinishInput{Step: csvimport.StepDiscard, File: plan.File})
			if imp.err == nil {
				imp.err = err
			}
		}
		if imp.err != nil {
			return
		}
		in.Chunks = append(in.Chunks, out)
	}
	_, imp.err = retryStep(t, imp, csvimport.NewFinish(c).Handle, in)
}

// retryStep calls a step, and calls it again up to three times after a StoreError and twice after a FileReplaced.
func retryStep[In, Out any](t *testing.T, imp *simulatedImport, step func(context.Context, In) (Out, error), in In) (Out, error) {
	t.Helper()
	storeRetries, replacedRetries := 3, 2
	for {
		out, err := step(t.Context(), in)
		switch {
		case imp.killed:
			return out, errKilled
		case errors.As(err, new(*csvimport.StoreError)) && storeRetries > 0:
			storeRetries--
		case errors.As(err, new(*csvimport.FileReplaced)) && replacedRetries > 0:
			replacedRetries--
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

// choose returns the option to take at the next choice, from 0 to options-1.
func (c *choiceSequence) choose(options int) int {
	if c.position == len(c.taken) {
		c.taken, c.counts = append(c.taken, 0), append(c.counts, 0)
	}
	c.counts[c.position] = options
	c.position++
	return c.taken[c.position-1]
}

// chooseFault returns the fault of a request. If it is a fault, it subtracts 1 from *faultsLeft.
func (c *choiceSequence) chooseFault(request string, faultsLeft *int) fault {
	if *faultsLeft == 0 || request == "upload" { // Without an upload there is no import.
		return noFault
	}
	f := fault(c.choose(int(faultCount)))
	if f != noFault {
		*faultsLeft--
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
// continue to another, and at most faultsLeft requests fail. It returns the log of requests and faults.
func (s *simulation) runHistory(t *testing.T, c *choiceSequence, switches, faultsLeft int) []string {
	t.Helper()
	var log []string
	requests := make([]string, len(s.imports)) // the request for which each import waits; "" once the import has ended
	wait := func(n int) {                      // until import n waits before its next request, or ends
		requests[n] = <-s.imports[n].waiting
	}
	for n, imp := range s.imports {
		imp.simulation, imp.waiting, imp.choice = s, make(chan string), make(chan fault)
		go imp.run(t)
		wait(n)
	}
	last := -1 // the index of the import that made the last request
	for {
		var ready []int
		for n, what := range requests {
			if what != "" && n != last {
				ready = append(ready, n)
			}
		}
		canContinue := last >= 0 && requests[last] != ""
		switch {
		case !canContinue && len(ready) == 0:
			return log
		case !canContinue:
			last = ready[c.choose(len(ready))]
		case switches > 0 && len(ready) > 0:
			if n := c.choose(1 + len(ready)); n > 0 {
				last = ready[n-1]
				switches--
			}
		}
		f := c.chooseFault(requests[last], &faultsLeft)
		log = append(log, fmt.Sprintf("%s %s %d", s.imports[last].name, requests[last], f))
		s.imports[last].choice <- f
		wait(last)
	}
}
