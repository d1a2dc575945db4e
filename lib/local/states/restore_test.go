package states_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/durable"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// openStore opens a store and closes it when the test ends.
func openStore(t *testing.T, path string) *durable.Store {
	t.Helper()
	store, err := durable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // Tests close some stores themselves.
	return store
}

// afterKill returns a store with what the file has now, as after a process that was killed. If the file was written while it was copied, the
// copy may be damaged; then another one is made.
func afterKill(t *testing.T, path string) *durable.Store {
	t.Helper()
	store, _ := copyAfterKill(t, path)
	return store
}

// copyAfterKill does what afterKill does, and also returns the path of the copy.
func copyAfterKill(t *testing.T, path string) (*durable.Store, string) {
	t.Helper()
	for {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		killed := filepath.Join(t.TempDir(), "killed.db")
		if err := os.WriteFile(killed, content, 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := durable.Open(killed)
		if errors.Is(err, durable.ErrCorrupt) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return store, killed
	}
}

// asJSON returns what an operation answers, without what differs in each call.
func asJSON[In, Out any](t *testing.T, operation func(context.Context, *In, ...func(*sfn.Options)) (*Out, error), in In) string {
	t.Helper()
	out, err := operation(t.Context(), &in)
	if err != nil {
		t.Fatalf("%T: %v", in, err)
	}
	text, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ = cutBytes(text, `"ResultMetadata"`)
	return string(text)
}

func cutBytes(text []byte, at string) ([]byte, []byte, bool) {
	before, after, found := strings.Cut(string(text), at)
	return []byte(before), []byte(after), found
}

// TestWhatTheAPIMadeIsThereAfterARestart makes one of everything, and compares what the operations answer before and after.
func TestWhatTheAPIMadeIsThereAfterARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	ended := make(statusChanges, 20)
	lambda := newLambda(t, map[string]invoke.Function{"work": {Handler: echoWork}})
	service := newService(t, states.Config{Store: openStore(t, path), StatusChanged: ended.add, Lambda: lambda}, map[string]string{"built-in": passMachine})
	client := sfn.NewFromConfig(wiretest.Config(t, service))

	made, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("mine"), Definition: aws.String(mapMachine(`,"ToleratedFailureCount":1`)), RoleArn: aws.String("arn:aws:iam::000000000000:role/mine"),
		Publish: true, VersionDescription: aws.String("first"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	alias, err := client.CreateStateMachineAlias(t.Context(), &sfn.CreateStateMachineAliasInput{
		Name: aws.String("live"), RoutingConfiguration: []types.RoutingConfigurationListItem{{StateMachineVersionArn: made.StateMachineVersionArn, Weight: 100}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{
		StateMachineArn: made.StateMachineArn, RoleArn: aws.String("arn:aws:iam::000000000000:role/other"), Publish: true,
	}); err != nil {
		t.Fatal(err)
	}
	activity, err := client.CreateActivity(t.Context(), &sfn.CreateActivityInput{Name: aws.String("hand")})
	if err != nil {
		t.Fatal(err)
	}
	started, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: alias.StateMachineAliasArn, Input: aws.String(`[1,3]`)})
	if err != nil {
		t.Fatal(err)
	}
	ended.nextEnded()
	deleted, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("deleted"), Definition: aws.String(failMachine), RoleArn: aws.String("arn:aws:iam::000000000000:role/mine"),
	})
	if err != nil {
		t.Fatal(err)
	}
	failed := aws.String(start(t, service, "deleted", "f", ""))
	ended.nextEnded()
	if _, err := client.DeleteStateMachine(t.Context(), &sfn.DeleteStateMachineInput{StateMachineArn: deleted.StateMachineArn}); err != nil {
		t.Fatal(err)
	}
	mapRun := onlyMapRun(t, client, *started.ExecutionArn)

	answers := func(client *sfn.Client) map[string]string {
		children := asJSON(t, client.ListExecutions, sfn.ListExecutionsInput{MapRunArn: mapRun})
		var list sfn.ListExecutionsOutput
		if err := json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimSpace(children), ",")+"}"), &list); err != nil || len(list.Executions) != 2 {
			t.Fatalf("children %s: %v", children, err)
		}
		return map[string]string{
			"machine":                      asJSON(t, client.DescribeStateMachine, sfn.DescribeStateMachineInput{StateMachineArn: made.StateMachineArn}),
			"version":                      asJSON(t, client.DescribeStateMachine, sfn.DescribeStateMachineInput{StateMachineArn: made.StateMachineVersionArn}),
			"versions":                     asJSON(t, client.ListStateMachineVersions, sfn.ListStateMachineVersionsInput{StateMachineArn: made.StateMachineArn}),
			"alias":                        asJSON(t, client.DescribeStateMachineAlias, sfn.DescribeStateMachineAliasInput{StateMachineAliasArn: alias.StateMachineAliasArn}),
			"tags":                         asJSON(t, client.ListTagsForResource, sfn.ListTagsForResourceInput{ResourceArn: made.StateMachineArn}),
			"all":                          asJSON(t, client.ListStateMachines, sfn.ListStateMachinesInput{}),
			"activity":                     asJSON(t, client.DescribeActivity, sfn.DescribeActivityInput{ActivityArn: activity.ActivityArn}),
			"execution":                    asJSON(t, client.DescribeExecution, sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn}),
			"history":                      asJSON(t, client.GetExecutionHistory, sfn.GetExecutionHistoryInput{ExecutionArn: started.ExecutionArn}),
			"list":                         asJSON(t, client.ListExecutions, sfn.ListExecutionsInput{StateMachineArn: made.StateMachineArn}),
			"Map run":                      asJSON(t, client.DescribeMapRun, sfn.DescribeMapRunInput{MapRunArn: mapRun}),
			"children":                     children,
			"child":                        asJSON(t, client.GetExecutionHistory, sfn.GetExecutionHistoryInput{ExecutionArn: list.Executions[0].ExecutionArn}),
			"of a deleted machine":         asJSON(t, client.DescribeExecution, sfn.DescribeExecutionInput{ExecutionArn: failed}),
			"history of a deleted machine": asJSON(t, client.GetExecutionHistory, sfn.GetExecutionHistoryInput{ExecutionArn: failed}),
		}
	}
	before := answers(client)
	second := newService(t, states.Config{Store: afterKill(t, path), Lambda: lambda}, map[string]string{"built-in": passMachine})
	client = sfn.NewFromConfig(wiretest.Config(t, second))
	if diff := cmp.Diff(before, answers(client)); diff != "" {
		t.Error(diff)
	}

	// The newest version has the newest revision, also after the restart.
	again, err := client.PublishStateMachineVersion(t.Context(), &sfn.PublishStateMachineVersionInput{StateMachineArn: made.StateMachineArn})
	if err != nil || !strings.HasSuffix(*again.StateMachineVersionArn, ":2") {
		t.Errorf("published %+v, %v", again, err)
	}
	next, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: alias.StateMachineAliasArn, Input: aws.String(`[]`)})
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: made.StateMachineArn})
	if err != nil || *list.Executions[0].ExecutionArn != *next.ExecutionArn {
		t.Errorf("the newest execution is %+v, %v", list, err)
	}
}

