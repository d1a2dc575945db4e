package asltest

import (
	"slices"
	"sync"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/coverage"
)

// profiles are the profiles of all machines that this process has loaded.
var profiles profileSet

// A profileSet holds a profile for each definition.
type profileSet struct {
	mu       sync.Mutex
	bySource map[string]*coverage.Profile
	order    []*coverage.Profile
}

// of returns the profile of a definition: the same for the same name and source, whatever was substituted in it.
func (s *profileSet) of(name, source string, machine *asl.Machine) *coverage.Profile {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := name + "\n" + source
	if s.bySource[key] == nil {
		if s.bySource == nil {
			s.bySource = map[string]*coverage.Profile{}
		}
		s.bySource[key] = coverage.New(name, machine)
		s.order = append(s.order, s.bySource[key])
	}
	return s.bySource[key]
}

// all returns the profiles in the order in which their machines were loaded first.
func (s *profileSet) all() []*coverage.Profile {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}
