package statemachines_test

import (
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// TestSupersededImportDoesNotEndItsJob replaces a file while the chunk step of its import works. The newer import claims the
// upload. Its first state reaches the feed only after the older import has ended and the sweeper has handled that end.
func TestSupersededImportDoesNotEndItsJob(t *testing.T) {
	const older, newer = "part,color,quantity\n1,Red,1\n2,Red,2\n", "part,color,quantity\n1,Red,9\n"
	key := csvimport.UploadKey("auth0|1", "up", "a.csv")
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t}
		sweeper := &notify.Sweeper{
			Notifier: &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: &connection.Memory{}}, Feed: &w.feed}, Feed: &w.feed,
		}
		var both sync.WaitGroup
		start := func(content, sequencer string) {
			w.put(content, key)
			began := time.Now()
			both.Go(func() {
				run := w.execute(began, content, key, sequencer, w.delay([]string{"Chunk"}))
				if err := sweeper.Handle(t.Context(), statusChange(w.arn(began), run.Result)); err != nil {
					t.Errorf("sweep: %v", err)
				}
			})
		}
		start(older, "01")
		time.Sleep(18 * time.Second) // Two seconds before the delay of the chunk ends.
		from := time.Now()
		second := w.arn(from)           // The ARN of the execution that start(newer, "02") starts below: it depends only on the start time.
		const silence = 7 * time.Second // For this time the newer import cannot publish.
		w.mu.Lock()                     // The older import is running.
		w.publishFails = func(execution string) bool { return execution == second && time.Since(from) < silence }
		w.mu.Unlock()
		start(newer, "02")
		for time.Since(from) < silence {
			time.Sleep(time.Second / 2)
			row, err := w.feed.Job(t.Context(), feed.User("auth0|1"), "up")
			if p := row.VisibleState(); err != nil || p.Status != message.StatusRunning || row.Execution == second {
				t.Errorf("%v after the newer import began the tab shows %+v, %v, want the older one's running job", time.Since(from), p, err)
			}
		}
		both.Wait()
		w.checkTabAndBucket(t)
	})
}

// statusChange returns the event that EventBridge sends when the execution ends with r.
func statusChange(arn string, r asl.Result) json.RawMessage {
	event, _ := json.Marshal(map[string]any{
		"detail-type": "Step Functions Execution Status Change", "source": "aws.states",
		"detail": map[string]any{"executionArn": arn, "status": r.Status, "output": string(r.Output), "redriveCount": 0},
	})

	return event
}