// TestAnInterruptedExecutionIsAborted kills the service while an execution runs, a child execution of another has ended and a state machine
// waits for its deletion.
func TestAnInterruptedExecutionIsAborted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	release := make(chan struct{})
	defer close(release)
	begun := make(chan int, 9)
	lambda := newLambda(t, map[string]invoke.Function{"work": {Handler: func(in int) (int, error) {
		begun <- in
		if in > 1 {
			<-release
		}
		return in, nil
	}}})
	const steps = `{"StartAt":"A","States":{"A":{"Type":"Pass","Result":{"n":1},"Next":"B"},"B":{"Type":"Wait","Seconds":600,"End":true}}}`
	service := newService(t, states.Config{Store: openStore(t, path), Lambda: lambda}, map[string]string{
		"steps": steps, "m": mapMachine(`,"MaxConcurrency":1`),
	})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	waiting := start(t, service, "steps", "w", `{"x":7}`)
	mapping := start(t, service, "m", "", `[1,2,3]`)
	<-begun
	<-begun
	mapRun := onlyMapRun(t, client, mapping)
	if _, err := client.DeleteStateMachine(t.Context(), &sfn.DeleteStateMachineInput{StateMachineArn: aws.String(states.StateMachineARN("m"))}); err != nil {
		t.Fatal(err)
	}

	// The history is stored soon, not at once.
	var killed *durable.Store
	for history := ""; !strings.Contains(history, "WaitStateEntered"); {
		killed = afterKill(t, path)
		history = ""
		if err := killed.Each("events", func(_ string, value []byte) error {
			history += string(value)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}

	changes := make(statusChanges, 20)
	second := newService(t, states.Config{Store: killed, Lambda: lambda, StatusChanged: changes.add}, map[string]string{"steps": steps})
	client = sfn.NewFromConfig(wiretest.Config(t, second))
	for _, arn := range []string{waiting, mapping} {
		x := describe(t, second, arn)
		if x.Status != "ABORTED" || x.Error != "TwinEnded" || !strings.Contains(x.Cause, "The local twin ended") || x.StopDate.IsZero() {
			t.Errorf("interrupted: %+v", x)
		}
	}
	run, err := client.DescribeMapRun(t.Context(), &sfn.DescribeMapRunInput{MapRunArn: mapRun})
	if err != nil || run.Status != types.MapRunStatusAborted || run.ExecutionCounts.Succeeded != 1 || run.ExecutionCounts.Pending != 2 || run.StopDate == nil {
		t.Errorf("the interrupted Map run is %+v %+v, %v", run, run.ExecutionCounts, err)
	}
	_, err = client.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: aws.String(states.StateMachineARN("m"))})
	wiretest.WantCode(t, "deleted", err, "StateMachineDoesNotExist")

	second.ReportInterrupted(t.Context())
	second.ReportInterrupted(t.Context()) // Only the first call reports.
	if len(changes) != 2 {
		t.Errorf("%d interrupted executions are reported", len(changes))
	}
	if _, err := client.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &waiting}); err != nil {
		t.Fatal(err)
	}
	history, err := client.GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: &waiting})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for i, event := range history.Events {
		if event.Id != int64(i+1) {
			t.Errorf("event %d has the id %d", i, event.Id)
		}
		kinds = append(kinds, string(event.Type))
	}
	if got := strings.Join(kinds, " "); !strings.HasPrefix(got, "ExecutionStarted PassStateEntered PassStateExited WaitStateEntered ExecutionAborted ExecutionRedriven") {
		t.Errorf("history %s", got)
	}
}

