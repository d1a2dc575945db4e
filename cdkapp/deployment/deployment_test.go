// Package deployment_test deploys the stack with the CDK's command line on an emulator of AWS, uses it, and takes it down.
package deployment_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// endpointVariable names the environment variable with the emulator's URL. .ci/run starts the emulator.
const endpointVariable = "MINISTACK_ENDPOINT"

// key is the shared key with which tokens are signed.
const key = "0123456789abcdef0123456789abcdef"

// account is the emulator's account.
const account = "aws://123456789012/us-east-1"

// TestStackIsDeployedUsedAndTakenDown follows a deployer: a first deployment, a second one, another stack, a renamed table, the
// end, and a new beginning with what was left. Each step builds on the steps before.
func TestStackIsDeployedUsedAndTakenDown(t *testing.T) {
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		t.Skipf("%s is not set: needs ministack, an emulator of AWS", endpointVariable)
	}
	d := newDeployer(t, endpoint, "herald/key")
	steps := []struct {
		name string
		run  func(*deployer, *testing.T)
	}{
		{"bootstrap needs no settings", (*deployer).bootstraps},
		{"without settings nothing is deployed", (*deployer).refusesWithoutSettings},
		{"the stack is deployed", (*deployer).deploysProduction},
		{"a second deployment changes nothing", (*deployer).changesNothing},
		{"a browser sees a note and an import", (*deployer).isUsed},
		{"a second stack stands beside the first", (*deployer).deploysStaging},
		{"the second stack is deleted with its tables, the first is not", (*deployer).destroysStaging},
		{"a renamed table is refused unless asked for", (*deployer).refusesRenamedTable},
		{"destroy leaves the tables and the bucket", (*deployer).destroysProduction},
		{"a new stack adopts what was left", (*deployer).adopts},
		{"nothing else is left at the end", (*deployer).leavesNothingElse},
	}
	for _, step := range steps {
		ok := t.Run(step.name, func(t *testing.T) {
			start := time.Now()
			step.run(d, t)
			t.Logf("%.0f s", time.Since(start).Seconds())
		})
		if !ok {
			t.Fatal("the other steps need this one")
		}
	}
}

// deployer runs the CDK's command line as a deployer does.
type deployer struct {
	endpoint string
	config   aws.Config
	// secretARN is the ARN of the secret, and architecture the processor of the functions.
	secretARN, architecture string
	// settings are the arguments of each deployment of the stack.
	settings []string
	dir      string
	// outputs are those of the last deployment of each stack.
	outputs map[string]map[string]string
	// bucket is the bucket of the first stack, and job a job in its feed.
	bucket, job string
}

// newDeployer returns a deployer with a new secret, whose ARN is in the settings.
func newDeployer(t *testing.T, endpoint, secretName string) *deployer {
	t.Helper()
	d := &deployer{endpoint: endpoint, config: emulator(endpoint), dir: t.TempDir(), outputs: map[string]map[string]string{}}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": endpoint, "CDK_DISABLE_CLI_TELEMETRY": "true", "NODE_NO_WARNINGS": "1",
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20", "CI": "true",
	} {
		t.Setenv(name, value)
	}
	secret, err := secretsmanager.NewFromConfig(d.config).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(secretName), SecretString: aws.String(key),
	})
	if err != nil {
		t.Fatalf("create the secret: %v", err)
	}
	d.secretARN, d.architecture = *secret.ARN, "arm64"
	if runtime.GOARCH == "amd64" {
		d.architecture = "x86_64" // the emulator runs the functions on this machine
	}
	d.settings = []string{
		"-c", "authMode=hs256", "-c", "authSecretArn=" + d.secretARN, "-c", "csvImport=true",
		"-c", "uploadOrigins=http://127.0.0.1:8080", "-c", "architecture=" + d.architecture,
	}

	return d
}

// try runs a command of the CDK in the checkout, and returns what it printed. Its error is the command's.
func (d *deployer) try(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	return d.tryCommand(t, "cdk", append(arguments, "--output", filepath.Join(d.dir, "cdk.out"), "--no-color")...)
}

// cdk runs a command of the CDK that must succeed.
func (d *deployer) cdk(t *testing.T, arguments ...string) string {
	t.Helper()
	printed, err := d.try(t, arguments...)
	if err != nil {
		t.Fatalf("cdk %s: %v\n%s", strings.Join(arguments, " "), err, printed)
	}
	return printed
}

