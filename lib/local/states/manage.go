package states

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// CreateStateMachine creates a state machine. A request that repeats the one that created it changes nothing and returns the same
// output; its role and tags may differ.
func (s *StepFunctions) CreateStateMachine(_ context.Context, in CreateStateMachineInput) (CreateStateMachineOutput, error) {
	kind := cmp.Or(in.Type, typeStandard)
	if err := in.validate(kind); err != nil {
		return CreateStateMachineOutput{}, err
	}
	parsed, err := parse(in.Definition, kind)
	if err != nil {
		return CreateStateMachineOutput{}, err
	}
	tags, err := withTags(nil, in.Tags)
	if err != nil {
		return CreateStateMachineOutput{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	arn := StateMachineARN(in.Name)
	if old, ok := s.machines[arn]; ok {
		switch {
		case old.deleting:
			return CreateStateMachineOutput{}, awswire.NewError("StateMachineDeleting", "State Machine is deleting: '"+arn+"'")
		case old.kind != kind || old.current.definition != in.Definition ||
			!old.current.logging.equal(in.LoggingConfiguration) || old.current.tracing != in.TracingConfiguration:
			return CreateStateMachineOutput{}, awswire.NewError("StateMachineAlreadyExists", "State Machine Already Exists: '"+arn+"'")
		}
		version, err := old.publishIf(in.Publish, in.VersionDescription)
		s.saveMachine(old)
		return CreateStateMachineOutput{arn, Timestamp{old.created}, version}, err
	}

	machine := s.addMachine(in.Name, kind, &revision{
		definition: in.Definition, parsed: parsed, updated: time.Now(), roleARN: in.RoleArn,
		logging: in.LoggingConfiguration, tracing: in.TracingConfiguration,
	})
	machine.tags = tags
	version, err := machine.publishIf(in.Publish, in.VersionDescription)
	s.saveMachine(machine)
	return CreateStateMachineOutput{arn, Timestamp{machine.created}, version}, err
}

// validate checks all fields of the input but the definition.
func (in CreateStateMachineInput) validate(kind string) error {
	switch {
	case in.Name == "":
		return errInvalid("name", "Member must not be null")
	case !validName(in.Name):
		return awswire.NewError("InvalidName", "Invalid Name: '"+in.Name+"'")
	case in.RoleArn == "":
		return errInvalid("roleArn", "Member must not be null")
	case in.Definition == "":
		return errInvalid("definition", "Member must have length greater than or equal to 1")
	case len(in.Definition) > maxDefinition:
		return errInvalid("definition", "Member must have length less than or equal to 1048576")
	}
	if err := validatePublish(in.Publish, in.VersionDescription); err != nil {
		return err
	}
	if err := validateRole(in.RoleArn); err != nil {
		return err
	}
	if err := in.LoggingConfiguration.validate(); err != nil {
		return err
	}
	return validateChoice("type", kind, typeStandard, typeExpress)
}

// UpdateStateMachine replaces what the input names. Executions that are running go on with what they started with.
func (s *StepFunctions) UpdateStateMachine(_ context.Context, in UpdateStateMachineInput) (UpdateStateMachineOutput, error) {
	if err := in.validate(); err != nil {
		return UpdateStateMachineOutput{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	machine, err := s.usable(in.StateMachineArn)
	if err != nil {
		return UpdateStateMachineOutput{}, err
	}

	next := *machine.current
	next.id, next.updated = awswire.NewUUID(), time.Now()
	next.roleARN = cmp.Or(in.RoleArn, next.roleARN)
	if in.Definition != "" {
		next.definition = in.Definition
		if next.parsed, err = parse(in.Definition, machine.kind); err != nil {
			return UpdateStateMachineOutput{}, err
		}
	}
	if in.LoggingConfiguration != nil {
		next.logging = *in.LoggingConfiguration
	}
	if in.TracingConfiguration != nil {
		next.tracing = *in.TracingConfiguration
	}
	machine.current = &next
	version, err := machine.publishIf(in.Publish, in.VersionDescription)
	s.saveMachine(machine)
	return UpdateStateMachineOutput{Timestamp{next.updated}, next.id, version}, err
}

// validate checks all fields of the input but the definition.
func (in UpdateStateMachineInput) validate() error {
	switch {
	case in.Definition == "" && in.RoleArn == "" && in.LoggingConfiguration == nil && in.TracingConfiguration == nil:
		return awswire.NewError("MissingRequiredParameter",
			"Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified")
	case len(in.Definition) > maxDefinition:
		return errInvalid("definition", "Member must have length less than or equal to 1048576")
	}
	if err := validatePublish(in.Publish, in.VersionDescription); err != nil {
		return err
	}
	if in.LoggingConfiguration != nil {
		if err := in.LoggingConfiguration.validate(); err != nil {
			return err
		}
	}
	if in.RoleArn == "" {
		return nil
	}
	return validateRole(in.RoleArn)
}

// DeleteStateMachine deletes a state machine as soon as its executions have ended; until then its status is DELETING. It succeeds
// for a state machine that does not exist.
func (s *StepFunctions) DeleteStateMachine(_ context.Context, in DeleteStateMachineInput) (EmptyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := validateARN(in.StateMachineArn, "stateMachine"); err != nil {
		return EmptyOutput{}, err
	}
	machine, ok := s.machines[in.StateMachineArn]
	switch {
	case !ok:
	case machine.running > 0 && machine.kind == typeStandard:
		machine.deleting = true
		s.saveMachine(machine)
	default:
		s.deleteMachine(machine)
	}
	return EmptyOutput{}, nil
}

// ListStateMachines lists a page of the state machines.
func (s *StepFunctions) ListStateMachines(_ context.Context, in ListStateMachinesInput) (ListStateMachinesOutput, error) {
	skip, size, err := in.parse() // skip is the number of state machines on earlier pages.
	if err != nil {
		return ListStateMachinesOutput{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	out := ListStateMachinesOutput{StateMachines: []StateMachineListItem{}}
	for i, arn := range slices.Sorted(maps.Keys(s.machines)) {
		if int64(i) < skip {
			continue
		}
		if len(out.StateMachines) == size {
			out.NextToken = pageToken(int64(i))
			break
		}
		out.StateMachines = append(out.StateMachines, s.machines[arn].listItem())
	}

	return out, nil
}

func (m *stateMachine) listItem() StateMachineListItem {
	return StateMachineListItem{StateMachineArn: m.arn, Name: m.name, Type: m.kind, CreationDate: Timestamp{m.created}}
}

// DescribeStateMachine describes a state machine, or a version or an alias of it, with its definition.
func (s *StepFunctions) DescribeStateMachine(
	_ context.Context, in DescribeStateMachineInput,
) (StateMachineDescription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.target(in.StateMachineArn)
	if err != nil {
		return StateMachineDescription{}, err
	}
	machine := found.machine
	if err := validateIncludedData(in.IncludedData); err != nil {
		return StateMachineDescription{}, err
	}

	status := "ACTIVE"
	if machine.deleting {
		status = "DELETING"
	}
	out := StateMachineDescription{
		StateMachineListItem: machine.listItem(), Status: status, RevisionDescription: found.revision.describe(in.IncludedData),
	}
	if found.version != nil {
		out.StateMachineArn, out.CreationDate, out.Description = in.StateMachineArn, Timestamp{found.version.created}, found.version.description
	}
	return out, nil
}

// DescribeStateMachineForExecution describes the definition that an execution runs, which may be older than that of its state
// machine.
func (s *StepFunctions) DescribeStateMachineForExecution(
	_ context.Context, in DescribeStateMachineForExecutionInput,
) (StateMachineForExecution, error) {
	x, err := s.execution(in.ExecutionArn)
	if err != nil {
		return StateMachineForExecution{}, err
	}
	if err := validateIncludedData(in.IncludedData); err != nil {
		return StateMachineForExecution{}, err
	}
	out := StateMachineForExecution{
		StateMachineArn: x.machine.arn, Name: x.machine.name, UpdateDate: Timestamp{x.revision.updated},
		RevisionDescription: x.revision.describe(in.IncludedData),
	}
	if x.mapRun != nil {
		out.StateMachineArn, out.MapRunArn, out.Label = x.mapRun.machineARN(), x.mapRun.arn, x.mapRun.label()
	}
	return out, nil
}

// describe returns what two operations tell about a revision. With METADATA_ONLY the definition is an empty object.
func (r *revision) describe(includedData string) RevisionDescription {
	definition := r.definition
	if includedData == metadataOnly {
		definition = "{}"
	}
	logging := r.logging
	logging.Level = cmp.Or(logging.Level, "OFF")
	return RevisionDescription{
		Definition: definition, RoleArn: r.roleARN, RevisionID: r.id, LoggingConfiguration: logging, TracingConfiguration: r.tracing,
	}
}
