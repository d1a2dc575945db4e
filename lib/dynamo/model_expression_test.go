package dynamo_test

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// expression evaluates the condition and update expressions that package dynamo sends
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html): comparisons, BETWEEN, AND, OR,
// functions, and SET with sums. It is a recursive descent parser that evaluates what it parses. After the first error it has no more
// tokens, and err is set.
type expression struct {
	names  map[string]string // the placeholders of the request
	values attributes

	tokens []string   // that are not parsed yet
	item   attributes // on which the expression is evaluated
	err    error
}

// anything is a condition that always holds. DynamoDB has none. Tests use it to weaken conditions.
const anything = "ANYTHING"

var tokenPattern = regexp.MustCompile(`<=|>=|[=<>(),+.\[\]-]|[#:]?\w+`)

// tokensOf caches the tokens of each expression. There are few expressions, and schedules evaluate them a million times.
var tokensOf sync.Map

func tokenize(expression string) []string {
	if tokens, ok := tokensOf.Load(expression); ok {
		return tokens.([]string)
	}
	tokens := tokenPattern.FindAllString(expression, -1)
	tokensOf.Store(expression, tokens)
	return tokens
}

// holds reports whether a condition holds for an item.
func (e *expression) holds(condition string, item attributes) (bool, error) {
	e.tokens, e.item = tokenize(condition), item
	holds := e.or()
	if e.err == nil && len(e.tokens) > 0 {
		e.failf("unexpected %q", e.tokens[0])
	}
	if e.err != nil {
		return false, fmt.Errorf("condition %q: %w", condition, e.err)
	}
	return holds, nil
}

func (e *expression) or() bool {
	holds := e.and()
	for e.accept("OR") {
		right := e.and()
		holds = holds || right
	}
	return holds
}

func (e *expression) and() bool {
	holds := e.comparison()
	for e.accept("AND") {
		right := e.comparison()
		holds = holds && right
	}
	return holds
}

func (e *expression) comparison() bool {
	if e.accept("(") {
		holds := e.or()
		e.expect(")")
		return holds
	}
	switch {
	case e.accept(anything):
		return true
	case e.accept("attribute_exists"):
		return e.argument() != nil
	case e.accept("attribute_not_exists"):
		return e.argument() == nil
	case e.accept("begins_with"):
		e.expect("(")
		text := e.operand()
		e.expect(",")
		prefix := e.operand()
		e.expect(")")
		return strings.HasPrefix(stringOf(text), stringOf(prefix))
	}
	left := e.operand()
	if e.accept("BETWEEN") {
		low := e.operand()
		e.expect("AND")
		high := e.operand()
		return compare(left, low, ">=") && compare(left, high, "<=")
	}
	operator := e.next()
	return compare(left, e.operand(), operator)
}

// argument returns the value of the only argument of a function.
func (e *expression) argument() types.AttributeValue {
	e.expect("(")
	v := e.operand()
	e.expect(")")
	return v
}

// operand returns the value of a path, a placeholder or a function, or nil if there is none.
func (e *expression) operand() types.AttributeValue {
	switch token := e.next(); {
	case token == "size":
		v := e.argument()
		if m, ok := v.(*types.AttributeValueMemberM); ok {
			return &types.AttributeValueMemberN{Value: strconv.Itoa(len(m.Value))}
		}
		return nil
	case token == "if_not_exists":
		e.expect("(")
		v := e.operand()
		e.expect(",")
		otherwise := e.operand()
		e.expect(")")
		if v == nil {
			return otherwise
		}
		return v
	case strings.HasPrefix(token, ":"):
		v, ok := e.values[token]
		if !ok {
			e.failf("no value %s", token)
		}
		return v
	case strings.HasPrefix(token, "#"):
		e.tokens = append([]string{token}, e.tokens...)
		return e.follow(e.path())
	default:
		e.failf("unexpected %q", token)
		return nil
	}
}

// path returns the steps of a document path: names, and numbers in lists.
func (e *expression) path() []any {
	var steps []any
	for {
		token := e.next()
		name, ok := e.names[token]
		if !ok {
			e.failf("no name %s", token)
			return nil
		}
		steps = append(steps, name)
		for e.accept("[") {
			n, err := strconv.Atoi(e.next())
			if err != nil {
				e.failf("no index")
			}
			steps = append(steps, n)
			e.expect("]")
		}
		if !e.accept(".") {
			return steps
		}
	}
}

