package states_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/mock"
	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// mocksOf returns a file whose test cases of the state machine m are Sent, which mocks the task of taskMachine, and Gone, which does not
// fit it. The first invocation returns 0, the second fails, and the third returns 2.
func mocksOf(t *testing.T) *mock.File {
	t.Helper()
	file, err := mock.Parse([]byte(`{"StateMachines":{"m":{"TestCases":{"Sent":{"Task":"r"},"Gone":{"Gone":"r"}}}},
		"MockedResponses":{"r":{"0":{"Return":0},"1":{"Throw":{"Error":"Mocked","Cause":"why"}},"2":{"Return":2}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestATestCaseAnswersTheTasksOfAnExecution(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	service, client := newClient(t, states.Config{StatusChanged: ended.add})
	service.SetMocks(mocksOf(t))
	machine := create(t, client, "m", taskMachine("arn:aws:states:::sqs:sendMessage", `,"Arguments":{}`), types.StateMachineTypeStandard)

	out, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(*machine + "#Sent"), Name: aws.String("n")})
	if err != nil || *out.ExecutionArn != states.ExecutionARN("m", "n") {
		t.Fatalf("%+v, %v", out, err)
	}
	ended.nextEnded()
	x, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: out.ExecutionArn})
	if err != nil || x.Status != types.ExecutionStatusSucceeded || aws.ToString(x.Output) != "0" || *x.StateMachineArn != *machine || *x.Name != "n" {
		t.Errorf("%+v, %v", x, err)
	}

	arn := start(t, service, "m", "", "")
	ended.nextEnded()
	if x := describe(t, service, arn); x.Error != asl.ErrorNotServed {
		t.Errorf("without a test case: %+v", x)
	}
}

func TestAnExpressExecutionHasATestCase(t *testing.T) {
	t.Parallel()
	service, client := newClient(t, states.Config{})
	service.SetMocks(mocksOf(t))
	machine := create(t, client, "m", taskMachine("arn:aws:states:::sqs:sendMessage", `,"Arguments":{}`), types.StateMachineTypeExpress)
	for range 2 { // Each execution counts its invocations from 0.
		out, err := client.StartSyncExecution(t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: aws.String(*machine + "#Sent")}, withoutHostPrefix)
		if err != nil || aws.ToString(out.Output) != "0" || *out.StateMachineArn != *machine {
			t.Errorf("%+v, %v", out, err)
		}
	}
	_, err := client.StartSyncExecution(t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: aws.String(*machine + "#No")}, withoutHostPrefix)
	wiretest.WantCode(t, "unknown test case", err, "ValidationException")
}

func TestATestCaseThatCannotBeUsedIsRefused(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	service, client := newClient(t, states.Config{StatusChanged: ended.add})
	create(t, client, "m", passMachine, types.StateMachineTypeStandard)
	create(t, client, "other", passMachine, types.StateMachineTypeStandard)
	refused := func(machine, suffix, code, want string) {
		t.Helper()
		_, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(states.StateMachineARN(machine) + suffix)})
		wiretest.WantCode(t, suffix, err, code)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s%s: got %v, want %s", machine, suffix, err, want)
		}
	}

	refused("m", "#Sent", "ValidationException", "Invalid test case 'Sent': there is no mock configuration file")
	service.SetMocks(mocksOf(t))
	refused("m", "#No", "ValidationException", "Invalid test case 'No': the state machine 'm' has no test case 'No'; it has 'Gone', 'Sent'")
	refused("m", "#", "ValidationException", "has no test case ''")
	refused("m", "#Sent#Sent", "ValidationException", "has no test case 'Sent#Sent'")
	refused("m", "#Gone", "ValidationException", "the definition has no state 'Gone'")
	refused("other", "#Sent", "ValidationException", "the file has no state machine 'other'; it has 'm'")
	refused("unknown", "#Sent", "StateMachineDoesNotExist", "stateMachine:unknown'")
	service.SetMocks(nil)
	refused("m", "#Sent", "ValidationException", "there is no mock configuration file")
	if executions, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: aws.String(states.StateMachineARN("m"))}); err != nil || len(executions.Executions) != 0 {
		t.Errorf("%+v, %v; want no executions", executions, err)
	}
}

func TestARunningExecutionOfAnotherTestCaseHasTheName(t *testing.T) {
	t.Parallel()
	service, client := newClient(t, states.Config{})
	file, err := mock.Parse([]byte(`{"StateMachines":{"m":{"TestCases":{"A":{},"B":{}}}},"MockedResponses":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	service.SetMocks(file)
	machine := create(t, client, "m", waitMachine, types.StateMachineTypeStandard)
	begin := func(suffix string) error {
		_, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(*machine + suffix), Name: aws.String("n")})
		return err
	}
	for range 2 {
		if err := begin("#A"); err != nil {
			t.Fatal(err)
		}
	}
	wiretest.WantCode(t, "another test case", begin("#B"), "ExecutionAlreadyExists")
	wiretest.WantCode(t, "no test case", begin(""), "ExecutionAlreadyExists")
}

func TestMockedInvocationsCountOverARedrive(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	service, client := newClient(t, states.Config{StatusChanged: ended.add})
	service.SetMocks(mocksOf(t))
	twice := `{"StartAt":"First","States":{"First":{"Type":"Pass","Next":"Task"},
		"Task":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Next":"Once"},
		"Once":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":2,"Next":"End"}],"Default":"Task"},"End":{"Type":"Succeed"}}}`
	machine := create(t, client, "m", twice, types.StateMachineTypeStandard)
	out, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(*machine + "#Sent")})
	if err != nil {
		t.Fatal(err)
	}
	if x := ended.nextEnded(); x.Error != "Mocked" || x.Cause != "why" {
		t.Fatalf("%+v", x)
	}
	if _, err := client.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: out.ExecutionArn}); err != nil {
		t.Fatal(err)
	}
	if x := ended.nextEnded(); x.Output != "2" {
		t.Errorf("redriven: %+v", x)
	}
}

