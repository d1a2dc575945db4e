package states_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/states"
)

func TestValidateStateMachineDefinitionListsWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, client := newClient(t, states.Config{})
	const token = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",` +
		`"Parameters":{"FunctionName":"f","Payload":{"t.$":"$$.Task.Token"}},"End":true}}}`
	for name, tt := range map[string]struct {
		definition     string
		kind           types.StateMachineType
		code, location string
	}{
		"valid":          {passMachine, "", "", ""},
		"no states":      {`{}`, "", "SCHEMA_VALIDATION_FAILED", "/"},
		"token":          {token, types.StateMachineTypeStandard, "", ""},
		"Express":        {token, types.StateMachineTypeExpress, "SCHEMA_VALIDATION_FAILED", "/States/A/Resource"},
		"no JSON":        {`not a definition`, "", "INVALID_JSON_DESCRIPTION", ""},
		"unknown target": {`{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}`, "", "MISSING_TRANSITION_TARGET", "/StartAt"},
	} {
		out, err := client.ValidateStateMachineDefinition(t.Context(), &sfn.ValidateStateMachineDefinitionInput{
			Definition: aws.String(tt.definition), Type: tt.kind,
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tt.code == "" {
			if out.Result != types.ValidateStateMachineDefinitionResultCodeOk || len(out.Diagnostics) != 0 {
				t.Errorf("%s: %+v", name, out)
			}
			continue
		}
		if out.Result != types.ValidateStateMachineDefinitionResultCodeFail || len(out.Diagnostics) == 0 ||
			aws.ToString(out.Diagnostics[0].Code) != tt.code || tt.location != "" && aws.ToString(out.Diagnostics[0].Location) != tt.location ||
			aws.ToString(out.Diagnostics[0].Message) == "" {
			t.Errorf("%s: %+v", name, out)
		}
	}

	two := aws.String(`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"C":{"Type":"Pass","Next":"D"}}}`)
	one, err := client.ValidateStateMachineDefinition(t.Context(), &sfn.ValidateStateMachineDefinitionInput{Definition: two, MaxResults: 1})
	if err != nil || len(one.Diagnostics) != 1 || !aws.ToBool(one.Truncated) {
		t.Errorf("one of two: %+v, %v", one, err)
	}
	_, err = client.ValidateStateMachineDefinition(t.Context(), &sfn.ValidateStateMachineDefinitionInput{Definition: two, MaxResults: 101})
	wiretest.WantCode(t, "101", err, "ValidationException")
	if list, err := client.ListStateMachines(t.Context(), &sfn.ListStateMachinesInput{}); err != nil || len(list.StateMachines) != 0 {
		t.Errorf("%+v, %v; want that nothing is created", list, err)
	}
}
