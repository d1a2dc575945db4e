package states_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// mapMachine returns a Distributed Map with the label L, whose child executions call the function work. fields are more fields of the Map.
func mapMachine(fields string) string {
	return `{"StartAt":"M","States":{"M":{"Type":"Map","Label":"L","End":true` + fields + `,"ItemProcessor":{
		"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"W","States":{
			"W":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:work","End":true}}}}}}`
}

// newMapService returns a client of a StepFunctions with the state machine m, a mapMachine with fields.
func newMapService(t *testing.T, cfg states.Config, fields string, work any) (*sfn.Client, *states.StepFunctions) {
	t.Helper()
	cfg.Lambda = newLambda(t, map[string]invoke.Function{"work": {Handler: work}})
	service := newService(t, cfg, map[string]string{"m": mapMachine(fields)})
	return sfn.NewFromConfig(wiretest.Config(t, service)), service
}

// onlyMapRun returns the ARN of the one Map run of an execution.
func onlyMapRun(t *testing.T, client *sfn.Client, execution string) *string {
	t.Helper()
	list, err := client.ListMapRuns(t.Context(), &sfn.ListMapRunsInput{ExecutionArn: &execution})
	if err != nil || len(list.MapRuns) != 1 {
		t.Fatalf("Map runs %+v, %v", list, err)
	}
	return list.MapRuns[0].MapRunArn
}

func echoWork(in int) (int, error) {
	if in == 3 {
		return 0, brokenError{"three"}
	}
	return in, nil
}

// TestAMapRunIsDescribedAsRecordedOnAWS checks the fields of a Map run, which were recorded on AWS, and those of its child executions.
func TestAMapRunIsDescribedAsRecordedOnAWS(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	client, service := newMapService(t, states.Config{StatusChanged: ended.add}, `,"MaxConcurrency":1,"ToleratedFailurePercentage":40`, echoWork)
	execution := start(t, service, "m", "", `[1,2,3]`)
	if x := ended.nextEnded(); x.Output != `[1,2]` {
		t.Fatalf("%+v", x)
	}

	arn := onlyMapRun(t, client, execution)
	const prefix = "arn:aws:states:us-east-1:000000000000:"
	if !strings.HasPrefix(*arn, prefix+"mapRun:m/L:") {
		t.Errorf("the Map run is %s", *arn)
	}
	list, err := client.ListMapRuns(t.Context(), &sfn.ListMapRunsInput{ExecutionArn: &execution})
	if run := list.MapRuns[0]; err != nil || *run.StateMachineArn != prefix+"stateMachine:m/L" || *run.ExecutionArn != execution || run.StopDate == nil || run.StartDate == nil {
		t.Errorf("listed %+v, %v", run, err)
	}

	got, err := client.DescribeMapRun(t.Context(), &sfn.DescribeMapRunInput{MapRunArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	zero := aws.Int64(0)
	want := &sfn.DescribeMapRunOutput{
		ExecutionArn: &execution, MapRunArn: arn, MaxConcurrency: 1, Status: types.MapRunStatusSucceeded, ToleratedFailurePercentage: 40,
		ExecutionCounts: &types.MapRunExecutionCounts{Succeeded: 2, Failed: 1, Total: 3, ResultsWritten: 2, FailuresNotRedrivable: zero, PendingRedrive: zero},
		ItemCounts:      &types.MapRunItemCounts{Succeeded: 2, Failed: 1, Total: 3, ResultsWritten: 2, FailuresNotRedrivable: zero, PendingRedrive: zero},
		RedriveCount:    aws.Int32(0),
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sfn.DescribeMapRunOutput{}, "StartDate", "StopDate", "ResultMetadata"),
		cmpopts.IgnoreUnexported(sfn.DescribeMapRunOutput{}, types.MapRunExecutionCounts{}, types.MapRunItemCounts{})); diff != "" {
		t.Error(diff)
	}
	if got.StartDate == nil || got.StopDate == nil || got.StopDate.Before(*got.StartDate) {
		t.Errorf("it ran from %v to %v", got.StartDate, got.StopDate)
	}

	checkFailedChild(t, client, arn)
	parents, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: aws.String(prefix + "stateMachine:m")})
	if err != nil || len(parents.Executions) != 1 || parents.Executions[0].MapRunArn != nil {
		t.Errorf("executions of the state machine %+v, %v", parents, err)
	}
}

