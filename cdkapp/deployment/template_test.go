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
// auth mode. The stack with tokens of one's own is one of the last release first, is used, updated and rolled back.
func TestTemplateIsPackagedAndDeployed(t *testing.T) {
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		t.Skipf("%s is not set: needs ministack, an emulator of AWS", endpointVariable)
	}
	d := newDeployer(t, endpoint, "herald/template-key")
	tables := d.tables(t)
	folder := filepath.Join(d.dir, "herald")
	d.run(t, "go", "run", "./cdkapp", "template", folder, "-c", "csvImport=true", "-c", "architecture="+d.architecture)
	template := func(mode string) string { return filepath.Join(folder, "herald-"+mode+".template.json") }
	d.aws(t, "s3", "mb", "s3://"+programsBucket)

	start := time.Now()
	d.upgrades(t, "HeraldTemplate", d.lastRelease(t, folder), template("hs256"), "AuthSecretArn="+d.secretARN, "MaxConnections=20")
	t.Logf("a stack of the last release, its update and the rollback took %.0f s", time.Since(start).Seconds())
	d.deployTemplate(t, "HeraldCognito", template("cognito"), "CognitoUserPoolId=us-east-1_AbCdEf123", "CognitoClientIds=one,two")
	d.deployTemplate(t, "HeraldIssuer", template("jwks"), "AuthIssuer=https://issuer.example.com", "AuthAudience=app")

	stacks := []string{"HeraldTemplate", "HeraldCognito", "HeraldIssuer"}
	for _, stack := range stacks {
		tables = append(tables, stack+"_websocket_connections", stack+"_websocket_feed")
	}
	slices.Sort(tables)
	d.hasTables(t, tables...)
	for _, stack := range stacks {
		d.aws(t, "cloudformation", "delete-stack", "--stack-name", stack)
	}
	for _, stack := range stacks {
		d.aws(t, "cloudformation", "wait", "stack-delete-complete", "--stack-name", stack)
	}
	d.hasTables(t, tables...) // a stack leaves its tables
	d.hasNothingBesides(t)
}

// programsBucket is where the AWS CLI puts templates and programs.
const programsBucket = "herald-programs"

// deployTemplate packages a template, creates a stack from it or updates the stack, and reads the outputs.
func (d *deployer) deployTemplate(t *testing.T, stack, template string, parameters ...string) {
	t.Helper()
	packaged := filepath.Join(d.dir, stack+".json")
	d.aws(t, "cloudformation", "package", "--template-file", template,
		"--s3-bucket", programsBucket, "--use-json", "--output-template-file", packaged)
	d.aws(t, append([]string{
		"cloudformation", "deploy", "--template-file", packaged, "--stack-name", stack, "--capabilities", "CAPABILITY_IAM",
		"--s3-bucket", programsBucket, "--parameter-overrides",
	}, parameters...)...)
	d.readOutputs(t, stack)
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
	if len(described.Stacks) != 1 || !slices.Contains([]string{"CREATE_COMPLETE", "UPDATE_COMPLETE"}, described.Stacks[0].StackStatus) {
		t.Fatalf("stack %s: %+v", stack, described)
	}
	d.outputs[stack] = map[string]string{}
	for _, o := range described.Stacks[0].Outputs {
		d.outputs[stack][o.OutputKey] = o.OutputValue
	}
}
