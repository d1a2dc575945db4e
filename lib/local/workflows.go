package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/asl/substitution"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/filewatch"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/statemachines"
)

// maxWorkflow is the greatest size of a workflow's file in bytes, the limit of CreateStateMachine.
const maxWorkflow = 1 << 20

// substitutions returns the values of the placeholders in definitions, by name. Herald's functions have the names that they have in
// Herald's own definitions. A user's function make-thumbs has the name MakeThumbsFunctionArn, a user's workflow in the same way
// MakeThumbsStateMachineArn. Config.Substitutions adds others.
func (t *Twin) substitutions() map[string]string {
	all := map[string]string{
		"AWS::Region": awswire.Region, "AWS::AccountId": awswire.Account, "AWS::Partition": "aws",
		"NotifierFunctionName": NotifierName,
	}
	for _, f := range lambdas.Functions() {
		all[f.Substitution()] = invoke.FunctionARN(functionPrefix + f.Name)
	}
	for name := range t.config.Processes {
		all[identifier(name)+"FunctionArn"] = invoke.FunctionARN(name)
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(t.config.WorkflowFiles)), slices.Collect(maps.Keys(t.config.StateMachines)), statemachines.Names()) {
		all[identifier(name)+"StateMachineArn"] = states.StateMachineARN(name)
	}
	maps.Copy(all, t.config.Substitutions)
	return all
}

// wordStart matches the first letter of each word of a name.
var wordStart = regexp.MustCompile(`(^|[^A-Za-z0-9]+)([A-Za-z0-9]|$)`)

// identifier returns a name such as make-thumbs as a placeholder has it, MakeThumbs.
func identifier(name string) string {
	return wordStart.ReplaceAllStringFunc(name, func(match string) string {
		return strings.ToUpper(strings.TrimLeftFunc(match, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}))
	})
}

// machines returns the definitions of Herald's state machines and of those in Config.StateMachines by name.
func (t *Twin) machines() (map[string][]byte, error) {
	all := t.substitutions()
	machines := map[string][]byte{}
	for _, name := range statemachines.Names() {
		required := map[string]string{} // Fill refuses those that the definition does not need.
		for _, key := range statemachines.Substitutions(name) {
			required[key] = all[key]
		}
		definition, err := statemachines.Fill(name, required)
		if err != nil {
			return nil, fmt.Errorf("workflow: %w", err)
		}
		machines[name] = []byte(definition)
	}
	for name, text := range t.config.StateMachines {
		definition, err := substitution.Fill(text, all)
		if err != nil {
			return nil, fmt.Errorf("workflow %s: %w", name, err)
		}
		machines[name] = []byte(definition)
	}
	return machines, nil
}

// startWorkflows loads the workflows in Config.WorkflowFiles, and loads each again whenever its file changes.
func (t *Twin) startWorkflows() error {
	for _, name := range slices.Sorted(maps.Keys(t.config.WorkflowFiles)) {
		path := t.config.WorkflowFiles[name]
		watcher := filewatch.New(path)
		if err := t.loadWorkflow(name, path); err != nil {
			return fmt.Errorf("workflow %s: %s: %w", name, path, err)
		}
		t.watchers.Go(func(ctx context.Context) {
			watcher.Run(ctx, func(context.Context) {
				if err := t.loadWorkflow(name, path); err != nil {
					t.printf("workflow %s: the changed %s is wrong, the one before goes on: %v", name, path, err)
					return
				}
				t.printf("workflow %s: loaded %s anew", name, path)
			})
		})
	}
	return nil
}

// loadWorkflow reads a definition and stores it. If it is wrong, nothing changes.
func (t *Twin) loadWorkflow(name, path string) error {
	text, err := readFile(path, maxWorkflow)
	if err != nil {
		return err
	}
	definition, err := substitution.Fill(string(text), t.substitutions())
	if err != nil {
		return err
	}
	if err := t.states.SetMachine(name, []byte(definition)); err != nil {
		return err
	}
	if err := states.CheckResources([]byte(definition)); err != nil {
		t.printf("workflow %s: %s: these tasks will fail: %v", name, path, err)
	}
	return nil
}

// readFile reads a file of at most limit bytes. The error does not name the file.
func readFile(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = file.Close() }() // It was only read.
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("the file is larger than %d bytes", limit)
	}
	return text, nil
}

// withoutPath returns the reason of an error of a file. The caller's message names the file.
func withoutPath(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// printf prints a line for the user.
func (t *Twin) printf(format string, values ...any) {
	if t.config.Output != nil {
		_, _ = io.WriteString(t.config.Output, fmt.Sprintf(format, values...)+"\n") // Nobody reads the output of a twin whose terminal has gone.
	}
}
