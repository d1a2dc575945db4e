package message

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Decode decodes and validates a message of a producer: {"type":…,"data":{…}}. A missing, unknown or mistyped field and any
// broken rule is an [*Invalid].
func Decode(raw []byte) (Data, error) {
	var m struct {
		Type Type            `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := DecodeObject(raw, "", &m); err != nil {
		return nil, err
	}
	t, known := types[m.Type]
	if !known || t.kind == kindControl {
		return nil, invalid("type", ruleType())
	}
	return t.decode(m.Data)
}

// DecodeObject decodes one JSON object into the struct that dst points to. Keys must match exactly. Fields without omitzero
// in their tag are required. Errors are [*Invalid], with field names prefixed by path.
func DecodeObject(raw []byte, path string, dst any) error {
	var given map[string]isNull
	err := json.Unmarshal(raw, &given)
	if broken := (*json.SyntaxError)(nil); errors.As(err, &broken) {
		return invalid(pathOrInput(path), "must be valid JSON")
	}
	if err != nil || given == nil {
		return invalid(pathOrInput(path), "must be a JSON object")
	}
	var problems []Problem
	fields := fieldsOf(reflect.TypeOf(dst).Elem())
	for name, required := range fields {
		if !required {
			continue
		}
		if null, present := given[name]; !present || bool(null) {
			problems = append(problems, Problem{fieldPath(path, name), ruleRequired})
		}
	}
	for key := range given {
		if _, declared := fields[key]; !declared {
			problems = append(problems, Problem{fieldPath(path, shortenKey(key)), RuleKnownField})
		}
	}
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Field, b.Field) })
		return &Invalid{Problems: problems}
	}
	err = json.Unmarshal(raw, dst)
	if mistyped := (*json.UnmarshalTypeError)(nil); errors.As(err, &mistyped) {
		return invalid(fieldPath(path, mistyped.Field), "must be "+jsonKind(mistyped.Type))
	}
	if err != nil { // the error of a field's own UnmarshalJSON
		return invalid(pathOrInput(path), "must be valid JSON")
	}

	return nil
}

// refuseZeros returns an [*Invalid] if a field of a JSON object is 0. rules has the rule of each such field.
func refuseZeros(raw []byte, path string, rules map[string]string) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return invalid(pathOrInput(path), "must be a JSON object")
	}
	var v validator
	for _, field := range slices.Sorted(maps.Keys(rules)) {
		var number float64
		if text, present := given[field]; present && string(text) != "null" && json.Unmarshal(text, &number) == nil {
			v.require(fieldPath(path, field), number != 0, rules[field])
		}
	}

	return v.err()
}

// isNull is true for null, and false for any other JSON value. It keeps nothing of the value.
type isNull bool

// UnmarshalJSON is called by package json, with valid JSON.
func (n *isNull) UnmarshalJSON(value []byte) error {
	*n = string(value) == "null"

	return nil
}

// structFields caches the results of fieldsOf, because reading the tags of a struct takes longer than decoding it. Its keys are a
// [reflect.Type], of which a program has few.
var structFields sync.Map

// fieldsOf returns the JSON fields of a struct, and which of them are required.
func fieldsOf(t reflect.Type) map[string]bool {
	if cached, ok := structFields.Load(t); ok {
		fields, _ := cached.(map[string]bool) // its type is always this one

		return fields
	}
	fields := map[string]bool{}
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[name] = options != "omitzero"
	}
	structFields.Store(t, fields)

	return fields
}

// jsonKind names the kind of JSON value that decodes to t, for an error text.
func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Float64:
		return "a number"
	case reflect.Int64, reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "an array"
	case reflect.Bool:
		return "true or false"
	default:
		return "an object"
	}
}

// shortenKey shortens an unknown key for an error text.
func shortenKey(key string) string {
	const limit = 64 // bytes
	if len(key) > limit {
		key = key[:limit] + "…"
	}
	return strings.ToValidUTF8(key, "�")
}

func fieldPath(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func pathOrInput(path string) string {
	if path == "" {
		return "input"
	}
	return path
}
