package asl

import "strings"

// decodeChoices decodes Choices and Default.
func (d *decoder) decodeChoices(f *fieldReader, s *state) {
	f.require("Choices")
	s.defaultNext = f.targetValue("Default")
	items := f.filledArray("Choices")

	for i, v := range items {
		inner, ok := d.readObject(v, indexPath(f.path("Choices"), i))
		if !ok {
			continue
		}

		inner.require("Next")
		c := choice{next: inner.targetValue("Next"), assign: d.decodeAssign(inner, s)}
		if s.jsonata {
			c.output = d.decodeTemplate(inner, s, "Output")
			c.rule = d.decodeCondition(inner)
		} else {
			c.rule = d.decodeRule(inner)
		}
		inner.rejectUnknown(s.language())
		s.choices = append(s.choices, c)
	}
}

// decodeCondition decodes a Condition in JSONata.
func (d *decoder) decodeCondition(f *fieldReader) rule {
	v, ok := f.take("Condition")
	if !ok {
		f.require("Condition") // Adds the problem.
		return jsonataRule{literalTemplate{false}}
	}
	switch v := v.(type) {
	case bool:
		return jsonataRule{literalTemplate{v}}
	case string:
		if x := d.compileExpression(v, f.path("Condition")); x != nil {
			return jsonataRule{x}
		}
	}

	f.invalid("Condition", "Expected a JSONata expression")
	return jsonataRule{literalTemplate{false}} // A problem was added, so this rule never runs.
}

// decodeRule decodes a condition in JSONPath: And, Or, Not or a data test.
func (d *decoder) decodeRule(f *fieldReader) rule {
	for _, name := range []string{"And", "Or"} {
		if !f.has(name) {
			continue
		}

		var parts []rule
		for i, v := range f.filledArray(name) {
			if inner, ok := d.readObject(v, indexPath(f.path(name), i)); ok {
				parts = append(parts, d.decodeRule(inner))
				inner.rejectUnknown(languageJSONPath)
			}
		}

		if name == "And" {
			return andRule(parts)
		}
		return orRule(parts)
	}

	if v, ok := f.take("Not"); ok {
		inner, ok := d.readObject(v, f.path("Not"))
		if !ok {
			return andRule{} // A problem was added, so this rule never runs.
		}
		r := d.decodeRule(inner)
		inner.rejectUnknown(languageJSONPath)
		return notRule{r}
	}

	return d.decodeDataTest(f)
}

// operators maps the name of each comparison to the type of its value: b for boolean, n for number, s for string, t for
// timestamp.
var operators = func() map[string]byte {
	letters := map[string]byte{
		"BooleanEquals": 'b', "StringMatches": 's', "IsNull": 'b', "IsPresent": 'b', "IsNumeric": 'b', "IsString": 'b',
		"IsBoolean": 'b', "IsTimestamp": 'b',
	}
	for relation := range relationOperators {
		letters["String"+relation] = 's'
		letters["Numeric"+relation] = 'n'
		letters["Timestamp"+relation] = 't'
	}
	return letters
}()

// decodeDataTest decodes Variable and its comparison, such as "NumericLessThan": 5 or "NumericLessThanPath": "$.limit".
func (d *decoder) decodeDataTest(f *fieldReader) rule {
	f.require("Variable")
	test := dataTest{variable: f.referenceValue("Variable")}
	if test.variable == nil {
		test.variable = &reference{path: &path{}} // A problem was added, so this test never runs.
	}

	for _, key := range f.object.Keys() {
		operator, hasPath := strings.CutSuffix(key, "Path")
		letter, isOperator := operators[operator]
		switch {
		case !isOperator: // Another field, such as Next.
			continue
		case hasPath && (strings.HasPrefix(operator, "Is") || operator == "StringMatches"):
			continue // These operators have no variant with Path: rejectUnknown reports the field.
		}

		if test.operator != "" {
			d.invalid(f.at, "A data-test expression must have exactly one comparison operator")
		}
		test.operator = operator
		if hasPath {
			test.path = f.referenceValue(key)
			continue
		}

		test.value, _ = f.take(key)
		if !hasType(letter, test.value) {
			f.invalid(key, "The value does not have the type that the operator compares")
		}
	}

	if test.operator == "" {
		d.invalid(f.at, "A data-test expression must have exactly one comparison operator")
	}
	return test
}

// hasType reports whether v has the type of the given letter: see operators.
func hasType(letter byte, v any) bool {
	switch letter {
	case 'b':
		return typeOf(v) == "boolean"
	case 'n':
		return typeOf(v) == typeNumber
	case 't':
		text, _ := v.(string)
		_, ok := parseTimestamp(text)
		return ok
	default:
		return typeOf(v) == "string"
	}
}
