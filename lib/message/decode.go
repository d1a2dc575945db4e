package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
)

// Decode reads what a producer sends, {"type":…,"data":{…}}, strictly: a missing, unknown or mistyped field, and any
// broken rule, is an [*Invalid].
func Decode(raw []byte) (Data, error) {
	var m struct {
		Type Type            `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := DecodeObject(raw, "", &m); err != nil {
		return nil, err
	}
	switch m.Type {
	case TypeUploadProgress:
		return strict[UploadProgress](m.Data)
	case TypeNotification:
		return strict[Notification](m.Data)
	case TypeError:
		return strict[Error](m.Data)
	default:
		return nil, invalid("type", ruleType)
	}
}

func strict[T Data](raw []byte) (Data, error) {
	var data T
	if err := DecodeObject(raw, "data", &data); err != nil {
		return nil, err
	}
	if err := data.Validate(); err != nil {
		return nil, err //nolint:wrapcheck // an *Invalid of this package
	}

	return data, nil
}

// DecodeObject reads one JSON object into the struct that dst points to. Keys are matched exactly; fields whose tag
// lacks omitzero are required; what breaks this is an [*Invalid] with fields named below path.
func DecodeObject(raw []byte, path string, dst any) error {
	var keys map[string]json.RawMessage
	if !json.Valid(raw) {
		return invalid(orRoot(path), "must be valid JSON")
	}
	if err := json.Unmarshal(raw, &keys); err != nil || keys == nil {
		return invalid(orRoot(path), "must be a JSON object")
	}
	var problems []Problem
	known := map[string]bool{}
	for field := range structFields(dst) {
		known[field.name] = true
		value, present := keys[field.name]
		if field.required && (!present || bytes.Equal(value, []byte("null"))) {
			problems = append(problems, Problem{join(path, field.name), ruleRequired})
		}
	}
	for key := range keys {
		if !known[key] {
			problems = append(problems, Problem{join(path, clip(key)), "is not a known field"})
		}
	}
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Field, b.Field) })

		return &Invalid{Problems: problems}
	}
	err := json.Unmarshal(raw, dst)
	if mistyped := (*json.UnmarshalTypeError)(nil); errors.As(err, &mistyped) {
		return invalid(join(path, mistyped.Field), "must be "+jsonKind(mistyped.Type))
	}
	if err != nil {
		return invalid(orRoot(path), "must be valid JSON")
	}

	return nil
}

type structField struct {
	name     string
	required bool
}

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
	default:
		return "an object"
	}
}

// clip bounds a key that a stranger chose.
func clip(key string) string {
	const limit = 64
	if len(key) > limit {
		key = key[:limit] + "…"
	}

	return strings.ToValidUTF8(key, "�")
}

func join(path, field string) string {
	if path == "" {
		return field
	}

	return path + "." + field
}

func orRoot(path string) string {
	if path == "" {
		return "input"
	}

	return path
}
