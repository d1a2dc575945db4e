package pipeline_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/bootstrap"
	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lib/observe"
)

// update reports whether the flag -update, which package asltest defines, asks for the golden template to be written from the stack.
func update() bool { return flag.Lookup("update").Value.String() == "true" }

// TestMain ends the CDK's node process, which removes its temporary folder.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

const (
	cdkJSON = "../../cdk.json"
	golden  = "../../testdata/golden/stack.template.json"
)

// full is the full template, once a test has synthesised it: that takes seconds.
var full struct {
	encoded  []byte
	programs map[string]string
}

// fullTemplate returns the template that most tests check: HS256, and every optional resource.
func fullTemplate(t *testing.T) template {
	t.Helper()
	if full.encoded == nil {
		app := newApp(t)
		encoded, err := json.Marshal(synthesiseIn(t, app, fullSettings()).all)
		if err != nil {
			t.Fatal(err)
		}
		full.encoded, full.programs = encoded, programs(t, *app.Synth(nil).Directory())
	}
	out := template{programs: full.programs}
	if err := json.Unmarshal(full.encoded, &out.all); err != nil {
		t.Fatal(err)
	}
	return out
}

// fullSettings returns settings with all optional resources.
func fullSettings() pipeline.Settings {
	settings := watching(hs256())
	settings.Props.AccessLogs = true
	settings.Props.AllowedOrigins = []string{"https://app.example.com", "http://localhost:5173"}
	settings.Props.UploadOrigins = settings.Props.AllowedOrigins
	settings.Props.AlarmEmail, settings.Props.Dashboard = "operators@example.com", true
	return settings
}

// watchedARN is the ARN of the state machine in watching.
const watchedARN = "arn:aws:states:us-east-1:123456789012:stateMachine:shop"

// watching returns the settings with a watched state machine, so that the stack has all functions.
func watching(settings pipeline.Settings) pipeline.Settings {
	settings.Props.WatchedStateMachines = []pipeline.WatchedStateMachine{{Machine: observe.Machine{ARN: watchedARN, User: "$.userId"}}}
	return settings
}

// secretARN is the ARN of the secret with the shared key, in the settings of most tests.
const secretARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:herald/key-a1B2c3"

// hs256 returns settings with the required fields only, for the auth mode HS256, and with the workflow csv_import.
func hs256() pipeline.Settings {
	return pipeline.Settings{
		StackName: pipeline.DefaultStackName,
		Props:     pipeline.Props{Auth: pipeline.Auth{Mode: pipeline.AuthHS256, SecretARN: secretARN}, CSVImport: true},
	}
}

// synthesise returns the template of a stack with these settings, made with cdk.json's feature flags.
func synthesise(t *testing.T, settings pipeline.Settings) template {
	t.Helper()
	return synthesiseIn(t, newApp(t), settings)
}

// synthesiseIn does the same as synthesise, in an app.
func synthesiseIn(t *testing.T, app awscdk.App, settings pipeline.Settings) template {
	t.Helper()
	settings.Props.FunctionsDir = stubFunctions(t)
	stack, err := pipeline.NewStack(app, settings)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, stack)
}

// newApp returns an app as `npx aws-cdk` starts it, or skips where the CDK cannot run.
func newApp(t *testing.T) awscdk.App {
	t.Helper()
	if testing.Short() {
		t.Skip("synthesising takes seconds; skipped by -short")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("no node on PATH, which the AWS CDK needs")
	}

	return awscdk.NewApp(&awscdk.AppProps{
		AnalyticsReporting: new(bool),
		Context:            new(cdkContext(t)),
	})
}

// cdkContext returns cdk.json's context.
func cdkContext(t *testing.T) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(cdkJSON)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Context map[string]any `json:"context"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatalf("%s: %v", cdkJSON, err)
	}

	return file.Context
}

// stubFunctions returns a folder as bootstrap.Build makes it, with an empty program per function.
func stubFunctions(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range bootstrap.Functions() {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "bootstrap"), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return dir
}

// programs returns the contents of the stub programs in a cloud assembly. The keys are the S3 keys of the zip files with them.
func programs(t *testing.T, assembly string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(assembly, "asset.*", "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		hash := strings.TrimPrefix(filepath.Base(filepath.Dir(file)), "asset.")
		out[hash+".zip"] = string(content)
	}
	return out
}

// decode returns the template of the stack.
func decode(t *testing.T, stack awscdk.Stack) template {
	t.Helper()
	raw, err := json.Marshal(assertions.Template_FromStack(stack, nil).ToJSON())
	if err != nil {
		t.Fatal(err)
	}
	var out template
	if err := json.Unmarshal(raw, &out.all); err != nil {
		t.Fatal(err)
	}
	return out
}

// assetHash matches the hash of an asset. The golden template has ASSET_HASH in its place, because each change of a function changes it.
var assetHash = regexp.MustCompile(`[0-9a-f]{64}`)

func TestGoldenTemplate(t *testing.T) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(fullTemplate(t).all); err != nil {
		t.Fatal(err)
	}
	got := assetHash.ReplaceAll(encoded.Bytes(), []byte("ASSET_HASH"))
	if update() {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("template differs from %s; if that is meant, run: go test ./cdkapp/pipeline -run Golden -update\n%s", golden, diff)
	}
}