// TestTheStoreIsBounded runs more executions than are stored, by number and by bytes.
func TestTheStoreIsBounded(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]states.Config{"number": {MaxEnded: 3}, "bytes": {MaxStored: 100_000}} {
		path := filepath.Join(t.TempDir(), "state.db")
		ended := make(statusChanges, 99)
		cfg.Store, cfg.StatusChanged = openStore(t, path), ended.add
		service := newService(t, cfg, map[string]string{"pass": passMachine})
		for i := range 9 {
			start(t, service, "pass", fmt.Sprint("n", i), `"`+strings.Repeat("x", 10_000)+`"`) // Five times in the store: input, output and three events.
			ended.nextEnded()
		}
		bytes, executions := 0, 0
		for _, table := range []string{"executions", "events"} {
			if err := cfg.Store.Each(table, func(_ string, value []byte) error {
				bytes += len(value)
				if table == "executions" {
					executions++
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if executions == 0 || executions > 3 || bytes > 200_000 {
			t.Errorf("%s: %d executions, %d bytes", name, executions, bytes)
		}
		cfg.Store = afterKill(t, path)
		second := newService(t, cfg, map[string]string{"pass": passMachine})
		if x := describe(t, second, states.ExecutionARN("pass", "n8")); x.Status != "SUCCEEDED" {
			t.Errorf("%s: the newest execution is %+v", name, x)
		}
	}
}

// TestDefinitionsThatNothingUsesAreRemoved updates a state machine more often than definitions are stored.
func TestDefinitionsThatNothingUsesAreRemoved(t *testing.T) {
	t.Parallel()
	store := openStore(t, filepath.Join(t.TempDir(), "state.db"))
	service := newService(t, states.Config{Store: store}, map[string]string{"pass": passMachine})
	for i := range 1500 {
		if err := service.SetMachine("pass", fmt.Appendf(nil, `{"Comment":"%d",%s`, i, passMachine[1:])); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Flush(); err != nil {
		t.Fatal(err)
	}
	stored := 0
	if err := store.Each("definitions", func(string, []byte) error { stored++; return nil }); err != nil {
		t.Fatal(err)
	}
	if stored > 1000 {
		t.Errorf("%d definitions are stored", stored)
	}
}

// TestAStoredDefinitionThatIsRefusedNowFailsItsExecutions restores a definition that this version does not accept.
func TestAStoredDefinitionThatIsRefusedNowFailsItsExecutions(t *testing.T) {
	t.Parallel()
	store := openStore(t, filepath.Join(t.TempDir(), "state.db"))
	store.Add(
		durable.Change{Table: "definitions", Key: "hash", Value: []byte(`{"StartAt":"Nowhere","States":{}}`)},
		durable.Change{Table: "machines", Key: states.StateMachineARN("old"), Value: fmt.Appendf(nil,
			`{"Name":"old","Kind":"STANDARD","Created":%q,"Current":{"Definition":"hash"}}`, time.Now().Format(time.RFC3339))},
	)
	if err := store.Flush(); err != nil {
		t.Fatal(err)
	}
	ended := make(statusChanges, 9)
	service := newService(t, states.Config{Store: store, StatusChanged: ended.add}, nil)
	start(t, service, "old", "", "")
	if x := ended.nextEnded(); x.Error != "States.Runtime" || !strings.Contains(x.Cause, "Invalid State Machine Definition") {
		t.Errorf("%+v", x)
	}
}

// TestNothingIsAcknowledgedThatIsNotStored closes the store, whose commits then fail.
func TestNothingIsAcknowledgedThatIsNotStored(t *testing.T) {
	t.Parallel()
	store := openStore(t, filepath.Join(t.TempDir(), "state.db"))
	service := newService(t, states.Config{Store: store}, map[string]string{"pass": passMachine})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	if _, err := client.CreateActivity(t.Context(), &sfn.CreateActivityInput{Name: aws.String("stored")}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := client.CreateActivity(t.Context(), &sfn.CreateActivityInput{Name: aws.String("lost")})
	wiretest.WantCode(t, "CreateActivity", err, "InternalFailure")
	if _, err := service.StartExecution(t.Context(), states.StartExecutionInput{StateMachineArn: states.StateMachineARN("pass")}); err == nil {
		t.Error("an execution is started that is not stored")
	}
}
