package asl

import (
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// The codes of a Problem. The first three are those of ValidateStateMachineDefinition.
const (
	codeSchema      = "SCHEMA_VALIDATION_FAILED"
	codeTarget      = "MISSING_TRANSITION_TARGET"
	codeJSON        = "INVALID_JSON_DESCRIPTION"
	codeUnsupported = "UNSUPPORTED"
)

const (
	languageJSONata  = "JSONata"
	languageJSONPath = "JSONPath"
)

// decoder reads a definition and gathers its problems.
type decoder struct {
	problems []Problem
}

func (d *decoder) problem(at, rule string) { d.report(codeSchema, at, rule) }

func (d *decoder) unsupported(at, what string) {
	d.report(codeUnsupported, at, what+" is not supported")
}

func (d *decoder) report(code, at, rule string) {
	if at == "" {
		at = "/"
	}
	d.problems = append(d.problems, Problem{Code: code, Path: at, Rule: rule})
}

// A fieldReader reads the fields of an object and knows which have been read.
type fieldReader struct {
	d      *decoder
	at     string
	object *jsontree.Object
	read   map[string]bool
}

func (d *decoder) fields(v any, at string) (*fieldReader, bool) {
	o, ok := v.(*jsontree.Object)
	if !ok {
		d.problem(at, "Expected value of type Object")
		return nil, false
	}
	return &fieldReader{d: d, at: at, object: o, read: map[string]bool{"Comment": true}}, true
}

// value returns a field and whether it is there.
func (f *fieldReader) value(name string) (any, bool) {
	f.read[name] = true
	return f.object.Get(name)
}

func (f *fieldReader) path(name string) string { return f.at + "/" + name }

func (f *fieldReader) problem(name, rule string) { f.d.problem(f.path(name), rule) }

// text returns a field that is a string; empty if it is not there.
func (f *fieldReader) text(name string) string {
	v, ok := f.value(name)
	if !ok {
		return ""
	}

	text, ok := v.(string)
	if !ok {
		f.problem(name, "Expected value of type String")
	}
	return text
}

// list returns a field that is an array; nil if it is not there.
func (f *fieldReader) list(name string) []any {
	v, ok := f.value(name)
	if !ok {
		return nil
	}

	items, ok := v.([]any)
	if !ok {
		f.problem(name, "Expected value of type Array")
	}
	return items
}

// flag returns a field that is a boolean; false if it is not there.
func (f *fieldReader) flag(name string) bool {
	v, ok := f.value(name)
	if !ok {
		return false
	}

	set, ok := v.(bool)
	if !ok {
		f.problem(name, "Expected value of type Boolean")
	}
	return set
}

// number returns a field that is a number from least to most; otherwise if it is not there.
func (f *fieldReader) number(name string, least, most, otherwise float64) float64 {
	v, ok := f.value(name)
	if !ok {
		return otherwise
	}

	n, ok := jsontree.Float(v)
	if !ok || n < least || n > most {
		f.problem(name, "Expected value of type Number, from "+jsontree.FormatNumber(int64(least))+" to "+jsontree.FormatNumber(int64(most)))
		return otherwise
	}
	return n
}

// reference returns a field that is a path; nil if it is not there.
func (f *fieldReader) reference(name string) *reference {
	v, ok := f.value(name)
	if !ok {
		return nil
	}

	text, _ := v.(string)
	ref, err := parseReference(text)
	if err != nil {
		f.problem(name, "Value is not a valid JSONPath")
		return nil
	}
	return ref
}

// require reports which of the named fields are missing.
func (f *fieldReader) require(names ...string) {
	var missing []string
	for _, name := range names {
		if _, ok := f.object.Get(name); !ok {
			missing = append(missing, name)
		}
	}

	if len(missing) > 0 {
		f.d.problem(f.at, "These fields are required: ["+strings.Join(missing, ", ")+"]")
	}
}

// finish reports the fields that nobody has read.
func (f *fieldReader) finish() {
	for _, key := range f.object.Keys() {
		if !f.read[key] {
			f.problem(key, "Field is not supported")
		}
	}
}

// decodeFlow reads StartAt and States. at is the path of the object that holds them.
func (d *decoder) decodeFlow(f *fieldReader, language string) *flow {
	f.require("States", "StartAt")
	parsed := &flow{startAt: f.text("StartAt"), states: map[string]*state{}}

	v, ok := f.value("States")
	if !ok {
		return parsed
	}

	states, ok := v.(*jsontree.Object)
	if !ok {
		f.problem("States", "Expected value of type Object")
		return parsed
	}

	if states.Len() == 0 {
		f.problem("States", "Object must not be empty")
	}

	for _, name := range states.Keys() {
		definition, _ := states.Get(name)
		parsed.states[name] = d.decodeState(name, definition, f.path("States")+"/"+name, language)
	}

	d.checkTargets(f, parsed, states)
	return parsed
}

// checkTargets reports transitions to states that are not there.
func (d *decoder) checkTargets(f *fieldReader, parsed *flow, states *jsontree.Object) {
	check := func(at, target string) {
		if _, ok := parsed.states[target]; target != "" && !ok {
			d.report(codeTarget, at, "Missing 'Next' target: "+target)
		}
	}
	check(f.path("StartAt"), parsed.startAt)

	for _, name := range states.Keys() {
		s := parsed.states[name]
		at := f.path("States") + "/" + name
		check(at+"/Next", s.next)
		check(at+"/Default", s.fallback)

		for _, c := range s.catch {
			check(at+"/Catch", c.next)
		}
		for _, c := range s.choices {
			check(at+"/Choices", c.next)
		}
	}
}
