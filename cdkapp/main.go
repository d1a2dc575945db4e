// Command cdkapp is the AWS CDK app that deploys Herald; `npx aws-cdk deploy` runs it.
//
//	cdkapp                                      is what the CDK runs
//	cdkapp template DIR [-c name=value]...      writes CloudFormation templates and the functions into a new folder
//	cdkapp version                              prints the version
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/cdkapp/bootstrap"
	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/cdkapp/template"
)

var (
	errInterrupted = errors.New("interrupted: nothing was written")
	errNoNode      = errors.New("no node on PATH: the AWS CDK needs Node.js 22 or later")
	errUsage       = errors.New("usage: cdkapp [template DIR [-c name=value]... | version]")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // so that temporary folders are removed
	err := run(ctx, os.Args[1:])
	if err != nil && ctx.Err() != nil { // err is that of what was interrupted
		err = errInterrupted
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "herald: %v\n", err)
	}
	closeJSII()
	if err != nil {
		os.Exit(1)
	}
}

// closeJSII ends the CDK's Node.js process. Two goroutines of jsii then wait for the process. The one that comes second
// writes "Runtime process exited abnormally" to os.Stderr, although nothing is wrong: it goes to nowhere.
func closeJSII() {
	if nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stderr = nowhere
	}
	jsii.Close()
}

// run runs a command.
func run(ctx context.Context, arguments []string) error {
	switch {
	case len(arguments) == 0:
		return synthesise(ctx)
	case arguments[0] == "version" && len(arguments) == 1:
		fmt.Fprintln(os.Stdout, pipeline.Version)
		return nil
	case arguments[0] == "template":
		return writeTemplates(ctx, arguments[1:])
	default:
		return fmt.Errorf("%w: %s", errUsage, strings.Join(arguments, " "))
	}
}

// writeTemplates writes the templates with the settings of cdk.json and of the arguments.
func writeTemplates(ctx context.Context, arguments []string) error {
	if _, err := exec.LookPath("node"); err != nil {
		return errNoNode
	}
	var settings []string
	dir := ""
	for i := 0; i < len(arguments); i++ {
		switch argument := arguments[i]; {
		case argument == "-c" && i+1 < len(arguments):
			i++
			settings = append(settings, arguments[i])
		case strings.HasPrefix(argument, "-") || dir != "":
			return fmt.Errorf("%w: %s", errUsage, argument)
		default:
			dir = argument
		}
	}
	if dir == "" {
		return fmt.Errorf("%w: template without a folder", errUsage)
	}
	values, err := template.ReadContext("cdk.json", settings)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "herald: building the functions")
	if err := template.Write(ctx, dir, values); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "herald: wrote "+dir)

	return nil
}

// synthesise builds the functions and writes the cloud assembly where the CDK command line expects it.
func synthesise(ctx context.Context) error {
	if _, err := exec.LookPath("node"); err != nil {
		return errNoNode
	}
	app := awscdk.NewApp(nil)
	values, _ := app.Node().GetAllContext(nil).(map[string]any)
	stackName, err := pipeline.ParseStackName(values)
	if err != nil {
		return fmt.Errorf("settings:\n%w", err)
	}
	settings, err := pipeline.ParseSettings(values)
	if err != nil { // the CDK shows it, and deploys nothing; bootstrap and destroy need no settings
		pipeline.NewRefusal(app, stackName, err)
		app.Synth(nil)
		return nil
	}
	dir, err := os.MkdirTemp("", "herald-functions-")
	if err != nil {
		return fmt.Errorf("make folder for functions: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fmt.Fprintln(os.Stderr, "herald: building the functions for "+settings.Props.Architecture)
	if err := bootstrap.Build(ctx, dir, settings.Props.Architecture); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	settings.Props.FunctionsDir = dir
	if _, err := pipeline.NewStack(app, settings); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	app.Synth(nil)
	return nil
}
