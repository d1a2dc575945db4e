package states_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/states"
)

func TestPagesListEveryItemOnce(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 100)
	service := newService(t, states.Config{StatusChanged: ended.add}, map[string]string{
		"pass": passMachine, "fail": failMachine,
	})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	var all []string // The newest first.
	for i := range 5 {
		arn := start(t, service, "pass", fmt.Sprint("p", i), "")
		all = append([]string{arn}, all...)
		ended.nextEnded()
	}

	failed := runToEnd(t, service, ended, "fail")
	for _, size := range []int32{0, 1, 2, 5, 6} {
		var got []string

		pages := sfn.NewListExecutionsPaginator(client, &sfn.ListExecutionsInput{
			StateMachineArn: aws.String(states.StateMachineARN("pass")), MaxResults: size,
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range page.Executions {
				got = append(got, aws.ToString(x.ExecutionArn))
			}
		}

		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("pages of %d: %s", size, diff)
		}
	}

	for status, want := range map[types.ExecutionStatus]int{
		types.ExecutionStatusFailed: 1, types.ExecutionStatusSucceeded: 0, types.ExecutionStatusRunning: 0,
	} {
		page, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{
			StateMachineArn: aws.String(states.StateMachineARN("fail")), StatusFilter: status,
		})
		if err != nil || len(page.Executions) != want {
			t.Errorf("%s: %d executions, error %v", status, len(page.Executions), err)
		}
	}

	whole, err := client.GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: aws.String(failed)})
	if err != nil || len(whole.Events) < 3 || whole.NextToken != nil ||
		whole.Events[0].Type != types.HistoryEventTypeExecutionStarted ||
		aws.ToString(whole.Events[0].ExecutionStartedEventDetails.Input) != "{}" ||
		whole.Events[0].Timestamp == nil ||
		whole.Events[len(whole.Events)-1].Type != types.HistoryEventTypeExecutionFailed {
		t.Fatalf("history %+v, error %v", whole, err)
	}

	for _, reverse := range []bool{false, true} {
		for size := range int32(len(whole.Events) + 2) {
			var got []int64

			pages := sfn.NewGetExecutionHistoryPaginator(client, &sfn.GetExecutionHistoryInput{
				ExecutionArn: aws.String(failed), MaxResults: size, ReverseOrder: reverse,
			})
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, event := range page.Events {
					got = append(got, event.Id)
				}
			}

			want := make([]int64, len(whole.Events))
			for i := range want {
				want[i] = int64(i + 1)
				if reverse {
					want[i] = int64(len(want) - i)
				}
			}

			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pages of %d, reverse %v: %s", size, reverse, diff)
			}
		}
	}

	bare, err := client.GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{
		ExecutionArn: aws.String(failed), IncludeExecutionData: aws.Bool(false),
	})
	if err != nil || bare.Events[0].ExecutionStartedEventDetails.Input != nil ||
		bare.Events[0].ExecutionStartedEventDetails.RoleArn == nil {
		t.Errorf("without data: %+v, error %v", bare, err)
	}
}

func TestStateMachinesAreListedAndDescribed(t *testing.T) {
	t.Parallel()

	service := newService(t, states.Config{}, map[string]string{
		"pass": passMachine, "wait": waitMachine, "fail": failMachine,
	})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	machines, err := client.ListStateMachines(t.Context(), &sfn.ListStateMachinesInput{})
	if err != nil || len(machines.StateMachines) != 3 || aws.ToString(machines.StateMachines[0].Name) != "fail" ||
		machines.StateMachines[0].Type != types.StateMachineTypeStandard {
		t.Errorf("listed %+v, error %v", machines, err)
	}

	machine, err := client.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{
		StateMachineArn: machines.StateMachines[1].StateMachineArn,
	})
	if err != nil || aws.ToString(machine.Definition) != passMachine || machine.Status != types.StateMachineStatusActive {
		t.Errorf("described %+v, error %v", machine, err)
	}
}

func TestOldestEndedExecutionsAreRemoved(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 100)
	service := newService(t, states.Config{StatusChanged: ended.add, MaxEnded: 2}, map[string]string{
		"pass": passMachine, "wait": waitMachine,
	})
	running := start(t, service, "wait", "", "")

	arns := make([]string, 0, 5)
	for range 4 {
		arns = append(arns, runToEnd(t, service, ended, "pass"))
	}

	for i, arn := range append(arns, running) {
		_, err := service.DescribeExecution(t.Context(), states.DescribeExecutionInput{ExecutionArn: arn})
		// MaxEnded is 2: the first two of the four ended executions are removed. The running execution is not.
		if found := err == nil; found != (i >= 2) {
			t.Errorf("execution %d: error %v", i, err)
		}
	}
}

