package asl

import (
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// The codes of a Problem. AWS's ValidateStateMachineDefinition has all of these codes except codeUnsupported.
const (
	codeSchema      = "SCHEMA_VALIDATION_FAILED"
	codeTarget      = "MISSING_TRANSITION_TARGET"
	codeJSON        = "INVALID_JSON_DESCRIPTION"
	codeUnsupported = "UNSUPPORTED" // This package does not support the feature.
)

// The query languages.
const (
	languageJSONata  = "JSONata"
	languageJSONPath = "JSONPath"
)

// A decoder decodes a definition and collects all its problems.
type decoder struct {
	problems []Problem
}

// invalid adds a problem of the object or field at a path such as /States/Wait/Seconds.
func (d *decoder) invalid(at, rule string) { d.addProblem(codeSchema, at, rule) }

// unsupported adds a problem for a feature that this package does not support.
func (d *decoder) unsupported(at, feature string) {
	d.addProblem(codeUnsupported, at, feature+" is not supported")
}

func (d *decoder) addProblem(code, at, rule string) {
	if at == "" { // The problem is in the outermost object.
		at = "/"
	}
	d.problems = append(d.problems, Problem{Code: code, Path: at, Rule: rule})
}

// A fieldReader decodes the fields of an object and remembers which fields it has decoded. rejectUnknown then reports all other
// fields of the object.
type fieldReader struct {
	d      *decoder
	at     string // The path of the object in the definition.
	object *jsontree.Object
	taken  map[string]bool // The names that take was called with.
}

// readObject returns a reader for v. If v is not an object, it adds a problem and returns false.
func (d *decoder) readObject(v any, at string) (*fieldReader, bool) {
	o, ok := v.(*jsontree.Object)
	if !ok {
		d.invalid(at, "Expected value of type Object")
		return nil, false
	}
	// Every object may have a Comment, which has no effect.
	return &fieldReader{d: d, at: at, object: o, taken: map[string]bool{"Comment": true}}, true
}

// take returns a field of any type and whether the object has it. It marks the field as known to the decoder.
func (f *fieldReader) take(name string) (any, bool) {
	f.taken[name] = true
	return f.object.Get(name)
}

// has reports whether the object has a field. Unlike take, it does not mark the field as known.
func (f *fieldReader) has(name string) bool {
	_, ok := f.object.Get(name)
	return ok
}

// path returns the path of a field in the definition.
func (f *fieldReader) path(name string) string { return f.at + "/" + name }

func (f *fieldReader) invalid(name, rule string) { f.d.invalid(f.path(name), rule) }

// stringValue returns a string field, "" if it is missing.
func (f *fieldReader) stringValue(name string) string {
	v, ok := f.take(name)
	if !ok {
		return ""
	}

	text, ok := v.(string)
	if !ok {
		f.invalid(name, "Expected value of type String")
	}
	return text
}

// arrayValue returns an array field, nil if it is missing.
func (f *fieldReader) arrayValue(name string) []any {
	v, ok := f.take(name)
	if !ok {
		return nil
	}

	items, ok := v.([]any)
	if !ok {
		f.invalid(name, "Expected value of type Array")
	}
	return items
}

// boolValue returns a boolean field, false if it is missing.
func (f *fieldReader) boolValue(name string) bool {
	v, ok := f.take(name)
	if !ok {
		return false
	}

	b, ok := v.(bool)
	if !ok {
		f.invalid(name, "Expected value of type Boolean")
	}
	return b
}

// numberValue returns a number field, which must be from low to high. It returns fallback if the field is missing or invalid.
func (f *fieldReader) numberValue(name string, low, high, fallback float64) float64 {
	v, ok := f.take(name)
	if !ok {
		return fallback
	}

	n, ok := jsontree.Float(v)
	if !ok || n < low || n > high {
		f.invalid(name, "Expected value of type Number, from "+jsontree.FormatNumber(int64(low))+" to "+jsontree.FormatNumber(int64(high)))
		return fallback
	}
	return n
}

// referenceValue returns a field that is a path, or nil if it is missing or invalid.
func (f *fieldReader) referenceValue(name string) *reference {
	v, ok := f.take(name)
	if !ok {
		return nil
	}

	text, _ := v.(string) // Another value becomes "", which parseReference rejects.
	ref, err := parseReference(text)
	if err != nil {
		f.invalid(name, "Value is not a valid JSONPath")
		return nil
	}
	return ref
}

// require adds a problem if any of the named fields is missing.
func (f *fieldReader) require(names ...string) {
	var missing []string
	for _, name := range names {
		if !f.has(name) {
			missing = append(missing, name)
		}
	}

	if len(missing) > 0 {
		f.d.invalid(f.at, "These fields are required: ["+strings.Join(missing, ", ")+"]")
	}
}

// rejectUnknown adds a problem for each field that was never taken.
func (f *fieldReader) rejectUnknown() {
	for _, key := range f.object.Keys() {
		if !f.taken[key] {
			f.invalid(key, "Field is not supported")
		}
	}
}

// decodeFlow decodes StartAt and States. language is the query language of states that do not set their own.
func (d *decoder) decodeFlow(f *fieldReader, language string) *flow {
	f.require("States", "StartAt")
	parsed := &flow{startAt: f.stringValue("StartAt"), states: map[string]*state{}}

	v, ok := f.take("States")
	if !ok {
		return parsed
	}

	states, ok := v.(*jsontree.Object)
	if !ok {
		f.invalid("States", "Expected value of type Object")
		return parsed
	}

	if states.Len() == 0 {
		f.invalid("States", "Object must not be empty")
	}

	for _, name := range states.Keys() {
		definition, _ := states.Get(name)
		parsed.states[name] = d.decodeState(name, definition, f.path("States")+"/"+name, language)
	}

	d.checkTargets(f, parsed, states)
	return parsed
}

// checkTargets adds a problem for each transition to a state that does not exist. states is the object States of the definition: the
// problems come in its order.
func (d *decoder) checkTargets(f *fieldReader, parsed *flow, states *jsontree.Object) {
	check := func(at, target string) { // target is empty if the definition has no such field.
		if _, ok := parsed.states[target]; target != "" && !ok {
			d.addProblem(codeTarget, at, "Missing 'Next' target: "+target)
		}
	}
	check(f.path("StartAt"), parsed.startAt)

	for _, name := range states.Keys() {
		s := parsed.states[name]
		at := f.path("States") + "/" + name
		check(at+"/Next", s.next)
		check(at+"/Default", s.defaultNext)

		for _, c := range s.catch {
			check(at+"/Catch", c.next)
		}
		for _, c := range s.choices {
			check(at+"/Choices", c.next)
		}
	}
}
