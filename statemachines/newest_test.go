package statemachines_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// late runs a world's tasks, and delays the first task of some states.
type late struct {
	*world

	states map[string]bool // which are still to come late
	mu     *sync.Mutex
}

func (l late) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	l.mu.Lock()
	late := l.states[task.State]
	l.states[task.State] = false
	l.mu.Unlock()
	switch {
	case late && (task.State == "Chunk" || task.State == "Finish"):
		time.Sleep(20 * time.Second) // longer than an import whose file was replaced waits for the other
	case late:
		time.Sleep(3 * time.Second)
	}

	return l.world.RunTask(ctx, task)
}

func later(states []string) map[string]bool {
	all := map[string]bool{}
	for _, state := range states {
		all[state] = true
	}
	return all
}

// TestTabAndBucketAgree imports two versions of an upload, the second one second after the first, and delays any of their
// states.
func TestTabAndBucketAgree(t *testing.T) {
	const before, after = fourRows, "part,color,quantity\n1,Red,9\n"
	var subsets [][]string
	for n := range 1 << 3 {
		var some []string
		for i, state := range []string{"Plan", "Chunk", "Finish"} {
			if n>>i&1 == 1 {
				some = append(some, state)
			}
		}
		subsets = append(subsets, some)
	}
	for name, keys := range map[string][2]string{
		"two files":              {csvimport.UploadKey("auth0|1", "up", "a.csv"), csvimport.UploadKey("auth0|1", "up", "b.csv")},
		"the same key again":     {csvimport.UploadKey("auth0|1", "up", "a.csv"), csvimport.UploadKey("auth0|1", "up", "a.csv")},
		"sequencers in disorder": {csvimport.UploadKey("auth0|1", "up", "b.csv"), csvimport.UploadKey("auth0|1", "up", "a.csv")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, first := range subsets {
				for _, second := range append(subsets, []string{"NotifyComplete"}) {
					synctest.Test(t, func(t *testing.T) {
						w := &world{t: t, calls: map[string]int{}}
						sequencers := [2]string{"01", "02"}
						if strings.Contains(name, "disorder") {
							sequencers = [2]string{"02", "01"}
						}
						var both sync.WaitGroup
						start := func(n int, content string, states []string) {
							w.put(content, keys[n])
							w.began = time.Now()
							x := w.execution(content, keys[n], sequencers[n])
							x.Tasks = late{w, later(states), &sync.Mutex{}}
							both.Go(func() {
								if r := csvImport(t).Run(t.Context(), x); r.Status != asl.StatusSucceeded {
									t.Errorf("execution %d ends %s with %v", n, r.Status, r.Error)
								}
							})
						}
						start(0, before, first)
						time.Sleep(time.Second)
						start(1, after, second)
						both.Wait()
						w.agree(t)
						if t.Failed() {
							t.Fatalf("late were %v of the older import and %v of the newer; frames were\n%s", first, second, strings.Join(w.frames, "\n"))
						}
					})
				}
			}
		})
	}
}

// agree checks that the tab and the bucket have the same result in the end: the one row of the newer version.
func (w *world) agree(t *testing.T) {
	t.Helper()
	row, err := w.feed.Job(t.Context(), feed.User("auth0|1"), "up")
	if p := row.VisibleState(); err != nil || p.Status != message.StatusSucceeded || p.Message != "Imported 1 of 1 rows" || p.TotalRows != 1 {
		t.Errorf("the tab shows %+v, %v, want one row", p, err)
	}
	var s csvimport.Summary
	content, _, err := w.store.Read(t.Context(), "results/YXV0aDB8MQ/up/summary.json")
	if err != nil || json.Unmarshal(content, &s) != nil || s.Rows != 1 || s.FileName != row.State.FileName {
		t.Errorf("the bucket has %d rows of %s, %v, want one of %s", s.Rows, s.FileName, err, row.State.FileName)
	}
	for _, key := range append(w.store.Keys("results/"), w.store.Keys("staged/")...) {
		if !strings.HasPrefix(key, s.Prefix) && !strings.HasSuffix(key, "/summary.json") {
			t.Errorf("%s is left", key)
		}
	}
	for _, frame := range w.frames {
		if strings.Contains(frame, "failed") || strings.Contains(frame, "error") {
			t.Errorf("a superseded import says %q", frame)
		}
	}
}
