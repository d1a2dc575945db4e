// Package asl runs workflows written in the Amazon States Language (https://states-language.net/spec.html) and returns what
// AWS Step Functions would return.
//
// It supports every type of state, in JSONata and in JSONPath. The child executions of a Distributed Map run in this process. Each
// child has its own variables and context object. RunState runs one state by itself.
//
// The types that hold a parsed definition are in definition.go; files decode_*.go make them. The types of a running execution are in
// run.go and thread.go; files state_*.go run the states. What a Distributed Map reads is in item_*.go, what it writes in result_writer.go.
// Machine.Outline says what states may do, Execution.Trace what they do; package asltest tests workflows by both.
package asl

import (
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// Machine is a parsed state machine definition. It is immutable, so any number of executions may run on it concurrently.
type Machine struct {
	flow    *flow
	timeout time.Duration
}

// Parse parses a state machine definition. If the definition is invalid or needs a feature that is not supported, the error is a
// *DefinitionError.
func Parse(definition []byte) (*Machine, error) {
	if strings.TrimSpace(string(definition)) == "" {
		return nil, &DefinitionError{[]Problem{{codeSchema, "", "Definition must be a valid JSON object"}}}
	}

	v, repeated, err := jsontree.ParseRepeated(definition)
	if err != nil {
		return nil, &DefinitionError{[]Problem{{codeJSON, "", err.Error()}}}
	}

	d := newDecoder()
	d.repeated = repeated
	m := &Machine{}
	if f, ok := d.readObject(v, ""); ok {
		m.flow = d.decodeFlow(f, d.decodeLanguage(f, languageJSONPath))
		m.timeout = seconds(f.integerValue("TimeoutSeconds", 1, maxWaitSeconds, 0)) // Without the field, 0: no timeout.
		if version := f.stringValue("Version"); version != "" && version != "1.0" {
			f.invalid("Version", "The only version is 1.0")
		}
		f.rejectUnknown("")
	}

	if len(d.problems) > 0 {
		return nil, &DefinitionError{Problems: d.problems}
	}
	return m, nil
}

// StateTypes returns the type of each state of the machine by its name, such as Task. It includes the states inside Parallel and Map
// states.
func (m *Machine) StateTypes() map[string]string {
	types := map[string]string{}
	m.flow.addTypes(types)
	return types
}

// addTypes adds the types of the flow's states, and of the states inside of them, to types.
func (f *flow) addTypes(types map[string]string) {
	for name, s := range f.states {
		types[name] = s.kind
		for _, branch := range s.branches {
			branch.addTypes(types)
		}
		if s.mapFields != nil {
			s.mapFields.processor.addTypes(types)
		}
	}
}

// ExpressProblems returns the reasons why the machine cannot run as an Express workflow; nil if it can.
func (m *Machine) ExpressProblems() []Problem {
	d := newDecoder()
	d.checkExpress(m.flow, "")
	return d.problems
}

// checkExpress adds a problem for each Resource that an Express workflow cannot use. at is the path of the flow in the definition.
func (d *decoder) checkExpress(flow *flow, at string) {
	for name, s := range flow.states {
		for _, suffix := range []string{".waitForTaskToken", ".sync", ".sync:2"} {
			if strings.HasSuffix(s.resource, suffix) {
				d.invalid(at+"/States/"+name+"/Resource", "Express state machine does not support '"+suffix+"' service integration")
			}
		}

		for _, branch := range s.branches {
			d.checkExpress(branch, at+"/States/"+name+"/Branches")
		}
		if s.mapFields != nil {
			d.checkExpress(s.mapFields.processor, at+"/States/"+name+"/ItemProcessor")
		}
	}
}

// seconds returns n seconds as a duration.
func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
