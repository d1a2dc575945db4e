package template

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/cloudformationinclude"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/cdkapp/bootstrap"
	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// TestMain ends the CDK's node process, which removes its temporary folder.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

var errBuild = errors.New("no compiler")

// stubBuild makes a small program for each function, as bootstrap.Build does.
func stubBuild(_ context.Context, dir, architecture string) error {
	for _, name := range bootstrap.Functions() {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name, "bootstrap"), []byte(name+" for "+architecture), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// needCDK skips where the CDK cannot run.
func needCDK(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("synthesising takes seconds; skipped by -short")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("no node on PATH, which the AWS CDK needs")
	}
}

// allParts returns settings with which a stack has every optional part.
func allParts() []string {
	return []string{"csvImport=true", "uploadOrigins=https://app.example.com", "accessLogs=true", "architecture=x86_64"}
}

// written returns a folder with the templates, or skips where the CDK cannot run.
func written(t *testing.T, settings ...string) string {
	t.Helper()
	needCDK(t)
	values, err := ReadContext(filepath.Join("..", "..", "cdk.json"), settings)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "herald")
	if err := write(t.Context(), dir, values, stubBuild); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestFolderHasATemplateForEachModeAndTheFunctions(t *testing.T) {
	first, second := written(t, allParts()...), written(t, allParts()...)
	var files []string
	err := filepath.WalkDir(first, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(first, path)
			files = append(files, filepath.ToSlash(name))
			if !bytes.Equal(read(t, path), read(t, second, name)) {
				t.Errorf("%s: two runs differ", name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range pipeline.AuthModes() {
		if !slices.Contains(files, FileName(mode)) {
			t.Errorf("no template for %s in %v", mode, files)
		}
	}
	if want := len(pipeline.AuthModes()); len(files) <= want {
		t.Fatalf("no functions in %v", files)
	}
	for _, name := range files {
		if !strings.HasPrefix(name, "functions/") {
			continue
		}
		archive, err := zip.NewReader(bytes.NewReader(read(t, first, name)), int64(len(read(t, first, name))))
		if err != nil {
			t.Fatal(err)
		}
		if len(archive.File) != 1 || archive.File[0].Name != "bootstrap" || archive.File[0].Mode().Perm() != 0o755 {
			t.Errorf("%s has %v", name, archive.File)
		}
		program, err := archive.File[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(program)
		if want := strings.TrimSuffix(filepath.Base(name), ".zip") + " for x86_64"; err != nil || string(content) != want {
			t.Errorf("%s has the program %q (%v), want %q", name, content, err, want)
		}
	}
}

// TestTemplatesPassCfnLint needs cfn-lint, which CFN_LINT names.
func TestTemplatesPassCfnLint(t *testing.T) {
	linter := os.Getenv("CFN_LINT")
	if linter == "" {
		t.Skip("CFN_LINT is not set: needs cfn-lint")
	}
	dir := written(t, allParts()...)
	for _, mode := range pipeline.AuthModes() {
		// W3002: the programs have paths for `aws cloudformation package`. W3005: the CDK's own DependsOn.
		command := exec.CommandContext(t.Context(), linter, "--ignore-checks", "W3002", "W3005", "--template", filepath.Join(dir, FileName(mode)))
		if printed, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", mode, err, printed)
		}
	}
}

// TestCDKAppIncludesTheTemplate includes each template as a CDK app in TypeScript does, with the programs in a bucket.
func TestCDKAppIncludesTheTemplate(t *testing.T) {
	dir := written(t, allParts()...)
	for _, mode := range pipeline.AuthModes() {
		var template map[string]any
		if err := json.Unmarshal(read(t, dir, FileName(mode)), &template); err != nil {
			t.Fatal(err)
		}
		for _, resource := range template["Resources"].(map[string]any) {
			properties, _ := resource.(map[string]any)["Properties"].(map[string]any)
			if path, ok := properties["Code"].(string); ok { // as `aws cloudformation package` does
				properties["Code"] = map[string]any{"S3Bucket": "bucket", "S3Key": path}
			}
		}
		packaged, err := json.Marshal(template)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "packaged.json")
		if err := os.WriteFile(file, packaged, 0o600); err != nil {
			t.Fatal(err)
		}
		app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
		stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
		included := cloudformationinclude.NewCfnInclude(stack, jsii.String("Herald"), &cloudformationinclude.CfnIncludeProps{
			TemplateFile: jsii.String(file), Parameters: &map[string]any{"StageName": "live"},
		})
		if got := *included.GetOutput(jsii.String("NotifierFunctionArn")).Description(); got != "What a workflow calls as a task" {
			t.Errorf("%s: the output is described as %q", mode, got)
		}
		raw, err := json.Marshal(app.Synth(nil).GetStackByName(jsii.String("Shop")).Template())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), `"StageName":"live"`) || strings.Contains(string(raw), `"Ref":"StageName"`) {
			t.Errorf("%s: the parameter is not replaced", mode)
		}
	}
}

func TestFolderIsNewAndWhole(t *testing.T) {
	if err := write(t.Context(), t.TempDir(), nil, stubBuild); !errors.Is(err, ErrExists) {
		t.Errorf("a folder that exists: %v, want ErrExists", err)
	}
	needCDK(t)
	settings, err := ReadContext(filepath.Join("..", "..", "cdk.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	failing := func(context.Context, string, string) error { return errBuild }
	if err := write(t.Context(), filepath.Join(parent, "herald"), settings, failing); !errors.Is(err, errBuild) {
		t.Errorf("a build that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	interrupted := func(ctx context.Context, dir, architecture string) error {
		cancel()
		return stubBuild(ctx, dir, architecture)
	}
	if err := write(ctx, filepath.Join(parent, "herald"), settings, interrupted); !errors.Is(err, context.Canceled) {
		t.Errorf("an interruption: %v", err)
	}
	if err := write(t.Context(), filepath.Join(parent, "herald")+"/", settings, stubBuild); err != nil {
		t.Errorf("a name that ends with a slash: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(parent, "herald")); err != nil {
		t.Fatal(err)
	}
	settings["logRetentionDays"] = "10"
	if err := write(t.Context(), filepath.Join(parent, "herald"), settings, stubBuild); err == nil || !strings.Contains(err.Error(), "logRetentionDays: 10") {
		t.Errorf("a setting that is refused: %v", err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("something half-written is left: %v, %v", left, err)
	}
}

func TestReadContext(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, broken, empty := file("good", `{"context": {"a": 1, "b": "x"}}`), file("broken", `{`), file("empty", `{}`)
	got, err := ReadContext(good, []string{"b=y=z", "c="})
	if err != nil || got["a"] != 1.0 || got["b"] != "y=z" || got["c"] != "" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ReadContext(empty, []string{"a=1"}); err != nil || got["a"] != "1" {
		t.Errorf("%v, %v", got, err)
	}
	for path, more := range map[string][]string{broken: nil, filepath.Join(dir, "none"): nil, good: {"a"}, empty: {"stackName=Mine"}} {
		if _, err := ReadContext(path, more); err == nil {
			t.Errorf("%s with %q is read", path, more)
		}
	}
}
