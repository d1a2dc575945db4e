package jsonata

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"

	"github.com/xiatechs/jsonata-go/jlib"
	"github.com/xiatechs/jsonata-go/jtypes"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

func numberFunctions() map[string]definition {
	return map[string]definition{
		"number":  {"<(nsb)-:n>", onDefined(toNumber)},
		"abs":     {"<n-:n>", onNumber(math.Abs)},
		"floor":   {"<n-:n>", onNumber(math.Floor)},
		"ceil":    {"<n-:n>", onNumber(math.Ceil)},
		"round":   {"<n-n?:n>", onDefined(func(args []any) (any, error) { return round(float(args, 0, 0), int(float(args, 1, 0))), nil })},
		"sqrt":    {"<n-:n>", onDefined(squareRoot)},
		"power":   {"<n-n:n>", onDefined(power)},
		"random":  {"<n?:n>", func(_ *evaluation, args []any) (any, error) { return random(argument(args, 0)), nil }},
		"sum":     {"<a<n>:n>", onNumbers(total)},
		"max":     {"<a<n>:n>", onSomeNumbers(func(a, b float64) float64 { return max(a, b) })},
		"min":     {"<a<n>:n>", onSomeNumbers(func(a, b float64) float64 { return min(a, b) })},
		"average": {"<a<n>:n>", onDefined(average)},
		"formatNumber": {"<n-so?:s>", onDefined(func(args []any) (any, error) {
			var options jtypes.OptionalValue
			if o, ok := argument(args, 2).(*jsontree.Object); ok {
				symbols := map[string]any{}
				for _, key := range o.Keys() {
					symbols[key], _ = o.Get(key)
				}
				options = jtypes.NewOptionalValue(reflect.ValueOf(symbols))
			}

			formatted, err := jlib.FormatNumber(float(args, 0, 0), text(args, 1), options)
			if err != nil {
				return nil, evalError("D3080", err.Error())
			}
			return formatted, nil
		})},
		"formatBase": {"<n-n?:s>", onDefined(formatBase)},
	}
}

func onNumber(call func(float64) float64) func(*evaluation, []any) (any, error) {
	return onDefined(func(args []any) (any, error) {
		if n, ok := args[0].(int64); ok && n >= 0 {
			return n, nil // Exact, whatever its size.
		}
		return number(call(float(args, 0, 0))), nil
	})
}

func onNumbers(call func([]float64) float64) func(*evaluation, []any) (any, error) {
	return onDefined(func(args []any) (any, error) { return number(call(floats(args[0]))), nil })
}

func onSomeNumbers(better func(a, b float64) float64) func(*evaluation, []any) (any, error) {
	return onDefined(func(args []any) (any, error) {
		xs := floats(args[0])
		if len(xs) == 0 {
			return undefined{}, nil
		}

		best := xs[0]
		for _, x := range xs {
			best = better(best, x)
		}
		return number(best), nil
	})
}

func floats(v any) []float64 {
	items := listOf(v)
	xs := make([]float64, len(items))
	for i := range items {
		xs[i] = float(items, i, 0)
	}
	return xs
}

func total(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum
}

func average(args []any) (any, error) {
	xs := floats(args[0])
	if len(xs) == 0 {
		return undefined{}, nil
	}
	return number(total(xs) / float64(len(xs))), nil
}

func toNumber(args []any) (any, error) {
	switch v := args[0].(type) {
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case string:
		if found := numberPattern.FindString(strings.TrimPrefix(v, "-")); found != "" && found == strings.TrimPrefix(v, "-") {
			n := jsontree.Number(v)
			f, isFloat := n.(float64)
			if !isFloat {
				return n, nil
			}
			if _, err := strconv.ParseFloat(v, 64); err == nil {
				return number(f), nil
			}
		}

		for prefix, base := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
			if digits, ok := strings.CutPrefix(strings.ToLower(v), prefix); ok {
				if n, err := strconv.ParseInt(digits, base, 64); err == nil {
					return n, nil
				}
			}
		}

		return nil, evalError("D3030", "Unable to cast value to a number: "+quote(v))
	default:
		return v, nil
	}
}

// round rounds half to even, at the given decimal place.
func round(x float64, place int) any {
	return number(shift(math.RoundToEven(shift(x, place)), -place))
}

// shift multiplies x by a power of ten in its decimal text, which does not add an error of its own.
func shift(x float64, places int) float64 {
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

func squareRoot(args []any) (any, error) {
	x := float(args, 0, 0)
	if x < 0 {
		return nil, evalError("D3060", "The sqrt function cannot be applied to a negative number: "+describe(args[0]))
	}
	return number(math.Sqrt(x)), nil
}

func power(args []any) (any, error) {
	result := math.Pow(float(args, 0, 0), float(args, 1, 0))
	if math.IsInf(result, 0) || math.IsNaN(result) {
		return nil, evalError("D3061", "The power function has resulted in a value that cannot be represented as a JSON number")
	}
	return number(result), nil
}

// random returns a number from 0 up to 1; the same for the same seed. AWS's own generator is not published: it differs.
func random(seed any) any {
	x, ok := jsontree.Float(seed)
	if !ok {
		return rand.Float64() //nolint:gosec // The language promises no more.
	}
	return rand.New(rand.NewPCG(math.Float64bits(x), 0)).Float64() //nolint:gosec // The same.
}

func formatBase(args []any) (any, error) {
	const (
		decimal  = 10
		smallest = 2
		largest  = 36
	)
	base := math.RoundToEven(float(args, 1, decimal))
	if base < smallest || base > largest {
		return nil, evalError("D3100", "The radix of the formatBase function must be between 2 and 36")
	}
	return strconv.FormatInt(int64(math.RoundToEven(float(args, 0, 0))), int(base)), nil
}