func TestANestedExecutionHasATestCaseOfItsOwn(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	service, client := newClient(t, states.Config{StatusChanged: ended.add})
	service.SetMocks(mocksOf(t))
	child := create(t, client, "m", taskMachine("arn:aws:states:::sqs:sendMessage", `,"Arguments":{}`), types.StateMachineTypeStandard)
	create(t, client, "parent", taskMachine("arn:aws:states:::states:startExecution.sync:2",
		`,"Arguments":{"StateMachineArn":"`+*child+`#Sent"},"Output":"{% $states.result.Output %}"`), types.StateMachineTypeStandard)
	start(t, service, "parent", "", "")
	ended.nextEnded()
	if x := ended.nextEnded(); x.Output != "0" || x.StateMachineArn != states.StateMachineARN("parent") {
		t.Errorf("%+v", x)
	}
}

func TestTasksThatATestCaseDoesNotMockRunForReal(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	service, client := newClient(t, states.Config{StatusChanged: ended.add, Lambda: newLambda(t, map[string]invoke.Function{
		"add": {Handler: func(_ context.Context, n int) (int, error) { return n + 1, nil }},
	})})
	service.SetMocks(mocksOf(t))
	machine := create(t, client, "m", `{"StartAt":"Task","States":{"Task":{"Type":"Task","Resource":"arn:aws:states:::dynamodb:getItem","Parameters":{},"Next":"Add"},
		"Add":{"Type":"Task","Resource":"`+invoke.FunctionARN("add")+`","End":true}}}`, types.StateMachineTypeStandard)
	if _, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(*machine + "#Sent")}); err != nil {
		t.Fatal(err)
	}
	if x := ended.nextEnded(); x.Output != "1" {
		t.Errorf("%+v", x)
	}
}
