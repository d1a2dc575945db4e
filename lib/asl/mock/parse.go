package mock

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// MaxBytes is the greatest size of a mock configuration file in bytes.
const MaxBytes = 8 << 20

// More limits of a mock configuration file.
const (
	maxDepth      = 500        // How deep arrays and objects may be nested.
	maxEntries    = 100_000    // State machines, test cases, mocked states, mocked responses and their invocations together.
	maxInvocation = 99_999_999 // The largest MaxAttempts of a retrier.
)

// Problem is one reason why a mock configuration file is rejected.
type Problem struct {
	// Path is the place in the file, such as /MockedResponses/NothingLeft/0-1. It is empty if the problem concerns the whole file.
	Path string
	// Rule is the rule that the file breaks.
	Rule string
}

// FileError is the error of Parse.
type FileError struct {
	// Problems lists every problem found; it is never empty.
	Problems []Problem
}

// Error returns the first problems, each with its path and its rule.
func (e *FileError) Error() string {
	texts := make([]string, 0, maxListed+1)
	for i, p := range e.Problems {
		if i == maxListed {
			texts = append(texts, fmt.Sprintf("and %d more", len(e.Problems)-maxListed))
			break
		}
		text := p.Rule
		if p.Path != "" {
			text = p.Path + ": " + p.Rule
		}
		texts = append(texts, text)
	}
	return "mock: invalid file: " + strings.Join(texts, "; ")
}

// Parse parses a mock configuration file of at most MaxBytes. If it is invalid, the error is a *FileError.
func Parse(text []byte) (*File, error) {
	if len(text) > MaxBytes {
		return nil, &FileError{[]Problem{{Rule: fmt.Sprintf("A file must not be larger than %d bytes", MaxBytes)}}}
	}
	v, repeated, err := jsontree.ParseRepeated(text)
	if err != nil {
		return nil, &FileError{[]Problem{{Rule: err.Error()}}}
	}
	if isDeeper(v, maxDepth) {
		return nil, &FileError{[]Problem{{Rule: fmt.Sprintf("Values must not be nested deeper than %d", maxDepth)}}}
	}

	d := &decoder{repeated: repeated, responses: map[string]*response{}}
	file := d.file(v)
	if d.entries > maxEntries {
		d.problems = append(d.problems, Problem{Rule: fmt.Sprintf("A file must not have more than %d entries", maxEntries)})
	}
	if len(d.problems) > 0 {
		return nil, &FileError{d.problems}
	}
	return file, nil
}

// isDeeper reports whether arrays and objects are nested deeper than depth.
func isDeeper(v any, depth int) bool {
	var items []any
	switch v := v.(type) {
	case []any:
		items = v
	case *jsontree.Object:
		for _, key := range v.Keys() {
			item, _ := v.Get(key)
			items = append(items, item)
		}
	default:
		return false
	}
	return depth == 0 || slices.ContainsFunc(items, func(item any) bool { return isDeeper(item, depth-1) })
}

// A decoder decodes a file and collects its problems.
type decoder struct {
	repeated  map[*jsontree.Object][]string // The names that an object has twice.
	responses map[string]*response          // The mocked responses by their names.
	problems  []Problem
	entries   int
}

func (d *decoder) invalid(path, rule string) {
	d.problems = append(d.problems, Problem{path, rule})
}

// object returns v as an object. If it is not one, the object is empty.
func (d *decoder) object(path string, v any) *jsontree.Object {
	o, ok := v.(*jsontree.Object)
	if !ok {
		d.invalid(path, "Expected value of type Object")
		return &jsontree.Object{}
	}
	for _, name := range d.repeated[o] {
		d.invalid(path+"/"+name, "The name occurs twice")
	}
	return o
}

// fields returns an object whose fields must be among those with the given names.
func (d *decoder) fields(path string, v any, names ...string) *jsontree.Object {
	o := d.object(path, v)
	for _, name := range o.Keys() {
		if !slices.Contains(names, name) {
			d.invalid(path+"/"+name, "The field is not supported; the fields are "+strings.Join(names, " and "))
		}
	}
	return o
}

// each calls decode for each entry of an object whose names are the user's. It stops when the file has more than maxEntries.
func (d *decoder) each(path string, v any, decode func(path, name string, v any)) {
	o := d.object(path, v)
	for _, name := range o.Keys() {
		d.entries++
		if d.entries > maxEntries {
			return
		}
		value, _ := o.Get(name)
		decode(path+"/"+name, name, value)
	}
}

// required returns a field, or reports that it is missing.
func (d *decoder) required(path string, o *jsontree.Object, name string) (any, bool) {
	v, ok := o.Get(name)
	if !ok {
		d.invalid(path, "The field '"+name+"' is required but was missing")
	}
	return v, ok
}

