package cloud_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// slowClient sends requests that take some milliseconds of virtual time, as requests to DynamoDB do.
type slowClient struct{ http *http.Client }

func (c slowClient) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(2*time.Millisecond + rand.N(3*time.Millisecond))
	response, err := c.http.Do(r)
	time.Sleep(2*time.Millisecond + rand.N(3*time.Millisecond))
	return response, err
}

// TestFortyParallelBranchesOfOneJobLoseNoState has 40 branches of a workflow, each in its own process, that update one job once
// a second and retry errors as a workflow does. Every state must be stored, and every frame must have a sequence number. Fewer than
// one state in a hundred may be throttled.
func TestFortyParallelBranchesOfOneJobLoseNoState(t *testing.T) {
	const branches, states, tries = 40, 5, 3
	_, store := dynamotest.Tables(t, dynamotest.Client(t, dynamotest.Dynalite, nil))
	synctest.Test(t, func(t *testing.T) {
		client := dynamotest.Client(t, dynamotest.Dynalite, slowClient{bubbleClient()})
		var throttled atomic.Int64
		var running sync.WaitGroup
		checks := make([]*limitCheck, branches)
		for b := range branches {
			c := newLimitCheck(t, &dynamo.Feed{Client: client, Table: store.Table})
			checks[b] = c
			running.Go(func() {
				for n := range states {
					input := json.RawMessage(fmt.Sprintf(`{"userId":"u1","epoch":"1999-11-22T10:00:00Z","key":"%d/%d",`+
						`"message":{"type":"upload_progress","data":{"uploadId":"j","fileName":"f","progress":%d,"message":"m"}}}`, b, n, n))
					next := time.Now().Add(time.Second)
					for try := 0; ; try++ {
						out, err := c.notifier.Handle(t.Context(), input)
						if err == nil && out.Outcome == feed.Accepted && out.Seq > 0 {
							break
						}
						if !errors.Is(err, notify.Throttled{}) || try == tries-1 {
							t.Errorf("branch %d, state %d: %+v, %v", b, n, out, err)
							break
						}
						throttled.Add(1)
						time.Sleep(rand.N(time.Second << try)) // as the Retry field of the workflow's state does
					}
					time.Sleep(time.Until(next))
				}
			})
		}
		running.Wait()
		row, err := checks[0].feed.Job(t.Context(), feed.User("u1"), "j")
		if err != nil || row.Seq != branches*states {
			t.Errorf("the job has sequence number %d, want %d; %v", row.Seq, branches*states, err)
		}
		for _, c := range checks {
			for _, frame := range c.frames {
				if e, err := message.Parse(frame); err != nil || e.Seq == 0 || e.Epoch == "" {
					t.Errorf("a frame without epoch or sequence number: %s, %v", frame, err)
				}
			}
		}
		if n := throttled.Load(); n*100 >= branches*states {
			t.Errorf("%d of %d states were throttled, want less than one in a hundred", n, branches*states)
		}
	})
}
