package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/asltest"
	"github.com/herald-progress/herald/lib/message"
)

// newPipeline returns a stack with a Pipeline whose props are those of hs256.
func newPipeline(t *testing.T) (awscdk.Stack, *pipeline.Pipeline) {
	t.Helper()
	stack := awscdk.NewStack(newApp(t), jsii.String("Shop"), nil)
	props := hs256().Props
	props.FunctionsDir = stubFunctions(t)
	p, err := pipeline.New(stack, "Herald", props)
	if err != nil {
		t.Fatal(err)
	}
	return stack, p
}

// thumbnails is the notify state of statemachines/README.md.
func thumbnails() pipeline.NotifyProps {
	return pipeline.NotifyProps{Type: message.TypeUploadProgress, Data: map[string]any{
		"uploadId": "{% $states.input.jobId %}", "fileName": "{% $states.input.fileName %}", "progress": 40, "message": "Making thumbnails",
	}}
}

// definitionOf returns the definition of the only state machine of a template whose logical id starts with prefix. The ARN of the notifier is
// replaced by arn.
func definitionOf(t *testing.T, template template, prefix, arn string) string {
	t.Helper()
	definition := valueText(lookUp(template.one(t, "AWS::StepFunctions::StateMachine", prefix).properties, "DefinitionString"))
	start := strings.Index(definition, "<HeraldNotifier")
	if start < 0 {
		t.Fatalf("no notifier in %s", definition)
	}
	reference, _, _ := strings.Cut(definition[start:], ">")

	return strings.NewReplacer(reference+">", arn, "<AWS::Partition>", "aws").Replace(definition)
}

// arnInREADME is what a reader replaces in the state of statemachines/README.md.
const arnInREADME = "NOTIFIER_FUNCTION_ARN"

func TestNotifyTaskIsTheStateOfTheREADME(t *testing.T) {
	page, err := os.ReadFile("../../statemachines/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```json\n")
	text, _, _ = strings.Cut(text, "```")
	var want map[string]any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	stack, p := newPipeline(t)
	task, err := p.NotifyTask(stack, "Tell", thumbnails())
	if err != nil {
		t.Fatal(err)
	}
	task.Next(awsstepfunctions.Pass_Jsonata(stack, jsii.String("NEXT_STATE"), nil))
	awsstepfunctions.NewStateMachine(stack, jsii.String("Flow"), &awsstepfunctions.StateMachineProps{
		DefinitionBody: awsstepfunctions.DefinitionBody_FromChainable(task),
	})
	template := decode(t, stack)
	var got struct{ States map[string]map[string]any }
	if err := json.Unmarshal([]byte(definitionOf(t, template, "Flow", arnInREADME)), &got); err != nil {
		t.Fatal(err)
	}
	// The chain's next state is known when it is complete, so an error leads to a state that leads there.
	if next := got.States["Tell failed"]["Next"]; next != "NEXT_STATE" {
		t.Errorf("after an error the workflow goes on with %v", next)
	}
	lookUp(want["Catch"], 0).(map[string]any)["Next"] = "Tell failed"
	if diff := cmp.Diff(want, got.States["Tell"]); diff != "" {
		t.Errorf("the state differs from the page's (-page +state):\n%s", diff)
	}
	allowed := strings.Join(rolePermissions(template)["FlowRole"], "\n")
	if !strings.Contains(allowed, "lambda:InvokeFunction <HeraldNotifierFunction.Arn>") {
		t.Errorf("the workflow may not call the notifier: %s", allowed)
	}
}

func TestNotifyTaskPassesItsInputOnWhateverTheNotifierSays(t *testing.T) {
	stack, p := newPipeline(t)
	props := thumbnails()
	props.OuterIndex, props.Execution = "{% $states.input.album %}", "{% $states.input.parent %}"
	props.Part = map[string]any{"id": "{% $states.input.album %}", "done": 1, "total": 2}
	task, err := p.NotifyTask(stack, "Tell", props)
	if err != nil {
		t.Fatal(err)
	}
	awsstepfunctions.NewStateMachine(stack, jsii.String("Flow"), &awsstepfunctions.StateMachineProps{
		DefinitionBody: awsstepfunctions.DefinitionBody_FromChainable(task), // it ends here, in both cases
		QueryLanguage:  awsstepfunctions.QueryLanguage_JSONATA,
	})
	machine := asltest.Machine{
		Name:       "flow",
		Definition: []byte(definitionOf(t, decode(t, stack), "Flow", "arn:aws:lambda:us-east-1:123456789012:function:notifier")),
	}
	const input = `{"userId": "u1", "jobId": "j", "fileName": "f.csv", "album": "7", "parent": "P"}`
	for _, tt := range []struct {
		name    string
		task    asl.Tasks
		states  []string
		retries int
	}{
		{"it delivers", asltest.Return(`{"stored": true}`), []string{"Tell"}, 0},
		{"it fails", asltest.Fail("StoreError", ""), []string{"Tell", "Tell failed"}, 2},
		{"the message is invalid", asltest.Fail("InvalidMessage", ""), []string{"Tell", "Tell failed"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			machine.Tasks = asltest.Tasks{"notifier": tt.task}
			run := asltest.Run(t, machine, input)
			run.WantOutput(input)
			if diff := cmp.Diff(tt.states, run.States()); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
			run.WantRetries("Tell", tt.retries)
			payload := string(run.Calls("notifier")[0].Arguments)
			for _, want := range []string{
				`"userId":"u1"`, `"execution":"P"`, `/7"`, `"uploadId":"j"`, `"part":{`, `"id":"7"`, `"done":1`, `#0"`,
			} {
				if !strings.Contains(payload, want) {
					t.Errorf("%s is not in the request %s", want, payload)
				}
			}
		})
	}
}

