package asl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

// follows returns the events with their numbers and the numbers of those that they follow.
func (h *history) follows() string {
	var lines []string
	for _, e := range h.events {
		lines = append(lines, fmt.Sprintf("%d %s < %d", e.ID, e.Type, e.PreviousID))
	}
	return strings.Join(lines, "\n")
}

func TestEventsFollowThoseThatAWSNames(t *testing.T) {
	for _, test := range []struct{ name, definition, want string }{
		{
			"iterations one after the other",
			`{"StartAt":"E","States":{"E":{"Type":"Map","MaxConcurrency":1,"ItemProcessor":{"StartAt":"X","States":{"X":{"Type":"Pass","End":true}}},"Next":"D"},
				"D":{"Type":"Succeed"}}}`,
			`1 ExecutionStarted < 0
2 MapStateEntered < 0
3 MapStateStarted < 2
4 MapIterationStarted < 3
5 PassStateEntered < 4
6 PassStateExited < 5
7 MapIterationSucceeded < 6
8 MapIterationStarted < 6
9 PassStateEntered < 8
10 PassStateExited < 9
11 MapIterationSucceeded < 10
12 MapStateSucceeded < 11
13 MapStateExited < 11
14 SucceedStateEntered < 13
15 SucceedStateExited < 14
16 ExecutionSucceeded < 15`,
		},
		{
			"a Map run",
			`{"StartAt":"E","States":{"E":{"Type":"Map","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
				"StartAt":"X","States":{"X":{"Type":"Pass","End":true}}},"End":true}}}`,
			`1 ExecutionStarted < 0
2 MapStateEntered < 0
3 MapStateStarted < 2
4 MapRunStarted < 3
5 MapRunSucceeded < 4
6 MapStateSucceeded < 4
7 MapStateExited < 4
8 ExecutionSucceeded < 7`,
		},
		{
			"an iteration that fails",
			`{"StartAt":"E","States":{"E":{"Type":"Map","MaxConcurrency":1,"ItemProcessor":{"StartAt":"X","States":{"X":{"Type":"Fail"}}},"End":true}}}`,
			`1 ExecutionStarted < 0
2 MapStateEntered < 0
3 MapStateStarted < 2
4 MapIterationStarted < 3
5 FailStateEntered < 4
6 MapIterationFailed < 5
7 MapStateFailed < 5
8 ExecutionFailed < 7`,
		},
		{
			"a task, and an expression that fails",
			`{"QueryLanguage":"JSONata","StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Next":"P"},
				"P":{"Type":"Pass","Output":"{% $states.input.missing %}","End":true}}}`,
			`1 ExecutionStarted < 0
2 TaskStateEntered < 0
3 TaskScheduled < 2
4 TaskStarted < 3
5 TaskSucceeded < 4
6 TaskStateExited < 5
7 PassStateEntered < 6
8 EvaluationFailed < 6
9 ExecutionFailed < 8`,
		},
		{
			"an expression of a Wait state that fails",
			`{"QueryLanguage":"JSONata","StartAt":"W","States":{"W":{"Type":"Wait","Seconds":"{% 'x' %}","End":true}}}`,
			`1 ExecutionStarted < 0
2 WaitStateEntered < 0
3 EvaluationFailed < 2
4 ExecutionFailed < 3`,
		},
		{
			"an execution that times out", `{"TimeoutSeconds":5,"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}`,
			`1 ExecutionStarted < 0
2 WaitStateEntered < 0
3 ExecutionTimedOut < 0`,
		},
		{
			"an execution that is stopped", `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}`,
			`1 ExecutionStarted < 0
2 WaitStateEntered < 0
3 ExecutionAborted < 0`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var h history
				parse(t, test.definition).Run(ctx, asl.Execution{
					Input: []byte(`[1,2]`), Record: h.record,
					Tasks: taskFunc(func(_ context.Context, task asl.Task) (json.RawMessage, error) { return task.Arguments, nil }),
				})
				if diff := cmp.Diff(test.want, h.follows()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