// follow returns the value at a path in the item, or nil if there is none.
func (e *expression) follow(path []any) types.AttributeValue {
	var v types.AttributeValue = &types.AttributeValueMemberM{Value: e.item}
	for _, step := range path {
		switch at := v.(type) {
		case *types.AttributeValueMemberM:
			name, _ := step.(string)
			v = at.Value[name]
		case *types.AttributeValueMemberL:
			n, ok := step.(int)
			if !ok || n >= len(at.Value) {
				return nil
			}
			v = at.Value[n]
		default:
			return nil
		}
	}
	return v
}

// update applies a SET expression to next, which is a copy of the item. All operands have the values from before the update.
func (e *expression) update(update string, next attributes) error {
	e.tokens, e.item = tokenize(update), clone(next)
	e.expect("SET")
	for {
		path := e.path()
		e.expect("=")
		v := e.operand()
		for e.err == nil && len(e.tokens) > 0 && (e.tokens[0] == "+" || e.tokens[0] == "-") {
			sign := e.next()
			v = e.sum(v, e.operand(), sign)
		}
		if v == nil {
			e.failf("a value is missing")
		}
		if e.err == nil {
			e.set(next, path, v)
		}
		if !e.accept(",") {
			break
		}
	}
	if e.err != nil {
		return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf("update %q: %v", update, e.err)}
	}
	return nil
}

// set sets the value at a path in next.
func (e *expression) set(next attributes, path []any, v types.AttributeValue) {
	into := &expression{item: next}
	last := path[len(path)-1]
	switch at := into.follow(path[:len(path)-1]).(type) {
	case *types.AttributeValueMemberM:
		name, _ := last.(string)
		at.Value[name] = v
	case *types.AttributeValueMemberL:
		n, _ := last.(int)
		at.Value[n] = v
	default:
		e.failf("the document path %v is invalid", path)
	}
}

// next removes and returns the next token.
func (e *expression) next() string {
	if len(e.tokens) == 0 {
		e.failf("unexpected end")
		return ""
	}
	token := e.tokens[0]
	e.tokens = e.tokens[1:]
	return token
}

// accept removes the next token if it is token, and reports whether it was.
func (e *expression) accept(token string) bool {
	if len(e.tokens) == 0 || e.tokens[0] != token {
		return false
	}
	e.tokens = e.tokens[1:]
	return true
}

// expect removes the next token, which must be token.
func (e *expression) expect(token string) {
	if !e.accept(token) {
		e.failf("%q is missing before %v", token, e.tokens)
	}
}

func (e *expression) failf(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
	e.tokens = nil
}

// compare reports whether left and right are in the relation of the operator. It returns false if a value is missing or the values
// have different types.
func compare(left, right types.AttributeValue, operator string) bool {
	if left == nil || right == nil {
		return false
	}
	order, ordered := 0, false
	switch l := left.(type) {
	case *types.AttributeValueMemberS:
		if r, ok := right.(*types.AttributeValueMemberS); ok {
			order, ordered = strings.Compare(l.Value, r.Value), true
		}
	case *types.AttributeValueMemberN:
		if _, ok := right.(*types.AttributeValueMemberN); ok {
			order, ordered = cmp.Compare(numberOf(left), numberOf(right)), true
		}
	}
	if !ordered { // Values of other types can only be equal.
		return operator == "=" && reflect.DeepEqual(left, right)
	}
	switch operator {
	case "=":
		return order == 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

// sum returns left plus or minus right, by the sign.
func (e *expression) sum(left, right types.AttributeValue, sign string) types.AttributeValue {
	for _, v := range []types.AttributeValue{left, right} {
		if _, ok := v.(*types.AttributeValueMemberN); !ok {
			e.failf("an operand has an incorrect data type")
			return nil
		}
	}
	total := numberOf(left) + numberOf(right)
	if sign == "-" {
		total = numberOf(left) - numberOf(right)
	}
	return &types.AttributeValueMemberN{Value: strconv.FormatFloat(total, 'f', -1, 64)}
}

// numberOf returns the value of a number, or 0 if v is not a number.
func numberOf(v types.AttributeValue) float64 {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil {
		return 0
	}
	return f
}

// stringOf returns the value of a string, or an empty string if v is not a string.
func stringOf(v types.AttributeValue) string {
	s, ok := v.(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}
