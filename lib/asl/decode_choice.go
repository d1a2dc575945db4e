package asl

import (
	"strings"
)

func (d *decoder) decodeChoices(f *fieldReader, s *state) {
	f.require("Choices")
	s.fallback = f.text("Default")
	items := f.list("Choices")
	if _, ok := f.object.Get("Choices"); ok && len(items) == 0 {
		f.problem("Choices", "Array must not be empty")
	}

	for i, v := range items {
		inner, ok := d.fields(v, index(f.path("Choices"), i))
		if !ok {
			continue
		}

		inner.require("Next")
		c := choice{next: inner.text("Next"), assign: d.assignments(inner, s)}
		if s.jsonata {
			c.output = d.template(inner, s, "Output")
			c.rule = d.queryRule(inner)
		} else {
			c.rule = d.rule(inner)
		}

		inner.finish()
		s.choices = append(s.choices, c)
	}
}

func (d *decoder) queryRule(f *fieldReader) rule {
	f.require("Condition")
	v, _ := f.value("Condition")
	switch v := v.(type) {
	case bool:
		return queryRule{fixed{v}}
	case string:
		if x := d.expression(v, f.path("Condition")); x != nil {
			return queryRule{x}
		}
	}

	f.problem("Condition", "Expected a JSONata expression")
	return queryRule{fixed{false}}
}

// rule reads a condition in JSONPath: And, Or, Not or a comparison.
func (d *decoder) rule(f *fieldReader) rule {
	for _, name := range []string{"And", "Or"} {
		if _, ok := f.object.Get(name); !ok {
			continue
		}

		var parts []rule
		for i, v := range f.list(name) {
			if inner, ok := d.fields(v, index(f.path(name), i)); ok {
				parts = append(parts, d.rule(inner))
				inner.finish()
			}
		}

		if len(parts) == 0 {
			f.problem(name, "Array must not be empty")
		}

		if name == "And" {
			return allRules(parts)
		}
		return anyRule(parts)
	}

	if v, ok := f.value("Not"); ok {
		inner, ok := d.fields(v, f.path("Not"))
		if !ok {
			return allRules{}
		}
		r := d.rule(inner)
		inner.finish()
		return notRule{r}
	}

	return d.dataTest(f)
}

// operators lists the comparisons and the type of the value of each: s for string, n for number, b for boolean.
var operators = func() map[string]byte {
	all := map[string]byte{
		"BooleanEquals": 'b', "StringMatches": 's', "IsNull": 'b', "IsPresent": 'b', "IsNumeric": 'b', "IsString": 'b',
		"IsBoolean": 'b', "IsTimestamp": 'b',
	}
	for relation := range relations {
		all["String"+relation] = 's'
		all["Numeric"+relation] = 'n'
		all["Timestamp"+relation] = 't'
	}
	return all
}()

func (d *decoder) dataTest(f *fieldReader) rule {
	f.require("Variable")
	test := dataTest{variable: f.reference("Variable")}
	if test.variable == nil {
		test.variable = &reference{path: &path{}}
	}

	for _, key := range f.object.Keys() {
		operator := strings.TrimSuffix(key, "Path")
		kind, ok := operators[operator]
		if !ok || operator != key && (strings.HasPrefix(operator, "Is") || operator == "StringMatches") {
			continue
		}

		if test.operator != "" {
			d.problem(f.at, "A data-test expression must have exactly one comparison operator")
		}

		test.operator = operator
		if operator != key {
			test.path = f.reference(key)
			continue
		}

		test.value, _ = f.value(key)
		if !d.fits(kind, test.value) {
			f.problem(key, "The value does not have the type that the operator compares")
		}
	}

	if test.operator == "" {
		d.problem(f.at, "A data-test expression must have exactly one comparison operator")
	}
	return test
}

func (d *decoder) fits(kind byte, v any) bool {
	switch kind {
	case 'b':
		return typeOf(v) == "boolean"
	case 'n':
		return typeOf(v) == typeNumber
	case 't':
		text, _ := v.(string)
		_, err := parseTimestamp(text)
		return err == nil
	default:
		return typeOf(v) == "string"
	}
}
