package asl_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/asl"
)

// A testStateCall is a recorded call of TestState with its answer.
type testStateCall struct {
	Name       string          `json:"name"`
	Raised     bool            `json:"raised"`
	Definition json.RawMessage `json:"definition"`
	Input      json.RawMessage `json:"input"`
	Args       struct {
		StateName string          `json:"stateName"`
		Variables map[string]any  `json:"variables"`
		Context   json.RawMessage `json:"context"`
		Mock      *struct {
			Result      string `json:"result"`
			ErrorOutput *struct {
				Error string `json:"error"`
				Cause string `json:"cause"`
			} `json:"errorOutput"`
		} `json:"mock"`
	} `json:"args"`
	// Expected is a map because its keys error and Error differ only in case.
	Expected map[string]json.RawMessage `json:"expected"`
}

// expected returns a string field of the answer.
func (c *testStateCall) expected(field string) string {
	var text string
	_ = json.Unmarshal(c.Expected[field], &text)
	return text
}

// machine returns a state machine whose first state is the tested state. The states after it are Succeed states. ok is false if the
// call tests a feature of TestState that an execution does not have: checks of mocks, mocked results of Map and Parallel states, a
// context object as an argument, a call without a role.
func (c *testStateCall) machine(t *testing.T) (definition map[string]any, ok bool) {
	t.Helper()
	if err := json.Unmarshal(c.Definition, &definition); err != nil {
		t.Fatal(err)
	}

	name := c.Args.StateName
	state := definition
	if states, isMachine := definition["States"].(map[string]any); isMachine {
		state, _ = states[name].(map[string]any)
	} else { // The definition is that of a single state, without a name.
		name = "StateName"
		definition = map[string]any{}
	}

	isTask, isMocked := state["Type"] == "Task", c.Args.Mock != nil
	switch {
	case c.Raised, state == nil: // TestState itself rejected the call.
		return nil, false
	case c.Args.Context != nil: // The call gives a context object.
		return nil, false
	case isMocked && !isTask, isTask && !isMocked, state["Type"] == "Map": // A mock of another state, a task without a mock, or a Map.
		return nil, false
	case c.expected("status") == "RETRIABLE": // TestState makes one attempt; an execution would retry.
		return nil, false
	case bytes.Contains(c.Expected["output"], []byte(`"RoleArn": null`)): // The call has no role.
		return nil, false
	}

	states := map[string]any{name: state}
	for _, match := range regexp.MustCompile(`"(?:Next|Default)": ?"([^"]*)"`).FindAllStringSubmatch(string(c.Definition), -1) {
		if states[match[1]] == nil {
			states[match[1]] = map[string]any{"Type": "Succeed"}
		}
	}

	definition["StartAt"], definition["States"] = name, states
	if len(c.Args.Variables) > 0 {
		definition["StartAt"] = "variables"
		states["variables"] = map[string]any{"Type": "Pass", "Assign": c.Args.Variables, "Next": name}
	}
	return definition, true
}

// maxMockedAttempts is how many attempts a mocked failure answers. No recorded state makes more attempts.
const maxMockedAttempts = 10

// tasks returns the tasks that answer as the call's mock.
func (c *testStateCall) tasks() *replayedTasks {
	if c.Args.Mock == nil {
		return &replayedTasks{}
	}
	if failed := c.Args.Mock.ErrorOutput; failed != nil {
		cause, _ := json.Marshal(failed.Cause)
		return &replayedTasks{tasks: slices.Repeat([]recordedTask{{Outcome: "TaskFailed", Error: failed.Error, Cause: cause}}, maxMockedAttempts)}
	}
	return &replayedTasks{tasks: []recordedTask{{Outcome: "succeeded", Output: json.RawMessage(c.Args.Mock.Result)}}}
}

// statePrefix matches the beginning of a cause that names the state, which TestState does not add.
var statePrefix = regexp.MustCompile(`^An error occurred while executing the state '.*' \(entered at the event id #\d+\)\. `)

// differences runs the tested state and returns the differences from the recorded answer.
func (c *testStateCall) differences(t *testing.T, m *asl.Machine) []string {
	t.Helper()
	var entered []string
	recorded := recordedCase{}
	recorded.Expected.Status = strings.Replace(c.expected("status"), "CAUGHT_ERROR", "SUCCEEDED", 1)
	recorded.Expected.Output = c.Expected["output"]
	if c.expected("status") == "FAILED" {
		recorded.Expected.Error, recorded.Expected.Cause = c.expected("error"), c.Expected["cause"]
	}

	result := m.Run(t.Context(), asl.Execution{
		ID:   "arn:aws:states:us-east-1:111111111111:express:machine:run:1",
		Name: "run", RoleARN: "arn:aws:iam::111111111111:role/role",
		StateMachineName: "machine", StateMachineID: "arn:aws:states:us-east-1:111111111111:stateMachine:machine",
		Input: c.Input,
		Tasks: c.tasks(),
		Record: func(e asl.Event) {
			if details, ok := e.Details["stateEnteredEventDetails"].(map[string]any); ok {
				entered = append(entered, fmt.Sprint(details["name"]))
			}
		},
	})
	if result.Error != nil {
		result.Error.Cause = statePrefix.ReplaceAllString(result.Error.Cause, "")
	}

	differences := compareResult(recorded, result)
	if last := entered[len(entered)-1]; c.expected("nextState") != "" && last != c.expected("nextState") {
		differences = append(differences, "next state: want "+c.expected("nextState")+", got "+last)
	}
	return differences
}

func TestStatesAnswerAsRecordedOnAWS(t *testing.T) {
	run := 0
	for _, c := range readLines[testStateCall](t, "teststate.jsonl") {
		definition, ok := c.machine(t)
		if !ok {
			continue
		}

		run++

		t.Run(c.Name, func(t *testing.T) {
			text, err := json.Marshal(definition)
			if err != nil {
				t.Fatal(err)
			}

			synctest.Test(t, func(t *testing.T) {
				m, err := asl.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				for _, difference := range c.differences(t, m) {
					t.Error(difference)
				}
			})
		})
	}

	t.Logf("%d recorded calls of TestState were run", run)
}
