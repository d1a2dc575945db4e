package states

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/local/awswire"
)

const (
	// maxAliases is how many aliases a state machine may have.
	maxAliases = 100
	// allWeights is the sum of the weights of an alias's routes.
	allWeights = 100
)

// An alias is a name for one or two versions of a state machine. StepFunctions.mu guards it.
type alias struct {
	name        string
	arn         string
	description string
	routes      []Route
	created     time.Time
	updated     time.Time
}

// route returns the number of one of the alias's versions, by their weights.
func (a *alias) route() string {
	chosen := a.routes[0]
	if len(a.routes) > 1 && rand.IntN(allWeights) >= chosen.Weight {
		chosen = a.routes[1]
	}
	return chosen.StateMachineVersionArn[strings.LastIndexByte(chosen.StateMachineVersionArn, ':')+1:]
}

// CreateStateMachineAlias creates an alias. A request that repeats the one that created it changes nothing.
func (s *StepFunctions) CreateStateMachineAlias(_ context.Context, in CreateAliasInput) (AliasListItem, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	digits := strings.Trim(in.Name, "0123456789") == ""
	if !validName(in.Name) || digits {
		return AliasListItem{}, awswire.NewError("ValidationException", "Invalid name of an alias: '"+in.Name+"'")
	}
	machine, err := s.validateRoutes(in.RoutingConfiguration)
	if err != nil {
		return AliasListItem{}, err
	}
	if old, ok := machine.aliases[in.Name]; ok {
		if old.description != in.Description || !slices.Equal(old.routes, in.RoutingConfiguration) {
			return AliasListItem{}, awswire.NewError("ConflictException", "An alias of that name exists with another configuration: '"+old.arn+"'")
		}
		return AliasListItem{old.arn, Timestamp{old.created}}, nil
	}
	if len(machine.aliases) >= maxAliases {
		return AliasListItem{}, awswire.NewError("ServiceQuotaExceededException", "A state machine may have at most 100 aliases")
	}
	now := time.Now()
	a := &alias{
		name: in.Name, arn: machine.arn + ":" + in.Name, description: in.Description, routes: in.RoutingConfiguration, created: now, updated: now,
	}
	if machine.aliases == nil {
		machine.aliases = map[string]*alias{}
	}
	machine.aliases[in.Name] = a
	s.saveMachine(machine)
	return AliasListItem{a.arn, Timestamp{a.created}}, nil
}

// validateRoutes checks the routes of an alias: one or two different versions of one state machine, whose weights make 100. It returns
// the state machine. The caller holds the lock.
func (s *StepFunctions) validateRoutes(routes []Route) (*stateMachine, error) {
	if len(routes) < 1 || len(routes) > 2 {
		return nil, errInvalid("routingConfiguration", "Member must have 1 or 2 items")
	}
	var machine *stateMachine
	sum := 0
	for i, route := range routes {
		found, err := s.target(route.StateMachineVersionArn)
		switch {
		case err != nil:
			return nil, err
		case found.version == nil || found.aliasARN != "":
			return nil, errInvalid("routingConfiguration", "Member must name a version: '"+route.StateMachineVersionArn+"'")
		case machine != nil && machine != found.machine || i > 0 && route.StateMachineVersionArn == routes[0].StateMachineVersionArn:
			return nil, errInvalid("routingConfiguration", "Members must be different versions of one state machine")
		case route.Weight < 0 || route.Weight > allWeights:
			return nil, errInvalid("routingConfiguration.weight", "Member must be between 0 and 100")
		}
		machine = found.machine
		sum += route.Weight
	}
	if sum != allWeights {
		return nil, errInvalid("routingConfiguration", "The weights must make 100")
	}
	return machine, nil
}

// alias returns the alias with the given ARN and its state machine. The caller holds the lock.
func (s *StepFunctions) alias(arn string) (*stateMachine, *alias, error) {
	if err := validateARN(arn, "stateMachine"); err != nil {
		return nil, nil, err
	}
	if machine, name := s.qualified(arn); machine != nil && machine.aliases[name] != nil {
		return machine, machine.aliases[name], nil
	}
	return nil, nil, awswire.NewError("ResourceNotFound", "Request references a resource that does not exist: '"+arn+"'")
}

// UpdateStateMachineAlias changes the description or the routes of an alias.
func (s *StepFunctions) UpdateStateMachineAlias(_ context.Context, in UpdateAliasInput) (UpdateAliasOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, a, err := s.alias(in.StateMachineAliasArn)
	if err != nil {
		return UpdateAliasOutput{}, err
	}
	if in.Description == nil && in.RoutingConfiguration == nil {
		return UpdateAliasOutput{}, awswire.NewError("ValidationException", "Either the description or the routing configuration must be specified")
	}
	if in.RoutingConfiguration != nil {
		other, err := s.validateRoutes(in.RoutingConfiguration)
		if err != nil {
			return UpdateAliasOutput{}, err
		}
		if other != machine {
			return UpdateAliasOutput{}, errInvalid("routingConfiguration", "Members must be versions of the alias's state machine")
		}
		a.routes = in.RoutingConfiguration
	}
	if in.Description != nil {
		a.description = *in.Description
	}
	a.updated = time.Now()
	s.saveMachine(machine)
	return UpdateAliasOutput{Timestamp{a.updated}}, nil
}

// DeleteStateMachineAlias deletes an alias. Its versions stay.
func (s *StepFunctions) DeleteStateMachineAlias(_ context.Context, in AliasInput) (EmptyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, a, err := s.alias(in.StateMachineAliasArn)
	if err != nil {
		return EmptyOutput{}, err
	}
	delete(machine.aliases, a.name)
	s.saveMachine(machine)
	return EmptyOutput{}, nil
}

// DescribeStateMachineAlias describes an alias.
func (s *StepFunctions) DescribeStateMachineAlias(_ context.Context, in AliasInput) (AliasDescription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, a, err := s.alias(in.StateMachineAliasArn)
	if err != nil {
		return AliasDescription{}, err
	}
	return AliasDescription{
		AliasListItem: AliasListItem{a.arn, Timestamp{a.created}}, Name: a.name, Description: a.description,
		RoutingConfiguration: a.routes, UpdateDate: Timestamp{a.updated},
	}, nil
}

// ListStateMachineAliases lists a page of the aliases of a state machine, or of those that name a version, in the order of their names.
func (s *StepFunctions) ListStateMachineAliases(_ context.Context, in ListVersionsInput) (ListAliasesOutput, error) {
	skip, size, err := in.parse() // skip is the number of aliases on earlier pages.
	if err != nil {
		return ListAliasesOutput{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.target(in.StateMachineArn)
	if err != nil {
		return ListAliasesOutput{}, err
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(found.machine.aliases)), func(name string) bool {
		return found.version != nil && !slices.ContainsFunc(found.machine.aliases[name].routes, func(r Route) bool {
			return r.StateMachineVersionArn == found.versionARN
		})
	})
	names = names[min(skip, int64(len(names))):]
	out := ListAliasesOutput{Aliases: []AliasListItem{}}
	for i, name := range names {
		if i == size {
			out.NextToken = pageToken(skip + int64(size))
			break
		}
		a := found.machine.aliases[name]
		out.Aliases = append(out.Aliases, AliasListItem{a.arn, Timestamp{a.created}})
	}
	return out, nil
}
