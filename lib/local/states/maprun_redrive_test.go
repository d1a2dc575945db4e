package states_test

import (
	"slices"
	"strings"
	"sync"
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

// twoSteps returns a Distributed Map with the label L, whose child executions call the function first and then the function work.
func twoSteps(kind, fields string) string {
	return `{"StartAt":"M","States":{"M":{"Type":"Map","Label":"L","End":true` + fields + `,"ItemProcessor":{
		"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"` + kind + `"},"StartAt":"F","States":{
			"F":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:first","Next":"W"},
			"W":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:work","End":true}}}}}}`
}

// work is a function that records its calls and fails for the inputs that are broken.
type work struct {
	mu     sync.Mutex
	calls  []int
	broken []int
}

func (w *work) handle(in int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, in)
	if slices.Contains(w.broken, in) {
		return 0, brokenError{"broken"}
	}
	return in, nil
}

// breaks sets the inputs that are broken from now on. It returns the inputs of the calls so far, and forgets them.
func (w *work) breaks(inputs ...int) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls, w.broken = nil, inputs
	slices.Sort(calls)
	return calls
}

func describeMapRun(t *testing.T, client *sfn.Client, arn *string) *sfn.DescribeMapRunOutput {
	t.Helper()
	out, err := client.DescribeMapRun(t.Context(), &sfn.DescribeMapRunInput{MapRunArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wantCounts checks the counts of child executions, and that those of the items are the same.
func wantCounts(t *testing.T, run *sfn.DescribeMapRunOutput, want types.MapRunExecutionCounts) {
	t.Helper()
	for _, n := range []**int64{&want.FailuresNotRedrivable, &want.PendingRedrive} {
		if *n == nil {
			*n = aws.Int64(0)
		}
	}
	if diff := cmp.Diff(&want, run.ExecutionCounts, cmpopts.IgnoreUnexported(want)); diff != "" {
		t.Errorf("%s: child executions: %s", run.Status, diff)
	}
	items := types.MapRunExecutionCounts(*run.ItemCounts)
	if diff := cmp.Diff(want, items, cmpopts.IgnoreUnexported(want)); diff != "" {
		t.Errorf("%s: items: %s", run.Status, diff)
	}
}

func children(t *testing.T, client *sfn.Client, in sfn.ListExecutionsInput) []types.ExecutionListItem {
	t.Helper()
	list, err := client.ListExecutions(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	return list.Executions
}

// historyOf returns the types of an execution's events, and the event of the type MapRunRedriven if there is one.
func historyOf(t *testing.T, client *sfn.Client, arn string) (kinds string, redriven *types.MapRunRedrivenEventDetails) {
	t.Helper()
	history, err := client.GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	for i, event := range history.Events {
		if event.Id != int64(i+1) {
			t.Errorf("event %d has the id %d", i+1, event.Id)
		}
		kinds += string(event.Type) + " "
		if event.MapRunRedrivenEventDetails != nil {
			redriven = event.MapRunRedrivenEventDetails
		}
	}
	return strings.TrimSpace(kinds), redriven
}

// newRedriveService returns a client of a service with the state machine m, whose functions first and work are these.
func newRedriveService(t *testing.T, cfg states.Config, definition string, first, second *work) (*sfn.Client, *states.StepFunctions) {
	t.Helper()
	cfg.Lambda = newLambda(t, map[string]invoke.Function{"first": {Handler: first.handle}, "work": {Handler: second.handle}})
	service := newService(t, cfg, map[string]string{"m": definition})
	return sfn.NewFromConfig(wiretest.Config(t, service)), service
}

// TestARedriveGoesOnWithItsMapRun redrives a Map run of five items of which the third failed. The first two keep their results, the third
// goes on from the state that failed, and the others start.
func TestARedriveGoesOnWithItsMapRun(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	first, second := &work{}, &work{broken: []int{3}}
	client, service := newRedriveService(t, states.Config{StatusChanged: ended.add}, twoSteps("STANDARD", `,"MaxConcurrency":1`), first, second)
	execution := start(t, service, "m", "", `[1,2,3,4,5]`)
	if x := ended.nextEnded(); x.Error != "States.ExceedToleratedFailureThreshold" {
		t.Fatalf("%+v", x)
	}
	arn := onlyMapRun(t, client, execution)
	before := describeMapRun(t, client, arn)
	if before.Status != types.MapRunStatusFailed || *before.RedriveCount != 0 || before.RedriveDate != nil {
		t.Errorf("before: %+v", before)
	}
	wantCounts(t, before, types.MapRunExecutionCounts{Succeeded: 2, Failed: 1, Pending: 2, Total: 5})
	failed := children(t, client, sfn.ListExecutionsInput{MapRunArn: arn, StatusFilter: types.ExecutionStatusFailed})
	first.breaks()
	second.breaks()

	redrive(t, client, execution)
	if x := ended.nextEnded(); x.Output != `[1,2,3,4,5]` {
		t.Fatalf("%+v", x)
	}
	if got := first.breaks(); !slices.Equal(got, []int{4, 5}) {
		t.Errorf("the first state was run again for %v", got)
	}
	if got := second.breaks(); !slices.Equal(got, []int{3, 4, 5}) {
		t.Errorf("the state that failed was run again for %v", got)
	}

	if *onlyMapRun(t, client, execution) != *arn {
		t.Error("the redrive has started another Map run")
	}
	after := describeMapRun(t, client, arn)
	if after.Status != types.MapRunStatusSucceeded || *after.RedriveCount != 1 || after.RedriveDate == nil || after.RedriveDate.Before(*before.StopDate) ||
		!after.StartDate.Equal(*before.StartDate) || after.StopDate.Before(*after.RedriveDate) {
		t.Errorf("after: %+v", after)
	}
	wantCounts(t, after, types.MapRunExecutionCounts{Succeeded: 5, Total: 5, ResultsWritten: 5})

	kinds, details := historyOf(t, client, execution)
	if !strings.HasSuffix(kinds, "ExecutionFailed ExecutionRedriven MapStateEntered MapStateStarted MapRunRedriven MapRunSucceeded MapStateSucceeded "+
		"MapStateExited ExecutionSucceeded") || strings.Count(kinds, "MapRunStarted") != 1 {
		t.Errorf("history %s", kinds)
	}
	if details == nil || *details.MapRunArn != *arn || *details.RedriveCount != 1 {
		t.Errorf("MapRunRedriven has %+v", details)
	}

	checkRedrivenChild(t, client, arn, failed[0])
}

// checkRedrivenChild checks the one child execution of a Map run that was redriven. before is what it was before.
func checkRedrivenChild(t *testing.T, client *sfn.Client, arn *string, before types.ExecutionListItem) {
	t.Helper()
	again := children(t, client, sfn.ListExecutionsInput{MapRunArn: arn, RedriveFilter: types.ExecutionRedriveFilterRedriven})
	if len(again) != 1 || *again[0].ExecutionArn != *before.ExecutionArn || !again[0].StartDate.Equal(*before.StartDate) || *again[0].RedriveCount != 1 {
		t.Fatalf("redriven children %+v, of %+v", again, before)
	}
	child, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: again[0].ExecutionArn})
	if err != nil || child.Status != types.ExecutionStatusSucceeded || *child.RedriveCount != 1 || child.RedriveDate == nil || child.Error != nil ||
		child.RedriveStatus != types.ExecutionRedriveStatusNotRedrivable {
		t.Errorf("the redriven child %+v, %v", child, err)
	}
	if kinds, _ := historyOf(t, client, *child.ExecutionArn); strings.Count(kinds, "TaskStateEntered") != 3 ||
		!strings.Contains(kinds, "ExecutionFailed ExecutionRedriven TaskStateEntered") || !strings.HasSuffix(kinds, "TaskStateExited ExecutionSucceeded") {
		t.Errorf("the history of the redriven child is %s", kinds)
	}
}

// TestAnExpressChildStartsAgain checks that an Express child execution runs from its first state, with the same ARN and no redrive count.
func TestAnExpressChildStartsAgain(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	first, second := &work{}, &work{broken: []int{2}}
	client, service := newRedriveService(t, states.Config{StatusChanged: ended.add}, twoSteps("EXPRESS", `,"MaxConcurrency":1`), first, second)
	execution := start(t, service, "m", "", `[1,2,3]`)
	ended.nextEnded()
	arn := onlyMapRun(t, client, execution)
	failed := children(t, client, sfn.ListExecutionsInput{MapRunArn: arn, StatusFilter: types.ExecutionStatusFailed})
	first.breaks()
	second.breaks()

	redrive(t, client, execution)
	if x := ended.nextEnded(); x.Output != `[1,2,3]` {
		t.Fatalf("%+v", x)
	}
	if a, b := first.breaks(), second.breaks(); !slices.Equal(a, []int{2, 3}) || !slices.Equal(b, a) {
		t.Errorf("the states were run again for %v and %v", a, b)
	}
	wantCounts(t, describeMapRun(t, client, arn), types.MapRunExecutionCounts{Succeeded: 3, Total: 3, ResultsWritten: 3})
	child, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: failed[0].ExecutionArn})
	if err != nil || child.Status != types.ExecutionStatusSucceeded || *child.RedriveCount != 0 || child.RedriveDate != nil || aws.ToString(child.Output) != "2" {
		t.Errorf("the child %+v, %v", child, err)
	}
	if kinds, _ := historyOf(t, client, *child.ExecutionArn); strings.Count(kinds, "ExecutionStarted") != 1 || strings.Contains(kinds, "Redriven") {
		t.Errorf("its history is %s", kinds)
	}
}

