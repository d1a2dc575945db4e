package asl

import (
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

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

// language reads QueryLanguage.
func (d *decoder) language(f *fieldReader, inherited string) string {
	switch language := f.text("QueryLanguage"); language {
	case "":
		return inherited
	case languageJSONata, languageJSONPath:
		return language
	default:
		f.problem("QueryLanguage", "The field 'QueryLanguage' should have one of these values: [JSONPath, JSONata]")
		return inherited
	}
}

func (d *decoder) decodeState(name string, v any, at, inherited string) *state {
	s := &state{name: name}

	f, ok := d.fields(v, at)
	if !ok {
		return s
	}
	if _, ok := f.object.Get("Type"); !ok {
		f.require("Type")
		return s
	}

	s.kind, s.jsonata = f.text("Type"), d.language(f, inherited) == languageJSONata
	if inherited == languageJSONata && !s.jsonata {
		f.problem("QueryLanguage", "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
	}

	d.decodeKind(f, s, inherited) // What is inside inherits the machine's language, not the state's.
	f.finish()
	return s
}

func (d *decoder) decodeKind(f *fieldReader, s *state, language string) {
	switch s.kind {
	case kindPass:
		d.decodeTransfer(f, s)
		d.decodePass(f, s)
		d.decodeTransition(f, s)
	case kindTask:
		d.decodeTransfer(f, s)
		d.decodeTask(f, s)
		d.decodeHandlers(f, s)
		d.decodeTransition(f, s)
	case kindChoice:
		d.decodeInputOutput(f, s)
		d.decodeOutput(f, s)
		d.decodeChoices(f, s)
	case kindWait:
		d.decodeInputOutput(f, s)
		d.decodeOutput(f, s)
		d.decodeWait(f, s)
		d.decodeTransition(f, s)
	case kindSucceed:
		d.decodeInputOutput(f, s)
		d.decodeOutput(f, s)
	case kindFail:
		s.failError = d.failText(f, s, "Error")
		s.failCause = d.failText(f, s, "Cause")
	case kindParallel:
		d.decodeTransfer(f, s)
		d.decodeBranches(f, s, language)
		d.decodeHandlers(f, s)
		d.decodeTransition(f, s)
	case kindMap:
		d.decodeMap(f, s, language)
		d.decodeHandlers(f, s)
		d.decodeTransition(f, s)
	default:
		f.problem("Type", "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]")
	}
}

// decodeTransition reads Next and End.
func (d *decoder) decodeTransition(f *fieldReader, s *state) {
	_, hasNext := f.object.Get("Next")
	_, hasEnd := f.object.Get("End")
	s.next = f.text("Next")
	if end := f.flag("End"); hasNext && end || !hasNext && !end || hasNext && hasEnd && !end {
		d.problem(f.at, "State must have either 'Next' or 'End: true'")
	}
}

// decodeInputOutput reads InputPath and OutputPath, which JSONPath states have.
func (d *decoder) decodeInputOutput(f *fieldReader, s *state) {
	if s.jsonata {
		return
	}
	s.inputPath = f.ioPath("InputPath")
	s.outputPath = f.ioPath("OutputPath")
}

func (f *fieldReader) ioPath(name string) ioPath {
	if v, ok := f.value(name); ok && v == nil {
		return ioPath{null: true}
	}
	return ioPath{ref: f.reference(name)}
}

// decodeTransfer reads all the fields by which data go in and out of a state that has a result.
func (d *decoder) decodeTransfer(f *fieldReader, s *state) {
	d.decodeInputOutput(f, s)
	d.decodeOutput(f, s)
	if s.jsonata {
		if s.kind == kindTask || s.kind == kindParallel {
			s.arguments = d.template(f, s, "Arguments")
		}
		return
	}

	s.parameters = d.template(f, s, "Parameters")
	s.resultPath = f.resultPath("ResultPath")
	if s.kind != kindPass {
		s.resultSelector = d.template(f, s, "ResultSelector")
	}
}

// decodeOutput reads Assign and Output.
func (d *decoder) decodeOutput(f *fieldReader, s *state) {
	if s.kind != kindSucceed {
		s.assign = d.assignments(f, s)
	}
	if s.jsonata {
		s.output = d.template(f, s, "Output")
	}
}

// template reads a field that is a template; nil if it is not there.
func (d *decoder) template(f *fieldReader, s *state, name string) template {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	if s.jsonata {
		return d.queryTemplate(v, f.path(name))
	}
	return d.pathTemplate(v, f.at+"/"+name)
}

// assignments reads Assign: an object.
func (d *decoder) assignments(f *fieldReader, s *state) template {
	v, ok := f.value("Assign")
	if !ok {
		return nil
	}

	o, ok := v.(*jsontree.Object)
	if !ok {
		f.problem("Assign", "Expected value of type Object")
		return nil
	}

	for _, key := range o.Keys() {
		if name := strings.TrimSuffix(key, ".$"); name == statesVariable || name == "" || leadingName(name) != name {
			f.problem("Assign", "Invalid variable name: "+name)
		}
	}
	return d.template(f, s, "Assign")
}

// resultPath reads a reference path; the path of the whole if it is not there, nil if it is null.
func (f *fieldReader) resultPath(name string) *path {
	v, ok := f.value(name)
	if !ok {
		return &path{}
	}
	if v == nil {
		return nil
	}

	ref := f.reference(name)
	if ref == nil {
		return nil
	}

	if !ref.path.isDefinite() || ref.root != rootInput {
		f.problem(name, "Value is not a Reference Path")
	}
	return ref.path
}

func (d *decoder) decodePass(f *fieldReader, s *state) {
	if s.jsonata {
		return
	}
	if v, ok := f.value("Result"); ok {
		s.result = fixed{v}
	}
}

func (d *decoder) decodeWait(f *fieldReader, s *state) {
	names := []string{"Seconds", "Timestamp", "SecondsPath", "TimestampPath"}
	if s.jsonata {
		names = names[:2]
	}

	given := 0
	for _, name := range names {
		if _, ok := f.object.Get(name); ok {
			given++
		}
	}

	if given != 1 {
		d.problem(f.at, "A Wait state must have exactly one of these fields: ["+strings.Join(names, ", ")+"]")
	}
	if v, ok := f.value("Seconds"); ok {
		s.wait.seconds = d.waitSeconds(f, s, v)
	}
	if v, ok := f.value("Timestamp"); ok {
		s.wait.timestamp = d.waitTimestamp(f, s, v)
	}
	if !s.jsonata {
		s.wait.secondsPath = f.reference("SecondsPath")
		s.wait.timestampPath = f.reference("TimestampPath")
	}
}

// maxWaitSeconds is the longest wait that can be written.
const maxWaitSeconds = 99_999_999

func (d *decoder) waitSeconds(f *fieldReader, s *state, v any) template {
	if text, ok := v.(string); ok && s.jsonata {
		if x := d.expression(text, f.path("Seconds")); x != nil {
			return x
		}
	}

	n, ok := v.(int64)
	if !ok || n < 0 || n > maxWaitSeconds {
		f.problem("Seconds", "Expected value of type Integer, from 0 to 99999999")
	}
	return fixed{n}
}

func (d *decoder) waitTimestamp(f *fieldReader, s *state, v any) template {
	text, _ := v.(string)
	if s.jsonata {
		if x := d.expression(text, f.path("Timestamp")); x != nil {
			return x
		}
	}

	if _, err := parseTimestamp(text); err != nil {
		f.problem("Timestamp", "String does not match RFC3339 timestamp")
	}
	return fixed{text}
}

// parseTimestamp reads an ISO 8601 date and time with an offset.
func parseTimestamp(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		if short, shortErr := time.Parse("2006-01-02T15:04Z07:00", text); shortErr == nil {
			return short, nil
		}
		return time.Time{}, err //nolint:wrapcheck // Its callers word the failure themselves.
	}
	return t, nil
}

func (d *decoder) failText(f *fieldReader, s *state, name string) failText {
	t := failText{field: name}
	if v, ok := f.value(name); ok {
		text, isText := v.(string)
		if !isText {
			f.problem(name, "Expected value of type String")
		}
		t.value = fixed{text}
		if s.jsonata {
			t.value = d.queryTemplate(text, f.path(name))
		}
	}

	if s.jsonata {
		return t
	}

	if v, ok := f.value(name + "Path"); ok {
		t.field = name + "Path"
		t.text, _ = v.(string)
		parsed, err := parseValue(t.text)
		if err != nil {
			f.problem(t.field, "Value is not a valid JSONPath or intrinsic function")
		}
		if t.value != nil {
			d.problem(f.at, "A Fail state must not have both "+name+" and "+t.field)
		}
		t.path = parsed
	}

	return t
}
