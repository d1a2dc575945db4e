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
	d.refusesRenamedTemplate(t, "HeraldCognito", "cognito")
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
	if printed, err := d.tryTemplate(t, stack, template, parameters...); err != nil {
		t.Fatalf("deploy %s: %v\n%s", stack, err, printed)
	}
	d.readOutputs(t, stack)
}

// refusesRenamedTemplate deploys a newer template in which a table has another name: the stack must keep its tables.
func (d *deployer) refusesRenamedTemplate(t *testing.T, stack, mode string) {
	t.Helper()
	folder := filepath.Join(d.dir, "renamed")
	d.run(t, "go", "run", "./cdkapp", "template", folder, "-c", "csvImport=true", "-c", "architecture="+d.architecture, "-c", "feedTableName=another_feed")
	printed, err := d.tryTemplate(t, stack, filepath.Join(folder, "herald-"+mode+".template.json"))
	if err == nil || !strings.Contains(printed, "DeployedFeedTable=another_feed") {
		t.Errorf("another table was deployed, or it was refused without a reason: %v\n%s", err, printed)
	}
}

// tryTemplate packages a template, and creates a stack from it or updates the stack. Parameters that are not named stay. It returns what
// the deployment printed, with its error.
func (d *deployer) tryTemplate(t *testing.T, stack, template string, parameters ...string) (string, error) {
	t.Helper()
	packaged := filepath.Join(d.dir, stack+".json")
	d.aws(t, "cloudformation", "package", "--template-file", template,
		"--s3-bucket", programsBucket, "--use-json", "--output-template-file", packaged)
	arguments := []string{
		"cloudformation", "deploy", "--template-file", packaged, "--stack-name", stack, "--capabilities", "CAPABILITY_IAM",
		"--s3-bucket", programsBucket,
	}
	if len(parameters) > 0 {
		arguments = append(append(arguments, "--parameter-overrides"), parameters...)
	}

	return d.tryCommand(t, "aws", append([]string{"--endpoint-url", d.endpoint}, arguments...)...)
}

// run runs a command in the checkout that must succeed, and returns what it printed.
func (d *deployer) run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	printed, err := d.tryCommand(t, name, arguments...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, printed)
	}
	return printed
}

// tryCommand runs a command in the checkout, and returns what it printed. Its error is the command's.
func (d *deployer) tryCommand(t *testing.T, name string, arguments ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = filepath.Join("..", "..")
	printed, err := command.CombinedOutput()

	return string(printed), err
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
