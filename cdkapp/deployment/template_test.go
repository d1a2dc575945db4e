package deployment_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTemplateIsPackagedAndDeployed follows a team without Go and without the CDK: the AWS CLI packages and deploys the template of each
// auth mode. The stack with tokens of one's own is used, too.
func TestTemplateIsPackagedAndDeployed(t *testing.T) {
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		t.Skipf("%s is not set: needs ministack, an emulator of AWS", endpointVariable)
	}
	d := newDeployer(t, endpoint, "herald/template-key")
	before := d.tables(t)
	folder := filepath.Join(d.dir, "herald")
	d.run(t, "go", "run", "./cdkapp", "template", folder, "-c", "csvImport=true", "-c", "removalPolicy=destroy", "-c", "architecture="+d.architecture)
	d.aws(t, "s3", "mb", "s3://herald-programs")
	for _, of := range []struct {
		stack, mode string
		parameters  []string
	}{
		{"HeraldTemplate", "hs256", []string{"AuthSecretArn=" + d.secretARN, "MaxConnections=20"}},
		{"HeraldCognito", "cognito", []string{"CognitoUserPoolId=us-east-1_AbCdEf123", "CognitoClientIds=one,two"}},
		{"HeraldIssuer", "jwks", []string{"AuthIssuer=https://issuer.example.com", "AuthAudience=app"}},
	} {
		packaged := filepath.Join(d.dir, of.mode+".json")
		d.aws(t, "cloudformation", "package", "--template-file", filepath.Join(folder, "herald-"+of.mode+".template.json"),
			"--s3-bucket", "herald-programs", "--use-json", "--output-template-file", packaged)
		d.aws(t, append([]string{
			"cloudformation", "deploy", "--template-file", packaged, "--stack-name", of.stack, "--capabilities", "CAPABILITY_IAM",
			"--s3-bucket", "herald-programs", "--parameter-overrides",
		}, of.parameters...)...)
		d.readOutputs(t, of.stack)
		if of.mode == "hs256" {
			d.use(t, of.stack)
		}
	}
	d.hasTables(t, slices.Sorted(slices.Values(append(before, "HeraldCognito_websocket_connections", "HeraldCognito_websocket_feed",
		"HeraldIssuer_websocket_connections", "HeraldIssuer_websocket_feed", "HeraldTemplate_websocket_connections", "HeraldTemplate_websocket_feed")))...)
	for _, stack := range []string{"HeraldTemplate", "HeraldCognito", "HeraldIssuer"} {
		d.aws(t, "cloudformation", "delete-stack", "--stack-name", stack)
		d.aws(t, "cloudformation", "wait", "stack-delete-complete", "--stack-name", stack)
	}
	d.hasNothingBesides(t)
}

// run runs a command in the checkout that must succeed, and returns what it printed.
func (d *deployer) run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = filepath.Join("..", "..")
	printed, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, printed)
	}
	return string(printed)
}

// aws runs a command of the AWS CLI.
func (d *deployer) aws(t *testing.T, arguments ...string) string {
	t.Helper()
	return d.run(t, "aws", append([]string{"--endpoint-url", d.endpoint, "--output", "json"}, arguments...)...)
}

// readOutputs reads the outputs of a stack.
func (d *deployer) readOutputs(t *testing.T, stack string) {
	t.Helper()
	var described struct {
		Stacks []struct {
			StackStatus string
			Outputs     []struct{ OutputKey, OutputValue string }
		}
	}
	if err := json.Unmarshal([]byte(d.aws(t, "cloudformation", "describe-stacks", "--stack-name", stack)), &described); err != nil {
		t.Fatal(err)
	}
	if len(described.Stacks) != 1 || described.Stacks[0].StackStatus != "CREATE_COMPLETE" {
		t.Fatalf("stack %s: %+v", stack, described)
	}
	d.outputs[stack] = map[string]string{}
	for _, o := range described.Stacks[0].Outputs {
		d.outputs[stack][o.OutputKey] = o.OutputValue
	}
}
