package jsontree

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Marshal returns v as compact JSON text.
func Marshal(v any) []byte { return Append(nil, v) }

// Append appends v as compact JSON text to dst. A Go value that is not a JSON value becomes null.
func Append(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case string:
		return appendString(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = Append(dst, item)
		}
		return append(dst, ']')
	case *Object:
		dst = append(dst, '{')
		for i, key := range v.keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, key)
			dst = append(dst, ':')
			dst = Append(dst, v.values[key])
		}
		return append(dst, '}')
	default:
		return append(dst, FormatNumber(v)...)
	}
}

// FormatNumber returns the text of a number as Java writes it, and therefore Step Functions: an integer with all its digits, any other
// number with a fraction (1.0), and a float64 below 0.001 or from ten million on with an exponent, too (1.0E7). It returns "null" if v
// is not a number.
func FormatNumber(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	case *big.Int:
		return v.String()
	case float64:
		return formatFloat(v)
	default:
		return "null"
	}
}

// formatFloat does what FormatNumber does, for a float64.
func formatFloat(f float64) string {
	const (
		exponentBelow = 1e-3 // These are the limits of Java's Double.toString.
		exponentFrom  = 1e7
	)
	switch {
	case math.IsInf(f, 0):
		f = math.Copysign(math.MaxFloat64, f)
	case math.IsNaN(f):
		return "null"
	}

	if a := math.Abs(f); a != 0 && (a < exponentBelow || a >= exponentFrom) {
		digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
		if !strings.Contains(digits, ".") {
			digits += ".0"
		}
		sign := ""
		if exponent[0] == '-' {
			sign = "-"
		}
		return digits + "E" + sign + strings.TrimLeft(exponent[1:], "0")
	}

	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

const hexDigits = "0123456789ABCDEF"

// appendString appends s in quotes to dst. It writes a control character without an escape letter as \u00XX.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}

		i++
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
		case strings.IndexByte("\b\t\n\f\r", c) >= 0:
			dst = append(dst, '\\', "btn.fr"[c-'\b']) // The letters of the escapes \b to \r in order; \v has no letter, so . is not used.
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}

	return append(dst, '"')
}

// Float returns v as a float64 and whether v is a number.
func Float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	default:
		return 0, false
	}
}

// Equal reports whether a and b are the same JSON value. It compares numbers by value and ignores the order of keys.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Equal)
	case *Object:
		b, ok := b.(*Object)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for _, key := range a.keys {
			other, ok := b.values[key]
			if !ok || !Equal(a.values[key], other) {
				return false
			}
		}
		return true
	case int64, float64, *big.Int:
		return CompareNumbers(a, b) == 0
	default:
		switch b.(type) {
		case nil, bool, string:
			return a == b
		default:
			return false
		}
	}
}

// Uncomparable is the result of CompareNumbers if an argument is not a number.
const Uncomparable = 2

// CompareNumbers returns -1 if a is less than b, 0 if they are equal, and 1 if a is greater. It returns Uncomparable if a or b is not a
// number.
func CompareNumbers(a, b any) int {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return compareOrdered(x, y)
		}
	}
	if x, ok := a.(*big.Int); ok {
		if y, ok := b.(*big.Int); ok {
			return x.Cmp(y)
		}
	}

	x, okX := Float(a)
	y, okY := Float(b)
	if !okX || !okY {
		return Uncomparable
	}
	return compareOrdered(x, y)
}

func compareOrdered[T int64 | float64](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	default:
		return 0
	}
}
