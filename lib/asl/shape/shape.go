// Package shape checks JSON values against what the operations of AWS's services return.
//
// The file shapes.jsonl has the shapes of the services that workflows use most. generate.py makes it from the service models of botocore.
package shape

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

//go:embed shapes.jsonl
var data []byte

// A service has the operations and the shapes of a service.
type service struct {
	Service    string            `json:"service"`
	Operations map[string]string `json:"operations"` // The name of the output's shape, by operation.
	Shapes     map[string]any    `json:"shapes"`
}

// aliases maps the names of optimized integrations to the services that they call.
var aliases = map[string]string{"states": "sfn", "eventbridge": "events"}

// services returns the services by name.
var services = sync.OnceValue(func() map[string]*service {
	all := map[string]*service{}
	for line := range strings.Lines(string(data)) {
		s := &service{}
		if err := json.Unmarshal([]byte(line), s); err != nil {
			panic("shape: shapes.jsonl is damaged: " + err.Error()) // TestEachServiceHasOperations reads each line.
		}
		all[s.Service] = s
	}
	return all
})

// Check returns what is wrong with a value of package jsontree as the result of an operation, such as invoke of lambda, or "". Names of
// services and operations are those of the States Language. Fields that the operation does not have are never wrong, and neither is the
// result of an operation that is not known here. If requireAll is set, the value must have all fields that the operation always returns.
func Check(serviceName, operation string, value any, requireAll bool) string {
	if alias, ok := aliases[serviceName]; ok {
		serviceName = alias
	}
	s := services()[serviceName]
	if s == nil {
		return ""
	}
	output, ok := s.Operations[operation]
	if !ok {
		return ""
	}

	c := checker{service: s, requireAll: requireAll}
	return c.check("", "#"+output, value)
}

// A checker checks values against the shapes of a service.
type checker struct {
	service    *service
	requireAll bool
}

// check returns what is wrong with the value of a field, or "". shape is the field's shape as in shapes.jsonl.
func (c checker) check(field string, shape, value any) string {
	switch shape := shape.(type) {
	case string:
		if name, ok := strings.CutPrefix(shape, "#"); ok {
			fields, _ := c.service.Shapes[name].(map[string]any)
			return c.checkFields(field, fields, value)
		}
		return checkScalar(field, []any{shape}, value)
	case []any:
		switch shape[0] {
		case "l":
			return c.checkList(field, shape[1], value)
		case "m":
			return c.checkMap(field, shape[1], value)
		default:
			return checkScalar(field, shape, value)
		}
	default:
		return ""
	}
}

// problem returns the text of a problem of a field, or of the whole value if field is empty.
func problem(field, what string) string {
	if field == "" {
		return "The result " + what
	}
	return "Field '" + field + "' " + what
}

// checkFields checks an object with known fields.
func (c checker) checkFields(field string, fields map[string]any, value any) string {
	o, ok := value.(*jsontree.Object)
	if !ok {
		return problem(field, "must be an object")
	}

	for _, key := range o.Keys() {
		v, _ := o.Get(key)
		for _, name := range []string{key, lowerFirst(key)} { // The results of some integrations begin with a capital letter.
			shape, ok := fields[name]
			if !ok {
				shape, ok = fields[name+"!"]
			}
			if !ok {
				continue
			}
			if wrong := c.check(key, shape, v); wrong != "" {
				return wrong
			}
			break
		}
	}

	if !c.requireAll {
		return ""
	}
	for name := range fields {
		required, ok := strings.CutSuffix(name, "!")
		_, has := o.Get(required)
		_, hasCapital := o.Get(strings.ToUpper(required[:1]) + required[1:])
		if ok && !has && !hasCapital {
			return problem(required, "is required")
		}
	}
	return ""
}

func lowerFirst(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToLower(name[:1]) + name[1:]
}

// checkList checks the items of an array, whose problems are those of the field.
func (c checker) checkList(field string, shape, value any) string {
	items, ok := value.([]any)
	if !ok {
		return problem(field, "must be an array")
	}
	for _, item := range items {
		if wrong := c.check(field, shape, item); wrong != "" {
			return wrong
		}
	}
	return ""
}

// checkMap checks the values of an object with any keys.
func (c checker) checkMap(field string, shape, value any) string {
	o, ok := value.(*jsontree.Object)
	if !ok {
		return problem(field, "must be an object")
	}
	for _, key := range o.Keys() {
		v, _ := o.Get(key)
		if wrong := c.check(key, shape, v); wrong != "" {
			return wrong
		}
	}
	return ""
}

// checkScalar checks a string, number or boolean. shape has its letter, and possibly its bounds and its values.
func checkScalar(field string, shape []any, value any) string {
	switch shape[0] {
	case "s":
		text, ok := value.(string)
		if !ok {
			return problem(field, "must be a string")
		}
		if !isExpected(shape, text) {
			return problem(field, "is not an expected value")
		}
		return checkBounds(field, shape, float64(utf8.RuneCountInString(text)), "is smaller than the minimum length", "exceeds the maximum length")
	case "n":
		n, ok := jsontree.Float(value)
		if !ok {
			return problem(field, "must be a number")
		}
		return checkBounds(field, shape, n, "is less than the minimum value", "exceeds the maximum value")
	case "b":
		if _, ok := value.(bool); !ok {
			return problem(field, "must be a boolean")
		}
	}
	return ""
}

// checkBounds checks a number, or the length of a string. low and high say what is wrong with it.
func checkBounds(field string, shape []any, n float64, low, high string) string {
	if smallest, ok := bound(shape, 1); ok && n < smallest {
		return problem(field, low)
	}
	if largest, ok := bound(shape, 2); ok && n > largest {
		return problem(field, high)
	}
	return ""
}

// bound returns the bound at a place of a scalar's shape. ok is false if there is none.
func bound(shape []any, at int) (n float64, ok bool) {
	if at >= len(shape) {
		return 0, false
	}
	n, ok = shape[at].(float64)
	return n, ok
}

// isExpected reports whether a text is one of the values of a scalar's shape, if it lists any.
func isExpected(shape []any, text string) bool {
	const valuesAt = 3
	if len(shape) <= valuesAt {
		return true
	}
	values, _ := shape[valuesAt].([]any)
	for _, v := range values {
		if v == text {
			return true
		}
	}
	return false
}
