package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/notify"
)

// TestTheStatesInTheREADME pastes the README's notify states into workflows and runs them, with a notifier that accepts the
// message and with one that fails.
func TestTheStatesInTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../../statemachines/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```json\n")
	if len(blocks) < 3 {
		t.Fatal("statemachines/README.md does not have two states to paste")
	}
	for _, test := range []struct {
		name, language, state string
	}{
		{"JSONata", "JSONata", blocks[1]}, {"JSONata in a workflow in JSONPath", "JSONPath", blocks[1]}, {"JSONPath", "JSONPath", blocks[2]},
	} {
		t.Run(test.name, func(t *testing.T) {
			state, _, _ := strings.Cut(test.state, "```\n")
			state = strings.NewReplacer("NOTIFIER_FUNCTION_ARN", invoke.FunctionARN("notifier"), "NEXT_STATE", "Next").Replace(state)
			runPastedState(t, `{"QueryLanguage":"`+test.language+`","StartAt":"Notify","States":{"Notify":`+state+`,"Next":{"Type":"Succeed"}}}`)
		})
	}
}

// runPastedState runs a workflow whose first state is a notify state, with a notifier that accepts the message and with one that fails.
func runPastedState(t *testing.T, definition string) {
	t.Helper()
	const input = `{"fileName":"f.png","jobId":"j1","userId":"u1"}`
	for name, notifier := range map[string]func(json.RawMessage) error{
		"the notifier accepts it": func(request json.RawMessage) error {
			in, err := notify.Decode(request)
			if err != nil || in.UserID != "u1" {
				t.Errorf("the request %s is refused: %v", request, err)
			}
			return nil
		},
		"the notifier fails": func(json.RawMessage) error { return notify.DeliveryError{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lambda := invoke.New(invoke.Config{Functions: map[string]invoke.Function{"notifier": {Handler: notifier}}})
				ended := make(chan states.ExecutionDescription, 1)
				machines, err := states.New(states.Config{
					Machines: map[string][]byte{"m": []byte(definition)}, Lambda: lambda,
					StatusChanged: func(_ context.Context, x states.ExecutionDescription) {
						if !x.StopDate.IsZero() {
							ended <- x
						}
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := machines.StartExecution(t.Context(), states.StartExecutionInput{
					StateMachineArn: states.StateMachineARN("m"), Input: input,
				}); err != nil {
					t.Fatal(err)
				}
				if x := <-ended; x.Status != asl.StatusSucceeded || x.Output != input {
					t.Errorf("%s, output %s (%s %s), want the input passed on", x.Status, x.Output, x.Error, x.Cause)
				}
				if err := errors.Join(machines.Close(t.Context()), lambda.Close(t.Context())); err != nil {
					t.Errorf("close: %v", err)
				}
			})
		})
	}
}
