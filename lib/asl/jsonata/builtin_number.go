package jsonata

import (
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// numberFunctions returns the functions for numbers.
func numberFunctions() map[string]definition {
	return map[string]definition{
		"number": {"<(nsb)-:n>", ifDefined(toNumber)},
		"abs":    {"<n-:n>", forNumber(math.Abs)},
		"floor":  {"<n-:n>", forNumber(math.Floor)},
		"ceil":   {"<n-:n>", forNumber(math.Ceil)},
		"round": {"<n-n?:n>", ifDefined(func(e *evaluation, args []any) (any, error) {
			return round(numberArg(args, 0, 0), int(max(-maxPlaces, min(numberArg(args, 1, 0), maxPlaces)))), nil
		})},
		"sqrt":         {"<n-:n>", ifDefined(squareRoot)},
		"power":        {"<n-n:n>", ifDefined(power)},
		"random":       {"<n?:n>", func(_ *evaluation, args []any) (any, error) { return random(argAt(args, 0)), nil }},
		"sum":          {"<a<n>:n>", forNumbers(sum)},
		"max":          {"<a<n>:n>", foldNumbers(func(a, b float64) float64 { return max(a, b) })},
		"min":          {"<a<n>:n>", foldNumbers(func(a, b float64) float64 { return min(a, b) })},
		"average":      {"<a<n>:n>", ifDefined(average)},
		"formatNumber": {"<n-so?:s>", ifDefined(formatNumberPicture)},
		"formatBase":   {"<n-n?:s>", ifDefined(formatBase)},
	}
}

// forNumber returns a built-in function with one parameter, a number. The function returns compute(number), except that it returns a
// non-negative integer unchanged. So compute must be a function that does not change a non-negative integer, such as $abs or $floor.
func forNumber(compute func(float64) float64) func(*evaluation, []any) (any, error) {
	return ifDefined(func(e *evaluation, args []any) (any, error) {
		if n, ok := args[0].(int64); ok && n >= 0 {
			return n, nil // A large integer would lose digits as a float64.
		}
		return numberValue(compute(numberArg(args, 0, 0))), nil
	})
}

// forNumbers returns a built-in function with one parameter, an array of numbers.
func forNumbers(call func([]float64) float64) func(*evaluation, []any) (any, error) {
	return ifDefined(func(e *evaluation, args []any) (any, error) { return numberValue(call(floats(args[0]))), nil })
}

// foldNumbers returns a built-in function that combines the first two numbers of an array, then the result and the third number, and
// so on. For an empty array it returns undefined.
func foldNumbers(combine func(a, b float64) float64) func(*evaluation, []any) (any, error) {
	return ifDefined(func(e *evaluation, args []any) (any, error) {
		xs := floats(args[0])
		if len(xs) == 0 {
			return undefined{}, nil
		}

		result := xs[0]
		for _, x := range xs {
			result = combine(result, x)
		}
		return numberValue(result), nil
	})
}

// floats returns the items of v, which are numbers, as float64.
func floats(v any) []float64 {
	items := itemsOf(v)
	xs := make([]float64, len(items))
	for i := range items {
		xs[i] = numberArg(items, i, 0)
	}
	return xs
}

func sum(xs []float64) float64 {
	result := 0.0
	for _, x := range xs {
		result += x
	}
	return result
}

func average(e *evaluation, args []any) (any, error) {
	xs := floats(args[0])
	if len(xs) == 0 {
		return undefined{}, nil
	}
	return numberValue(sum(xs) / float64(len(xs))), nil
}

// decimalPattern matches the decimal numbers that $number accepts.
var decimalPattern = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?$`)

// decimalValue returns the value of a decimal number: exactly, if it is an integer of 64 bits. ok is false for any other text, and for a
// number that is out of range.
func decimalValue(text string) (x any, ok bool) {
	if !decimalPattern.MatchString(text) {
		return nil, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	return numberValue(f), err == nil
}

// toNumber evaluates $number.
func toNumber(e *evaluation, args []any) (any, error) {
	switch v := args[0].(type) {
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case string:
		if x, ok := decimalValue(v); ok {
			return x, nil
		}

		for prefix, base := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
			if digits, ok := strings.CutPrefix(strings.ToLower(v), prefix); ok {
				if n, err := strconv.ParseUint(digits, base, 64); err == nil {
					return numberValue(float64(n)), nil
				}
			}
		}

		return nil, evalError("D3030", "Unable to cast value to a number: "+quote(v))
	default:
		return v, nil
	}
}

// maxPlaces is more decimals than a number has.
const maxPlaces = 1000

// round rounds x to a number of decimals. A half is rounded to the even neighbour.
func round(x float64, decimals int) any {
	return numberValue(shiftDecimalPoint(math.RoundToEven(shiftDecimalPoint(x, decimals)), -decimals))
}

// shiftDecimalPoint multiplies x by 10^places. It adds places to the exponent in x's decimal text, because a multiplication would make
// rounding errors. It returns x if x is not finite or the result is out of range.
func shiftDecimalPoint(x float64, places int) float64 {
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, 64), "e")
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return x
	}
	shifted, err := strconv.ParseFloat(digits+"e"+strconv.Itoa(n+places), 64)
	if err != nil {
		return x
	}
	return shifted
}

// squareRoot evaluates $sqrt.
func squareRoot(e *evaluation, args []any) (any, error) {
	x := numberArg(args, 0, 0)
	if x < 0 {
		return nil, evalError("D3060", "The sqrt function cannot be applied to a negative number: "+e.describe(args[0]))
	}
	return numberValue(math.Sqrt(x)), nil
}

// power evaluates $power.
func power(e *evaluation, args []any) (any, error) {
	result := math.Pow(numberArg(args, 0, 0), numberArg(args, 1, math.NaN()))
	if isUndefined(argAt(args, 1)) || math.IsInf(result, 0) || math.IsNaN(result) {
		return nil, evalError("D3061", "The power function has resulted in a value that cannot be represented as a JSON number")
	}
	return numberValue(result), nil
}

// random returns a number that is at least 0 and less than 1. If seed is a number, equal seeds give the same number: the first one
// of the generator of AWS, java.util.Random.
func random(seed any) any {
	x, ok := jsontree.Float(seed)
	if !ok {
		return rand.Float64()
	}

	const ( // See the documentation of java.util.Random: it is a linear congruential generator.
		multiplier = 0x5DEECE66D
		increment  = 0xB
		bits       = 48
		highBits   = 26
		lowBits    = 27
	)
	state := (uint64(int64(x)) ^ multiplier) & (1<<bits - 1)
	next := func(count int) uint64 {
		state = (state*multiplier + increment) & (1<<bits - 1)
		return state >> (bits - count)
	}
	high := next(highBits)
	return float64(high<<lowBits+next(lowBits)) / (1 << (highBits + lowBits))
}

// formatBase evaluates $formatBase.
func formatBase(_ *evaluation, args []any) (any, error) {
	const defaultBase, minBase, maxBase = 10, 2, 36
	base := math.RoundToEven(numberArg(args, 1, defaultBase))
	if base < minBase || base > maxBase {
		return nil, evalError("D3100", "The radix of the formatBase function must be between 2 and 36")
	}
	x := math.RoundToEven(numberArg(args, 0, 0))
	if base == defaultBase || math.IsInf(x, 0) || math.IsNaN(x) {
		return formatNumber(numberValue(x), false), nil
	}
	n, _ := big.NewFloat(x).Int(nil)
	return n.Text(int(base)), nil
}