func TestNotifyTaskRefusesWhatTheNotifierWould(t *testing.T) {
	stack, p := newPipeline(t)
	for _, tt := range []struct {
		name, want string
		kind       message.Type
		data       map[string]any
	}{
		{"no type", "type must be", "", map[string]any{}},
		{"a control frame", "type must be", message.TypePong, map[string]any{}},
		{"a missing field", "data.title is required", message.TypeJobProgress, map[string]any{"jobId": "j", "progress": 1, "message": "m"}},
		{"a misspelt field", "data.titel is not a known field", message.TypeNotification, map[string]any{
			"titel": "{% $states.input.title %}", "title": "t", "message": "m", "severity": "info",
		}},
		{"progress over 100", "data.progress", message.TypeJobProgress, map[string]any{"jobId": "j", "title": "t", "progress": 101, "message": "m"}},
		{"text for a number", "data.progress", message.TypeJobProgress, map[string]any{"jobId": "{% $j %}", "title": "t", "progress": "half", "message": "m"}},
		{"no JSON", "encode data", message.TypeError, map[string]any{"code": make(chan int)}},
	} {
		if _, err := p.NotifyTask(stack, tt.name, pipeline.NotifyProps{Type: tt.kind, Data: tt.data}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for i, data := range []map[string]any{
		{"title": "{% $a %}", "message": "{% $b %}", "severity": "{% $c %}", "actionUrl": "{% $d %}"},
		{"title": "t", "message": "m", "severity": "warning"},
	} {
		if _, err := p.NotifyTask(stack, "valid "+string(rune('0'+i)), pipeline.NotifyProps{Type: message.TypeNotification, Data: data}); err != nil {
			t.Error(err)
		}
	}
	for i, status := range []any{"{% $s %}", "running"} {
		if _, err := p.NotifyTask(stack, "job "+string(rune('0'+i)), pipeline.NotifyProps{Type: message.TypeUploadProgress, Data: map[string]any{
			"uploadId": "{% $a %}", "fileName": "{% $b %}", "progress": "{% $c %}", "message": "{% $d %}", "status": status,
			"attempt": "{% $e %}", "of": "{% $f %}", "currentRow": "{% $g %}", "phase": "{% $h %}",
		}}); err != nil {
			t.Error(err)
		}
	}
}

// TestNotifyTaskTakesExpressionsInAllFields has each optional field as an expression, with what it needs beside it.
func TestNotifyTaskTakesExpressionsInAllFields(t *testing.T) {
	stack, p := newPipeline(t)
	for i, more := range []map[string]any{
		{"steps": "{% $s %}"},
		{"expectEvery": "{% $s %}"},
		{"expectEvery": "{% $s %}", "endAfter": "{% $e %}"},
		{"expectEvery": 60, "endAfter": "{% $e %}"},
		{"status": "succeeded", "result": "{% $r %}"},
		{"status": "{% $s %}", "result": "https://example.com/list.csv"},
		{"status": "{% $s %}", "result": "{% $r %}", "steps": "{% $t %}", "failedRows": "{% $f %}", "totalRows": "{% $n %}"},
	} {
		data := map[string]any{"jobId": "j", "title": "t", "progress": 1, "message": "m"}
		maps.Copy(data, more)
		if _, err := p.NotifyTask(stack, fmt.Sprint("valid ", i), pipeline.NotifyProps{Type: message.TypeJobProgress, Data: data}); err != nil {
			t.Error(err)
		}
		data["progress"] = 101
		if _, err := p.NotifyTask(stack, fmt.Sprint("invalid ", i), pipeline.NotifyProps{Type: message.TypeJobProgress, Data: data}); err == nil ||
			!strings.Contains(err.Error(), "data.progress") {
			t.Errorf("%v: error %v", data, err)
		}
	}
}

// TestNotifyTaskChecksTheRequest: what surrounds the message has rules, too.
func TestNotifyTaskChecksTheRequest(t *testing.T) {
	const execution = "arn:aws:states:eu-west-1:123456789012:execution:parent:1"
	state := map[string]any{"jobId": "j", "title": "t", "progress": 1, "message": "m"}
	end := map[string]any{"jobId": "j", "title": "t", "progress": 100, "message": "m", "status": "succeeded", "result": "results/ZGV2/out.csv"}
	stack, p := newPipeline(t)
	for want, props := range map[string]pipeline.NotifyProps{
		"part.nonsense is not a known field": {Data: state, Part: map[string]any{"id": "1", "done": 1, "total": 2, "nonsense": 1}},
		"part.id is required":                {Data: state, Part: map[string]any{"done": "{% $d %}", "total": 2}},
		"part.done must be":                  {Data: state, Part: map[string]any{"id": "{% $i %}", "done": 3, "total": 2}},
		"part.total must be":                 {Data: state, Part: map[string]any{"id": "1", "done": "{% $d %}", "total": 0}},
		"part.from, part.to must be":         {Data: state, Part: map[string]any{"id": "1", "done": 1, "total": 2, "from": 101, "to": "{% $t %}"}},
		"part must not come with a terminal": {Data: end, Part: map[string]any{"id": "1", "done": 2, "total": 2}},
		"part is only for the state":         {Type: message.TypeNotification, Data: map[string]any{"title": "t", "message": "m", "severity": "info"}, Part: map[string]any{"id": "1", "done": 1, "total": 2}},
		"userId must":                        {Data: state, UserID: strings.Repeat("u", message.MaxUserID+1)},
		"execution must":                     {Data: state, Execution: "parent"},
		"data.result must":                   {Data: end, UserID: "ada"},
		"encode part":                        {Data: state, Part: map[string]any{"id": make(chan int)}},
	} {
		if props.Type == "" {
			props.Type = message.TypeJobProgress
		}
		if _, err := p.NotifyTask(stack, want, props); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for i, props := range []pipeline.NotifyProps{
		{Data: end},
		{Data: end, UserID: "dev"},
		{Data: end, UserID: "{% $u %}", Execution: execution},
		{Data: state, Execution: "{% $e %}", Part: map[string]any{"id": "{% $i %}", "done": "{% $d %}", "total": "{% $t %}", "failed": "{% $f %}", "from": "{% $a %}", "to": "{% $b %}"}},
		{Data: state, Part: map[string]any{"id": "1", "done": "{% $d %}", "total": 7, "failed": 7, "from": 50, "to": "{% $b %}"}},
		{Data: state, Part: map[string]any{"id": "1", "done": 7, "total": "{% $t %}", "failed": "{% $f %}", "from": "{% $a %}", "to": 50}},
	} {
		props.Type = message.TypeJobProgress
		if _, err := p.NotifyTask(stack, fmt.Sprint("valid ", i), props); err != nil {
			t.Errorf("%+v: %v", props, err)
		}
	}
}

func TestGrantNotifyGivesAWorkerItsRightsAndTheName(t *testing.T) {
	stack, p := newPipeline(t)
	worker := awslambda.NewFunction(stack, jsii.String("Worker"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_NODEJS_22_X(), Handler: jsii.String("index.handler"), Code: awslambda.Code_FromInline(jsii.String("x")),
	})
	p.GrantNotify(worker)
	template := decode(t, stack)
	name := lookUp(template.one(t, "AWS::Lambda::Function", "Worker").properties, "Environment", "Variables", "NOTIFIER_FUNCTION_NAME")
	if got := withoutCDKHashes(name); got != "<HeraldNotifierFunction>" {
		t.Errorf("NOTIFIER_FUNCTION_NAME is %s", got)
	}
	if got := rolePermissions(template)["WorkerServiceRole"]; !cmp.Equal(got, []string{"lambda:InvokeFunction <HeraldNotifierFunction.Arn>"}) {
		t.Errorf("the worker may %q", got)
	}
}

func TestMetricsAreThoseOfTheNotifierAndTheQueues(t *testing.T) {
	_, p := newPipeline(t)
	for want, metric := range map[string]interface{ MetricName() *string }{
		"Invocations": p.MetricInvocations(nil), "Errors": p.MetricErrors(nil), "Throttles": p.MetricThrottles(nil), "Duration": p.MetricDuration(nil),
		"ApproximateNumberOfMessagesVisible": p.MetricDeadLetters("SweeperDeadLetters", nil),
	} {
		if got := *metric.MetricName(); got != want {
			t.Errorf("the metric is %s, want %s", got, want)
		}
	}
	if p.MetricDeadLetters("OtherDeadLetters", nil) != nil {
		t.Error("a queue that the stack does not have has a metric")
	}
}

func TestStagesShareNoName(t *testing.T) {
	app := newApp(t)
	seen := map[string]string{}
	for _, id := range []string{"Test", "Production"} {
		stage := awscdk.NewStage(app, jsii.String(id), nil)
		stack := awscdk.NewStack(stage, jsii.String("Shop"), nil)
		props := hs256().Props
		props.FunctionsDir = stubFunctions(t)
		if _, err := pipeline.New(stack, "Progress", props); err != nil {
			t.Fatal(err)
		}
		for _, name := range named(t, decode(t, stack)) {
			if other, shared := seen[name]; shared {
				t.Errorf("%s is in the stages %s and %s", name, other, id)
			}
			seen[name] = id
		}
	}
	if _, ok := seen["AWS::DynamoDB::Table Test-Shop-Progress_websocket_feed"]; !ok {
		t.Errorf("the table is not named after its stack and construct: %v", seen)
	}
}
