package states

import (
	"context"
	"maps"
	"slices"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// maxTags is how many tags a resource may have.
const maxTags = 50

// TagResource adds tags to a state machine, or replaces their values.
func (s *StepFunctions) TagResource(_ context.Context, in TagResourceInput) (EmptyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, err := s.taggedMachine(in.ResourceArn)
	if err != nil {
		return EmptyOutput{}, err
	}
	machine.tags, err = withTags(machine.tags, in.Tags)
	s.saveMachine(machine)
	return EmptyOutput{}, err
}

// UntagResource removes tags from a state machine.
func (s *StepFunctions) UntagResource(_ context.Context, in UntagResourceInput) (EmptyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, err := s.taggedMachine(in.ResourceArn)
	if err != nil {
		return EmptyOutput{}, err
	}
	for _, key := range in.TagKeys {
		delete(machine.tags, key)
	}
	s.saveMachine(machine)
	return EmptyOutput{}, nil
}

// ListTagsForResource lists the tags of a state machine in the order of their keys.
func (s *StepFunctions) ListTagsForResource(_ context.Context, in ListTagsInput) (ListTagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, err := s.taggedMachine(in.ResourceArn)
	if err != nil {
		return ListTagsOutput{}, err
	}
	out := ListTagsOutput{Tags: []Tag{}}
	for _, key := range slices.Sorted(maps.Keys(machine.tags)) {
		out.Tags = append(out.Tags, Tag{Key: key, Value: machine.tags[key]})
	}
	return out, nil
}

// taggedMachine returns the state machine of an operation for tags. The caller holds the lock.
func (s *StepFunctions) taggedMachine(arn string) (*stateMachine, error) {
	if err := validateARN(arn, "stateMachine"); err != nil {
		return nil, err
	}
	machine, ok := s.machines[arn]
	if !ok {
		return nil, awswire.NewError("ResourceNotFound", "Resource not found: '"+arn+"'")
	}
	return machine, nil
}

// withTags returns old with more tags. It returns old and an error if there are too many.
func withTags(old map[string]string, more []Tag) (map[string]string, error) {
	all := map[string]string{}
	maps.Copy(all, old)
	for _, tag := range more {
		if tag.Key == "" {
			return old, errInvalid("tags", "Member must have length greater than or equal to 1")
		}
		all[tag.Key] = tag.Value
	}
	if len(all) > maxTags {
		return old, awswire.NewError("TooManyTags", "A resource may have at most 50 tags")
	}
	return all, nil
}
