package mock_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/mock"
)

// answerTwice runs a task of the state twice. Each answer must be JSON or an *asl.Error with a name.
func answerTwice(t *testing.T, tasks asl.Tasks, state string) {
	t.Helper()
	for range 2 {
		output, err := tasks.RunTask(t.Context(), asl.Task{State: state, Resource: "arn:aws:lambda:us-east-1:1:function:f"})
		var failed *asl.Error
		switch {
		case err == nil && !json.Valid(output):
			t.Errorf("%s: the output %q is not JSON", state, output)
		case err != nil && (!errors.As(err, &failed) || failed.Name == ""):
			t.Errorf("%s: got %v, want an error with a name", state, err)
		}
	}
}

// sqsMachine is the definition of AWS's documentation, with one attempt more as its test case RetryPath needs.
const sqsMachine = `{"StartAt":"LambdaState","States":{
	"LambdaState":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"Payload.$":"$","FunctionName":"HelloWorldFunction"},
		"Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":2,"MaxAttempts":3,"BackoffRate":2}],"Next":"SQSState"},
	"SQSState":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/1/q","MessageBody.$":"$"},"End":true}}}`

// outcome is how an execution ended.
type outcome struct {
	result asl.Result
	events []string
}

// text returns the status with the output or the error.
func (o outcome) text() string {
	if o.result.Error != nil {
		return string(o.result.Status) + " " + o.result.Error.Name + " " + o.result.Error.Cause
	}
	return string(o.result.Status) + " " + string(o.result.Output)
}

// run runs an execution of a definition with a test case, in virtual time.
func run(t *testing.T, definition string, c *mock.Case, next asl.Tasks) (o outcome) {
	t.Helper()
	m := machine(t, definition)
	if err := c.Check(m); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		o.result = m.Run(t.Context(), asl.Execution{
			ID: "arn:aws:states:us-east-1:000000000000:execution:m:x", StateMachineID: "arn:aws:states:us-east-1:000000000000:stateMachine:m",
			Tasks: c.Tasks(next), Record: func(e asl.Event) { o.events = append(o.events, e.Type) },
		})
	})
	return o
}

