package jsonata

import (
	"math"
	"math/big"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// integerFunctions returns the functions that write and read integers by a picture.
func integerFunctions() map[string]definition {
	return map[string]definition{
		"formatInteger": {"<n-s:s>", ifDefined(func(e *evaluation, args []any) (any, error) {
			p, err := parseIntegerPicture(stringArg(args, 1))
			if err != nil {
				return nil, err
			}
			text, err := p.format(math.Floor(numberArg(args, 0, 0)))
			if err != nil {
				return nil, err
			}
			return text, e.reserve(len(text))
		})},
		"parseInteger": {"<s-s:n>", ifDefined(func(_ *evaluation, args []any) (any, error) {
			p, err := parseIntegerPicture(stringArg(args, 1))
			if err != nil {
				return nil, err
			}
			x, ok := p.parse(stringArg(args, 0))
			if !ok {
				x = math.NaN()
			}
			return numberValue(x), nil
		})},
	}
}

// bigInteger returns the digits of an integral number.
func bigInteger(x float64) string {
	n, _ := big.NewFloat(math.Abs(x)).Int(nil)
	if math.Abs(x) >= 1<<53 { // JavaScript writes the shortest digits, and zeros.
		return jsontreeDigits(x)
	}
	return n.String()
}

// jsontreeDigits returns the shortest digits of a large integral number, followed by zeros.
func jsontreeDigits(x float64) string {
	n := jsontree.Number(formatNumber(math.Abs(x), false))
	if f, ok := n.(float64); ok {
		whole, _ := big.NewFloat(f).Int(nil)
		return whole.String()
	}
	return formatNumber(n, false)
}
