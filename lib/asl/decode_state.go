package asl

import (
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// The types of states.
const (
	kindTask     = "Task"
	kindWait     = "Wait"
	kindPass     = "Pass"
	kindSucceed  = "Succeed"
	kindFail     = "Fail"
	kindChoice   = "Choice"
	kindParallel = "Parallel"
	kindMap      = "Map"
)

// kinds lists the types of states, in the order of AWS's messages.
var kinds = []string{kindTask, kindWait, kindPass, kindSucceed, kindFail, kindChoice, kindParallel, kindMap}

// decodeLanguage decodes QueryLanguage. It returns the inherited language if the field is missing.
func (d *decoder) decodeLanguage(f *fieldReader, inherited string) string {
	switch language := f.stringValue("QueryLanguage"); language {
	case "":
		return inherited
	case languageJSONata, languageJSONPath:
		return language
	default:
		f.invalid("QueryLanguage", "Value should be one of the following: [JSONPath, JSONata]")
		return languageJSONata // AWS takes each other text for JSONata, too.
	}
}

// decodeState decodes the state v. at is its path in the definition, inherited the query language of the state machine.
func (d *decoder) decodeState(name string, v any, at, inherited string) *state {
	s := &state{name: name}

	f, ok := d.readObject(v, at)
	if !ok {
		return s
	}
	if !f.has("Type") {
		f.require("Type") // Adds the problem.
		return s
	}

	s.kind, s.jsonata = f.stringValue("Type"), d.decodeLanguage(f, inherited) == languageJSONata
	if !slices.Contains(kinds, s.kind) {
		f.invalid("Type", "The field 'Type' should have one of these values: ["+strings.Join(kinds, ", ")+"]")
		s.kind = ""
		return s
	}

	problems := len(d.problems)
	d.decodeByType(f, s, inherited) // States inside this one inherit the machine's language, not this state's.
	f.rejectUnknown(s.language())
	if inherited == languageJSONata && !s.jsonata { // As on AWS, this is the only problem of the state.
		d.problems = d.problems[:problems]
		d.invalid(at, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
	}
	return s
}

// decodeByType decodes the fields that a state of its type may have. language is the query language that the states inside it inherit.
func (d *decoder) decodeByType(f *fieldReader, s *state, language string) {
	switch s.kind {
	case kindPass:
		d.decodeInputOutput(f, s)
		d.decodePass(f, s)
		d.decodeTransition(f, s)
	case kindTask:
		d.decodeInputOutput(f, s)
		d.decodeTask(f, s)
		d.decodeHandlers(f, s)
		d.decodeTransition(f, s)
	case kindChoice:
		d.decodePaths(f, s)
		d.decodeAssignAndOutput(f, s)
		d.decodeChoices(f, s)
	case kindWait:
		d.decodePaths(f, s)
		d.decodeAssignAndOutput(f, s)
		d.decodeWait(f, s)
		d.decodeTransition(f, s)
	case kindSucceed:
		d.decodePaths(f, s)
		d.decodeAssignAndOutput(f, s)
	case kindFail:
		s.failError = d.decodeText(f, s, "Error")
		s.failCause = d.decodeText(f, s, "Cause")
	case kindParallel:
		d.decodeInputOutput(f, s)
		d.decodeBranches(f, s, language)
		d.decodeHandlers(f, s)
		d.decodeTransition(f, s)
	case kindMap:
		d.decodeMap(f, s, language)
		d.decodeHandlers(f, s)
		d.decodeTransition(f, s)
	}
}

// decodeTransition decodes Next and End.
func (d *decoder) decodeTransition(f *fieldReader, s *state) {
	s.next = f.targetValue("Next")
	s.end = f.boolValue("End")

	// A state with Next must not have the field End, not even "End": false.
	if hasNext := f.has("Next"); hasNext && f.has("End") || !hasNext && !s.end {
		d.invalid(f.at, "State must have either 'Next' or 'End: true'")
	}
}

// decodePaths decodes InputPath and OutputPath of a JSONPath state.
func (d *decoder) decodePaths(f *fieldReader, s *state) {
	if s.jsonata {
		return
	}
	s.inputPath = f.decodeIOPath("InputPath")
	s.outputPath = f.decodeIOPath("OutputPath")
}

// decodeIOPath decodes InputPath or OutputPath.
func (f *fieldReader) decodeIOPath(name string) ioPath {
	if v, ok := f.take(name); ok && v == nil {
		return ioPath{null: true}
	}
	return ioPath{ref: f.referenceValue(name)}
}

// decodeInputOutput decodes the input and output fields of a state that has a result.
func (d *decoder) decodeInputOutput(f *fieldReader, s *state) {
	d.decodePaths(f, s)
	d.decodeAssignAndOutput(f, s)
	if s.jsonata {
		if s.kind == kindTask || s.kind == kindParallel {
			s.arguments = d.decodeTemplate(f, s, "Arguments")
		}
		return
	}

	s.parameters = d.decodeTemplate(f, s, "Parameters")
	s.resultPath = f.decodeResultPath("ResultPath")
	if s.kind != kindPass {
		s.resultSelector = d.decodeTemplate(f, s, "ResultSelector")
	}
}

// decodeAssignAndOutput decodes Assign and Output.
func (d *decoder) decodeAssignAndOutput(f *fieldReader, s *state) {
	d.readable.result = s.hasResult()
	if s.kind != kindSucceed {
		s.assign = d.decodeAssign(f, s)
	}
	if s.jsonata {
		s.output = d.decodeTemplate(f, s, "Output")
	}
	d.readable = statesFields{}
}

// decodeTemplate decodes a field that is a template; nil if it is missing.
func (d *decoder) decodeTemplate(f *fieldReader, s *state, name string) template {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	if s.jsonata {
		return d.jsonataTemplate(v, f.path(name))
	}
	return d.jsonPathTemplate(v, f.path(name))
}

// decodeAssign decodes Assign; nil if it is missing.
func (d *decoder) decodeAssign(f *fieldReader, s *state) template {
	v, ok := f.take("Assign")
	if !ok {
		return nil
	}

	o, ok := v.(*jsontree.Object)
	if !ok {
		f.invalid("Assign", "Expected value of type Object")
		return nil
	}

	for _, key := range o.Keys() {
		// Step Functions sets the variable named by statesVariable. Any other name must be a variable name from its beginning to its end.
		if name := strings.TrimSuffix(key, ".$"); name == statesVariable || name == "" || leadingVariableName(name) != name {
			f.invalid("Assign", "Invalid variable name: "+name)
		}
	}
	return d.decodeTemplate(f, s, "Assign")
}

// decodeResultPath decodes a ResultPath:
//
//	the field is missing                a path without steps, which selects the whole value
//	the field is null                   nil, which discards the result
//	the field is not a path             nil; a problem is added
//	the field is not a Reference Path   the path; a problem is added
func (f *fieldReader) decodeResultPath(name string) *path {
	v, ok := f.take(name)
	if !ok {
		return &path{}
	}
	if v == nil {
		return nil
	}

	ref := f.referenceValue(name)
	if ref == nil {
		return nil
	}

	if !ref.path.isDefinite() || ref.path.function != nil || ref.root != rootInput {
		f.invalid(name, "Value is not a Reference Path")
	}
	return ref.path
}

// decodePass decodes the Result of a Pass state.
func (d *decoder) decodePass(f *fieldReader, s *state) {
	if s.jsonata {
		return
	}
	if v, ok := f.take("Result"); ok {
		s.result = literalTemplate{v}
	}
}

// decodeWait decodes the fields of a Wait state that say how long it waits.
func (d *decoder) decodeWait(f *fieldReader, s *state) {
	names := []string{"Seconds", "Timestamp", "SecondsPath", "TimestampPath"}
	if s.jsonata {
		names = names[:2] // SecondsPath and TimestampPath exist only in JSONPath.
	}
	given := 0
	for _, name := range names {
		if f.has(name) {
			given++
		}
	}
	if given != 1 {
		d.invalid(f.at, "A Wait state must have exactly one of these fields: ["+strings.Join(names, ", ")+"]")
	}
	if v, ok := f.take("Seconds"); ok {
		s.wait.seconds = d.decodeWaitSeconds(f, s, v)
	}
	if v, ok := f.take("Timestamp"); ok {
		s.wait.timestamp = d.decodeWaitTimestamp(f, s, v)
	}
	if !s.jsonata {
		s.wait.secondsPath = f.referencePath("SecondsPath")
		s.wait.timestampPath = f.referencePath("TimestampPath")
	}
}

// maxWaitSeconds is the largest value of Seconds, TimeoutSeconds and HeartbeatSeconds.
const maxWaitSeconds = 99_999_999

func (d *decoder) decodeWaitSeconds(f *fieldReader, s *state, v any) template {
	if x := d.decodeExpression(s, v, f.path("Seconds")); x != nil {
		return x
	}

	n, ok := v.(int64)
	if !ok || n < 0 || n > maxWaitSeconds {
		f.invalid("Seconds", "Expected value of type Integer, from 0 to 99999999")
	}
	return literalTemplate{n}
}

func (d *decoder) decodeWaitTimestamp(f *fieldReader, s *state, v any) template {
	if x := d.decodeExpression(s, v, f.path("Timestamp")); x != nil {
		return x
	}

	text, _ := v.(string)
	if _, ok := parseTimestamp(text); !ok {
		f.invalid("Timestamp", "String does not match RFC3339 timestamp")
	}
	return literalTemplate{text}
}

// parseTimestamp parses an ISO 8601 date and time with an offset, with or without seconds.
func parseTimestamp(text string) (t time.Time, ok bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// decodeText decodes a text of a Fail state. The field called name holds a string or an expression; the field called name+"Path"
// holds a path or an intrinsic function.
func (d *decoder) decodeText(f *fieldReader, s *state, name string) textField {
	text := textField{name: name}
	if v, ok := f.take(name); ok {
		literal, isString := v.(string)
		switch {
		case !isString:
			f.invalid(name, "Expected value of type String")
		case s.jsonata:
			text.value = d.jsonataTemplate(literal, f.path(name))
		default:
			text.value = literalTemplate{literal}
		}
	}

	pathName := name + "Path"
	if s.jsonata || !f.has(pathName) {
		return text
	}

	v, _ := f.take(pathName)
	text.name = pathName
	text.pathText, _ = v.(string)
	parsed, err := parseValue(text.pathText)
	if err != nil {
		f.invalid(pathName, "Value is not a valid JSONPath or intrinsic function")
	}
	if f.has(name) {
		d.invalid(f.at, "A Fail state must not have both "+name+" and "+pathName)
	}
	text.path = parsed
	return text
}
