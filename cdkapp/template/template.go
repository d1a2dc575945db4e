// Package template writes CloudFormation templates of the stack, and the programs of its functions, for teams that use neither Go nor the
// CDK.
package template

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/cdkapp/bootstrap"
	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// ErrExists says that the folder to write exists.
var ErrExists = errors.New("template: the folder exists; name a new one")

// The modes of what is written: others may read it.
const (
	folderMode = 0o755
	fileMode   = 0o644
)

// FileName returns the name of the template of an auth mode.
func FileName(mode string) string { return "herald-" + mode + ".template.json" }

// Write builds the functions, and writes into a new folder dir the template of each auth mode and functions/NAME.zip for each function.
// cdkContext is the context of the CDK: its settings are those of the templates, or the defaults of their parameters. If Write fails,
// or ctx is cancelled, there is no folder.
func Write(ctx context.Context, dir string, cdkContext map[string]any) error {
	return write(ctx, dir, cdkContext, bootstrap.Build)
}

// write does what Write does with functions that build makes.
func write(ctx context.Context, dir string, cdkContext map[string]any, build func(ctx context.Context, dir, architecture string) error) error {
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrExists, dir)
	}
	templates := map[string]pipeline.Template{}
	for _, mode := range pipeline.AuthModes() {
		app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Context: &cdkContext})
		t, err := pipeline.NewTemplate(app, mode, cdkContext)
		if err != nil {
			return fmt.Errorf("template for %s: %w", mode, err)
		}
		templates[mode] = t
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), ".herald-template-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(partial) }()
	if err := os.Chmod(partial, folderMode); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := writePrograms(ctx, partial, architecture(cdkContext), templates, build); err != nil {
		return err
	}
	for mode, t := range templates {
		if err := os.WriteFile(filepath.Join(partial, FileName(mode)), t.JSON, fileMode); err != nil {
			return fmt.Errorf("write template: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write templates: %w", err)
	}
	if err := os.Rename(partial, dir); err != nil {
		return fmt.Errorf("rename folder: %w", err)
	}

	return nil
}

// architecture returns the processor of the functions.
func architecture(cdkContext map[string]any) string {
	if chosen, _ := cdkContext["architecture"].(string); chosen != "" {
		return chosen
	}
	return pipeline.ArchitectureARM64
}

// writePrograms builds the functions and writes those of the templates into dir.
func writePrograms(
	ctx context.Context, dir, architecture string, templates map[string]pipeline.Template, build func(ctx context.Context, dir, architecture string) error,
) error {
	built, err := os.MkdirTemp("", "herald-functions-")
	if err != nil {
		return fmt.Errorf("make folder for functions: %w", err)
	}
	defer func() { _ = os.RemoveAll(built) }()
	if err := build(ctx, built, architecture); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	written := map[string]bool{}
	for _, t := range templates {
		for _, function := range t.Functions {
			if written[function] || ctx.Err() != nil {
				continue
			}
			written[function] = true
			if err := zipProgram(filepath.Join(dir, filepath.FromSlash(pipeline.CodePath(function))), filepath.Join(built, function, "bootstrap")); err != nil {
				return fmt.Errorf("zip %s: %w", function, err)
			}
		}
	}

	return nil
}

// ReadContext returns the context of the file cdk.json, with the values of more, of the form name=value, in the place of its own.
// A name of the stack in more is an error: a template has none.
func ReadContext(file string, more []string) (map[string]any, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	var app struct {
		Context map[string]any `json:"context"`
	}
	if err := json.Unmarshal(raw, &app); err != nil {
		return nil, fmt.Errorf("read settings in %s: %w", file, err)
	}
	if app.Context == nil {
		app.Context = map[string]any{}
	}
	for _, setting := range more {
		name, value, ok := strings.Cut(setting, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: %q", errSetting, setting)
		}
		if name == "stackName" {
			return nil, errStackName
		}
		app.Context[name] = value
	}

	return app.Context, nil
}

var (
	errSetting   = errors.New("template: not name=value")
	errStackName = errors.New("template: stackName: you name the stack when you deploy the template")
)
