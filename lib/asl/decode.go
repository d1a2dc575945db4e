package asl

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// The codes of a Problem. They are those of AWS's ValidateStateMachineDefinition.
const (
	codeSchema     = "SCHEMA_VALIDATION_FAILED"
	codeTarget     = "MISSING_TRANSITION_TARGET"
	codeEnd        = "MISSING_END_STATE"
	codeName       = "DUPLICATE_STATE_NAME"
	codeJSON       = "INVALID_JSON_DESCRIPTION"
	codeExpression = "INVALID_JSONATA_EXPRESSION"
	codeReference  = "UNSUPPORTED_JSONATA_EXPRESSION"
)

// ruleEmpty is the rule that an empty array or object breaks.
const ruleEmpty = "Value cannot be empty"

// ruleTarget is the rule that the name of a state that does not exist breaks. The name follows.
const ruleTarget = "Missing 'Next' target: "

// The query languages.
const (
	languageJSONata  = "JSONata"
	languageJSONPath = "JSONPath"
)

// A decoder decodes a definition and collects all its problems.
type decoder struct {
	problems []Problem
	repeated map[*jsontree.Object][]string // The keys that the text of the definition repeats within one object.
	names    map[string]bool               // The names of the states that were decoded.
	readable statesFields                  // What expressions can read in the field that is being decoded.
}

func newDecoder() *decoder { return &decoder{names: map[string]bool{}} }

// invalid adds a problem of the object or field at a path such as /States/Wait/Seconds.
func (d *decoder) invalid(at, rule string) { d.addProblem(codeSchema, at, rule) }

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
	taken  []string // The fields that take has returned.
}

// readObject returns a reader for v. If v is not an object, it adds a problem and returns false.
func (d *decoder) readObject(v any, at string) (*fieldReader, bool) {
	o, ok := v.(*jsontree.Object)
	if !ok {
		d.invalid(at, "Expected value of type Object")
		return nil, false
	}
	const most = 8 // Fields of most objects.
	f := &fieldReader{d: d, at: at, object: o, taken: make([]string, 0, most)}
	f.stringValue("Comment") // Every object may have a Comment, which has no effect.
	return f, true
}

// take returns a field of any type and whether the object has it. It marks the field as known to the decoder.
func (f *fieldReader) take(name string) (any, bool) {
	v, ok := f.object.Get(name)
	if ok {
		f.taken = append(f.taken, name)
	}
	return v, ok
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

// targetValue returns a field with the name of a state, "" if it is missing. It adds a problem if the name is empty; checkTargets checks
// the other names.
func (f *fieldReader) targetValue(name string) string {
	if v, _ := f.object.Get(name); v == "" {
		f.d.addProblem(codeTarget, f.path(name), ruleTarget)
	}
	return f.stringValue(name)
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

// filledArray returns an array field, nil if it is missing. If the array is empty, it adds a problem.
func (f *fieldReader) filledArray(name string) []any {
	problems := len(f.d.problems)
	items := f.arrayValue(name)
	if f.has(name) && len(items) == 0 && len(f.d.problems) == problems {
		f.invalid(name, ruleEmpty)
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

// integerValue does what numberValue does, for a whole number.
func (f *fieldReader) integerValue(name string, low, high, fallback float64) float64 {
	v, ok := f.take(name)
	if n, isNumber := jsontree.Float(v); ok && isNumber && n != math.Trunc(n) {
		f.invalid(name, "Expected value of type Integer")
		return fallback
	}
	return f.numberValue(name, low, high, fallback)
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

// referencePath returns a field that is a Reference Path, which selects one value, or nil if it is missing or invalid.
func (f *fieldReader) referencePath(name string) *reference {
	ref := f.referenceValue(name)
	if ref != nil && (!ref.path.isDefinite() || ref.path.function != nil) {
		f.invalid(name, "Value is not a Reference Path")
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

// languageOf maps each field that belongs to one query language to that language.
var languageOf = map[string]string{
	"Output": languageJSONata, "Arguments": languageJSONata, "Items": languageJSONata, "Condition": languageJSONata,
	"InputPath": languageJSONPath, "OutputPath": languageJSONPath, "ResultPath": languageJSONPath, "ResultSelector": languageJSONPath,
	"Parameters": languageJSONPath, "Result": languageJSONPath, "ItemsPath": languageJSONPath, "MaxConcurrencyPath": languageJSONPath,
	"ToleratedFailureCountPath": languageJSONPath, "ToleratedFailurePercentagePath": languageJSONPath, "MaxItemsPath": languageJSONPath,
	"MaxItemsPerBatchPath": languageJSONPath, "MaxInputBytesPerBatchPath": languageJSONPath, "SecondsPath": languageJSONPath,
	"TimestampPath": languageJSONPath, "TimeoutSecondsPath": languageJSONPath, "HeartbeatSecondsPath": languageJSONPath,
	"ErrorPath": languageJSONPath, "CausePath": languageJSONPath, "Variable": languageJSONPath,
}

// rejectUnknown adds a problem for each field that was never taken. language is the query language of the object, "" if it has none.
func (f *fieldReader) rejectUnknown(language string) {
	for _, key := range f.object.Keys() {
		if slices.Contains(f.taken, key) {
			continue
		}

		if other := languageOf[key]; language != "" && other != "" && other != language {
			f.d.invalid(f.at, fmt.Sprintf("The QueryLanguage is set to '%s', but field '%s' is only supported for the '%s' QueryLanguage",
				language, key, other))
			continue
		}
		f.d.invalid(f.at, "Field '"+key+"' is not supported")
	}
}