// deploy deploys a stack with the settings and more, and reads its outputs.
func (d *deployer) deploy(t *testing.T, stack string, more ...string) string {
	t.Helper()
	outputs := filepath.Join(d.dir, "outputs.json")
	arguments := append([]string{
		"deploy", "--require-approval", "never", "--outputs-file", outputs, "-c", "stackName=" + stack,
	}, append(d.settings, more...)...)
	printed := d.cdk(t, arguments...)
	raw, err := os.ReadFile(outputs)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &d.outputs); err != nil {
		t.Fatalf("outputs %s: %v", raw, err)
	}
	return printed
}

func (d *deployer) bootstraps(t *testing.T) {
	t.Helper()
	d.cdk(t, "bootstrap", account)
}

func (d *deployer) refusesWithoutSettings(t *testing.T) {
	t.Helper()
	printed, err := d.try(t, "deploy", "--require-approval", "never")
	if exit := new(exec.ExitError); !errors.As(err, &exit) || !strings.Contains(printed, "authMode: not set") {
		t.Errorf("deploy ended with %v and printed\n%s", err, printed)
	}
	printed, err = d.try(t, "deploy", "--require-approval", "never", "--ignore-errors")
	if exit := new(exec.ExitError); !errors.As(err, &exit) || !strings.Contains(printed, "the settings were refused") {
		t.Errorf("deploy --ignore-errors ended with %v and printed\n%s", err, printed)
	}
}

func (d *deployer) deploysProduction(t *testing.T) {
	t.Helper()
	printed := d.deploy(t, "Herald")
	for _, unwanted := range []string{"exited abnormally", "feature flags are not configured"} {
		if strings.Contains(printed, unwanted) {
			t.Errorf("deploy printed %q:\n%s", unwanted, printed)
		}
	}
	d.bucket = d.outputs["Herald"]["UploadsBucketName"]
}

func (d *deployer) changesNothing(t *testing.T) {
	t.Helper()
	arguments := append([]string{"diff", "--fail"}, d.settings...)
	d.cdk(t, arguments...)
	if printed := d.deploy(t, "Herald"); !strings.Contains(printed, "no changes") {
		t.Errorf("the second deployment printed\n%s", printed)
	}
}

func (d *deployer) isUsed(t *testing.T) {
	t.Helper()
	d.job = d.use(t, "Herald")
}

func (d *deployer) deploysStaging(t *testing.T) {
	t.Helper()
	d.deploy(t, "HeraldStaging", "-c", "removalPolicy=destroy", "-c", "notifierProvisionedConcurrency=1", "-c", "uploadDays=7", "--tags", "team=web")
	if described := d.aws(t, "cloudformation", "describe-stacks", "--stack-name", "HeraldStaging"); !strings.Contains(described, `"Value": "web"`) {
		t.Errorf("the stack is not tagged: %s", described)
	}
	d.use(t, "HeraldStaging")
}

func (d *deployer) destroysStaging(t *testing.T) {
	t.Helper()
	d.cdk(t, append([]string{"destroy", "--force", "-c", "stackName=HeraldStaging"}, d.settings...)...)
	d.hasTables(t, "websocket_connections", "websocket_feed")
	d.hasJob(t, "Herald")
}

// deployedTable matches what CloudFormation says of a renamed table.
var deployedTable = regexp.MustCompile(`feedTableName is feed_2, but another table was deployed`)

func (d *deployer) refusesRenamedTable(t *testing.T) {
	t.Helper()
	arguments := append([]string{"deploy", "--require-approval", "never", "-c", "feedTableName=feed_2"}, d.settings...)
	printed, err := d.try(t, arguments...)
	if err == nil || !deployedTable.MatchString(printed) {
		t.Fatalf("the renamed table was deployed: %v\n%s", err, printed)
	}
	d.hasTables(t, "websocket_connections", "websocket_feed")
	d.hasJob(t, "Herald")
	d.cdk(t, append(arguments, "--parameters", "DeployedFeedTable=feed_2")...)
	d.hasTables(t, "feed_2", "websocket_connections", "websocket_feed")
}

func (d *deployer) destroysProduction(t *testing.T) {
	t.Helper()
	d.cdk(t, "destroy", "--force") // as the README prints it: no settings
	d.hasTables(t, "feed_2", "websocket_connections", "websocket_feed")
}

func (d *deployer) adopts(t *testing.T) {
	t.Helper()
	d.deploy(t, "Herald", "-c", "existingTables=true", "-c", "uploadsBucket="+d.bucket)
	d.hasJob(t, "Herald")
	d.use(t, "Herald")
}

func (d *deployer) leavesNothingElse(t *testing.T) {
	t.Helper()
	d.cdk(t, "destroy", "--force")
	d.hasTables(t, "feed_2", "websocket_connections", "websocket_feed")
	d.hasNothingBesides(t)
}