func machine(t *testing.T, definition string) *asl.Machine {
	t.Helper()
	m, err := asl.Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testCase(t *testing.T, text, machine, name string) *mock.Case {
	t.Helper()
	c, err := parse(t, text).Case(machine, name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// caseOf returns the case of a file with one mocked response, for the state A.
func caseOf(t *testing.T, response string) *mock.Case {
	t.Helper()
	return testCase(t, file(response), "m", "c")
}

func TestTestCasesOfTheDocumentationRun(t *testing.T) {
	const sent = `SUCCEEDED {"MD5OfMessageBody":"3bcb6e8e-7h85-4375-b0bc-1a59812c6e51","MessageId":"3bcb6e8e-8b51-4375-b0bc-1a59812c6e51"}`
	for _, test := range []struct {
		name, want string
		failed     int
	}{
		{"HappyPath", sent, 0}, {"RetryPath", sent, 3},
		{"HybridPath", "FAILED ResourceNotServed Nobody serves the resource arn:aws:states:::sqs:sendMessage here.", 1},
	} {
		o := run(t, sqsMachine, testCase(t, documented, "LambdaSQSIntegration", test.name), nil)
		failed := len(slices.DeleteFunc(slices.Clone(o.events), func(e string) bool { return e != "TaskFailed" }))
		if o.text() != test.want || failed != test.failed {
			t.Errorf("%s: got %s with %d failed tasks, want %s with %d", test.name, o.text(), failed, test.want, test.failed)
		}
	}
}

// countingTasks counts the tasks that it runs.
type countingTasks struct {
	mu    sync.Mutex
	tasks []string
}

func (r *countingTasks) RunTask(_ context.Context, task asl.Task) (json.RawMessage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks = append(r.tasks, task.State)
	return []byte(`"real"`), nil
}

func TestStatesWithoutAMockRunForReal(t *testing.T) {
	next := &countingTasks{}
	o := run(t, sqsMachine, testCase(t, documented, "LambdaSQSIntegration", "HybridPath"), next)
	if o.text() != `SUCCEEDED "real"` || !slices.Equal(next.tasks, []string{"SQSState"}) {
		t.Errorf("got %s, and for real %v", o.text(), next.tasks)
	}
}

func TestEveryIntegrationIsMocked(t *testing.T) {
	const states = "arn:aws:states:::"
	task := []string{"TaskScheduled", "TaskStarted", "TaskSucceeded"}
	submitted := []string{"TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"}
	for _, test := range []struct {
		resource, returns string
		events            []string
	}{
		{states + "lambda:invoke", `{"ExecutedVersion":"$LATEST","StatusCode":200,"Payload":{"a":[1,2.5,"x"]}}`, task},
		{states + "lambda:invoke.waitForTaskToken", `"string-literal"`, submitted},
		{"arn:aws:lambda:us-east-1:000000000000:function:f", `[1]`, []string{"LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded"}},
		{"arn:aws:states:us-east-1:000000000000:activity:a", `{"done":true}`, []string{"ActivityScheduled", "ActivityStarted", "ActivitySucceeded"}},
		{states + "sqs:sendMessage", `{"MessageId":"1"}`, task},
		{states + "sqs:sendMessage.waitForTaskToken", `null`, submitted},
		{states + "sns:publish", `{"MessageId":"1"}`, task},
		{states + "events:putEvents", `{"Entries":[{"EventId":"1"}],"FailedEntryCount":0}`, task},
		{states + "dynamodb:getItem", `{"Item":{"id":{"S":"1"}}}`, task},
		{states + "dynamodb:putItem", `{}`, task},
		{states + "ecs:runTask.sync", `{"Containers":[],"LastStatus":"STOPPED"}`, submitted},
		{states + "ecs:runTask.waitForTaskToken", `{"a":1}`, submitted},
		{states + "batch:submitJob.sync", `{"Status":"SUCCEEDED"}`, submitted},
		{states + "glue:startJobRun.sync", `{"JobRunState":"SUCCEEDED"}`, submitted},
		{states + "codebuild:startBuild.sync", `{"Build":{}}`, submitted},
		{states + "athena:startQueryExecution.sync", `{"QueryExecution":{}}`, submitted},
		{states + "sagemaker:createTrainingJob.sync", `{}`, submitted},
		{states + "bedrock:invokeModel", `{"Body":{},"ContentType":"application/json"}`, task},
		{states + "http:invoke", `{"Headers":{},"ResponseBody":{"ok":true},"StatusCode":200,"StatusText":"OK"}`, task},
		{states + "apigateway:invoke", `{"ApiEndpoint":"e","ResponseBody":[],"StatusCode":200}`, task},
		{states + "aws-sdk:s3:getObject", `{"Body":"text"}`, task},
		{states + "aws-sdk:comprehend:detectSentiment", `{"Sentiment":"POSITIVE"}`, task},
		{states + "states:startExecution", `{"ExecutionArn":"e","StartDate":1}`, task},
		{states + "states:startExecution.sync", `{"Output":"{}","Status":"SUCCEEDED"}`, submitted},
		{states + "states:startExecution.sync:2", `{"Output":{"a":1},"Status":"SUCCEEDED"}`, submitted},
		{states + "states:startExecution.waitForTaskToken", `7`, submitted},
	} {
		for _, language := range []string{"JSONPath", "JSONata"} {
			definition := `{"QueryLanguage":"` + language + `","StartAt":"A","States":{"A":{"Type":"Task","Resource":"` + test.resource + `","End":true}}}`
			o := run(t, definition, caseOf(t, `{"0":{"Return":`+test.returns+`}}`), nil)
			want := slices.Concat([]string{"ExecutionStarted", "TaskStateEntered"}, test.events, []string{"TaskStateExited", "ExecutionSucceeded"})
			if o.text() != "SUCCEEDED "+test.returns || !slices.Equal(o.events, want) {
				t.Errorf("%s, %s: got %s with\n%v, want\n%v", test.resource, language, o.text(), o.events, want)
			}
		}
	}
}

func TestAFailedJobWasSubmittedBefore(t *testing.T) {
	definition := `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::ecs:runTask.sync","End":true}}}`
	o := run(t, definition, caseOf(t, `{"0":{"Throw":{"Error":"States.TaskFailed","Cause":"exit 1"}}}`), nil)
	want := []string{"ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskFailed", "ExecutionFailed"}
	if o.text() != "FAILED States.TaskFailed exit 1" || !slices.Equal(o.events, want) {
		t.Errorf("got %s with %v", o.text(), o.events)
	}
}

func TestTheResultOfAFunctionIsAlsoTheAnswerOfInvoke(t *testing.T) {
	for returns, want := range map[string]string{
		`{"StatusCode":200,"Payload":{"a":1}}`:                    `{"a":1}`,
		`{"Payload":null,"StatusCode":200,"ExecutedVersion":"1"}`: `null`,
		`{"Payload":{"a":1}}`:                                     `{"Payload":{"a":1}}`,
		`{"StatusCode":200,"Payload":1,"body":2}`:                 `{"StatusCode":200,"Payload":1,"body":2}`,
		`{"StatusCode":200,"body":"b"}`:                           `{"StatusCode":200,"body":"b"}`,
		`{"Payload":1,"Other":2}`:                                 `{"Payload":1,"Other":2}`,
		`"Payload"`:                                               `"Payload"`,
		`{"a":12345678901234567890,"b":1.50,"c":{}}`:              `{"a":12345678901234567890,"b":1.5,"c":{}}`,
	} {
		definition := `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:1:function:f:1","End":true}}}`
		if got := run(t, definition, caseOf(t, `{"0":{"Return":`+returns+`}}`), nil).text(); got != "SUCCEEDED "+want {
			t.Errorf("%s: got %s, want %s", returns, got, want)
		}
	}
}

func TestFieldsOfTheStateApplyToTheMockedResult(t *testing.T) {
	const invoke = `"Type":"Task","Resource":"arn:aws:states:::lambda:invoke"`
	for _, test := range []struct{ name, state, want string }{
		{"ResultSelector and ResultPath", `"ResultSelector":{"b.$":"$.Payload.b"},"ResultPath":"$.r","OutputPath":"$.r.b"`, `5`},
		{"ResultPath null", `"ResultPath":null`, `{}`},
		{"Output and Assign", `"QueryLanguage":"JSONata","Assign":{"v":"{% $states.result.Payload.b %}"},"Output":"{% $states.result.Payload.b + 1 %}"`, `6`},
	} {
		o := run(t, `{"StartAt":"A","States":{"A":{`+invoke+`,`+test.state+`,"End":true}}}`,
			caseOf(t, `{"0":{"Return":{"StatusCode":200,"Payload":{"b":5}}}}`), nil)
		if o.text() != "SUCCEEDED "+test.want {
			t.Errorf("%s: got %s, want %s", test.name, o.text(), test.want)
		}
	}
}

func TestCatchHandlesAThrow(t *testing.T) {
	const throws = `{"0":{"Throw":{"Error":"My.Error","Cause":"why"}}}`
	for _, state := range []string{
		`"Catch":[{"ErrorEquals":["My.Error"],"ResultPath":"$","Next":"B"}]`,
		`"QueryLanguage":"JSONata","Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $states.errorOutput %}","Next":"B"}]`,
	} {
		o := run(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sns:publish",`+state+`,"End":true},"B":{"Type":"Succeed"}}}`,
			caseOf(t, throws), nil)
		if o.text() != `SUCCEEDED {"Error":"My.Error","Cause":"why"}` {
			t.Errorf("%s: got %s", state, o.text())
		}
	}
}

// loop calls A until it returns 2.
const loop = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke",
		"Retry":[{"ErrorEquals":["Again"]}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"Caught"}],"Next":"Enough"},
	"Enough":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":2,"Next":"Done"}],"Default":"A"},"Done":{"Type":"Succeed"},"Caught":{"Type":"Succeed"}}}`

func TestInvocationsCountOverRetriesAndLoops(t *testing.T) {
	c := caseOf(t, `{"0":{"Return":0},"1-2":{"Throw":{"Error":"Again","Cause":"c"}},"3":{"Return":1},"4":{"Return":2}}`)
	for range 2 { // Each execution counts anew.
		o := run(t, loop, c, nil)
		entered := len(slices.DeleteFunc(slices.Clone(o.events), func(e string) bool { return e != "TaskScheduled" }))
		if o.text() != "SUCCEEDED 2" || entered != 5 {
			t.Errorf("got %s after %d invocations", o.text(), entered)
		}
	}
}

func TestAMissingInvocationFailsTheExecution(t *testing.T) {
	for response, number := range map[string]int{`{"0-1":{"Return":0}}`: 2, `{}`: 0} {
		o := run(t, loop, caseOf(t, response), nil) // Catch has States.ALL.
		want := fmt.Sprintf("FAILED States.Runtime The mocked response 'r' of the state 'A' has no invocation %d, in the test case 'c' of the state machine 'm'.", number)
		if o.text() != want {
			t.Errorf("got  %s\nwant %s", o.text(), want)
		}
	}
}

func TestNothingHandlesAThrownStatesRuntime(t *testing.T) {
	if got := run(t, loop, caseOf(t, `{"0":{"Throw":{"Error":"States.Runtime","Cause":"c"}}}`), nil).text(); got != "FAILED States.Runtime c" {
		t.Errorf("got %s", got)
	}
}

func TestStatesInsideMapAndParallelAreMocked(t *testing.T) {
	const inner = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","End":true}}}`
	for _, test := range []struct{ state, want string }{
		{`"Type":"Map","MaxConcurrency":1,"ItemProcessor":` + inner, `[0,1,1]`},
		{`"Type":"Map","MaxConcurrency":1,"Label":"l","ItemProcessor":` + strings.Replace(inner, `{`, `{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},`, 1), `[0,1,1]`},
		{`"Type":"Parallel","Branches":[` + inner + `,{"StartAt":"B","States":{"B":{"Type":"Pass","Result":"b","End":true}}}]`, `[0,"b"]`},
	} {
		definition := `{"StartAt":"Items","States":{"Items":{"Type":"Pass","Result":[7,8,9],"Next":"M"},"M":{` + test.state + `,"End":true}}}`
		o := run(t, definition, caseOf(t, `{"0":{"Return":0},"1-2":{"Return":1}}`), nil)
		if o.text() != "SUCCEEDED "+test.want {
			t.Errorf("%s: got %s, want %s", test.state, o.text(), test.want)
		}
	}
}

func TestConcurrentIterationsGetEachAnswerOnce(t *testing.T) {
	const n = 200
	answers := make([]string, n)
	for i := range answers {
		answers[i] = fmt.Sprintf(`"%d":{"Return":%d}`, i, i)
	}
	definition := `{"QueryLanguage":"JSONata","StartAt":"M","States":{"M":{"Type":"Map","Items":"{% [1..200] %}","ItemProcessor":{
		"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","End":true}}},"Output":"{% $sum($states.result) %}","End":true}}}`
	o := run(t, definition, caseOf(t, "{"+strings.Join(answers, ",")+"}"), nil)
	if o.text() != fmt.Sprintf("SUCCEEDED %d", n*(n-1)/2) {
		t.Errorf("got %s", o.text())
	}
}

func TestCheckNamesStatesThatCannotBeMocked(t *testing.T) {
	c := testCase(t, `{"StateMachines":{"m":{"TestCases":{"c":{"A":"r","Enough":"r","Gone":"r"}}}},"MockedResponses":{"r":{}}}`, "m", "c")
	const want = "mock: test case 'c' of the state machine 'm': the state 'Enough' is a Choice state, and only a Task state can be mocked; " +
		"the definition has no state 'Gone'"
	if err := c.Check(machine(t, loop)); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := caseOf(t, `{}`).Check(machine(t, loop)); err != nil {
		t.Error(err)
	}
}
