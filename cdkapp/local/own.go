package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/observe"
)

// maxFunctionTimeout is Lambda's longest timeout.
const maxFunctionTimeout = 15 * time.Minute

// maxProcesses is the greatest value of -function-processes.
const maxProcesses = 1000

// mocksVariable is the variable with the mock configuration file of Step Functions Local.
const mocksVariable = "SFN_MOCK_CONFIG"

// ownFlags are the flags for the user's own workflows and functions. Their values are by name.
type ownFlags struct {
	workflows     map[string]string
	functions     map[string]string
	substitutions map[string]string
	mocks         string
	watched       []observe.Machine
	timeout       time.Duration
	processes     int
}

// add adds the flags.
func (o *ownFlags) add(f *flag.FlagSet) {
	o.workflows, o.functions, o.substitutions = map[string]string{}, map[string]string{}, map[string]string{}
	f.Func("workflow", "also run the workflow in a file, as `NAME=FILE.asl.json`; may be given again; loaded anew when the file changes\n"+
		"${NotifierFunctionArn} stands for the notifier, ${MakeThumbsFunctionArn} for -function make-thumbs=..., and\n"+
		"${MakeThumbsStateMachineArn} for -workflow make-thumbs=...", intoMap(o.workflows, "FILE.asl.json"))
	f.Func("function", "also run a Lambda function, as `NAME=COMMAND` or NAME=URL; may be given again\n"+
		"COMMAND starts the function's runtime; it is started anew when a file that it names changes\n"+
		"URL is a function of this machine, such as http://127.0.0.1:9000 for Lambda's Runtime Interface Emulator", intoMap(o.functions, "COMMAND"))
	f.Func("substitute", "replace ${NAME} in the workflows, as `NAME=VALUE`; may be given again", intoMap(o.substitutions, "VALUE"))
	f.StringVar(&o.mocks, "mocks", "", "answer tasks from this mock configuration `FILE` of Step Functions Local, for executions that are started with\n"+
		"stateMachineArn#TestCase; loaded anew when it changes (default: the file in the variable "+mocksVariable+")")
	f.Func("watch", "show the executions of a workflow by their logs, without a change of it, as `NAME` or\n"+
		"NAME,user=$.userId,job=$.jobId,title=$.title; may be given again; the paths are of the execution's input (default: $.userId,\n"+
		"the execution's name, and the workflow's name)", o.addWatched)
	f.DurationVar(&o.timeout, "function-timeout", 3*time.Second, "the timeout of each -function, as on AWS, such as `30s`")
	f.IntVar(&o.processes, "function-processes", 10, "start at most `n` processes of each -function; other invocations wait")
}

// addWatched adds a workflow that is watched: NAME, and after commas paths such as user=$.userId.
func (o *ownFlags) addWatched(text string) error {
	name, paths, _ := strings.Cut(text, ",")
	m := observe.Machine{ARN: states.StateMachineARN(name), User: "$.userId"}
	for path := range strings.SplitSeq(paths, ",") {
		switch key, value, _ := strings.Cut(path, "="); {
		case text == name:
		case key == "user":
			m.User = value
		case key == "job":
			m.Job = value
		case key == "title":
			m.Title = value
		default:
			return fmt.Errorf("%q is not of the form user=PATH, job=PATH or title=PATH", path)
		}
	}
	if slices.ContainsFunc(o.watched, func(other observe.Machine) bool { return other.ARN == m.ARN }) {
		return fmt.Errorf("%s is given twice", name)
	}
	o.watched = append(o.watched, m)
	return m.Validate()
}

// intoMap returns a function that stores NAME=VALUE. what is the value's name for the user.
func intoMap(values map[string]string, what string) func(string) error {
	return func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		switch _, twice := values[name]; {
		case !ok || name == "" || value == "":
			return fmt.Errorf("%q is not of the form NAME=%s", text, what)
		case twice:
			return fmt.Errorf("%s is given twice", name)
		}
		values[name] = value
		return nil
	}
}

// check returns an error if a value is out of its range.
func (o *ownFlags) check() error {
	switch {
	case o.timeout < time.Second || o.timeout > maxFunctionTimeout:
		return errors.New("-function-timeout must be from 1s to 15m")
	case o.processes < 1 || o.processes > maxProcesses:
		return fmt.Errorf("-function-processes must be from 1 to %d", maxProcesses)
	}
	return nil
}

// apply puts the user's workflows and functions into the configuration of a twin. out must be safe for concurrent use.
func (o *ownFlags) apply(c *local.Config, out io.Writer) {
	c.WorkflowFiles, c.Substitutions = o.workflows, o.substitutions
	c.MockFile = cmp.Or(o.mocks, os.Getenv(mocksVariable))
	c.Processes = map[string]local.Process{}
	for name, command := range maps.All(o.functions) {
		c.Processes[name] = local.Process{Command: command, Timeout: o.timeout, Limit: o.processes}
	}
	c.Output, c.Watched = out, o.watched
}

// lockedWriter is a writer for concurrent use.
type lockedWriter struct {
	mu  sync.Mutex
	out io.Writer
}

// Write writes to the writer, one call at a time.
func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}
