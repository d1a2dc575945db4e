package statemachines_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/asltest"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// delay returns tasks that delay the first call of each given state.
func (w *world) delay(states []string) asltest.Tasks {
	working := w.machine().Tasks
	tasks := asltest.Tasks{}
	for _, state := range states {
		pause := 3 * time.Second // Longer than the second between the starts of the two imports.
		function := "CsvPlan"
		switch state {
		case "Chunk", "Finish":
			pause = 20 * time.Second // Longer than an import whose file was replaced waits for the newer import.
			function = "Csv" + state
		case "NotifyComplete":
			function = "Notifier"
		}
		tasks[state] = asltest.Sequence(asltest.TaskFunc(func(ctx context.Context, task asl.Task) (json.RawMessage, error) {
			time.Sleep(pause)
			return working[function].RunTask(ctx, task)
		}), working[function])
	}
	return tasks
}

// TestTabAndBucketAgree imports two versions of an upload. The second import starts one second after the first. The test runs
// with every combination of delayed states.
func TestTabAndBucketAgree(t *testing.T) {
	const older, newer = fourRows, "part,color,quantity\n1,Red,9\n"
	subsets := [][]string{nil} // Every selection of the three states: each state doubles their number.
	for _, state := range []string{"Plan", "Chunk", "Finish"} {
		for _, subset := range subsets {
			subsets = append(subsets, append(slices.Clone(subset), state))
		}
	}
	for name, keys := range map[string][2]string{
		"two files":          {csvimport.UploadKey("auth0|1", "up", "a.csv"), csvimport.UploadKey("auth0|1", "up", "b.csv")},
		"the same key again": {csvimport.UploadKey("auth0|1", "up", "a.csv"), csvimport.UploadKey("auth0|1", "up", "a.csv")},
		"the older event has the greater sequencer": {csvimport.UploadKey("auth0|1", "up", "b.csv"), csvimport.UploadKey("auth0|1", "up", "a.csv")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, first := range subsets {
				for _, second := range append(subsets, []string{"NotifyComplete"}) {
					synctest.Test(t, func(t *testing.T) {
						w := &world{t: t}
						sequencers := [2]string{"01", "02"}
						if strings.Contains(name, "greater sequencer") {
							sequencers = [2]string{"02", "01"}
						}
						var both sync.WaitGroup
						start := func(n int, content string, states []string) {
							w.put(content, keys[n])
							began := time.Now()
							both.Go(func() {
								w.execute(began, content, keys[n], sequencers[n], w.delay(states)).WantStatus(asl.StatusSucceeded)
							})
						}
						start(0, older, first)
						time.Sleep(time.Second)
						start(1, newer, second)
						both.Wait()
						w.checkTabAndBucket(t)
						if t.Failed() {
							t.Fatalf("delayed: %v of the older import, %v of the newer one; frames:\n%s", first, second, strings.Join(w.frames, "\n"))
						}
					})
				}
			}
		})
	}
}

// checkTabAndBucket checks that the user's tab and the bucket both have the result of the newer version: its one row.
func (w *world) checkTabAndBucket(t *testing.T) {
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
			t.Errorf("a superseded import sends %q, want no error", frame)
		}
	}
}
