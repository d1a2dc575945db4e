package asl

import (
	"encoding/base64"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// An arity is how many arguments a function takes.
type arity struct{ min, max int }

// The limits of intrinsic functions: see "Intrinsic functions" in the developer guide of Step Functions.
const (
	maxArguments     = 10_000   // Of States.Array and States.Format. The guide names no limit.
	maxArrayItems    = 1000     // Of States.ArrayRange.
	maxText          = 10 << 20 // Of the texts that States.Format and States.JsonToString make, in bytes. A state's output is much smaller.
	maxIntrinsicText = 10_000   // Of States.Base64Encode, States.Base64Decode and States.Hash, in characters.
)

// The positions of arguments, from 0.
const (
	randomSeedAt = 2
	mergeDeepAt  = 2
	rangeStepAt  = 2
)

// arities lists the intrinsic functions.
var arities = map[string]arity{
	"States.Array": {0, maxArguments}, "States.ArrayPartition": {2, 2}, "States.ArrayContains": {2, 2},
	"States.ArrayRange": {3, 3}, "States.ArrayGetItem": {2, 2}, "States.ArrayLength": {1, 1}, "States.ArrayUnique": {1, 1},
	"States.Base64Encode": {1, 1}, "States.Base64Decode": {1, 1}, "States.Hash": {2, 2}, "States.JsonMerge": {3, 3},
	"States.StringToJson": {1, 1}, "States.JsonToString": {1, 1}, "States.MathRandom": {2, 3}, "States.MathAdd": {2, 2},
	"States.StringSplit": {2, 2}, "States.UUID": {0, 0}, "States.Format": {1, maxArguments},
}

// An argumentError is the reason why an intrinsic function rejects its arguments.
type argumentError string

func (e argumentError) Error() string { return string(e) }

// errResultTooLong is the error of a function whose result is longer than maxText.
const errResultTooLong = argumentError("the result is too long")

// eval evaluates the arguments and then the function.
func (c *intrinsic) eval(s *stateRun) (any, error) {
	args := make([]any, len(c.args))
	for i, arg := range c.args {
		v, err := arg.eval(s)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}

	v, err := c.apply(args)
	if err != nil {
		return nil, failuref(errorIntrinsic, "The function '%s' had the following error: %s", c.text, err.Error())
	}
	return v, nil
}

// apply evaluates the function for the values of its arguments. The parser has checked their number.
func (c *intrinsic) apply(args []any) (any, error) {
	switch c.name {
	case "States.Array":
		return args, nil
	case "States.UUID":
		return jsonata.UUID(), nil
	case "States.JsonToString":
		text, ok := jsontree.TextUpTo(args[0], maxText)
		if !ok {
			return nil, errResultTooLong
		}
		return text, nil
	case "States.Format":
		return c.format(args)
	case "States.JsonMerge":
		return jsonMerge(args)
	case "States.MathRandom", "States.MathAdd", "States.ArrayRange":
		return c.arithmetic(args)
	case "States.ArrayPartition", "States.ArrayContains", "States.ArrayGetItem", "States.ArrayLength", "States.ArrayUnique":
		return c.applyToArray(args)
	default:
		return c.applyToString(args)
	}
}

// applyToArray evaluates the functions whose first argument is an array.
func (c *intrinsic) applyToArray(args []any) (any, error) {
	items, ok := args[0].([]any)
	if !ok {
		return nil, argumentError("the first argument must be an array")
	}

	switch c.name {
	case "States.ArrayLength":
		return int64(len(items)), nil
	case "States.ArrayContains":
		return contains(items, args[1]), nil
	case "States.ArrayUnique":
		return uniqueItems(items), nil
	}

	n, ok := roundedInt(args[1])
	if !ok {
		return nil, argumentError("the second argument must be a number")
	}
	if c.name == "States.ArrayGetItem" {
		if n < 0 || n >= int64(len(items)) {
			return nil, argumentError("the index is out of range")
		}
		return items[n], nil
	}

	if n < 1 {
		return nil, argumentError("the chunk size must be positive")
	}

	chunks := []any{}
	size := int(min(n, math.MaxInt32)) // The limit makes the conversion safe where int has 32 bits.
	for chunk := range slices.Chunk(items, size) {
		chunks = append(chunks, chunk)
	}
	return chunks, nil
}

// uniqueItems returns the items without those that are equal to an earlier one.
func uniqueItems(items []any) []any {
	unique, seed, seen := []any{}, maphash.MakeSeed(), map[uint64][]any{}
	for _, item := range items {
		hash := jsontree.Hash(seed, item)
		if !contains(seen[hash], item) {
			seen[hash] = append(seen[hash], item)
			unique = append(unique, item)
		}
	}
	return unique
}

// applyToString evaluates the functions whose first argument is a string, and States.Hash.
func (c *intrinsic) applyToString(args []any) (any, error) {
	text, ok := args[0].(string)
	if !ok && c.name != "States.Hash" {
		return nil, argumentError("the first argument must be a string")
	}
	if strings.HasPrefix(c.name, "States.Base64") && isTooLong(text) {
		return nil, errTextTooLong
	}

	switch c.name {
	case "States.Base64Encode":
		return base64.StdEncoding.EncodeToString([]byte(text)), nil
	case "States.Base64Decode":
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, argumentError("the text is not Base64")
		}
		return string(decoded), nil
	case "States.StringToJson":
		if strings.TrimSpace(text) == "" { // An empty text becomes null.
			return nil, nil
		}
		v, err := jsontree.Parse([]byte(text))
		if err != nil {
			return nil, argumentError("the text is not valid JSON")
		}
		return v, nil
	case "States.StringSplit":
		separators, ok := args[1].(string)
		if !ok {
			return nil, argumentError("the second argument must be a string")
		}
		return splitString(text, separators), nil
	default:
		return hashOf(args)
	}
}

