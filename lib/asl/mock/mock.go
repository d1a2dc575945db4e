// Package mock runs the tasks of an execution from a mock configuration file, in the format of AWS Step Functions Local
// (https://docs.aws.amazon.com/step-functions/latest/dg/sfn-local-mock-cfg-file.html):
//
//	{
//	  "StateMachines": {"order": {"TestCases": {"OutOfStock": {"Reserve": "NothingLeft"}}}},
//	  "MockedResponses": {
//	    "NothingLeft": {
//	      "0-1": {"Throw": {"Error": "Lambda.TooManyRequestsException", "Cause": "Rate exceeded"}},
//	      "2": {"Return": {"StatusCode": 200, "Payload": {"left": 0}}}
//	    }
//	  }
//	}
//
// The test case OutOfStock of the state machine order answers the state Reserve: the first and the second invocation fail, and the
// third one succeeds. Retry, Catch, ResultSelector, ResultPath, Output and the events of the history work as for a real task.
package mock

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl"
)

// File is a parsed mock configuration file. It is immutable.
type File struct {
	machines map[string]map[string]*Case // The test cases by the names of their state machine and their own.
}

// Case is a test case: the mocked responses of one state machine's Task states. It is immutable, so any number of executions may use
// it concurrently.
type Case struct {
	machine string
	name    string
	states  map[string]*response // By the name of the state.
}

// A response is a mocked response: the answers to the invocations 0, 1, 2 and so on of a state, without gaps.
type response struct {
	name    string
	answers []answer // In the order of the invocations. Without any, each invocation fails.
}

// An answer is the answer to the invocations of a state from first to last. Either returns or throws is set.
type answer struct {
	first, last int
	returns     json.RawMessage
	throws      *asl.Error
}

// at returns the answer to an invocation, or nil if there is none.
func (r *response) at(invocation int) *answer {
	i, _ := slices.BinarySearchFunc(r.answers, invocation, func(a answer, invocation int) int { return a.last - invocation })
	if i == len(r.answers) {
		return nil
	}
	return &r.answers[i]
}

// Case returns a test case of a state machine. If there is no such state machine or test case, the error lists those that the file has.
func (f *File) Case(machine, testCase string) (*Case, error) {
	cases, ok := f.machines[machine]
	if !ok {
		return nil, fmt.Errorf("mock: the file has no state machine '%s'; it has %s", machine, listNames(f.machines))
	}
	c, ok := cases[testCase]
	if !ok {
		return nil, fmt.Errorf("mock: the state machine '%s' has no test case '%s'; it has %s", machine, testCase, listNames(cases))
	}
	return c, nil
}

// Check returns an error that names each state of the test case that m does not have, or that is not a Task state; nil if there is none.
func (c *Case) Check(m *asl.Machine) error {
	types := m.StateTypes()
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(c.states)) {
		switch kind, ok := types[name]; {
		case !ok:
			wrong = append(wrong, "the definition has no state '"+name+"'")
		case kind != "Task":
			wrong = append(wrong, "the state '"+name+"' is a "+kind+" state, and only a Task state can be mocked")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("mock: test case '%s' of the state machine '%s': %s", c.name, c.machine, strings.Join(wrong, "; "))
	}
	return nil
}

// maxListed is how many names or problems an error text lists.
const maxListed = 10

// listNames returns the keys of a map for an error text.
func listNames[V any](m map[string]V) string {
	names := slices.Sorted(maps.Keys(m))
	if len(names) == 0 {
		return "none"
	}
	more := ""
	if len(names) > maxListed {
		more = fmt.Sprintf(" and %d more", len(names)-maxListed)
		names = names[:maxListed]
	}
	return "'" + strings.Join(names, "', '") + "'" + more
}
