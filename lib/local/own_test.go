package local_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/logtest"
)

// definitionOf returns the definition of a state machine.
func definitionOf(t *testing.T, twin *local.Twin, name string) string {
	t.Helper()
	out, err := sfn.NewFromConfig(twin.AWSConfig()).DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{
		StateMachineArn: aws.String(states.StateMachineARN(name)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Definition)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAWorkflowInAFileIsLoadedAnew changes the file of a workflow while the twin runs.
func TestAWorkflowInAFileIsLoadedAnew(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "mine.asl.json")
	pass := func(result string) string {
		return `{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"` + result + `","End":true}}}`
	}
	writeFile(t, file, pass("${NotifierFunctionArn} ${MakeThumbsFunctionArn} ${MineStateMachineArn} ${AWS::Region} ${Mine}"))
	out := &logtest.Buffer{}
	twin, ended := startWithEnds(t, local.Config{
		WorkflowFiles: map[string]string{"mine": file}, Substitutions: map[string]string{"Mine": `a "quoted" value`},
		Processes: map[string]local.Process{"make-thumbs": {Command: "http://127.0.0.1:1"}}, Output: out,
	})
	const filled = `arn:aws:lambda:us-east-1:000000000000:function:herald-notifier arn:aws:lambda:us-east-1:000000000000:function:make-thumbs ` +
		`arn:aws:states:us-east-1:000000000000:stateMachine:mine us-east-1 a \"quoted\" value`
	if got := definitionOf(t, twin, "mine"); got != pass(filled) {
		t.Errorf("loaded %s", got)
	}

	writeFile(t, file, pass("two"))
	out.WaitFor(t, "workflow mine: loaded "+file+" anew\n")
	if _, err := sfn.NewFromConfig(twin.AWSConfig()).StartExecution(t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: aws.String(states.StateMachineARN("mine")),
	}); err != nil {
		t.Fatal(err)
	}
	if x := <-ended; x.Output != `"two"` {
		t.Errorf("the changed workflow returned %s", x.Output)
	}

	for text, want := range map[string]string{
		`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"Nowhere"}}}`: "MISSING_TRANSITION_TARGET: Missing 'Next' target: Nowhere at /States/A/Next",
		pass("${Unknown}"): "no substitution for ${Unknown}; there are AWS::AccountId, ",
	} {
		writeFile(t, file, text)
		out.WaitFor(t, "workflow mine: the changed "+file+" is wrong, the one before goes on: ")
		out.WaitFor(t, want)
		if got := definitionOf(t, twin, "mine"); got != pass("two") {
			t.Errorf("after a wrong change it runs %s", got)
		}
	}
	writeFile(t, file, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{},"End":true}}}`)
	out.WaitFor(t, "these tasks will fail: states: resource cannot be run here: arn:aws:states:::sqs:sendMessage, in state A\n")
}

func TestStartSaysWhatIsWrongWithAUsersOwn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	wrong := filepath.Join(folder, "wrong.asl.json")
	writeFile(t, wrong, `{"StartAt":"A"}`)
	large := filepath.Join(folder, "large.asl.json")
	writeFile(t, large, strings.Repeat(" ", 1<<20+1))
	command := func(name, command string) local.Config {
		return local.Config{Processes: map[string]local.Process{name: {Command: command}}}
	}
	workflow := func(path string) local.Config {
		return local.Config{WorkflowFiles: map[string]string{"mine": path}}
	}
	for name, tt := range map[string]struct {
		config local.Config
		want   string
	}{
		"definition":     {workflow(wrong), "workflow mine: " + wrong + ": state machine mine: Invalid State Machine Definition: "},
		"no file":        {workflow(filepath.Join(folder, "none")), "workflow mine: " + filepath.Join(folder, "none") + ": no such file or directory"},
		"large file":     {workflow(large), "larger than 1048576 bytes"},
		"folder":         {workflow(folder), "is a directory"},
		"workflow name":  {local.Config{WorkflowFiles: map[string]string{"a b": wrong}}, "the name must have 1 to 80 characters"},
		"function name":  {command("a b", "true"), "letters, digits"},
		"Herald's own":   {command("herald-notifier", "true"), "Herald's own functions"},
		"no command":     {command("mine", ""), "has no command"},
		"foreign URL":    {command("mine", "http://example.com"), "must be of this machine"},
		"in the program": {local.Config{StateMachines: map[string]string{"mine": "${Nothing}"}}, "no substitution for ${Nothing}"},
	} {
		twin, err := local.Start(t.Context(), tt.config)
		if err == nil {
			_ = twin.Close(context.WithoutCancel(t.Context()))
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
