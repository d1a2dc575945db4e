package asl_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/asl"
)

// waitingMap is a Distributed Map whose child executions wait for a minute. fields are more fields of the Map state.
func waitingMap(fields string) string {
	return strings.Replace(distributedMap(fields), `{"Type":"Pass","End":true}`, `{"Type":"Wait","Seconds":60,"End":true}`, 1)
}

func TestLimitsOfAMapRunChangeWhileItRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var mapRun asl.MapRun
		m := parse(t, waitingMap(`,"MaxConcurrency":1`))
		ended := make(chan asl.Result)
		go func() {
			ended <- m.Run(t.Context(), asl.Execution{
				Input: []byte(`[1,2,3,4,5,6,7]`),
				StartMapRun: func(r asl.MapRun) func(*asl.Error) {
					mapRun = r
					return func(*asl.Error) {}
				},
			})
		}()
		synctest.Wait()
		mapRun.SetLimits(asl.MapRunLimits{MaxConcurrency: 3}) // One child has begun: two others begin now.
		if result := <-ended; resultText(result) != `[1,2,3,4,5,6,7]` || time.Since(begin) != 3*time.Minute {
			t.Errorf("%s after %v", resultText(result), time.Since(begin))
		}
		mapRun.SetLimits(asl.MapRunLimits{}) // After the end it has no effect.
	})
}

func TestAMapRunFailsOnceItsLimitsTolerateLess(t *testing.T) {
	t.Parallel()
	count := func(n int64) *int64 { return &n }
	percentage := func(p float64) *float64 { return &p }
	for _, tt := range []struct {
		limits asl.MapRunLimits
		want   string
	}{
		{asl.MapRunLimits{ToleratedFailureCount: count(2)}, `[3]`},
		{asl.MapRunLimits{ToleratedFailureCount: count(1)}, "FAILED States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded"},
		{asl.MapRunLimits{ToleratedFailurePercentage: percentage(67)}, `[3]`},
		{asl.MapRunLimits{ToleratedFailureCount: count(3), ToleratedFailurePercentage: percentage(66)}, "FAILED States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mapRun asl.MapRun
			m := parse(t, strings.Replace(distributedMap(`,"ToleratedFailureCount":3`), `"I":{"Type":"Pass","End":true}`,
				`"I":{"Type":"Choice","Choices":[{"Variable":"$","NumericLessThan":3,"Next":"F"}],"Default":"W"},"F":{"Type":"Fail"},"W":{"Type":"Wait","Seconds":60,"End":true}`, 1))
			ended := make(chan asl.Result)
			go func() {
				ended <- m.Run(t.Context(), asl.Execution{Input: []byte(`[1,2,3]`), StartMapRun: func(r asl.MapRun) func(*asl.Error) {
					mapRun = r
					return func(*asl.Error) {}
				}})
			}()
			synctest.Wait() // Two have failed, one waits.
			mapRun.SetLimits(tt.limits)
			if got := resultText(<-ended); got != tt.want {
				t.Errorf("%+v: %s, want %s", tt.limits, got, tt.want)
			}
		})
	}
}

// TestAMapRunWithoutItemsIsReported checks that a Map run whose dataset cannot be read is reported, too.
func TestAMapRunWithoutItemsIsReported(t *testing.T) {
	t.Parallel()
	var reported []string
	m := parse(t, distributedMap(readerFrom(`"InputType":"JSON"`)))
	m.Run(t.Context(), asl.Execution{Input: json.RawMessage(`{"b":"b"}`), StartMapRun: func(r asl.MapRun) func(*asl.Error) {
		reported = append(reported, r.State)
		return func(err *asl.Error) { reported = append(reported, err.Name) }
	}})
	if got := strings.Join(reported, " "); got != "A States.ItemReaderFailed" {
		t.Errorf("reported %s", got)
	}
}

// TestAChildExecutionCanBeAborted aborts one of two child executions. It does not count as a failed one.
func TestAChildExecutionCanBeAborted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			mu       sync.Mutex
			statuses []string
		)
		m := parse(t, waitingMap(""))
		result := m.Run(context.WithoutCancel(t.Context()), asl.Execution{
			Input: []byte(`["a","b"]`),
			StartChild: func(c asl.Child) (func(asl.Event), func(asl.Result)) {
				if string(c.Input) == `"a"` {
					c.Abort(&asl.Error{Name: "Mine", Cause: "enough"})
				}
				return nil, func(r asl.Result) {
					mu.Lock()
					defer mu.Unlock()
					statuses = append(statuses, resultText(r))
				}
			},
		})
		if got := strings.Join(statuses, ", "); resultText(result) != `["b"]` || got != `ABORTED Mine enough, "b"` {
			t.Errorf("%s, the children %s", resultText(result), got)
		}
	})
}
