package asl

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// Point is where Machine.Redrive goes on: a state of the machine itself, not of a branch or a Map.
type Point struct {
	// State is the name of the state that runs first. Empty means the first state of the machine, with the input of the execution.
	State string
	// Input is the state's input as JSON text.
	Input json.RawMessage
	// Variables are the values of the variables as JSON text, by name.
	Variables map[string]json.RawMessage
	// LastEvent is the ID of the newest event of the history. The next event has the next ID.
	LastEvent int64
	// MapRun is the ARN of the Map run that State, a Distributed Map, goes on with: Execution.RedriveMapRun. Empty means a new Map run.
	MapRun string
}

// RedrivePoint returns where a redrive of an execution with the history events goes on: at the state of the machine itself that was
// entered last, with the variables that the states before it assigned.
func (m *Machine) RedrivePoint(events []Event) Point { return m.flow.redrivePoint(events) }

func (f *flow) redrivePoint(events []Event) Point {
	p := Point{Variables: map[string]json.RawMessage{}}
	redriven := false // The event before is ExecutionRedriven.
	for _, event := range events {
		p.LastEvent = event.ID
		switch {
		case strings.HasSuffix(event.Type, "StateEntered"):
			entered, _ := event.Details.Map()["stateEnteredEventDetails"].(object)
			if name := stringOf(entered, "name"); f.states[name] != nil {
				if !redriven || name != p.State { // A redrive enters the state anew, but goes on with its Map run.
					p.MapRun = ""
				}
				p.State, p.Input = name, json.RawMessage(stringOf(entered, "input"))
			}
		case strings.HasSuffix(event.Type, "StateExited"):
			exited, _ := event.Details.Map()["stateExitedEventDetails"].(object)
			if f.states[stringOf(exited, "name")] != nil {
				assigned, _ := exited["assignedVariables"].(object)
				for variable := range assigned {
					p.Variables[variable] = json.RawMessage(stringOf(assigned, variable))
				}
			}
		default:
			p.followMapRun(f.states[p.State], event)
		}
		redriven = event.Type == "ExecutionRedriven"
	}
	return p
}

// followMapRun sets the Map run that a redrive of st goes on with, if the event is about one. As AWS documents, it goes on with one that
// failed or was stopped, but a new one starts if the Map run failed with States.DataLimitExceeded or States.Runtime, or if the state
// failed after its Map run succeeded, as with an OutputPath that selects nothing
// (https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html#redrive-eligibility-map-run).
func (p *Point) followMapRun(st *state, event Event) {
	if st == nil || st.mapFields == nil || !st.mapFields.distributed {
		return // The Map run belongs to a state inside of st.
	}
	switch event.Type {
	case "MapRunStarted":
		started, _ := event.Details.Map()["mapRunStartedEventDetails"].(object)
		p.MapRun = stringOf(started, "mapRunArn")
	case "MapRunRedriven":
		redriven, _ := event.Details.Map()["mapRunRedrivenEventDetails"].(object)
		p.MapRun = stringOf(redriven, "mapRunArn")
	case "MapRunSucceeded":
		p.MapRun = ""
	case "MapRunFailed":
		failed, _ := event.Details.Map()["mapRunFailedEventDetails"].(object)
		if name := stringOf(failed, "error"); name == errorDataLimit || name == errorRuntime {
			p.MapRun = ""
		}
	}
}

// stringOf returns a field that is a text, or "".
func stringOf(fields object, name string) string {
	text, _ := fields[name].(string)
	return text
}

// Redrive goes on with an execution that did not succeed, as RedriveExecution does. The state that failed is entered anew: a Parallel or
// inline Map state starts from its beginning, and a Distributed Map goes on with its Map run. execution has the RedriveCount of this
// redrive. The timeout of the machine starts anew. An unknown state or text that is not JSON fails the execution with States.Runtime.
func (m *Machine) Redrive(ctx context.Context, execution Execution, from Point) Result {
	input, err := jsontree.Parse(execution.Input)
	if err != nil {
		return invalidPoint(runtimeFailuref("The input is not valid JSON: %v", err))
	}
	if m.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, m.timeout, errExecutionTimeout)
		defer stop()
	}
	if execution.Start.IsZero() {
		execution.Start = time.Now()
	}
	result, _, _ := redriveFlowAsExecution(ctx, m.flow, execution, input, from)
	return result
}

// redriveFlowAsExecution does what runFlowAsExecution does, for an execution that goes on from a point of the flow.
func redriveFlowAsExecution(ctx context.Context, of *flow, execution Execution, input any, from Point) (Result, any, *failure) {
	stateInput, values, err := from.parse(of, input)
	if err != nil {
		return invalidPoint(err), nil, toFailure(err)
	}
	if from.State == "" {
		from.State = of.startAt
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := newThread(execution, input, cancel)
	t.run.from, t.variables.values = from, values
	t.recorder.last, t.previous = from.LastEvent, from.LastEvent
	t.record("ExecutionRedriven", NewDetails("executionRedrivenEventDetails", object{"redriveCount": execution.RedriveCount}))
	output, err := t.runFlow(ctx, &flow{startAt: from.State, states: of.states}, stateInput)
	result := t.finishExecution(ctx, output, err)
	if err != nil {
		return result, nil, endOf(ctx, err)
	}
	return result, output, nil
}

// parse returns the input of the point's state and the values of the variables. input is the input of the execution.
func (p *Point) parse(of *flow, input any) (stateInput any, variables map[string]any, err error) {
	stateInput, variables = input, map[string]any{}
	if p.State != "" {
		if stateInput, err = jsontree.Parse(p.Input); err != nil {
			return nil, nil, runtimeFailuref("The state's input is not valid JSON: %v", err)
		}
		if of.states[p.State] == nil {
			return nil, nil, runtimeFailuref("There is no state '%s'", p.State)
		}
	}
	for name, text := range p.Variables {
		if variables[name], err = jsontree.Parse(text); err != nil {
			return nil, nil, runtimeFailuref("The variable %s is not valid JSON: %v", name, err)
		}
	}
	return stateInput, variables, nil
}

// invalidPoint is the result of a redrive that cannot start.
func invalidPoint(err error) Result {
	return Result{Status: StatusFailed, Error: toFailure(err).asError()}
}