// TestChildrenWaitForTheirRedrive stops a redrive in which one of two failed child executions runs, and lets the next redrive end with a
// failure that is tolerated.
func TestChildrenWaitForTheirRedrive(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	begun, release := make(chan int, 9), make(chan struct{})
	second := &work{broken: []int{1, 2}}
	lambda := newLambda(t, map[string]invoke.Function{"work": {Handler: func(in int) (int, error) {
		out, err := second.handle(in)
		if err == nil {
			begun <- in
			<-release
		}
		return out, err
	}}})
	service := newService(t, states.Config{StatusChanged: ended.add, Lambda: lambda}, map[string]string{
		"m": mapMachine(`,"MaxConcurrency":1,"ToleratedFailureCount":1`),
	})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	execution := start(t, service, "m", "", `[1,2,3]`)
	ended.nextEnded()
	arn := onlyMapRun(t, client, execution)
	wantCounts(t, describeMapRun(t, client, arn), types.MapRunExecutionCounts{Failed: 2, Pending: 1, Total: 3})

	second.breaks()
	redrive(t, client, execution)
	<-begun // The first of them runs. MaxConcurrency holds in the redrive.
	run := describeMapRun(t, client, arn)
	if run.Status != types.MapRunStatusRunning || run.StopDate != nil || run.MaxConcurrency != 1 || run.ToleratedFailureCount != 1 {
		t.Errorf("while it is redriven: %+v", run)
	}
	wantCounts(t, run, types.MapRunExecutionCounts{Running: 1, PendingRedrive: aws.Int64(1), Pending: 1, Total: 3})
	waiting := children(t, client, sfn.ListExecutionsInput{MapRunArn: arn, StatusFilter: types.ExecutionStatusPendingRedrive})
	if len(waiting) != 1 || waiting[0].Status != types.ExecutionStatusPendingRedrive {
		t.Fatalf("waiting %+v", waiting)
	}

	if _, err := client.StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: &execution}); err != nil {
		t.Fatal(err)
	}
	ended.nextEnded()
	run = describeMapRun(t, client, arn)
	if run.Status != types.MapRunStatusAborted || run.StopDate == nil {
		t.Errorf("stopped: %+v", run)
	}
	wantCounts(t, run, types.MapRunExecutionCounts{Aborted: 1, Failed: 1, Pending: 1, Total: 3})
	x, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: waiting[0].ExecutionArn})
	if err != nil || x.Status != types.ExecutionStatusFailed || x.RedriveStatus != types.ExecutionRedriveStatusRedrivableByMapRun || *x.RedriveCount != 0 {
		t.Errorf("after the stop: %+v, %v", x, err)
	}

	second.breaks(2)
	close(release)
	redrive(t, client, execution)
	if x := ended.nextEnded(); x.Output != `[1,3]` {
		t.Errorf("%+v", x)
	}
	run = describeMapRun(t, client, arn)
	if *run.RedriveCount != 2 {
		t.Errorf("at the end: %+v", run)
	}
	wantCounts(t, run, types.MapRunExecutionCounts{Succeeded: 2, Failed: 1, Total: 3, ResultsWritten: 2})
}

