package states

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/mock"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// maxVersions is how many versions a state machine may have.
const maxVersions = 1000

// initialRevision is the id of the first revision in requests.
const initialRevision = "INITIAL"

// A version is a revision of a state machine that can be started by its number. It is immutable.
type version struct {
	number      int
	arn         string
	description string
	created     time.Time
	revision    *revision
}

// A target is what an ARN of a state machine, a version or an alias stands for.
type target struct {
	machine    *stateMachine
	revision   *revision
	version    *version // Nil if the ARN is that of the state machine.
	versionARN string
	aliasARN   string
	testCase   string     // The name of the test case in a request to start an execution.
	mocks      *mock.Case // Nil if the request names no test case.
}

// target returns what an ARN stands for. An alias with two versions returns one of them at random, by their weights. The caller holds the
// lock.
func (s *StepFunctions) target(arn string) (target, error) {
	if err := validateARN(arn, "stateMachine"); err != nil {
		return target{}, err
	}
	machine, qualifier := s.qualified(arn)
	if machine == nil {
		return target{}, awswire.NewError("StateMachineDoesNotExist", "State Machine Does Not Exist: '"+arn+"'")
	}
	found := target{machine: machine, revision: machine.current}
	if qualifier == "" {
		return found, nil
	}
	if alias, ok := machine.aliases[qualifier]; ok {
		found.aliasARN = arn
		qualifier = alias.route()
	}
	number, err := strconv.Atoi(qualifier)
	if err == nil {
		found.version = machine.version(number)
	}
	if found.version == nil {
		return target{}, awswire.NewError("StateMachineDoesNotExist", "State Machine Does Not Exist: '"+arn+"'")
	}
	found.revision, found.versionARN = found.version.revision, found.version.arn
	return found, nil
}

// qualified returns the state machine of an ARN, or nil, and what follows its name. The caller holds the lock.
func (s *StepFunctions) qualified(arn string) (*stateMachine, string) {
	if machine, ok := s.machines[arn]; ok {
		return machine, ""
	}
	end := strings.LastIndexByte(arn, ':')
	return s.machines[arn[:max(end, 0)]], arn[end+1:]
}

// version returns the version with the number, or nil.
func (m *stateMachine) version(number int) *version {
	i := slices.IndexFunc(m.versions, func(v *version) bool { return v.number == number })
	if i < 0 {
		return nil
	}
	return m.versions[i]
}

// publish makes a version of the newest revision. If the newest version has that revision, it returns this version. The caller holds the
// lock.
func (m *stateMachine) publish(description string) (*version, error) {
	if last := len(m.versions) - 1; last >= 0 && m.versions[last].revision == m.current {
		return m.versions[last], nil
	}
	if len(m.versions) >= maxVersions {
		return nil, awswire.NewError("ServiceQuotaExceededException", "A state machine may have at most 1000 versions")
	}
	m.lastVersion++
	v := &version{
		number: m.lastVersion, arn: fmt.Sprint(m.arn, ":", m.lastVersion), description: description, created: time.Now(), revision: m.current,
	}
	m.versions = append(m.versions, v)
	return v, nil
}

// publishIf publishes a version if the request asks for it, and returns its ARN. The caller holds the lock.
func (m *stateMachine) publishIf(wanted bool, description string) (string, error) {
	if !wanted {
		return "", nil
	}
	v, err := m.publish(description)
	if err != nil {
		return "", err
	}
	return v.arn, nil
}

// validatePublish checks that a description comes with a version.
func validatePublish(publish bool, description string) error {
	if description != "" && !publish {
		return awswire.NewError("ValidationException", "Version description can only be set when publish is true")
	}
	return nil
}

// PublishStateMachineVersion makes a version of the newest revision of a state machine.
func (s *StepFunctions) PublishStateMachineVersion(_ context.Context, in PublishVersionInput) (VersionListItem, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, err := s.usable(in.StateMachineArn)
	if err != nil {
		return VersionListItem{}, err
	}
	if current := cmp.Or(machine.current.id, initialRevision); in.RevisionID != "" && in.RevisionID != current {
		return VersionListItem{}, awswire.NewError("ConflictException", "The revision is not the newest one of the state machine")
	}
	v, err := machine.publish(in.Description)
	if err != nil {
		return VersionListItem{}, err
	}
	s.saveMachine(machine)
	return VersionListItem{v.arn, Timestamp{v.created}}, nil
}

// ListStateMachineVersions lists a page of the versions of a state machine, the newest first.
func (s *StepFunctions) ListStateMachineVersions(_ context.Context, in ListVersionsInput) (ListVersionsOutput, error) {
	before, size, err := in.parse() // before is the number of the previous page's last version.
	if err != nil {
		return ListVersionsOutput{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, err := s.machine(in.StateMachineArn)
	if err != nil {
		return ListVersionsOutput{}, err
	}
	out := ListVersionsOutput{Versions: []VersionListItem{}}
	last := before
	for _, v := range slices.Backward(machine.versions) {
		if before > 0 && int64(v.number) >= before {
			continue
		}
		if len(out.Versions) == size {
			out.NextToken = pageToken(last)
			break
		}
		last = int64(v.number)
		out.Versions = append(out.Versions, VersionListItem{v.arn, Timestamp{v.created}})
	}
	return out, nil
}

// DeleteStateMachineVersion deletes a version that no alias names. Its executions go on. It succeeds for a version that does not exist.
func (s *StepFunctions) DeleteStateMachineVersion(_ context.Context, in DeleteVersionInput) (EmptyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := in.StateMachineVersionArn
	if err := validateARN(arn, "stateMachine"); err != nil {
		return EmptyOutput{}, err
	}
	machine, qualifier := s.qualified(arn)
	if _, err := strconv.Atoi(qualifier); err != nil {
		return EmptyOutput{}, awswire.NewError("ValidationException", "The ARN is not that of a version: '"+arn+"'")
	}
	if machine == nil {
		return EmptyOutput{}, nil
	}
	for _, alias := range machine.aliases {
		if slices.ContainsFunc(alias.routes, func(r Route) bool { return r.StateMachineVersionArn == arn }) {
			return EmptyOutput{}, awswire.NewError("ConflictException", "Version to be deleted must not be referenced by an alias: '"+alias.arn+"'")
		}
	}
	machine.versions = slices.DeleteFunc(machine.versions, func(v *version) bool { return v.arn == arn })
	s.saveMachine(machine)
	return EmptyOutput{}, nil
}
