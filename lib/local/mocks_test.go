package local_test

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/mock"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/logtest"
)

// queue is a definition whose task nobody serves.
const queue = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{},"End":true}}}`

// mocksFor returns a mock configuration file that answers the task of queue, the workflow mine, with a text.
func mocksFor(text string) string {
	return `{"StateMachines":{"mine":{"TestCases":{"Sent":{"A":"r"},"Gone":{"B":"r"}}}},"MockedResponses":{"r":{"0":{"Return":"` + text + `"}}}}`
}

// TestAMockFileIsLoadedAnew changes the mock configuration file while the twin runs.
func TestAMockFileIsLoadedAnew(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "mocks.json")
	writeFile(t, file, mocksFor("one"))
	out := &logtest.Buffer{}
	twin, ended := startWithEnds(t, local.Config{StateMachines: map[string]string{"mine": queue}, MockFile: file, Output: out})
	start := func(testCase string) error {
		_, err := sfn.NewFromConfig(twin.AWSConfig()).StartExecution(t.Context(), &sfn.StartExecutionInput{
			StateMachineArn: aws.String(states.StateMachineARN("mine") + "#" + testCase),
		})
		return err
	}
	returns := func(want string) {
		t.Helper()
		if err := start("Sent"); err != nil {
			t.Fatal(err)
		}
		if x := <-ended; x.Output != want {
			t.Errorf("%s %s %s: %s, want %s", x.Status, x.Error, x.Cause, x.Output, want)
		}
	}
	returns(`"one"`)
	writeFile(t, file, mocksFor("two"))
	out.WaitFor(t, "mocks: loaded "+file+" anew\n")
	returns(`"two"`)
	writeFile(t, file, strings.ReplaceAll(mocksFor("three"), "Return", "Retrun"))
	out.WaitFor(t, "mocks: the changed "+file+" is wrong, the test cases before go on: ")
	out.WaitFor(t, "/MockedResponses/r/0/Retrun: The field is not supported; the fields are Return and Throw")
	returns(`"two"`)
	wiretest.WantCode(t, "a state that the definition does not have", start("Gone"), "ValidationException")
}

func TestAWrongMockFileIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "mocks.json")
	for text, want := range map[string]string{
		"": "no such file or directory", "{": "mocks: " + file + ": mock: invalid file: parse JSON: unexpected end of JSON input",
		strings.Repeat(" ", 8<<20+1): "the file is larger than 8388608 bytes",
	} {
		if text != "" {
			writeFile(t, file, text)
		}
		path := file
		if text == "" {
			path = file + "2"
		}
		twin, err := local.Start(t.Context(), local.Config{MockFile: path})
		if err == nil {
			_ = twin.Close(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// mocksProgram starts test cases with boto3. Its arguments are the endpoint and the ARN of a workflow.
const mocksProgram = `
import sys, time, boto3
client = boto3.client("stepfunctions", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
arn = client.start_execution(stateMachineArn=sys.argv[2] + "#Sent", name="happy")["executionArn"]
assert arn == sys.argv[2].replace(":stateMachine:", ":execution:") + ":happy", arn
while (x := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
    time.sleep(0.05)
assert x["output"] == '"mocked"' and x["stateMachineArn"] == sys.argv[2], x
kinds = [e["type"] for e in client.get_execution_history(executionArn=arn)["events"]]
assert kinds == ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"], kinds
try:
    client.start_execution(stateMachineArn=sys.argv[2] + "#Unknown")
    raise SystemExit("an unknown test case is started")
except client.exceptions.ValidationException as e:
    assert "has no test case 'Unknown'; it has 'Gone', 'Sent'" in str(e), e
`

func TestBoto3StartsTestCases(t *testing.T) {
	python := cmp.Or(os.Getenv("BOTO3_PYTHON"), "python3")
	if err := exec.CommandContext(t.Context(), python, "-c", "import boto3").Run(); err != nil {
		t.Skipf("%s has no boto3; set BOTO3_PYTHON to a Python that has it", python)
	}
	file := filepath.Join(t.TempDir(), "mocks.json")
	writeFile(t, file, mocksFor("mocked"))
	twin, _ := startWithEnds(t, local.Config{StateMachines: map[string]string{"mine": queue}, MockFile: file})
	out, err := exec.CommandContext(t.Context(), python, "-c", mocksProgram, twin.Endpoint(), states.StateMachineARN("mine")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTheMocksInTheREADMEFitTheWorkflow checks the mock file of testdata/workflow, and what statemachines/README.md shows of it.
func TestTheMocksInTheREADMEFitTheWorkflow(t *testing.T) {
	readme, err := os.ReadFile("../../statemachines/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(readme), "### Mocks: ")
	_, shown, _ = strings.Cut(shown, "```json\n")
	shown, _, _ = strings.Cut(shown, "```")
	file, err := os.ReadFile("../../testdata/workflow/album.mocks.json")
	if err != nil {
		t.Fatal(err)
	}
	definition, err := os.ReadFile("../../testdata/workflow/album.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	machine, err := asl.Parse(regexp.MustCompile(`\$\{\w+\}`).ReplaceAll(definition, []byte("arn:aws:lambda:us-east-1:000000000000:function:f")))
	if err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct{ text, testCase string }{{string(file), "Busy"}, {string(file), "NoMemory"}, {shown, "NoMemory"}} {
		mocks, err := mock.Parse([]byte(test.text))
		if err != nil {
			t.Fatal(err)
		}
		c, err := mocks.Case("album", test.testCase)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(machine); err != nil {
			t.Error(err)
		}
		synctest.Test(t, func(t *testing.T) { // The state Resize waits before it tries again.
			result := machine.Run(t.Context(), asl.Execution{
				ID: "arn:aws:states:us-east-1:000000000000:execution:album:x", Input: []byte(`{"userId":"dev","jobId":"a"}`), Tasks: c.Tasks(album{}),
			})
			if want := map[string]asl.Status{"Busy": asl.StatusSucceeded, "NoMemory": asl.StatusFailed}[test.testCase]; result.Status != want {
				t.Errorf("%s: %s %v", test.testCase, result.Status, result.Error)
			}
		})
	}
}

// album answers as the functions of testdata/workflow that its mocks do not answer.
type album struct{}

func (album) RunTask(_ context.Context, task asl.Task) (json.RawMessage, error) {
	switch task.State {
	case "Plan":
		return []byte(`{"job":{"total":5},"pictures":["1","2","3","4","5"]}`), nil
	case "Finish":
		return []byte(`{"thumbnails":5}`), nil
	default:
		return nil, asl.NotServed(task.Resource)
	}
}
