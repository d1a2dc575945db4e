package asl

import (
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A template is a value of the definition in which parts are computed. field is where it stands, for error texts.
type template interface {
	eval(s *scope, field string) (any, error)
}

// fixed is a template without computed parts.
type fixed struct{ v any }

func (t fixed) eval(*scope, string) (any, error) { return t.v, nil }

// listTemplate makes an array.
type listTemplate []template

func (t listTemplate) eval(s *scope, field string) (any, error) {
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

// A pair is a key of an objectTemplate.
type pair struct {
	key   string
	value template
}

// objectTemplate makes an object.
type objectTemplate []pair

func (t objectTemplate) eval(s *scope, field string) (any, error) {
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

// pathField is a field of a payload template whose name ends in .$ (States Language, "Payload Template").
type pathField struct {
	name  string
	text  string
	value pathValue
}

func (t pathField) eval(s *scope, _ string) (any, error) { return s.evalField(t.value, t.text, t.name) }

// pathTemplate compiles a payload template of a JSONPath state.
func (d *decoder) pathTemplate(v any, at string) template {
	switch v := v.(type) {
	case []any:
		t := make(listTemplate, len(v))
		for i, item := range v {
			t[i] = d.pathTemplate(item, at)
		}
		return t
	case *jsontree.Object:
		t := make(objectTemplate, 0, v.Len())
		for _, key := range v.Keys() {
			value, _ := v.Get(key)

			name, computed := strings.CutSuffix(key, ".$")
			if !computed {
				t = append(t, pair{key, d.pathTemplate(value, at)})
				continue
			}

			text, _ := value.(string)
			parsed, err := parseValue(text)
			if err != nil {
				d.problem(at, "The value for the field '"+key+"' must be a valid JSONPath or a valid intrinsic function call")
				continue
			}

			t = append(t, pair{name, pathField{name: key, text: text, value: parsed}})
		}

		return t
	default:
		return fixed{v}
	}
}

// queryTemplate compiles a value of a JSONata state, in which texts between {% and %} are expressions.
func (d *decoder) queryTemplate(v any, at string) template {
	switch v := v.(type) {
	case []any:
		t := make(listTemplate, len(v))
		for i, item := range v {
			t[i] = d.queryTemplate(item, at+"["+strconv.Itoa(i)+"]")
		}
		return t
	case *jsontree.Object:
		t := make(objectTemplate, 0, v.Len())
		for _, key := range v.Keys() {
			value, _ := v.Get(key)
			t = append(t, pair{key, d.queryTemplate(value, at+"/"+key)})
		}
		return t
	case string:
		if x := d.expression(v, at); x != nil {
			return x
		}
		return fixed{v}
	default:
		return fixed{v}
	}
}
