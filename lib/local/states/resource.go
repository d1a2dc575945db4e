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

// ErrResource says that a state machine has a task which cannot be run here.
var ErrResource = errors.New("states: resource cannot be run here")

// task runs one kind of task.
type task func(r *taskRunner, ctx context.Context, t asl.Task) (json.RawMessage, error)

const tokenSuffix = ".waitForTaskToken"

// taskKind returns what runs a task with the given Resource, nil when it cannot be run here.
func taskKind(resource string) task {
	switch resource {
	case "arn:aws:states:::lambda:invoke":
		return (*taskRunner).invoke
	case "arn:aws:states:::lambda:invoke" + tokenSuffix:
		return awaitToken((*taskRunner).invoke)
	case "arn:aws:states:::states:startExecution":
		return (*taskRunner).startExecution
	case "arn:aws:states:::states:startExecution" + tokenSuffix:
		return awaitToken((*taskRunner).startExecution)
	case "arn:aws:states:::states:startExecution.sync", "arn:aws:states:::states:startExecution.sync:2":
		return (*taskRunner).startExecutionSync
	}

	if strings.HasPrefix(resource, "arn:aws:lambda:") && strings.Contains(resource, ":function:") {
		return (*taskRunner).function
	}
	return nil
}

// CheckResources returns an error that names every task of the definition whose Resource is not one of those that are
// run here: lambda:invoke, states:startExecution, a function's ARN. It wraps ErrResource.
func CheckResources(definition []byte) error {
	var top checkedStates
	err := json.Unmarshal(definition, &top)
	if err != nil {
		return fmt.Errorf("decode definition: %w", err)
	}
	return top.check()
}

// checkedStates is what CheckResources looks at.
type checkedStates struct {
	States map[string]struct {
		Type          string          `json:"Type"`
		Resource      string          `json:"Resource"`
		Branches      []checkedStates `json:"Branches"`
		Iterator      *checkedStates  `json:"Iterator"`
		ItemProcessor *checkedStates  `json:"ItemProcessor"`
	} `json:"States"`
}

func (c checkedStates) check() error {
	problems := make([]error, 0, len(c.States))
	for _, name := range slices.Sorted(maps.Keys(c.States)) {
		state := c.States[name]
		if state.Type == "Task" && taskKind(state.Resource) == nil {
			problems = append(problems, fmt.Errorf("%w: %s, in state %s", ErrResource, state.Resource, name))
		}
		for _, branch := range state.Branches {
			problems = append(problems, branch.check())
		}

		for _, inner := range []*checkedStates{state.Iterator, state.ItemProcessor} {
			if inner != nil {
				problems = append(problems, inner.check())
			}
		}
	}

	return errors.Join(problems...)
}
