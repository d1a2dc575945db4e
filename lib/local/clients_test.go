package local_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
)

// TestForeignClientsWork does what statemachines/README.md says under "By hand", with the AWS CLI and wscat.
func TestForeignClientsWork(t *testing.T) {
	for _, program := range []string{"aws", "wscat"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not on the path", program)
		}
	}
	if version, err := exec.CommandContext(t.Context(), "aws", "--version").Output(); err != nil || !strings.HasPrefix(string(version), "aws-cli/2") {
		t.Skipf("the aws on the path is not version 2 but %q", version)
	}
	twin, _ := startTwin(t)
	token, err := twin.Token("dev", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, connect := range map[string][]string{
		"query":       {"--connect", twin.WebSocketURL() + "?token=" + token},
		"subprotocol": {"--connect", twin.WebSocketURL(), "--subprotocol", "herald", "--subprotocol", token},
	} {
		t.Run(name, func(t *testing.T) {
			frames := wscat(t, connect...)
			if pong := <-frames; !strings.Contains(pong, `"pong"`) {
				t.Fatalf("a ping is answered %q", pong)
			}
			// ZGV2 is "dev" in base64.
			awsCLI(t, twin, "s3", "cp", partsList+".csv", "s3://"+local.Bucket+"/uploads/ZGV2/u-"+name+"/parts-list.csv")
			awaitFrames(t, frames, `"phase":"read"`, `"phase":"parse"`, `"phase":"finish"`, `"progress":100,`, `"type":"notification"`)
			answer := awsCLI(t, twin, "lambda", "invoke", "--function-name", local.NotifierName,
				"--cli-binary-format", "raw-in-base64-out", "--payload",
				`{"userId":"dev","message":{"type":"error","data":{"code":"BY_HAND","message":"From the CLI"}}}`, "/dev/stdout")
			if !strings.Contains(answer, `"delivered":1`) {
				t.Errorf("aws lambda invoke prints %s", answer)
			}
			awaitFrames(t, frames, `"BY_HAND"`)
			describeNewest(t, twin)
		})
	}
}

// describeNewest describes the newest execution with the AWS CLI, as an operator does. It waits until the execution has ended: the
// notification comes shortly before the end.
func describeNewest(t *testing.T, twin *local.Twin) {
	t.Helper()
	var executions struct {
		Executions []struct {
			ExecutionArn string `json:"executionArn"`
		} `json:"executions"`
	}
	list := awsCLI(t, twin, "stepfunctions", "list-executions", "--state-machine-arn", states.StateMachineARN(local.CSVImport))
	if err := json.Unmarshal([]byte(list), &executions); err != nil {
		t.Fatal(err)
	}
	var text string
	var execution struct{ Status, Output string }
	for execution.Status == "" || execution.Status == "RUNNING" {
		text = awsCLI(t, twin, "stepfunctions", "describe-execution", "--execution-arn", executions.Executions[0].ExecutionArn)
		if err := json.Unmarshal([]byte(text), &execution); err != nil {
			t.Fatal(err)
		}
	}
	if execution.Status != "SUCCEEDED" || !strings.Contains(execution.Output, `"rows":10000`) {
		t.Errorf("aws stepfunctions describe-execution prints %s", text)
	}
}

// wscat runs wscat, which connects and sends a ping, and returns its output.
func wscat(t *testing.T, args ...string) <-chan string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "wscat", append(args, "--execute", `{"action":"ping"}`, "--wait", "600")...)
	stdin, err := command.StdinPipe() // wscat exits when its stdin ends
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	frames := make(chan string, 100)
	go func() {
		defer close(frames)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			frames <- lines.Text()
		}
	}()
	return frames
}

// awaitFrames returns when frames that contain the texts have come, in that order. One frame may contain several of them, because a state
// that is pushed may stand for the states before it.
func awaitFrames(t *testing.T, frames <-chan string, texts ...string) {
	t.Helper()
	var seen []string
	for len(texts) > 0 {
		frame, open := <-frames
		if !open {
			t.Fatalf("no frame with %s among\n%s", texts[0], strings.Join(seen, "\n"))
		}
		seen = append(seen, frame)
		for len(texts) > 0 && strings.Contains(frame, texts[0]) {
			texts = texts[1:]
		}
	}
}

func awsCLI(t *testing.T, twin *local.Twin, args ...string) string {
	t.Helper()
	return runAWSCLI(t, "aws", twin, args...)
}

// runAWSCLI runs a program that is an AWS CLI against the twin, and returns its output.
func runAWSCLI(t *testing.T, program string, twin *local.Twin, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, slices.Insert(args, 0, "--endpoint-url", twin.Endpoint())...)
	command.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=")
	out, err := command.Output()
	if err != nil {
		if failed, ok := err.(*exec.ExitError); ok {
			t.Fatalf("aws %s: %v: %s", args[1], err, failed.Stderr)
		}
		t.Fatal(err)
	}

	return string(out)
}
