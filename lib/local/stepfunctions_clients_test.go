package local_test

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
)

// TestTheAWSCLIRunsWorkflows creates, starts, stops, redrives and describes a workflow with the AWS CLI of either major version.
func TestTheAWSCLIRunsWorkflows(t *testing.T) {
	aws := cmp.Or(os.Getenv("AWSCLI_1"), "aws")
	if _, err := exec.LookPath(aws); err != nil {
		t.Skipf("%s is not on the path", aws)
	}
	// Without its arguments the command fails, and says whether the CLI knows it.
	if out, _ := exec.CommandContext(t.Context(), aws, "stepfunctions", "validate-state-machine-definition").CombinedOutput(); bytes.Contains(out, []byte("Invalid choice")) {
		t.Skipf("%s is older than the commands of this test; set AWSCLI_1 to a newer one", aws)
	}
	twin, _ := startTwin(t)
	const wait = `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}`
	arn := states.StateMachineARN("mine")
	run := func(arguments ...string) string {
		t.Helper()
		return strings.TrimSpace(runAWSCLI(t, aws, twin, append([]string{"stepfunctions"}, append(arguments, "--output", "text")...)...))
	}
	if got := run("create-state-machine", "--name", "mine", "--definition", wait, "--role-arn", "arn:aws:iam::000000000000:role/mine",
		"--query", "stateMachineArn"); got != arn {
		t.Errorf("created %s", got)
	}
	execution := run("start-execution", "--state-machine-arn", arn, "--name", "one", "--query", "executionArn")
	run("stop-execution", "--execution-arn", execution, "--error", "Mine", "--cause", "why")
	if got := run("describe-execution", "--execution-arn", execution, "--query", "[status,error,cause,redriveStatus]"); got != "ABORTED\tMine\twhy\tREDRIVABLE" {
		t.Errorf("stopped: %s", got)
	}
	run("redrive-execution", "--execution-arn", execution)
	if got := run("describe-execution", "--execution-arn", execution, "--query", "[status,redriveCount]"); got != "RUNNING\t1" {
		t.Errorf("redriven: %s", got)
	}
	each := states.StateMachineARN("each")
	run("create-state-machine", "--name", "each", "--role-arn", "arn:aws:iam::000000000000:role/mine", "--definition",
		`{"StartAt":"M","States":{"M":{"Type":"Map","ToleratedFailureCount":5,"End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},`+
			`"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}}}}`)
	execution = run("start-execution", "--state-machine-arn", each, "--input", "[1,2]", "--query", "executionArn")
	mapRun := ""
	for mapRun == "" {
		mapRun = run("list-map-runs", "--execution-arn", execution, "--query", "mapRuns[].mapRunArn")
	}
	run("update-map-run", "--map-run-arn", mapRun, "--max-concurrency", "1")
	if got := run("describe-map-run", "--map-run-arn", mapRun, "--query", "[status,maxConcurrency,toleratedFailureCount,itemCounts.total]"); got != "RUNNING\t1\t5\t2" {
		t.Errorf("the Map run: %s", got)
	}
	run("list-executions", "--map-run-arn", mapRun, "--redrive-filter", "NOT_REDRIVEN")
	if got := run("validate-state-machine-definition", "--definition", "{}", "--query", "result"); got != "FAIL" {
		t.Errorf("validated: %s", got)
	}
}

// boto3Program does with boto3 what a test of a user's workflow does. Its arguments are the endpoint and a Standard workflow's ARN.
const boto3Program = `
import sys, boto3
from botocore.config import Config
client = boto3.client("stepfunctions", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="x",
                      aws_secret_access_key="x", config=Config(inject_host_prefix=False))
role, fail = "arn:aws:iam::000000000000:role/mine", '{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E"}}}'
made = client.create_state_machine(name="mine", definition=fail, roleArn=role, type="EXPRESS")["stateMachineArn"]
ended = client.start_sync_execution(stateMachineArn=made, input='{"a":1}')
assert ended["status"] == "FAILED" and ended["error"] == "E", ended
client.update_state_machine(stateMachineArn=made, definition=fail.replace('"Fail","Error":"E"', '"Succeed"'))
assert client.start_sync_execution(stateMachineArn=made, input='{"a":1}')["output"] == '{"a":1}'
assert made in [m["stateMachineArn"] for page in client.get_paginator("list_state_machines").paginate() for m in page["stateMachines"]]
client.delete_state_machine(stateMachineArn=made)
try:
    client.start_execution(stateMachineArn=made)
    raise SystemExit("a deleted state machine is started")
except client.exceptions.StateMachineDoesNotExist:
    pass
first = client.start_execution(stateMachineArn=sys.argv[2], name="n", input="{}")
assert client.start_execution(stateMachineArn=sys.argv[2], name="n", input="{}")["startDate"] == first["startDate"]
try:
    client.start_execution(stateMachineArn=sys.argv[2], name="n", input='{"b":1}')
    raise SystemExit("one name, two inputs")
except client.exceptions.ExecutionAlreadyExists:
    pass

each = '{"StartAt":"M","States":{"M":{"Type":"Map","Label":"L","MaxConcurrency":2,"End":true,"ItemProcessor":{"ProcessorConfig":' \
    '{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}}}}'
each = client.create_state_machine(name="each", definition=each, roleArn=role)["stateMachineArn"]
execution = client.start_execution(stateMachineArn=each, input="[1,2,3]")["executionArn"]
runs = []
while not runs:
    runs = [r["mapRunArn"] for page in client.get_paginator("list_map_runs").paginate(executionArn=execution) for r in page["mapRuns"]]
client.update_map_run(mapRunArn=runs[0], maxConcurrency=1, toleratedFailureCount=2)
run = client.describe_map_run(mapRunArn=runs[0])
assert run["status"] == "RUNNING" and run["maxConcurrency"] == 1 and run["toleratedFailureCount"] == 2 and run["itemCounts"]["total"] == 3, run
client.stop_execution(executionArn=execution)
children = client.list_executions(mapRunArn=runs[0], redriveFilter="NOT_REDRIVEN")["executions"]
assert children and all(c["status"] == "ABORTED" and c["itemCount"] == 1 for c in children), children
assert client.describe_execution(executionArn=children[0]["executionArn"])["mapRunArn"] == runs[0]
assert client.get_execution_history(executionArn=children[0]["executionArn"])["events"][-1]["type"] == "ExecutionAborted"
assert client.describe_map_run(mapRunArn=runs[0])["status"] == "ABORTED"
try:
    client.describe_map_run(mapRunArn=runs[0] + "x")
    raise SystemExit("an unknown Map run is described")
except client.exceptions.ResourceNotFound:
    pass
`

func TestBoto3RunsWorkflows(t *testing.T) {
	python := cmp.Or(os.Getenv("BOTO3_PYTHON"), "python3")
	if err := exec.CommandContext(t.Context(), python, "-c", "import boto3").Run(); err != nil {
		t.Skipf("%s has no boto3; set BOTO3_PYTHON to a Python that has it", python)
	}
	file := filepath.Join(t.TempDir(), "wait.asl.json")
	if err := os.WriteFile(file, []byte(`{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	twin, _ := startWithEnds(t, local.Config{WorkflowFiles: map[string]string{"wait": file}})
	out, err := exec.CommandContext(t.Context(), python, "-c", boto3Program, twin.Endpoint(), states.StateMachineARN("wait")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
