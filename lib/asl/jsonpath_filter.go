package asl

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A filterCondition reports whether a filter selects item. root is the value of $.
type filterCondition func(item, root any) bool

// A filterOperand evaluates one side of a comparison. ok is false if its path selects nothing.
type filterOperand func(item, root any) (v any, ok bool)

// maxFilterDepth is how deep parentheses and negations of a filter may be nested.
const maxFilterDepth = 100

// filterStep parses a filter in parentheses. Its question mark has been consumed.
func (p *pathParser) filterStep() (pathStep, error) {
	p.skipBlanks()
	if !p.accept("(") {
		return pathStep{}, p.fail("expected (")
	}

	filter, err := p.or()
	if err != nil {
		return pathStep{}, err
	}

	p.skipBlanks()
	if !p.accept(")") {
		return pathStep{}, p.fail("expected )")
	}
	return pathStep{kind: stepFilter, filter: filter}, nil
}

// or parses one or more conditions with || between them.
func (p *pathParser) or() (filterCondition, error) {
	left, err := p.and()
	for err == nil {
		p.skipBlanks()
		if !p.accept("||") {
			break
		}
		var right filterCondition
		first := left // The function below must not call itself when left changes.
		right, err = p.and()
		left = func(item, root any) bool { return first(item, root) || right(item, root) }
	}

	return left, err
}

// and parses one or more conditions with && between them.
func (p *pathParser) and() (filterCondition, error) {
	left, err := p.term()
	for err == nil {
		p.skipBlanks()
		if !p.accept("&&") {
			break
		}
		var right filterCondition
		first := left // The function below must not call itself when left changes.
		right, err = p.term()
		left = func(item, root any) bool { return first(item, root) && right(item, root) }
	}

	return left, err
}

// term parses a negation, a condition in parentheses, or a comparison.
func (p *pathParser) term() (filterCondition, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxFilterDepth {
		return nil, p.fail("filter is nested too deeply")
	}

	p.skipBlanks()
	if strings.HasPrefix(p.rest(), "!") && !strings.HasPrefix(p.rest(), "!=") {
		p.pos++
		negated, err := p.term()
		if err != nil {
			return nil, err
		}
		return func(item, root any) bool { return !negated(item, root) }, nil
	}

	if p.accept("(") {
		inner, err := p.or()
		if err != nil {
			return nil, err
		}

		p.skipBlanks()
		if !p.accept(")") {
			return nil, p.fail("expected )")
		}
		return inner, nil
	}

	return p.comparison()
}

// comparison parses a comparison of two operands, or one operand, which tests whether its path selects something.
func (p *pathParser) comparison() (filterCondition, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}

	p.skipBlanks()
	operator := p.operator()
	switch operator {
	case "":
		return func(item, root any) bool { // Without an operator, the condition is that the path selects something.
			_, ok := left(item, root)
			return ok
		}, nil
	case "=~":
		return p.match(left)
	}

	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	if slices.Contains(listOperators, operator) {
		return func(item, root any) bool {
			a, okA := left(item, root)
			b, okB := right(item, root)
			return okA && okB && compareLists(operator, a, b)
		}, nil
	}
	return compareOperands(operator, left, right), nil
}

const operatorContains = "contains"

// listOperators are the operators that compareLists evaluates.
var listOperators = []string{operatorContains, "size", "empty", "subsetof", "anyof", "noneof"}

// operator consumes an operator and returns it in lower case; "" if none comes next.
func (p *pathParser) operator() string {
	for _, symbol := range []string{"===", "!==", "==", "!=", "<=", ">=", "=~", "<", ">"} { // A symbol comes before its prefix.
		if p.accept(symbol) {
			if symbol == "===" || symbol == "!==" {
				return symbol[:2] // Values of different types are never equal.
			}
			return symbol
		}
	}

	for _, word := range append([]string{"in", "nin"}, listOperators...) {
		rest := p.rest()
		if len(rest) > len(word) && strings.EqualFold(rest[:len(word)], word) && strings.IndexByte(" [", rest[len(word)]) >= 0 {
			p.pos += len(word)
			return word
		}
	}
	return ""
}

// compareLists evaluates an operator whose left operand is a list or, for the first three, a text.
func compareLists(operator string, a, b any) bool {
	items, isArray := a.([]any)
	others, _ := b.([]any)
	isOther := func(item any) bool { return contains(others, item) }
	switch operator {
	case operatorContains, "size", "empty":
		return compareContent(operator, a, b)
	case "subsetof":
		return isArray && !slices.ContainsFunc(items, func(item any) bool { return !isOther(item) })
	case "anyof":
		return slices.ContainsFunc(items, isOther)
	default: // noneof
		return isArray && !slices.ContainsFunc(items, isOther)
	}
}