// checkFailedChild checks the one child execution of a Map run that has failed, of the item 3.
func checkFailedChild(t *testing.T, client *sfn.Client, arn *string) {
	t.Helper()
	const prefix = "arn:aws:states:us-east-1:000000000000:"
	children, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{MapRunArn: arn, StatusFilter: types.ExecutionStatusFailed})
	if err != nil || len(children.Executions) != 1 {
		t.Fatalf("failed children %+v, %v", children, err)
	}
	child := children.Executions[0]
	if aws.ToInt32(child.ItemCount) != 1 || *child.MapRunArn != *arn || *child.StateMachineArn != prefix+"stateMachine:m/L" || !strings.HasPrefix(*child.ExecutionArn, prefix+"execution:m/L:") {
		t.Errorf("the child is %+v", child)
	}
	x, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: child.ExecutionArn})
	if err != nil || aws.ToString(x.Input) != "3" || *x.MapRunArn != *arn || aws.ToString(x.Error) != "brokenError" ||
		x.RedriveStatus != types.ExecutionRedriveStatusRedrivableByMapRun {
		t.Errorf("the child is %+v, %v", x, err)
	}
	history, err := client.GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: child.ExecutionArn})
	if err != nil || history.Events[len(history.Events)-1].Type != types.HistoryEventTypeExecutionFailed {
		t.Errorf("history %+v, %v", history, err)
	}
	of, err := client.DescribeStateMachineForExecution(t.Context(), &sfn.DescribeStateMachineForExecutionInput{ExecutionArn: child.ExecutionArn})
	if err != nil || *of.MapRunArn != *arn || *of.Label != "L" || *of.StateMachineArn != prefix+"stateMachine:m/L" {
		t.Errorf("the child's state machine is %+v, %v", of, err)
	}
	_, err = client.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: child.ExecutionArn})
	wiretest.WantCode(t, "redrive a child", err, "ExecutionNotRedrivable")
}

// TestARunningMapRunIsUpdated lets one child execution run at a time, then three, and tolerates a failure that it did not at first.
func TestARunningMapRunIsUpdated(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	begun, release := make(chan int, 9), make(chan struct{})
	client, service := newMapService(t, states.Config{StatusChanged: ended.add}, `,"MaxConcurrency":1`, func(in int) (int, error) {
		begun <- in
		<-release
		return echoWork(in)
	})
	execution := start(t, service, "m", "", `[1,2,3]`)
	<-begun
	arn := onlyMapRun(t, client, execution)
	running, err := client.DescribeMapRun(t.Context(), &sfn.DescribeMapRunInput{MapRunArn: arn})
	if err != nil || running.Status != types.MapRunStatusRunning || running.StopDate != nil || running.ExecutionCounts.Running != 1 || running.ItemCounts.Pending != 2 {
		t.Errorf("running: %+v %+v, %v", running, running.ExecutionCounts, err)
	}

	update := func(in sfn.UpdateMapRunInput) error {
		in.MapRunArn = arn
		_, err := client.UpdateMapRun(t.Context(), &in)
		return err
	}
	for name, in := range map[string]sfn.UpdateMapRunInput{
		"nothing": {}, "concurrency": {MaxConcurrency: aws.Int32(-1)}, "count": {ToleratedFailureCount: aws.Int64(-1)},
		"percentage": {ToleratedFailurePercentage: aws.Float32(100.5)}, "negative": {ToleratedFailurePercentage: aws.Float32(-1)},
	} {
		wiretest.WantCode(t, name, update(in), "ValidationException")
	}
	if err := update(sfn.UpdateMapRunInput{MaxConcurrency: aws.Int32(3), ToleratedFailureCount: aws.Int64(1)}); err != nil {
		t.Fatal(err)
	}
	<-begun // Only now the two others begin.
	<-begun
	close(release)
	if x := ended.nextEnded(); x.Output != `[1,2]` {
		t.Errorf("%+v", x)
	}
	after, err := client.DescribeMapRun(t.Context(), &sfn.DescribeMapRunInput{MapRunArn: arn})
	if err != nil || after.MaxConcurrency != 3 || after.ToleratedFailureCount != 1 {
		t.Errorf("updated: %+v, %v", after, err)
	}
	wiretest.WantCode(t, "ended", update(sfn.UpdateMapRunInput{MaxConcurrency: aws.Int32(1)}), "ValidationException")
}

