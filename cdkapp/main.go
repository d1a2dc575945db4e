// Command cdkapp is the AWS CDK app that deploys Herald; `npx aws-cdk deploy` runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/cdkapp/bootstrap"
	"github.com/herald-progress/herald/cdkapp/pipeline"
)

var errNoNode = errors.New("no node on PATH: the AWS CDK needs Node.js 20 or later")

func main() {
	err := run(context.Background())
	if err != nil {
		fmt.Fprintf(os.Stderr, "herald: %v\n", err)
	}
	jsii.Close() // after the message, since it may write a line of its own
	if err != nil {
		os.Exit(1)
	}
}

// run builds the functions and writes the cloud assembly where the CDK command line expects it.
func run(ctx context.Context) error {
	if _, err := exec.LookPath("node"); err != nil {
		return errNoNode
	}
	app := awscdk.NewApp(nil)
	values, _ := app.Node().GetAllContext(nil).(map[string]any)
	settings, err := pipeline.ParseSettings(values)
	if err != nil {
		return fmt.Errorf("settings:\n%w", err)
	}
	dir, err := os.MkdirTemp("", "herald-functions-")
	if err != nil {
		return fmt.Errorf("make folder for functions: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fmt.Fprintln(os.Stderr, "herald: building the functions for linux/"+bootstrap.ARM64)
	if err := bootstrap.Build(ctx, dir, bootstrap.ARM64); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	settings.Props.FunctionsDir = dir
	if _, err := pipeline.NewStack(app, settings); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	app.Synth(nil)
	return nil
}
