package states_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// redriven is a workflow whose second state fails unless the function broken succeeds. A Map comes first, whose states have other
// names and variables.
const redriven = `{"QueryLanguage":"JSONata","StartAt":"First","States":{
	"First":{"Type":"Map","Items":[1,2],"ItemProcessor":{"StartAt":"Inner","States":{
		"Inner":{"Type":"Pass","Assign":{"inner":"no"},"Output":"{% $states.input %}","End":true}}},"Assign":{"kept":{"a":[1]}},"Output":{"b":2},"Next":"Second"},
	"Second":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:broken","Output":{
		"kept":"{% $kept %}","input":"{% $states.input %}","result":"{% $states.result %}","count":"{% $states.context.Execution.RedriveCount %}",
		"start":"{% $states.context.Execution.StartTime %}","first":"{% $states.context.Execution.Input.x %}"},"End":true}}}`

func TestARedriveGoesOnFromTheStateThatFailed(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	lambda := newLambda(t, map[string]invoke.Function{"broken": {Handler: func() (string, error) {
		if calls.Add(1) < 3 {
			return "", brokenError{"not yet"}
		}
		return "done", nil
	}}})
	ended := make(statusChanges, 20)
	service := newService(t, states.Config{Lambda: lambda, StatusChanged: ended.add}, map[string]string{"m": redriven})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	arn := aws.String(start(t, service, "m", "", `{"x":7}`))
	first := ended.nextEnded()
	if first.Status != "FAILED" || first.RedriveStatus != "REDRIVABLE" {
		t.Fatalf("%+v", first)
	}
	// The definition of the execution stays.
	if _, err := client.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{
		StateMachineArn: aws.String(states.StateMachineARN("m")), Definition: aws.String(passMachine),
	}); err != nil {
		t.Fatal(err)
	}

	redrive := func(token string) (*sfn.RedriveExecutionOutput, error) {
		return client.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: arn, ClientToken: &token})
	}
	out, err := redrive("a")
	if err != nil || out.RedriveDate == nil {
		t.Fatalf("%+v, %v", out, err)
	}
	if second := ended.nextEnded(); second.Status != "FAILED" || second.RedriveCount != 1 {
		t.Errorf("after the first redrive %+v", second)
	}
	if again, err := redrive("a"); err != nil || !again.RedriveDate.Equal(*out.RedriveDate) || calls.Load() != 2 {
		t.Errorf("the same request again: %+v, %v, %d calls", again, err, calls.Load())
	}
	if _, err := redrive("b"); err != nil {
		t.Fatal(err)
	}
	ended.nextEnded()

	x, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: arn})
	if err != nil || x.Status != types.ExecutionStatusSucceeded || aws.ToInt32(x.RedriveCount) != 2 || x.RedriveDate == nil ||
		x.RedriveStatus != types.ExecutionRedriveStatusNotRedrivable || !x.StartDate.Equal(first.StartDate.Time) {
		t.Errorf("%+v, %v", x, err)
	}
	var output map[string]any
	if err := json.Unmarshal([]byte(aws.ToString(x.Output)), &output); err != nil {
		t.Fatal(err)
	}
	delete(output, "start")
	if text, _ := json.Marshal(output); string(text) != `{"count":2,"first":7,"input":{"b":2},"kept":{"a":[1]},"result":"done"}` {
		t.Errorf("output %s", text)
	}

	history, err := client.GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for i, event := range history.Events {
		if event.Id != int64(i+1) {
			t.Errorf("event %d has the id %d", i+1, event.Id)
		}
		if event.Type == types.HistoryEventTypeExecutionRedriven {
			kinds = append(kinds, string(event.Type), string(history.Events[i-1].Type), string(history.Events[i+1].Type))
		}
	}
	if got := strings.Join(kinds, " "); got != strings.Repeat("ExecutionRedriven ExecutionFailed TaskStateEntered ", 2)[:len(got)] || len(kinds) != 6 {
		t.Errorf("redrives in the history: %s", got)
	}
	_, err = redrive("c")
	wiretest.WantCode(t, "succeeded", err, "ExecutionNotRedrivable")
}

func TestOnlyExecutionsThatFailedAreRedriven(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	service := newService(t, states.Config{StatusChanged: ended.add}, map[string]string{"wait": waitMachine})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	arn := aws.String(start(t, service, "wait", "", ""))
	redrive := func(arn *string) error {
		_, err := client.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: arn})
		return err
	}
	wiretest.WantCode(t, "running", redrive(arn), "ExecutionNotRedrivable")
	wiretest.WantCode(t, "unknown", redrive(aws.String(*arn+"2")), "ExecutionDoesNotExist")
	for range 3 { // A redriven execution can be stopped, and redriven again.
		if _, err := client.StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: arn}); err != nil {
			t.Fatal(err)
		}
		if x := describe(t, service, *arn); x.Status != "ABORTED" {
			t.Errorf("stopped: %+v", x)
		}
		if err := redrive(arn); err != nil {
			t.Error(err)
		}
		if x := describe(t, service, *arn); x.Status != "RUNNING" || !x.StopDate.IsZero() {
			t.Errorf("redriven: %+v", x)
		}
	}
}

func redrive(t *testing.T, client *sfn.Client, execution string) {
	t.Helper()
	if _, err := client.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &execution}); err != nil {
		t.Fatal(err)
	}
}

// TestARedrivenExecutionIsThereAfterARestart checks that an execution has one record and its whole history after two redrives and a restart,
// and that it keeps its place in the list.
func TestARedrivenExecutionIsThereAfterARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	ended := make(statusChanges, 20)
	service := newService(t, states.Config{Store: openStore(t, path), StatusChanged: ended.add}, map[string]string{"m": failMachine})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	arn := start(t, service, "m", "first", "")
	ended.nextEnded()
	start(t, service, "m", "second", "")
	ended.nextEnded()
	for range 2 {
		redrive(t, client, arn)
		ended.nextEnded()
	}

	answers := func(client *sfn.Client) string {
		return asJSON(t, client.GetExecutionHistory, sfn.GetExecutionHistoryInput{ExecutionArn: &arn}) +
			asJSON(t, client.ListExecutions, sfn.ListExecutionsInput{StateMachineArn: aws.String(states.StateMachineARN("m"))})
	}
	before := answers(client)
	if strings.Count(before, `"ExecutionRedriven"`) != 2 || strings.Index(before, `"second"`) > strings.Index(before, `"first"`) {
		t.Errorf("before: %s", before)
	}
	store := afterKill(t, path)
	next := newService(t, states.Config{Store: store}, map[string]string{"m": failMachine})
	if diff := cmp.Diff(before, answers(sfn.NewFromConfig(wiretest.Config(t, next)))); diff != "" {
		t.Error(diff)
	}
	records := 0
	if err := store.Each("executions", func(string, []byte) error {
		records++
		return nil
	}); err != nil || records != 2 {
		t.Errorf("%d records, %v", records, err)
	}
}
