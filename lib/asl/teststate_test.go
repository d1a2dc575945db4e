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

// A testedState is a call of TestState and AWS's answer.
type testedState struct {
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

// expected returns a field of the answer that is a text.
func (c *testedState) expected(field string) string {
	var text string
	_ = json.Unmarshal(c.Expected[field], &text)
	return text
}

// machine makes a state machine that runs the tested state first, with successors that pass on what they get. ok is false
// when the call tests TestState itself: its checks of mocks, whole results of Map and Parallel states that are mocks, a
// context object that is given, a call without a role.
func (c *testedState) machine(t *testing.T) (definition map[string]any, ok bool) {
	t.Helper()
	if err := json.Unmarshal(c.Definition, &definition); err != nil {
		t.Fatal(err)
	}

	name := c.Args.StateName
	state := definition
	if states, isMachine := definition["States"].(map[string]any); isMachine {
		state, _ = states[name].(map[string]any)
	} else {
		name = "StateName"
		definition = map[string]any{}
	}

	kind := state["Type"]
	mocked := c.Args.Mock != nil
	if c.Raised || c.Args.Context != nil || state == nil || mocked != (kind == "Task") || kind == "Map" ||
		c.expected("status") == "RETRIABLE" || bytes.Contains(c.Expected["output"], []byte(`"RoleArn": null`)) {
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

// mostAttempts is how often the mock of a failure is used: as often as the state is retried.
const mostAttempts = 10

func (c *testedState) tasks() *replay {
	if c.Args.Mock == nil {
		return &replay{}
	}
	if failed := c.Args.Mock.ErrorOutput; failed != nil {
		cause, _ := json.Marshal(failed.Cause)
		return &replay{tasks: slices.Repeat([]recordedTask{{Outcome: "TaskFailed", Error: failed.Error, Cause: cause}}, mostAttempts)}
	}
	return &replay{tasks: []recordedTask{{Outcome: "succeeded", Output: json.RawMessage(c.Args.Mock.Result)}}}
}

var placed = regexp.MustCompile(`^An error occurred while executing the state '.*' \(entered at the event id #\d+\)\. `)

// differences runs the tested state and says what AWS answered otherwise.
func (c *testedState) differences(t *testing.T, m *asl.Machine) []string {
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
		result.Error.Cause = placed.ReplaceAllString(result.Error.Cause, "")
	}

	differences := compareResult(recorded, result)
	if last := entered[len(entered)-1]; c.expected("nextState") != "" && last != c.expected("nextState") {
		differences = append(differences, "next state: want "+c.expected("nextState")+", got "+last)
	}
	return differences
}

func TestRecordedStates(t *testing.T) {
	run := 0
	for _, c := range readLines[testedState](t, "teststate.jsonl") {
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

	t.Logf("%d calls of TestState apply", run)
}
