// Package asl runs workflows written in the Amazon States Language and answers as AWS Step Functions does.
//
// It runs every type of state, in JSONata and in JSONPath: https://states-language.net/spec.html. A Distributed Map runs as
// one process, each child with its own variables and context object and without a history. What it cannot run is refused by
// Parse, by name: ItemReader, ItemBatcher and ResultWriter of a Distributed Map, and what package jsonata refuses.
package asl

import (
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// Machine is a parsed state machine definition. It is immutable: any number of executions may run on it at once.
type Machine struct {
	flow    *flow
	timeout time.Duration
}

// Parse reads a state machine definition. What is invalid and what cannot be run is refused: the error is then a
// *DefinitionError.
func Parse(definition []byte) (*Machine, error) {
	if strings.TrimSpace(string(definition)) == "" {
		return nil, &DefinitionError{[]Problem{{codeSchema, "", "Definition must be a valid JSON object"}}}
	}

	v, err := jsontree.Parse(definition)
	if err != nil {
		return nil, &DefinitionError{[]Problem{{codeJSON, "", err.Error()}}}
	}

	d := &decoder{}
	m := &Machine{}
	if f, ok := d.fields(v, ""); ok {
		m.flow = d.decodeFlow(f, d.language(f, languageJSONPath))
		m.timeout = seconds(f.number("TimeoutSeconds", 1, maxWaitSeconds, 0))
		if version := f.text("Version"); version != "" && version != "1.0" {
			f.problem("Version", "The only version is 1.0")
		}
		f.finish()
	}

	if len(d.problems) > 0 {
		return nil, &DefinitionError{Problems: d.problems}
	}
	return m, nil
}

// ExpressProblems returns why the machine cannot be an Express workflow; nil if it can.
func (m *Machine) ExpressProblems() []Problem {
	d := &decoder{}
	d.checkExpress(m.flow, "")
	return d.problems
}

func (d *decoder) checkExpress(f *flow, at string) {
	for name, s := range f.states {
		for _, suffix := range []string{".waitForTaskToken", ".sync", ".sync:2"} {
			if strings.HasSuffix(s.resource, suffix) {
				d.problem(at+"/States/"+name+"/Resource", "Express state machine does not support '"+suffix+"' service integration")
			}
		}

		for _, branch := range s.branches {
			d.checkExpress(branch, at+"/States/"+name+"/Branches")
		}
		if s.mapOver != nil {
			d.checkExpress(s.mapOver.flow, at+"/States/"+name+"/ItemProcessor")
		}
	}
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