// errTextTooLong is the error of a text that is longer than maxIntrinsicText.
const errTextTooLong = argumentError("the text must not be longer than 10000 characters")

func isTooLong(text string) bool { return utf8.RuneCountInString(text) > maxIntrinsicText }

// splitString splits text at each of the given characters and drops empty parts.
func splitString(text, separators string) []any {
	parts := []any{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		parts = append(parts, part)
	}
	return parts
}

// hashOf evaluates States.Hash. A value that is not a string is hashed as JSON text.
func hashOf(args []any) (any, error) {
	text, ok := args[0].(string)
	if !ok {
		if text, ok = jsontree.TextUpTo(args[0], maxText); !ok {
			return nil, errTextTooLong
		}
	}

	if isTooLong(text) {
		return nil, errTextTooLong
	}

	algorithm, ok := args[1].(string)
	if !ok {
		return nil, argumentError("the second argument must be the name of an algorithm")
	}

	hashed, err := jsonata.Hash(text, algorithm)
	if err != nil {
		return nil, argumentError("unknown algorithm " + algorithm)
	}
	return hashed, nil
}

// format evaluates States.Format: it replaces each {} of the template by an argument.
func (c *intrinsic) format(args []any) (any, error) {
	template, isString := args[0].(string)
	if literal, isLiteral := c.args[0].(formatText); isLiteral {
		template = string(literal) // The literal has its escape marks. In args[0] they are removed.
	} else if !isString {
		return nil, argumentError("the first argument must be a string")
	}

	var text strings.Builder
	used := 1 // The number of arguments that are already in text, including the template.
	for i := 0; i < len(template); i++ {
		switch rest := template[i:]; {
		case strings.HasPrefix(rest, escapeMark) && len(rest) > 1:
			i++
			text.WriteByte(template[i])
		case rest[0] == '{' && !strings.HasPrefix(rest, "{}"):
			return nil, argumentError("Invalid template in States.Format: matching '}' not found for '{'")
		case rest[0] == '}':
			return nil, argumentError("Invalid template in States.Format: matching '{' not found for '}'")
		case rest[0] != '{':
			text.WriteByte(template[i])
		case used == len(args):
			return nil, argumentError("there are more placeholders than arguments")
		default:
			if text.Len()+jsontree.SizeUpTo(args[used], maxText) > maxText { // The text of Java is hardly longer than that of JSON.
				return nil, errResultTooLong
			}
			text.WriteString(formatAsJava(args[used]))
			used++
			i++
		}
	}

	if used < len(args) {
		return nil, argumentError("there are more arguments than placeholders")
	}
	return text.String(), nil
}

// formatAsJava returns the text that Java's toString makes of v: {key=value} and [1, 2]. States.Format and error texts use this form.
func formatAsJava(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = formatAsJava(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *jsontree.Object:
		parts := make([]string, 0, v.Len())
		for _, key := range v.Keys() {
			value, _ := v.Get(key)
			parts = append(parts, key+"="+formatAsJava(value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return string(jsontree.Marshal(v))
	}
}

// jsonMerge evaluates States.JsonMerge: the second object's fields replace those of the first.
func jsonMerge(args []any) (any, error) {
	a, okA := args[0].(*jsontree.Object)
	b, okB := args[1].(*jsontree.Object)
	deep, okDeep := args[mergeDeepAt].(bool)
	if !okA || !okB {
		return nil, argumentError("the first two arguments must be objects")
	}
	if !okDeep || deep {
		return nil, argumentError("only shallow merging is supported: the third argument must be false")
	}

	merged := a.Clone()
	for _, key := range b.Keys() {
		value, _ := b.Get(key)
		merged.Set(key, value)
	}
	return merged, nil
}

// roundedInt rounds a numeric argument to the nearest integer, halves up, as Java's Math.round does. ok is false if v is not a
// number.
func roundedInt(v any) (n int64, ok bool) {
	if n, ok := v.(int64); ok {
		return n, true
	}
	f, ok := jsontree.Float(v)
	const half = 0.5
	return int64(math.Floor(f + half)), ok
}

// arithmetic evaluates the functions whose arguments are all numbers.
func (c *intrinsic) arithmetic(args []any) (any, error) {
	numbers := make([]int64, len(args))
	for i, arg := range args {
		n, ok := roundedInt(arg)
		if !ok {
			return nil, argumentError("every argument must be a number")
		}
		numbers[i] = n
	}

	switch c.name {
	case "States.MathAdd":
		return numbers[0] + numbers[1], nil
	case "States.MathRandom":
		from, to := numbers[0], numbers[1]
		if from >= to {
			return nil, argumentError("the first argument must be less than the second")
		}
		if len(numbers) > randomSeedAt {
			seeded := rand.New(rand.NewPCG(uint64(numbers[randomSeedAt]), 0)) // Any 64 bits are a seed.
			return from + seeded.Int64N(to-from), nil
		}
		return from + rand.Int64N(to-from), nil
	default:
		return arrayRange(numbers[0], numbers[1], numbers[rangeStepAt])
	}
}

// arrayRange evaluates States.ArrayRange. The array ends with to, if the steps reach it.
func arrayRange(from, to, step int64) (any, error) {
	if step == 0 {
		return nil, argumentError("the step must not be zero")
	}
	items := []any{}
	for x := from; step > 0 && x <= to || step < 0 && x >= to; x += step {
		if len(items) == maxArrayItems {
			return nil, argumentError("the array would have more than 1000 items")
		}
		items = append(items, x)
	}
	return items, nil
}
