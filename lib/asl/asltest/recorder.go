package asltest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/asl"
)

// A recorder makes a tree of an execution's steps. Concurrent threads make the same tree in whatever order they run.
type recorder struct {
	start time.Time

	mu   sync.Mutex
	root []*visit
	open map[string]*visit // The state that runs in each thread.
}

// A visit is one run of a state, from its entry to its end.
type visit struct {
	state    string
	entered  time.Time
	input    json.RawMessage
	attempts []*attempt
	end      asl.Step // Its Kind is empty before the end.
}

// An attempt is one attempt of a state.
type attempt struct {
	began     time.Time
	arguments json.RawMessage // Of a task; nil if it was not called.
	result    json.RawMessage // Of a task that has succeeded.
	failed    *asl.Step       // The step that retried it, or that found no attempt left.
	threads   []*thread       // The iterations or branches that it ran.
}

// A thread is an iteration or a branch.
type thread struct {
	path   string
	visits []*visit
}

// trace adds a step.
func (r *recorder) trace(s asl.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Kind == asl.StepEntered {
		r.enter(s)
		return
	}
	v := r.open[s.Thread]
	last := v.attempts[len(v.attempts)-1]
	switch s.Kind {
	case asl.StepCalled:
		last.began, last.arguments = s.Time, s.Data
	case asl.StepReturned:
		last.result = s.Data
	case asl.StepExhausted:
		last.failed = &s
	case asl.StepRetried:
		last.failed = &s
		v.attempts = append(v.attempts, &attempt{began: s.Time.Add(s.Wait)})
	default:
		v.end = s
	}
}

// enter adds a visit.
func (r *recorder) enter(s asl.Step) {
	v := &visit{state: s.State, entered: s.Time, input: s.Data, attempts: []*attempt{{began: s.Time}}}
	if r.open == nil {
		r.open = map[string]*visit{}
	}
	r.open[s.Thread] = v
	if s.Thread == "" {
		r.root = append(r.root, v)
		return
	}

	parent := r.parent(s.Thread)
	last := parent.attempts[len(parent.attempts)-1]
	i := slices.IndexFunc(last.threads, func(t *thread) bool { return t.path == s.Thread })
	if i < 0 {
		i = len(last.threads)
		last.threads = append(last.threads, &thread{path: s.Thread})
	}
	last.threads[i].visits = append(last.threads[i].visits, v)
}

// parent returns the visit of the Map or Parallel state that runs a thread. Names of states may contain a slash.
func (r *recorder) parent(path string) *visit {
	for at := len(path); ; {
		at = strings.LastIndexByte(path[:at], '/')
		outer := path[:max(at, 0)]
		if v := r.open[outer]; v != nil && strings.HasPrefix(path[at+1:], v.state+"[") || at < 0 {
			return v
		}
	}
}

// sorted returns the threads in the order of their indexes.
func (a *attempt) sorted() []*thread {
	return slices.SortedFunc(slices.Values(a.threads), func(x, y *thread) int { return x.index() - y.index() })
}

// index returns the index of an iteration or branch.
func (t *thread) index() int {
	n, _ := strconv.Atoi(t.path[strings.LastIndexByte(t.path, '[')+1 : len(t.path)-1]) // A path ends with [n].
	return n
}

// walk calls do with each visit: a state before the states inside it, and its iterations and branches in their order.
func walk(visits []*visit, do func(*visit)) {
	for _, v := range visits {
		do(v)
		for _, a := range v.attempts {
			for _, t := range a.sorted() {
				walk(t.visits, do)
			}
		}
	}
}

// compact returns JSON text without blanks.
func compact(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return string(text)
	}
	return b.String()
}
