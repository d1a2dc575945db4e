package asltest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/coverage"
	"github.com/herald-progress/herald/lib/asl/mock"
	"github.com/herald-progress/herald/lib/asl/substitution"
)

// Machine is a state machine under test. Copy it to change a field for one test.
type Machine struct {
	// File is the file of the definition, such as "album.asl.json".
	File string
	// FS has the file, such as an embed.FS. Nil means the file system of the operating system, from the folder of the test.
	FS fs.FS
	// Definition is the definition, if File is empty.
	Definition []byte
	// Substitutions replace each ${Name} in the definition. A placeholder without a substitution is an error, and so is a substitution
	// without a placeholder.
	Substitutions map[string]string
	// Name is the name of the state machine. Empty means the file's name without its folder and .asl.json.
	Name string
	// Tasks run the tasks.
	Tasks Tasks
	// Mock answers the tasks of the states that it has, if it is not nil; Tasks run the others. MockFile reads one.
	Mock *mock.Case
	// RealTime runs executions in real time.
	RealTime bool
	// Execution is what else executions have, such as a RedriveCount or Objects. Run sets its Input and Tasks.
	Execution asl.Execution
}

// A loaded is a machine with its definition.
type loaded struct {
	name    string
	machine *asl.Machine
	profile *coverage.Profile
}

// load reads and parses the definition.
func (m Machine) load() (*loaded, error) {
	source, err := m.source()
	if err != nil {
		return nil, err
	}
	name := m.name()
	names := substitution.Names(source)
	for _, key := range slices.Sorted(maps.Keys(m.Substitutions)) {
		if !slices.Contains(names, key) {
			return nil, fmt.Errorf("asltest: %s: ${%s} is not in the definition; there are %s", name, key, strings.Join(names, ", "))
		}
	}
	definition, err := substitution.Fill(source, m.Substitutions)
	if err != nil {
		return nil, fmt.Errorf("asltest: %s: %w", name, err)
	}

	machine, err := asl.Parse([]byte(definition))
	var invalid *asl.DefinitionError
	switch {
	case errors.As(err, &invalid):
		var lines strings.Builder
		for _, p := range invalid.Problems {
			fmt.Fprintf(&lines, "\n  %s: %s", cmp.Or(p.Path, "the machine"), p.Rule)
		}
		return nil, fmt.Errorf("asltest: %s: the definition is invalid:%s", name, lines.String())
	case err != nil:
		return nil, fmt.Errorf("asltest: %s: %w", name, err)
	}
	if m.Mock != nil {
		if err := m.Mock.Check(machine); err != nil {
			return nil, fmt.Errorf("asltest: %w", err)
		}
	}
	return &loaded{name, machine, profiles.of(name, source, machine)}, nil
}

// source returns the definition with its placeholders.
func (m Machine) source() (string, error) {
	if m.File == "" {
		if len(m.Definition) == 0 {
			return "", errors.New("asltest: the Machine has neither a File nor a Definition")
		}
		return string(m.Definition), nil
	}
	read := os.ReadFile
	if m.FS != nil {
		read = func(name string) ([]byte, error) { return fs.ReadFile(m.FS, name) }
	}
	source, err := read(m.File)
	if err != nil {
		return "", fmt.Errorf("asltest: %w", err)
	}
	return string(source), nil
}

// name returns the name of the state machine.
func (m Machine) name() string {
	switch {
	case m.Name != "":
		return m.Name
	case m.File == "":
		return "machine"
	default:
		return strings.TrimSuffix(strings.TrimSuffix(path.Base(m.File), ".json"), ".asl")
	}
}

// execution returns an execution of the machine with an input. Its names are the same each time.
func (m Machine) execution(l *loaded, input json.RawMessage) asl.Execution {
	const account = "us-east-1:123456789012"
	e := m.Execution
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&e.Name, "test")
	set(&e.StateMachineName, l.name)
	set(&e.StateMachineID, "arn:aws:states:"+account+":stateMachine:"+l.name)
	set(&e.ID, "arn:aws:states:"+account+":execution:"+l.name+":"+e.Name)
	set(&e.RoleARN, "arn:aws:iam::123456789012:role/test")
	if e.Jitter == nil {
		e.Jitter = func(longest time.Duration) time.Duration { return longest }
	}
	e.Input = input
	return e
}