// TestAStoppedMapRunIsAborted stops one child execution, and then the execution with the Map run.
func TestAStoppedMapRunIsAborted(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	client, service := newMapService(t, states.Config{}, `,"MaxConcurrency":2`, func(in int) (int, error) {
		<-release
		return in, nil
	})
	t.Cleanup(func() { close(release) })
	execution := start(t, service, "m", "", `[1,2,3,4]`)
	var children []types.ExecutionListItem
	var arn *string
	for len(children) < 2 {
		list, err := client.ListMapRuns(t.Context(), &sfn.ListMapRunsInput{ExecutionArn: &execution})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.MapRuns) == 1 {
			arn = list.MapRuns[0].MapRunArn
			out, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{MapRunArn: arn})
			if err != nil {
				t.Fatal(err)
			}
			children = out.Executions
		}
	}
	if _, err := client.StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: children[0].ExecutionArn, Error: aws.String("Mine")}); err != nil {
		t.Fatal(err)
	}
	if x := describe(t, service, *children[0].ExecutionArn); x.Status != "ABORTED" || x.Error != "Mine" {
		t.Errorf("the stopped child is %+v", x)
	}
	if x := describe(t, service, execution); x.Status != "RUNNING" {
		t.Errorf("a stopped child ended the Map run: %+v", x)
	}
	if _, err := client.StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: &execution}); err != nil {
		t.Fatal(err)
	}
	got, err := client.DescribeMapRun(t.Context(), &sfn.DescribeMapRunInput{MapRunArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	c := got.ExecutionCounts
	if got.Status != types.MapRunStatusAborted || c.Aborted < 2 || c.Running != 0 || c.Pending+c.Aborted != c.Total {
		t.Errorf("%s %+v", got.Status, c)
	}
}

// TestListsOfMapRunsHavePagesAndFilters checks pages, filters and refusals of what concerns Map runs.
func TestListsOfMapRunsHavePagesAndFilters(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	client, service := newMapService(t, states.Config{StatusChanged: ended.add, MaxEndedChildren: 4}, `,"ItemBatcher":{"MaxItemsPerBatch":2}`,
		func(map[string]any) (int, error) { return 0, nil })
	execution := start(t, service, "m", "", fmt.Sprint("[", strings.Repeat("1,", 10), "1]"))
	ended.nextEnded()
	arn := onlyMapRun(t, client, execution)
	got, err := client.DescribeMapRun(t.Context(), &sfn.DescribeMapRunInput{MapRunArn: arn})
	if err != nil || got.ExecutionCounts.Total != 6 || got.ItemCounts.Succeeded != 11 {
		t.Errorf("%+v, %v", got, err)
	}

	var names []string
	pages := sfn.NewListExecutionsPaginator(client, &sfn.ListExecutionsInput{MapRunArn: arn, MaxResults: 3, RedriveFilter: types.ExecutionRedriveFilterNotRedriven})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range page.Executions {
			names = append(names, *x.Name)
		}
	}
	if slices.Sort(names); len(slices.Compact(names)) != 4 { // The last four child executions are stored.
		t.Errorf("children %v", names)
	}
	none, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{MapRunArn: arn, RedriveFilter: types.ExecutionRedriveFilterRedriven})
	if err != nil || len(none.Executions) != 0 {
		t.Errorf("redriven children %+v, %v", none, err)
	}

	machine := aws.String(states.StateMachineARN("m"))
	for name, in := range map[string]sfn.ListExecutionsInput{
		"both":           {MapRunArn: arn, StateMachineArn: machine},
		"redrive filter": {StateMachineArn: machine, RedriveFilter: types.ExecutionRedriveFilter(*machine)},
		"status filter":  {StateMachineArn: machine, StatusFilter: "ENDED"},
		"pending":        {StateMachineArn: machine, StatusFilter: types.ExecutionStatusPendingRedrive},
	} {
		_, err := client.ListExecutions(t.Context(), &in)
		wiretest.WantCode(t, name, err, "ValidationException")
	}
	_, err = client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{MapRunArn: aws.String(*arn + "x")})
	wiretest.WantCode(t, "unknown Map run", err, "ResourceNotFound")
	_, err = client.DescribeMapRun(t.Context(), &sfn.DescribeMapRunInput{MapRunArn: machine})
	wiretest.WantCode(t, "no Map run", err, "InvalidArn")
	_, err = client.ListMapRuns(t.Context(), &sfn.ListMapRunsInput{ExecutionArn: aws.String(execution + "x")})
	wiretest.WantCode(t, "unknown execution", err, "ExecutionDoesNotExist")
}
