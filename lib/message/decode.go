package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
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
		return nil, invalid("type", ruleType)
	}
	return t.decode(m.Data)
}

// DecodeObject decodes one JSON object into the struct that dst points to. Keys must match exactly. Fields without omitzero
// in their tag are required. Errors are [*Invalid], with field names prefixed by path.
func DecodeObject(raw []byte, path string, dst any) error {
	var keys map[string]json.RawMessage
	if !json.Valid(raw) {
		return invalid(pathOrInput(path), "must be valid JSON")
	}
	if err := json.Unmarshal(raw, &keys); err != nil || keys == nil {
		return invalid(pathOrInput(path), "must be a JSON object")
	}
	var problems []Problem
	declared := map[string]bool{}
	for field := range structFields(dst) {
		declared[field.name] = true
		value, present := keys[field.name]
		if field.required && (!present || bytes.Equal(value, []byte("null"))) {
			problems = append(problems, Problem{fieldPath(path, field.name), ruleRequired})
		}
	}
	for key := range keys {
		if !declared[key] {
			problems = append(problems, Problem{fieldPath(path, shortenKey(key)), "is not a known field"})
		}
	}
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Field, b.Field) })
		return &Invalid{Problems: problems}
	}
	err := json.Unmarshal(raw, dst)
	if mistyped := (*json.UnmarshalTypeError)(nil); errors.As(err, &mistyped) {
		return invalid(fieldPath(path, mistyped.Field), "must be "+jsonKind(mistyped.Type))
	}
	if err != nil { // the error of a field's own UnmarshalJSON
		return invalid(pathOrInput(path), "must be valid JSON")
	}

	return nil
}

type structField struct {
	name     string
	required bool
}

// structFields yields the JSON fields of the struct that dst points to.
func structFields(dst any) func(yield func(structField) bool) {
	t := reflect.TypeOf(dst).Elem()
	return func(yield func(structField) bool) {
		for i := range t.NumField() {
			name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if !yield(structField{name: name, required: options != "omitzero"}) {
				return
			}
		}
	}
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
