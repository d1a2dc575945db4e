package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/process"
)

// Process is a user's own function outside of this process.
type Process struct {
	// Command is a command of the shell that starts the function's Lambda runtime, such as "python3 app.py", or the URL of a
	// function on this machine that runs already, such as that of Lambda's Runtime Interface Emulator.
	Command string
	// Timeout is the function's timeout; zero means 3 s, Lambda's default.
	Timeout time.Duration
	// Limit is the greatest number of processes; zero means 10. Invocations over the limit wait.
	Limit int
}

// startProcesses starts the users' functions and returns them by name.
func (t *Twin) startProcesses() (map[string]invoke.Function, error) {
	functions := map[string]invoke.Function{}
	for _, name := range slices.Sorted(maps.Keys(t.config.Processes)) {
		p := t.config.Processes[name]
		if strings.HasPrefix(name, functionPrefix) {
			return nil, fmt.Errorf("function %s: names with %s are those of Herald's own functions", name, functionPrefix)
		}
		runner, err := t.startProcess(name, p)
		if err != nil {
			return nil, fmt.Errorf("function %s: %w", name, err)
		}
		functions[name] = invoke.Function{Handler: runner, Timeout: p.Timeout}
	}
	return functions, nil
}

func (t *Twin) startProcess(name string, p Process) (invoke.Runner, error) {
	if err := process.ValidateName(name); err != nil {
		return nil, err
	}
	if process.IsURL(p.Command) {
		return process.NewRemote(p.Command)
	}
	function, err := process.Start(process.Config{
		Name: name, Command: p.Command, Limit: p.Limit, Output: t.config.Output,
		Env: []string{
			"AWS_ENDPOINT_URL=" + t.Endpoint(), "AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
			lambdas.EnvNotifierFunction + "=" + NotifierName,
		},
	})
	if err != nil {
		return nil, err
	}
	t.processes = append(t.processes, function)
	return function, nil
}

// closeProcesses ends the users' functions.
func (t *Twin) closeProcesses(ctx context.Context) error {
	var (
		all  sync.WaitGroup
		errs = make([]error, len(t.processes))
	)
	for i, function := range t.processes {
		all.Go(func() { errs[i] = function.Close(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}
