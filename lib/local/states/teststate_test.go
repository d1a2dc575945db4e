package states_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/states"
)

func TestTestStateRunsOneState(t *testing.T) {
	t.Parallel()
	_, client := newClient(t, states.Config{})
	task := aws.String(`{"QueryLanguage":"JSONata","Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Arguments":{"FunctionName":"f"},` +
		`"Output":"{% $states.result.Payload %}","Catch":[{"ErrorEquals":["Mine"],"Next":"Caught"}],"Next":"After"}`)
	mocked, err := client.TestState(t.Context(), &sfn.TestStateInput{
		Definition: task, InspectionLevel: types.InspectionLevelDebug,
		Mock: &types.MockInput{Result: aws.String(`{"Payload":7}`), FieldValidationMode: types.MockResponseValidationModeNone},
	}, withoutHostPrefix)
	if err != nil || mocked.Status != types.TestExecutionStatusSucceeded || aws.ToString(mocked.Output) != "7" ||
		aws.ToString(mocked.NextState) != "After" || mocked.InspectionData == nil {
		t.Errorf("%+v, %v", mocked, err)
	}
	caught, err := client.TestState(t.Context(), &sfn.TestStateInput{
		Definition: task, Mock: &types.MockInput{ErrorOutput: &types.MockErrorOutput{Error: aws.String("Mine")}},
	}, withoutHostPrefix)
	if err != nil || caught.Status != types.TestExecutionStatusCaughtError || aws.ToString(caught.NextState) != "Caught" {
		t.Errorf("%+v, %v", caught, err)
	}
	_, err = client.TestState(t.Context(), &sfn.TestStateInput{Definition: aws.String(`{"Type":"Nothing"}`)}, withoutHostPrefix)
	wiretest.WantCode(t, "definition", err, "InvalidDefinition")
}