// TestPagesOfALargeHistoryAreBounded lists a history of 25 MB.
func TestPagesOfALargeHistoryAreBounded(t *testing.T) {
	t.Parallel()
	const steps, size = 50, 250_000
	var passes strings.Builder
	for i := range steps {
		fmt.Fprintf(&passes, `"S%d":{"Type":"Pass","Next":"S%d"},`, i, i+1)
	}
	definition := fmt.Sprintf(`{"StartAt":"S0","States":{%s"S%d":{"Type":"Succeed"}}}`, passes.String(), steps)
	ended := make(statusChanges, 9)
	service := newService(t, states.Config{StatusChanged: ended.add}, map[string]string{"large": definition})
	arn := start(t, service, "large", "", `"`+strings.Repeat("x", size)+`"`)
	ended.nextEnded()
	for _, reverse := range []bool{false, true} {
		in := states.GetExecutionHistoryInput{ExecutionArn: arn, Page: states.Page{MaxResults: 1000}, ReverseOrder: reverse}
		events, pages := 0, 0
		for more := true; more; pages++ {
			page, err := service.GetExecutionHistory(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Events) > 9<<20/size {
				t.Errorf("a page has %d events", len(page.Events))
			}
			events += len(page.Events)
			in.NextToken, more = page.NextToken, page.NextToken != ""
		}
		if want := 2*(steps+1) + 2; events != want || pages < 3 {
			t.Errorf("%d events in %d pages, want %d", events, pages, want)
		}
	}
}

// TestTheMemoryOfEndedExecutionsIsBounded runs more executions than there is room for, without a store.
func TestTheMemoryOfEndedExecutionsIsBounded(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 99)
	service := newService(t, states.Config{MaxStored: 100_000, StatusChanged: ended.add}, map[string]string{"pass": passMachine})
	for i := range 9 {
		start(t, service, "pass", fmt.Sprint("n", i), `"`+strings.Repeat("x", 10_000)+`"`) // Five times: input, output and three events.
		ended.nextEnded()
	}
	list, err := service.ListExecutions(t.Context(), states.ListExecutionsInput{StateMachineArn: states.StateMachineARN("pass")})
	if err != nil || len(list.Executions) == 0 || len(list.Executions) > 2 || list.Executions[0].Name != "n8" {
		t.Errorf("%d executions are left, %v", len(list.Executions), err)
	}
}

func TestNoMoreExecutionsRunThanMay(t *testing.T) {
	t.Parallel()
	service := newService(t, states.Config{MaxRunning: 2}, map[string]string{"wait": waitMachine})
	first := start(t, service, "wait", "a", "")
	start(t, service, "wait", "b", "")
	again := func(name string) error {
		_, err := service.StartExecution(t.Context(), states.StartExecutionInput{StateMachineArn: states.StateMachineARN("wait"), Name: name})
		return err
	}
	var refused smithy.APIError
	if err := again("c"); !errors.As(err, &refused) || refused.ErrorCode() != "ExecutionLimitExceeded" {
		t.Errorf("a third execution: %v", err)
	}
	if err := again("a"); err != nil {
		t.Errorf("one that runs: %v", err)
	}
	if _, err := service.StopExecution(t.Context(), states.StopExecutionInput{ExecutionArn: first}); err != nil {
		t.Fatal(err)
	}
	if err := again("c"); err != nil {
		t.Errorf("after one was stopped: %v", err)
	}
}

// TestAnEndlessRecursionFails starts an execution that starts itself and waits for it.
func TestAnEndlessRecursionFails(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 99)
	service := newService(t, states.Config{MaxRunning: 10, StatusChanged: ended.add}, map[string]string{"again": `{"StartAt":"A","States":{"A":{"Type":"Task",
		"Resource":"arn:aws:states:::states:startExecution.sync:2","Parameters":{"StateMachineArn":"` + states.StateMachineARN("again") + `"},"End":true}}}`})
	outermost := start(t, service, "again", "", "")
	for range 10 {
		ended.nextEnded()
	}
	if x := describe(t, service, outermost); x.Status != "FAILED" || !strings.Contains(x.Cause, "StepFunctions.ExecutionLimitExceeded") {
		t.Errorf("%s, %s: %s", x.Status, x.Error, x.Cause)
	}
}

func FuzzRequest(f *testing.F) {
	for _, operation := range []string{
		"StartExecution", "StopExecution", "DescribeExecution", "ListExecutions", "GetExecutionHistory", "ListStateMachines",
		"DescribeStateMachine", "SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat", "ListActivities",
	} {
		f.Add(operation, []byte(`{"stateMachineArn":"`+states.StateMachineARN("pass")+`","executionArn":"`+
			states.ExecutionARN("pass", "a")+`","name":"a","maxResults":1,"nextToken":"MQ","taskToken":"x","output":"{}"}`))
	}

	service, err := states.New(states.Config{
		Machines: map[string][]byte{"pass": []byte(passMachine)}, MaxEnded: 10,
	})
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, operation string, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(body)))
		r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		var answer map[string]any
		err := json.Unmarshal(w.Body.Bytes(), &answer)
		if err != nil {
			t.Fatalf("answered %q", w.Body)
		}

		code, _ := answer["__type"].(string)
		if (w.Code == http.StatusOK) != (code == "") || w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("status %d with %s", w.Code, w.Body)
		}
	})
}