// file decodes the whole file.
func (d *decoder) file(v any) *File {
	const machinesField, responsesField = "StateMachines", "MockedResponses"
	f := &File{machines: map[string]map[string]*Case{}}
	if _, ok := v.(*jsontree.Object); !ok {
		d.invalid("", "Expected value of type Object")
		return f
	}
	top := d.fields("", v, machinesField, responsesField)

	if responses, ok := d.required("", top, responsesField); ok {
		d.each("/"+responsesField, responses, func(path, name string, v any) { d.responses[name] = d.response(path, name, v) })
	}
	if machines, ok := d.required("", top, machinesField); ok {
		d.each("/"+machinesField, machines, func(path, name string, v any) { f.machines[name] = d.machine(path, name, v) })
	}
	return f
}

// machine decodes the test cases of a state machine.
func (d *decoder) machine(path, machine string, v any) map[string]*Case {
	const casesField = "TestCases"
	all := map[string]*Case{}
	cases, ok := d.required(path, d.fields(path, v, casesField), casesField)
	if !ok {
		return all
	}
	d.each(path+"/"+casesField, cases, func(path, name string, v any) {
		c := &Case{machine: machine, name: name, states: map[string]*response{}}
		d.each(path, v, func(path, state string, v any) {
			response, ok := v.(string)
			switch mocked := d.responses[response]; {
			case !ok:
				d.invalid(path, "Expected value of type String, the name of a mocked response")
			case mocked == nil:
				d.invalid(path, "There is no mocked response '"+response+"'; MockedResponses has "+listNames(d.responses))
			default:
				c.states[state] = mocked
			}
		})
		all[name] = c
	})
	return all
}

// response decodes a mocked response.
func (d *decoder) response(path, name string, v any) *response {
	r := &response{name: name}
	d.each(path, v, func(path, invocations string, v any) {
		first, last, rule := parseInvocations(invocations)
		if rule != "" {
			d.invalid(path, rule)
		}
		if a := d.answer(path, v); rule == "" {
			a.first, a.last = first, last
			r.answers = append(r.answers, a)
		}
	})

	slices.SortStableFunc(r.answers, func(a, b answer) int { return a.first - b.first })
	expected := 0
	for _, a := range r.answers {
		switch {
		case a.first < expected:
			d.invalid(path+"/"+a.invocations(), fmt.Sprintf("Invocation %d has two answers", a.first))
		case a.first > expected:
			d.invalid(path+"/"+a.invocations(), fmt.Sprintf("Invocations must be numbered from 0 without a gap, and invocation %d is missing", expected))
		}
		expected = max(expected, a.last+1)
	}
	return r
}

// invocations returns the invocations of the answer as a file has them.
func (a answer) invocations() string {
	if a.first == a.last {
		return strconv.Itoa(a.first)
	}
	return strconv.Itoa(a.first) + "-" + strconv.Itoa(a.last)
}

// invocationsPattern matches a number such as 0, or a range such as 1-2.
var invocationsPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,7})(?:-(0|[1-9][0-9]{0,7}))?$`)

// parseInvocations parses a number of an invocation or a range of numbers. If it is invalid, rule is the rule that it breaks.
func parseInvocations(text string) (first, last int, rule string) {
	match := invocationsPattern.FindStringSubmatch(text)
	if match == nil {
		return 0, 0, fmt.Sprintf("Expected the number of an invocation from 0 to %d, such as 0, or a range such as 1-2", maxInvocation)
	}
	first, _ = strconv.Atoi(match[1]) // The pattern allows 8 digits.
	last = first
	if match[2] != "" {
		last, _ = strconv.Atoi(match[2])
	}
	if last < first {
		return 0, 0, "The first number of a range must not be greater than the last"
	}
	return first, last, ""
}

// answer decodes the answer to some invocations.
func (d *decoder) answer(path string, v any) (a answer) {
	const returnField, throwField = "Return", "Throw"
	o, ok := v.(*jsontree.Object)
	if !ok {
		d.invalid(path, "Expected value of type Object")
		return a
	}
	d.fields(path, o, returnField, throwField)

	returns, hasReturn := o.Get(returnField)
	throws, hasThrow := o.Get(throwField)
	if hasReturn == hasThrow {
		d.invalid(path, "Exactly one of the fields Return and Throw is required")
	}
	if hasReturn {
		a.returns = jsontree.Marshal(returns)
	}
	if hasThrow {
		path += "/" + throwField
		fields := d.fields(path, throws, "Error", "Cause")
		a.throws = &asl.Error{Name: d.text(path, fields, "Error"), Cause: d.text(path, fields, "Cause")}
		a.throws.Fatal = a.throws.Name == errorRuntime // As on AWS, where States.ALL does not handle it.
		if name, ok := fields.Get("Error"); ok && name == "" {
			d.invalid(path+"/Error", "Value cannot be empty")
		}
	}
	return a
}

// text returns a required field that holds a text.
func (d *decoder) text(path string, o *jsontree.Object, name string) string {
	v, ok := d.required(path, o, name)
	text, isText := v.(string)
	if ok && !isText {
		d.invalid(path+"/"+name, "Expected value of type String")
	}
	return text
}