// TestARedriveStartsANewMapRunIfTheStateFailed checks that a Map run that has succeeded is not redriven, as on AWS, if the state fails for
// its OutputPath.
func TestARedriveStartsANewMapRunIfTheStateFailed(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	client, service := newMapService(t, states.Config{StatusChanged: ended.add}, `,"OutputPath":"$.none"`, echoWork)
	execution := start(t, service, "m", "", `[1]`)
	if x := ended.nextEnded(); x.Error != "States.Runtime" {
		t.Fatalf("%+v", x)
	}
	redrive(t, client, execution)
	ended.nextEnded()
	list, err := client.ListMapRuns(t.Context(), &sfn.ListMapRunsInput{ExecutionArn: &execution})
	if err != nil || len(list.MapRuns) != 2 {
		t.Fatalf("Map runs %+v, %v", list, err)
	}
	for _, run := range list.MapRuns {
		if got := describeMapRun(t, client, run.MapRunArn); got.Status != types.MapRunStatusSucceeded || *got.RedriveCount != 0 {
			t.Errorf("%+v", got)
		}
	}
}

// TestAMapRunInAChildIsRedriven redrives a Map run in a child execution of another one: both go on.
func TestAMapRunInAChildIsRedriven(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	inner := strings.Replace(twoSteps("STANDARD", `,"MaxConcurrency":1`), `"L"`, `"Inner"`, 1)
	outer := `{"StartAt":"O","States":{"O":{"Type":"Map","Label":"Outer","End":true,"MaxConcurrency":1,"ItemProcessor":` +
		strings.Replace(inner, `{`, `{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},`, 1) + `}}}`
	first, second := &work{}, &work{broken: []int{4}}
	client, service := newRedriveService(t, states.Config{StatusChanged: ended.add}, outer, first, second)
	execution := start(t, service, "m", "", `[[1,2],[3,4],[5]]`)
	ended.nextEnded()
	first.breaks()
	second.breaks()

	redrive(t, client, execution)
	if x := ended.nextEnded(); x.Output != `[[1,2],[3,4],[5]]` {
		t.Fatalf("%+v", x)
	}
	if a, b := first.breaks(), second.breaks(); !slices.Equal(a, []int{5}) || !slices.Equal(b, []int{4, 5}) {
		t.Errorf("the states were run again for %v and %v", a, b)
	}
	list, err := client.ListMapRuns(t.Context(), &sfn.ListMapRunsInput{ExecutionArn: &execution})
	if err != nil {
		t.Fatal(err)
	}
	redriven := 0
	for _, run := range list.MapRuns {
		redriven += int(*describeMapRun(t, client, run.MapRunArn).RedriveCount)
	}
	if len(list.MapRuns) != 4 || redriven != 2 { // The outer one and three inner ones.
		t.Errorf("%d Map runs, redriven %d times", len(list.MapRuns), redriven)
	}
}

