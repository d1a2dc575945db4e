package asl_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/mock"
)

// A notedTasks notes the answers of other tasks as the mocked responses of a mock configuration file, by state and invocation.
type notedTasks struct {
	tasks asl.Tasks

	mu        sync.Mutex
	responses map[string]map[string]any
	isLeftOut bool // A task timed out, or how it ended was not recorded: a file cannot say that.
}

func (n *notedTasks) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	output, err := n.tasks.RunTask(ctx, task)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.responses[task.State] == nil {
		n.responses[task.State] = map[string]any{}
	}
	answer := map[string]any{"Return": output}
	if err != nil {
		var failed *asl.Error
		if !errors.As(err, &failed) {
			n.isLeftOut = true
			return output, err
		}
		answer = map[string]any{"Throw": map[string]string{"Error": failed.Name, "Cause": failed.Cause}}
	}
	n.responses[task.State][strconv.Itoa(len(n.responses[task.State]))] = answer
	return output, err
}

// file returns the mock configuration file, with the test case Recorded of the state machine m.
func (n *notedTasks) file() ([]byte, error) {
	states := map[string]string{}
	for name := range n.responses {
		states[name] = name
	}
	return json.Marshal(map[string]any{
		"StateMachines": map[string]any{"m": map[string]any{"TestCases": map[string]any{"Recorded": states}}}, "MockedResponses": n.responses,
	})
}

// TestMockedExecutionsEndAsRecordedOnAWS makes a mock configuration file from the task results of each recorded execution. With it, the
// execution must have the result and the history of the recording.
func TestMockedExecutionsEndAsRecordedOnAWS(t *testing.T) {
	t.Parallel()
	run := 0
	for _, c := range readLines[recordedCase](t, "cases.jsonl") {
		if _, differs := knownDifferences[c.Name]; differs || !c.Ready || len(c.Tasks) == 0 || isConcurrent(c) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			noted := &notedTasks{tasks: &replayedTasks{tasks: c.Tasks}, responses: map[string]map[string]any{}}
			m, err := asl.Parse(c.Definition)
			if err != nil {
				t.Fatal(err)
			}
			execution := asl.Execution{
				ID: "arn:aws:states:us-east-1:111111111111:execution:machine:run", Name: "run", RoleARN: "snf_role_arn", StateMachineName: "machine",
				StateMachineID: "arn:aws:states:us-east-1:111111111111:stateMachine:machine", Input: c.Input, Tasks: noted,
			}
			synctest.Test(t, func(t *testing.T) { m.Run(t.Context(), execution) })
			if noted.isLeftOut {
				return
			}

			text, err := noted.file()
			if err != nil {
				t.Fatal(err)
			}
			file, err := mock.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			recorded, err := file.Case("m", "Recorded")
			if err != nil {
				t.Fatal(err)
			}
			if err := recorded.Check(m); err != nil {
				t.Fatal(err)
			}
			run++
			synctest.Test(t, func(t *testing.T) {
				var events []asl.Event
				execution.Tasks, execution.Record = recorded.Tasks(nil), func(e asl.Event) { events = append(events, e) }
				result := m.Run(t.Context(), execution)
				if differences := append(compareResult(c, result), compareEvents(c, events)...); len(differences) > 0 {
					t.Errorf("%s\n%s", strings.Join(differences, "\n"), text)
				}
			})
		})
	}
	t.Logf("%d recorded executions agree with mocked tasks", run)
}
