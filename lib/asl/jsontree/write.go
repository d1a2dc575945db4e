package jsontree

import (
	"bytes"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Marshal returns v as compact JSON text.
func Marshal(v any) []byte { return Append(nil, v) }

// buffers holds the buffers of Text and Size, so that a text is copied once and does not grow in steps.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is the size, in bytes, up to which a buffer is used again.
const maxPooled = 1 << 20

// Text returns the same text as Marshal, as a string.
func Text(v any) string {
	text, _ := TextUpTo(v, math.MaxInt)
	return text
}

// TextUpTo returns the same text as Marshal. ok is false if the text has more than limit bytes: then it is not made as a whole, because
// values share parts, and the text of a value may be much larger than the value.
func TextUpTo(v any, limit int) (text string, ok bool) {
	withText(v, limit, func(b []byte) {
		if ok = len(b) <= limit; ok {
			text = string(b)
		}
	})
	return text, ok
}

// Size returns the length of v's compact JSON text, in bytes.
func Size(v any) int { return SizeUpTo(v, math.MaxInt) }

// SizeUpTo returns the length of v's compact JSON text in bytes, or any number above limit if it is above limit.
func SizeUpTo(v any, limit int) int {
	size := 0
	withText(v, limit, func(b []byte) { size = len(b) })
	return size
}

// withText calls use with v's compact JSON text, or with a part of it that is longer than limit. use must not keep the slice.
func withText(v any, limit int, use func([]byte)) {
	buffer, _ := buffers.Get().(*[]byte)
	*buffer = appendUpTo((*buffer)[:0], v, limit)
	use(*buffer)
	if cap(*buffer) <= maxPooled {
		buffers.Put(buffer)
	}
}

// Append appends v as compact JSON text to dst. A Go value that is not a JSON value becomes null.
func Append(dst []byte, v any) []byte { return appendUpTo(dst, v, math.MaxInt) }

// appendUpTo does what Append does, until dst has more than limit bytes. Then it may leave out the rest.
func appendUpTo(dst []byte, v any, limit int) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case string:
		return appendString(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if len(dst) > limit {
				return dst
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendUpTo(dst, item, limit)
		}
		return append(dst, ']')
	case *Object:
		dst = append(dst, '{')
		for i, key := range v.keys {
			if len(dst) > limit {
				return dst
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, key)
			dst = append(dst, ':')
			dst = appendUpTo(dst, v.values[i], limit)
		}
		return append(dst, '}')
	default:
		return appendNumber(dst, v)
	}
}

// FormatNumber returns the text of a number as Java writes it, and therefore Step Functions: an integer with all its digits, any other
// number with a fraction (1.0), and a float64 below 0.001 or from ten million on with an exponent, too (1.0E7). It returns "null" if v
// is not a number.
func FormatNumber(v any) string { return string(appendNumber(nil, v)) }

// appendNumber appends the text that FormatNumber returns to dst.
func appendNumber(dst []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case *big.Int:
		return v.Append(dst, 10)
	case float64:
		return appendFloat(dst, v)
	default:
		return append(dst, "null"...)
	}
}

// appendFloat does what appendNumber does, for a float64.
func appendFloat(dst []byte, f float64) []byte {
	const (
		exponentBelow = 1e-3 // These are the limits of Java's Double.toString.
		exponentFrom  = 1e7
	)
	switch {
	case math.IsInf(f, 0):
		f = math.Copysign(math.MaxFloat64, f)
	case math.IsNaN(f):
		return append(dst, "null"...)
	}

	start := len(dst)
	if a := math.Abs(f); a == 0 || a >= exponentBelow && a < exponentFrom {
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		if bytes.IndexByte(dst[start:], '.') < 0 {
			dst = append(dst, ".0"...)
		}
		return dst
	}

	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	dst = append(dst, digits...)
	if !strings.Contains(digits, ".") {
		dst = append(dst, ".0"...)
	}
	dst = append(dst, 'E')
	if exponent[0] == '-' {
		dst = append(dst, '-')
	}
	return append(dst, strings.TrimLeft(exponent[1:], "0")...)
}

const hexDigits = "0123456789ABCDEF"

// appendString appends s in quotes to dst. It writes a control character without an escape letter as \u00XX, and replaces what is not
// valid UTF-8 by U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	copied := 0 // The bytes of s that dst has.
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}

		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}

		dst = appendEscaped(append(dst, s[copied:i]...), c)
		i++
		copied = i
	}

	dst = append(dst, s[copied:]...)
	return append(dst, '"')
}

// appendEscaped appends what stands for the byte c in a string: a quote, a backslash, a control character, or a byte that is not valid
// UTF-8.
func appendEscaped(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c >= utf8.RuneSelf:
		return utf8.AppendRune(dst, utf8.RuneError)
	case strings.IndexByte("\b\t\n\f\r", c) >= 0:
		return append(dst, '\\', "btn.fr"[c-'\b']) // The letters of the escapes \b to \r in order; \v has no letter, so . is not used.
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
	}
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
		for i, key := range a.keys {
			other, ok := b.Get(key)
			if !ok || !Equal(a.values[i], other) {
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