// compareContent compares what is in a list or a text, or how much.
func compareContent(operator string, a, b any) bool {
	var size int
	switch a := a.(type) {
	case []any:
		if operator == operatorContains {
			return contains(a, b)
		}
		size = len(a)
	case string:
		part, ok := b.(string)
		if operator == operatorContains {
			return ok && strings.Contains(a, part)
		}
		size = utf8.RuneCountInString(a)
	default:
		return false
	}

	if operator == "empty" {
		return (size == 0) == (b == true)
	}
	return jsontree.CompareNumbers(int64(size), b) == 0
}

// compareOperands returns the condition that compares two operands. If a path selects nothing, the condition is false, except for !=,
// and for nin if it is the list that is missing.
func compareOperands(operator string, left, right filterOperand) filterCondition {
	return func(item, root any) bool {
		a, okA := left(item, root)
		b, okB := right(item, root)
		switch operator {
		case "==":
			return okA && okB && jsontree.Equal(a, b)
		case "!=":
			return !okA || !okB || !jsontree.Equal(a, b)
		case "in", "nin":
			items, _ := b.([]any)
			return okA && contains(items, a) == (operator == "in")
		}

		if !okA || !okB {
			return false
		}
		order, ok := compareValues(a, b)
		return ok && satisfies(operator, order)
	}
}

// satisfies reports whether order, the result of a comparison, satisfies an operator: <, <=, >, >= or ==.
func satisfies(operator string, order int) bool {
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	default:
		return order == 0
	}
}

// compareValues compares two numbers or two strings; ok is false for other values.
func compareValues(a, b any) (order int, ok bool) {
	if x, ok := a.(string); ok {
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	}
	order = jsontree.CompareNumbers(a, b)
	return order, order != jsontree.Uncomparable
}

// contains reports whether one of the items equals v.
func contains(items []any, v any) bool {
	for _, item := range items {
		if jsontree.Equal(item, v) {
			return true
		}
	}
	return false
}

// match parses the regular expression after =~, which must match the whole string.
func (p *pathParser) match(left filterOperand) (filterCondition, error) {
	p.skipBlanks()
	if !p.accept("/") {
		return nil, p.fail("expected a regular expression")
	}

	end := 0
	for end < len(p.rest()) && p.rest()[end] != '/' {
		if p.rest()[end] == '\\' {
			end++
		}
		end++
	}

	if end >= len(p.rest()) {
		return nil, p.fail("a regular expression is not closed")
	}

	pattern := p.rest()[:end]
	p.pos += end + 1
	if p.accept("i") {
		pattern = "(?i)" + pattern
	}

	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, p.fail("unsupported regular expression")
	}

	return func(item, root any) bool {
		v, _ := left(item, root)
		s, ok := v.(string)
		return ok && re.MatchString(s)
	}, nil
}

// operand parses a path from @ (the item) or $ (the root), or a literal.
func (p *pathParser) operand() (filterOperand, error) {
	p.skipBlanks()
	onItem := p.accept("@")
	if onItem || p.accept("$") {
		inner, err := p.steps()
		if err != nil {
			return nil, err
		}

		return func(item, root any) (any, bool) {
			if !onItem {
				item = root
			}
			v, err := inner.eval(item)
			return v, err == nil
		}, nil
	}

	v, err := p.literal()
	if err != nil {
		return nil, err
	}
	return func(any, any) (any, bool) { return v, true }, nil
}

// literal parses a string in quotes, another JSON value, or a text without quotes, which is a string.
func (p *pathParser) literal() (any, error) {
	rest := p.rest()
	switch {
	case rest == "":
		return nil, p.fail("expected a value")
	case strings.IndexByte(`'"`, rest[0]) >= 0:
		return p.quoted()
	case rest[0] == '[':
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return nil, p.fail("expected ]")
		}

		// The strings of a list may have single quotes, which JSON does not allow.
		v, err := jsontree.Parse([]byte(strings.ReplaceAll(rest[:end+1], "'", `"`)))
		if err != nil {
			return nil, p.fail("expected a list of values")
		}

		p.pos += end + 1
		return v, nil
	}

	end := strings.IndexAny(rest, " \t)&|=<>!]([,'\"")
	if end < 0 {
		end = len(rest)
	}
	if end == 0 {
		return nil, p.fail("expected a value")
	}

	p.pos += end
	if v, err := jsontree.Parse([]byte(rest[:end])); err == nil {
		return v, nil
	}
	return rest[:end], nil
}
