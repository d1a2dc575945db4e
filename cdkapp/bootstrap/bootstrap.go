// Package bootstrap compiles the deployed functions into the programs that Lambda starts.
package bootstrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/herald-progress/herald/lambdas"
)

// modulePath is the path of Herald's module, which has the sources of the deployed functions in its folder lambdas.
const modulePath = "github.com/herald-progress/herald"

// buildTimeout bounds each go command. Without a cache, the build of all functions takes a few minutes on a small machine.
const buildTimeout = 15 * time.Minute

// folderMode lets all users open the folder of a program, because Lambda runs the program as a user that does not own the folder.
const folderMode = 0o755

// Errors of Build.
var (
	ErrNoGo     = errors.New("bootstrap: no go command on PATH: the functions are compiled when the stack is synthesised")
	ErrNoModule = errors.New("bootstrap: module " + modulePath + " not found")
	ErrCompile  = errors.New("bootstrap: the functions do not compile")
)

// Functions returns the names of the deployed functions. Each is the name of a folder of lambdas/ and of the folder that Build
// creates for the program.
func Functions() []string {
	functions := lambdas.Functions()
	names := make([]string, len(functions))
	for i, f := range functions {
		names[i] = f.Name
	}
	return names
}

// Build compiles every function for Lambda (provided.al2023, on the given architecture, arm64 or x86_64 as Lambda names them) into
// dir/<function>/bootstrap. It creates dir if there is none. It compiles the version of Herald that the current module requires, so that it
// works in an app that embeds Herald. The same sources, Go version and dependencies give the same bytes, and so the same asset hash. The
// error wraps ErrNoGo, ErrNoModule or ErrCompile. It contains the output of the go command.
func Build(ctx context.Context, dir, arch string) error {
	module, err := moduleDir(ctx)
	if err != nil {
		return err
	}
	if arch == "x86_64" {
		arch = "amd64" // as Go names it
	}
	return build(ctx, module, dir, arch, Functions())
}

// moduleDir returns the folder of Herald's sources, in this module or in the module cache.
func moduleDir(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", ErrNoGo
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-mod=readonly", "-f", "{{.Dir}}", modulePath)
	out, err := run(cmd)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoModule, err)
	}
	if out == "" {
		return "", fmt.Errorf("%w: run go mod download %s", ErrNoModule, modulePath)
	}
	return out, nil
}

// build compiles the named functions of the module in the folder module. It uses one go command for all, so that their
// dependencies are compiled once.
func build(ctx context.Context, module, dir, arch string, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	dir, err := filepath.Abs(dir) // the go command runs in another folder
	if err != nil {
		return fmt.Errorf("find folder for functions: %w", err)
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return fmt.Errorf("make folder for functions: %w", err)
	}
	bin, err := os.MkdirTemp(dir, "bin-")
	if err != nil {
		return fmt.Errorf("make folder for binaries: %w", err)
	}
	defer func() { _ = os.RemoveAll(bin) }()
	// lambda.norpc leaves out code that only the former go1.x runtime needs. -trimpath, -buildvcs and -buildid keep the folder, the
	// commit and the build out of the program, so that its bytes depend on the sources only. -s -w leave out debug information.
	args := []string{
		"build", "-mod=readonly", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid=", "-o", bin + string(filepath.Separator),
	}
	for _, name := range names {
		args = append(args, "./lambdas/"+name)
	}
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // The arguments are constants and names of functions.
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOWORK=off")
	if _, err := run(cmd); err != nil {
		return fmt.Errorf("%w (in %s): %w", ErrCompile, module, err)
	}
	for _, name := range names {
		if err := moveBinary(bin, dir, name); err != nil {
			return err
		}
	}
	return nil
}

// moveBinary moves bin/<name> to dir/<name>/bootstrap, the file that the provided runtimes start.
func moveBinary(bin, dir, name string) error {
	folder := filepath.Join(dir, name)
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return fmt.Errorf("move program of %s: %w", name, err)
	}
	if err := os.Rename(filepath.Join(bin, name), filepath.Join(folder, "bootstrap")); err != nil {
		return fmt.Errorf("move program of %s: %w", name, err)
	}
	return nil
}

// run runs a go command and returns its trimmed standard output. The error names the subcommand, such as "go build", and contains
// the standard error.
func run(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(cmd.Path), cmd.Args[1], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
