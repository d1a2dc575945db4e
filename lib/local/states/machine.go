package states

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// The types of state machines.
const (
	typeStandard = "STANDARD"
	typeExpress  = "EXPRESS"
)

// maxDefinition is the greatest size of a definition in characters. The reference of CreateStateMachine has this limit.
const maxDefinition = 1_048_576

// A stateMachine is a state machine. StepFunctions.mu guards the fields below created.
type stateMachine struct {
	name    string
	arn     string
	kind    string // typeStandard or typeExpress
	created time.Time

	current  *revision         // The newest definition.
	running  int               // How many executions have not ended.
	deleting bool              // DeleteStateMachine was called while executions were running.
	tags     map[string]string // Nil without tags.

	versions    []*version // In the order of their numbers.
	lastVersion int        // The number of the newest version, also of one that was deleted.
	aliases     map[string]*alias
}

// A revision is what UpdateStateMachine replaces. Except for its hash, it is immutable. An execution runs to its end with the revision it started with.
type revision struct {
	id         string // Empty for the first revision.
	definition string
	parsed     *asl.Machine
	updated    time.Time
	roleARN    string
	logging    LoggingConfiguration
	tracing    TracingConfiguration

	hashed, digest string // The definition whose hash is digest. StepFunctions.mu guards them.
}

// parse parses a definition of a state machine of the given type. The error has the code InvalidDefinition.
func parse(definition, kind string) (*asl.Machine, error) {
	problems, parsed := problemsOf(definition, kind)
	if len(problems) > 0 {
		return nil, awswire.NewError("InvalidDefinition", (&asl.DefinitionError{Problems: problems}).Error())
	}
	return parsed, nil
}

// problemsOf returns the reasons why a definition is invalid for the given type of state machine, or else the parsed definition.
func problemsOf(definition, kind string) ([]asl.Problem, *asl.Machine) {
	parsed, err := asl.Parse([]byte(definition))
	if err != nil {
		var invalid *asl.DefinitionError
		if errors.As(err, &invalid) {
			return invalid.Problems, nil
		}
		return []asl.Problem{{Code: "SCHEMA_VALIDATION_FAILED", Rule: err.Error()}}, nil
	}
	if kind == typeExpress {
		return parsed.ExpressProblems(), parsed
	}
	return nil, parsed
}

// SetMachine stores a Standard state machine's definition. If there is a state machine of that name, its executions that are running
// continue with their own definition, and new ones run the new definition. An invalid definition changes nothing.
func (s *StepFunctions) SetMachine(name string, definition []byte) error {
	if !validName(name) {
		return fmt.Errorf("state machine %s: the name must have 1 to %d characters, without spaces and special characters", name, maxName)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	machine := s.machines[StateMachineARN(name)]
	kind := typeStandard
	if machine != nil {
		kind = machine.kind
	}
	parsed, err := parse(string(definition), kind)
	if err != nil {
		var invalid interface{ ErrorMessage() string }
		if errors.As(err, &invalid) {
			err = errors.New(invalid.ErrorMessage())
		}
		return fmt.Errorf("state machine %s: %w", name, err)
	}

	next := &revision{definition: string(definition), parsed: parsed, updated: time.Now(), roleARN: roleARN}
	if machine == nil {
		s.saveMachine(s.addMachine(name, kind, next))
		return nil
	}
	if machine.current.definition == next.definition && !machine.deleting {
		return nil
	}
	next.id, next.logging, next.tracing = awswire.NewUUID(), machine.current.logging, machine.current.tracing
	machine.current, machine.deleting = next, false
	s.saveMachine(machine)
	return nil
}

// addMachine adds a state machine and returns it. The caller holds the lock.
func (s *StepFunctions) addMachine(name, kind string, first *revision) *stateMachine {
	machine := &stateMachine{name: name, arn: StateMachineARN(name), kind: kind, created: first.updated, current: first}
	s.machines[machine.arn] = machine
	return machine
}

// machine returns the state machine with the given ARN. The caller holds the lock.
func (s *StepFunctions) machine(arn string) (*stateMachine, error) {
	if err := validateARN(arn, "stateMachine"); err != nil {
		return nil, err
	}
	machine, ok := s.machines[arn]
	if !ok {
		return nil, awswire.NewError("StateMachineDoesNotExist", "State Machine Does Not Exist: '"+arn+"'")
	}
	return machine, nil
}

// usable is like machine, but its error also says that the state machine is being deleted.
func (s *StepFunctions) usable(arn string) (*stateMachine, error) {
	machine, err := s.machine(arn)
	if err == nil && machine.deleting {
		return nil, awswire.NewError("StateMachineDeleting", "State Machine is deleting: '"+arn+"'")
	}
	return machine, err
}

// executionEnded counts an execution's end. A state machine that waits for its deletion is then deleted. The caller holds the lock.
func (s *StepFunctions) executionEnded(machine *stateMachine) {
	s.open--
	machine.running--
	if machine.running == 0 && machine.deleting && s.machines[machine.arn] == machine {
		s.deleteMachine(machine)
	}
}

// errWrongType is the answer to an operation that is not for the type of the state machine.
var errWrongType = awswire.NewError("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")

// errInvalid returns a ValidationException for a field of a request.
func errInvalid(field, constraint string) error {
	return awswire.NewError("ValidationException",
		"1 validation error detected: Value at '"+field+"' failed to satisfy constraint: "+constraint)
}

// validateChoice checks a field that is empty or one of the given values.
func validateChoice(field, value string, values ...string) error {
	if value == "" || slices.Contains(values, value) {
		return nil
	}
	return errInvalid(field, fmt.Sprintf("Member must satisfy enum value set: %v", values))
}
