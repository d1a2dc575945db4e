package asl

import (
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A template is a value of the definition that may contain computed parts.
type template interface {
	// eval returns the value in a run of the state. field is the name of the template's field in error texts.
	eval(s *stateRun, field string) (any, error)
}

// A literalTemplate is a template without computed parts.
type literalTemplate struct{ v any }

func (t literalTemplate) eval(*stateRun, string) (any, error) { return t.v, nil }

// A listTemplate evaluates to an array.
type listTemplate []template

func (t listTemplate) eval(s *stateRun, field string) (any, error) {
	items := make([]any, len(t))
	for i, item := range t {
		v, err := item.eval(s, field+"["+strconv.Itoa(i)+"]")
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return items, nil
}

// A pair is a key of an objectTemplate and the key's value.
type pair struct {
	key   string
	value template
}

// An objectTemplate evaluates to an object.
type objectTemplate []pair

func (t objectTemplate) eval(s *stateRun, field string) (any, error) {
	o := &jsontree.Object{}
	for _, p := range t {
		v, err := p.value.eval(s, field+"/"+p.key)
		if err != nil {
			return nil, err
		}
		o.Set(p.key, v)
	}
	return o, nil
}

// A pathField is a field of a payload template whose name ends in .$ (States Language, "Payload Template").
type pathField struct {
	name  string // The field's name, with .$.
	text  string // The text of value in the definition.
	value pathValue
}

func (t pathField) eval(s *stateRun, _ string) (any, error) {
	return s.evalField(t.value, t.text, t.name)
}

// jsonPathTemplate compiles a payload template of a JSONPath state. at is the path of its field in the definition.
func (d *decoder) jsonPathTemplate(v any, at string) template {
	switch v := v.(type) {
	case []any:
		t := make(listTemplate, len(v))
		for i, item := range v {
			t[i] = d.jsonPathTemplate(item, at)
		}
		return t
	case *jsontree.Object:
		t := make(objectTemplate, 0, v.Len())
		for _, key := range v.Keys() {
			value, _ := v.Get(key)

			name, computed := strings.CutSuffix(key, ".$")
			if _, ok := v.Get(name); computed && ok {
				d.invalid(at, "The field '"+name+"' is given twice: as '"+name+"' and as '"+key+"'")
			}
			if !computed {
				t = append(t, pair{key, d.jsonPathTemplate(value, at)})
				continue
			}

			text, _ := value.(string) // Another value becomes "", which parseValue rejects.
			parsed, err := parseValue(text)
			if err != nil {
				d.invalid(at, "The value for the field '"+key+"' must be a valid JSONPath or a valid intrinsic function call")
				continue
			}

			t = append(t, pair{name, pathField{name: key, text: text, value: parsed}})
		}

		return t
	default:
		return literalTemplate{v}
	}
}

// jsonataTemplate compiles a value of a JSONata state, in which a string between {% and %} is an expression. at is the path of the
// value in the definition.
func (d *decoder) jsonataTemplate(v any, at string) template {
	switch v := v.(type) {
	case []any:
		t := make(listTemplate, len(v))
		for i, item := range v {
			t[i] = d.jsonataTemplate(item, at+"["+strconv.Itoa(i)+"]")
		}
		return t
	case *jsontree.Object:
		t := make(objectTemplate, 0, v.Len())
		for _, key := range v.Keys() {
			value, _ := v.Get(key)
			t = append(t, pair{key, d.jsonataTemplate(value, at+"/"+key)})
		}
		return t
	case string:
		if x := d.compileExpression(v, at); x != nil {
			return x
		}
		return literalTemplate{v}
	default:
		return literalTemplate{v}
	}
}