// TestAMapRunWhoseChildrenAreNotStoredIsNotRedriven keeps fewer child executions than the Map run had.
func TestAMapRunWhoseChildrenAreNotStoredIsNotRedriven(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	first, second := &work{}, &work{broken: []int{3}}
	client, service := newRedriveService(t, states.Config{StatusChanged: ended.add, MaxEndedChildren: 2}, twoSteps("STANDARD", `,"MaxConcurrency":1`), first, second)
	execution := start(t, service, "m", "", `[1,2,3]`)
	if x := ended.nextEnded(); x.RedriveStatus != "NOT_REDRIVABLE" || !strings.Contains(x.RedriveStatusReason, "are not stored any more") {
		t.Errorf("%+v", x)
	}
	_, err := client.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &execution})
	wiretest.WantCode(t, "a child is missing", err, "ExecutionNotRedrivable")
}

// TestAChildWithAFullHistoryIsNotRedriven lets the first child execution loop until its history is full. Its failure stays, and counts
// towards the tolerated ones in the redrive.
func TestAChildWithAFullHistoryIsNotRedriven(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	second := &work{}
	definition := strings.Replace(mapMachine(`,"MaxConcurrency":1`), `"StartAt":"W","States":{`, `"StartAt":"C","States":{
		"C":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":1,"Next":"C"}],"Default":"W"},`, 1)
	client, service := newRedriveService(t, states.Config{StatusChanged: ended.add}, definition, &work{}, second)
	execution := start(t, service, "m", "", `[1,2]`)
	ended.nextEnded()
	arn := onlyMapRun(t, client, execution)
	child := children(t, client, sfn.ListExecutionsInput{MapRunArn: arn})[0]
	for range 2 {
		wantCounts(t, describeMapRun(t, client, arn), types.MapRunExecutionCounts{Failed: 1, FailuresNotRedrivable: aws.Int64(1), Pending: 1, Total: 2})
		x, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: child.ExecutionArn})
		if err != nil || x.RedriveStatus != types.ExecutionRedriveStatusNotRedrivable || !strings.Contains(*x.RedriveStatusReason, "limit exceeded") ||
			*x.RedriveCount != 0 || !x.StopDate.Equal(*child.StopDate) {
			t.Errorf("the child: %+v, %v", x, err)
		}
		redrive(t, client, execution)
		if x := ended.nextEnded(); x.Error != "States.ExceedToleratedFailureThreshold" {
			t.Errorf("%+v", x)
		}
	}
	if got := second.breaks(); len(got) != 0 {
		t.Errorf("the redrives ran %v", got)
	}
}
