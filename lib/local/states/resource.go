package states

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl"
)

// ErrUnsupportedResource is the error of a state machine with a task that this package does not support.
var ErrUnsupportedResource = errors.New("states: resource cannot be run here")

// A taskFunc runs one kind of task.
type taskFunc func(r *taskRunner, ctx context.Context, t asl.Task) (json.RawMessage, error)

const tokenSuffix = ".waitForTaskToken"

// taskFuncFor returns the function that runs tasks with the given Resource; nil if it is not supported.
func taskFuncFor(resource string) taskFunc {
	switch resource {
	case "arn:aws:states:::lambda:invoke":
		return (*taskRunner).lambdaInvoke
	case "arn:aws:states:::lambda:invoke" + tokenSuffix:
		return waitForToken((*taskRunner).lambdaInvoke)
	case "arn:aws:states:::states:startExecution":
		return (*taskRunner).startExecution
	case "arn:aws:states:::states:startExecution" + tokenSuffix:
		return waitForToken((*taskRunner).startExecution)
	case "arn:aws:states:::states:startExecution.sync", "arn:aws:states:::states:startExecution.sync:2":
		return (*taskRunner).startExecutionSync
	}

	if strings.HasPrefix(resource, "arn:aws:lambda:") && strings.Contains(resource, ":function:") {
		return (*taskRunner).invokeResource
	}
	if strings.HasPrefix(resource, "arn:aws:states:") && strings.Contains(resource, ":activity:") {
		return (*taskRunner).runActivity
	}
	return nil
}

// CheckResources checks that all tasks of a definition are supported: lambda:invoke, states:startExecution, or the ARN of a function
// or an activity. The error names every task that is not supported; it wraps ErrUnsupportedResource.
func CheckResources(definition []byte) error {
	var top definitionStates
	err := json.Unmarshal(definition, &top)
	if err != nil {
		return fmt.Errorf("decode definition: %w", err)
	}
	return top.check()
}

// definitionStates are the fields of a definition that CheckResources reads.
type definitionStates struct {
	States map[string]struct {
		Type          string             `json:"Type"`
		Resource      string             `json:"Resource"`
		Branches      []definitionStates `json:"Branches"`
		Iterator      *definitionStates  `json:"Iterator"`
		ItemProcessor *definitionStates  `json:"ItemProcessor"`
	} `json:"States"`
}

// check checks the states and, recursively, those inside of them.
func (d definitionStates) check() error {
	problems := make([]error, 0, len(d.States))
	for _, name := range slices.Sorted(maps.Keys(d.States)) {
		state := d.States[name]
		if state.Type == "Task" && taskFuncFor(state.Resource) == nil {
			problems = append(problems, fmt.Errorf("%w: %s, in state %s", ErrUnsupportedResource, state.Resource, name))
		}
		for _, branch := range state.Branches {
			problems = append(problems, branch.check())
		}

		for _, inner := range []*definitionStates{state.Iterator, state.ItemProcessor} {
			if inner != nil {
				problems = append(problems, inner.check())
			}
		}
	}

	return errors.Join(problems...) // Join ignores the nil errors of branches without problems.
}
