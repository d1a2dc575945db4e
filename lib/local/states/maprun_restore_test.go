package states_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// TestAMapRunIsRedrivenAfterARestart kills the service while one child execution has succeeded, one has failed and one runs. The next
// service redrives the Map run with the items that were read, and the one after it has all of this.
func TestAMapRunIsRedrivenAfterARestart(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"STANDARD", "EXPRESS"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			objects := &asl.MemoryObjects{}
			putObject(t, objects, "data", `[1,2,3,4]`)
			definition := twoSteps(kind, strings.Replace(fromSelected, `"MaxConcurrency":1`, `"MaxConcurrency":1,"ToleratedFailureCount":1`, 1))
			path, execution, arn := killMapRun(t, definition, objects)

			putObject(t, objects, "data", `[]`)
			ended := make(statusChanges, 20)
			first, second := &work{}, &work{}
			store, path := copyAfterKill(t, path)
			client, _ := newRedriveService(t, states.Config{Store: store, Objects: objects, StatusChanged: ended.add}, definition, first, second)
			killed := describeMapRun(t, client, arn)
			wantCounts(t, killed, types.MapRunExecutionCounts{Succeeded: 1, Failed: 1, Pending: 2, Total: 4})
			if killed.Status != types.MapRunStatusAborted {
				t.Errorf("after the kill: %+v", killed)
			}
			redrive(t, client, execution)
			if x := ended.nextEnded(); x.Status != "SUCCEEDED" {
				t.Fatalf("%+v", x)
			}
			want := []int{3, 4} // The child that ran has no result: it starts anew.
			if kind == "EXPRESS" {
				want = []int{2, 3, 4}
			}
			if a, b := first.breaks(), second.breaks(); !slices.Equal(a, want) || !slices.Equal(b, []int{2, 3, 4}) {
				t.Errorf("the states were run again for %v and %v", a, b)
			}
			run := describeMapRun(t, client, arn)
			wantCounts(t, run, types.MapRunExecutionCounts{Succeeded: 4, Total: 4, ResultsWritten: 4})
			if *run.RedriveCount != 1 {
				t.Errorf("redriven: %+v", run)
			}

			answers := func(client *sfn.Client) map[string]string {
				all := map[string]string{
					"execution": asJSON(t, client.DescribeExecution, sfn.DescribeExecutionInput{ExecutionArn: &execution}),
					"history":   asJSON(t, client.GetExecutionHistory, sfn.GetExecutionHistoryInput{ExecutionArn: &execution}),
					"Map run":   asJSON(t, client.DescribeMapRun, sfn.DescribeMapRunInput{MapRunArn: arn}),
				}
				for _, child := range children(t, client, sfn.ListExecutionsInput{MapRunArn: arn}) {
					all[*child.Name] = asJSON(t, client.DescribeExecution, sfn.DescribeExecutionInput{ExecutionArn: child.ExecutionArn}) +
						asJSON(t, client.GetExecutionHistory, sfn.GetExecutionHistoryInput{ExecutionArn: child.ExecutionArn})
				}
				return all
			}
			before := answers(client)
			if len(before) != 7 {
				t.Errorf("%d children are stored", len(before)-3)
			}
			next := afterKill(t, path)
			if err := next.Each("datasets", func(key string, _ []byte) error {
				t.Errorf("the items of %s are still stored", key)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			client, _ = newRedriveService(t, states.Config{Store: next}, definition, first, second)
			if diff := cmp.Diff(before, answers(client)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// killMapRun starts an execution of a definition made by twoSteps, whose second child execution fails and whose third one runs when the
// store at path is as after a kill. It returns path, and the ARNs of the execution and of its Map run.
func killMapRun(t *testing.T, definition string, objects asl.Objects) (path, execution string, mapRun *string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "state.db")
	begun, release := make(chan struct{}), make(chan struct{})
	lambda := newLambda(t, map[string]invoke.Function{
		"first": {Handler: func(in int) (int, error) { return in, nil }},
		"work": {Handler: func(in int) (int, error) {
			switch in {
			case 2:
				return 0, brokenError{"two"}
			case 3:
				close(begun)
				<-release
			}
			return in, nil
		}},
	})
	service := newService(t, states.Config{Store: openStore(t, path), Lambda: lambda, Objects: objects}, map[string]string{"m": definition, "pass": passMachine})
	t.Cleanup(func() { close(release) })
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	execution = start(t, service, "m", "", `{}`)
	<-begun
	start(t, service, "pass", "", "{}") // Before its answer, the store has what has happened until then.
	return path, execution, onlyMapRun(t, client, execution)
}
