package jsontree

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errInvalid is the error of Parse for a text that encoding/json would accept. FuzzParse holds that there is no such text.
var errInvalid = errors.New("jsontree: invalid JSON")

// Parse reads one JSON value. It accepts the same texts as encoding/json, and its errors are those of encoding/json. The last value
// of a repeated key counts. As in encoding/json, U+FFFD replaces what is not valid Unicode. The value holds no part of text.
func Parse(text []byte) (any, error) {
	p := parser{text: text}
	if v, ok := p.document(); ok {
		return v, nil
	}
	return nil, parseError(text)
}

// ParseRepeated does what Parse does. It also returns the keys that the text repeats within one object, by object.
func ParseRepeated(text []byte) (v any, repeated map[*Object][]string, err error) {
	p := parser{text: text, repeated: map[*Object][]string{}}
	if v, ok := p.document(); ok {
		return v, p.repeated, nil
	}
	return nil, nil, parseError(text)
}

// parseError returns the error of a text that is not valid JSON.
func parseError(text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("parse JSON: %w", err)
	}
	return errInvalid
}

// maxDepth is how deep arrays and objects may be nested, as in encoding/json.
const maxDepth = 10_000

// A parser reads a JSON text from its beginning to its end. Its methods return false if the text is not valid JSON.
type parser struct {
	text  []byte
	pos   int // The position of the next byte.
	depth int // The number of arrays and objects around pos.

	// The keys and values of the arrays and objects around pos that have been read so far: those of the innermost come last.
	keys   []string
	values []any
	shapes [sharedDepth][]string // The keys of the last object at each depth.

	repeated map[*Object][]string // The repeated keys of each object; nil if nobody asks for them.

	window      string // A copy of the text from windowStart on, which the strings in it share.
	windowStart int
}

// sharedDepth is the depth below which objects with the same keys, such as the rows of a table, share one slice of keys.
const sharedDepth = 8

// document reads the whole text.
func (p *parser) document() (any, bool) {
	v, ok := p.value()
	if !ok {
		return nil, false
	}
	p.skipBlanks()
	return v, p.pos == len(p.text)
}

// skipBlanks skips white space.
func (p *parser) skipBlanks() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// accept skips white space, and consumes c if it comes next. It reports whether it did.
func (p *parser) accept(c byte) bool {
	p.skipBlanks()
	if p.pos == len(p.text) || p.text[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

// value reads a value of any type.
func (p *parser) value() (any, bool) {
	p.skipBlanks()
	if p.pos == len(p.text) {
		return nil, false
	}

	switch c := p.text[p.pos]; c {
	case '{':
		return p.nested((*parser).object)
	case '[':
		return p.nested((*parser).array)
	case '"':
		return p.stringValue()
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	case 'n':
		return nil, p.word("null")
	default:
		return p.number()
	}
}

// word consumes the word, or returns false if it does not come next.
func (p *parser) word(word string) bool {
	end := p.pos + len(word)
	if end > len(p.text) || string(p.text[p.pos:end]) != word {
		return false
	}
	p.pos = end
	return true
}

// nested consumes the opening bracket of an array or object, and reads the rest with read.
func (p *parser) nested(read func(*parser) (any, bool)) (any, bool) {
	p.pos++
	p.depth++
	if p.depth > maxDepth {
		return nil, false
	}
	v, ok := read(p)
	p.depth--
	return v, ok
}

// array reads the items of an array and its closing bracket.
func (p *parser) array() (any, bool) {
	first := len(p.values)
	if p.accept(']') {
		return []any{}, true
	}

	for {
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		p.values = append(p.values, v)
		if p.accept(',') {
			continue
		}

		items := slices.Clone(p.values[first:])
		p.values = p.values[:first]
		return items, p.accept(']')
	}
}

// object reads the keys and values of an object and its closing brace.
func (p *parser) object() (any, bool) {
	firstKey, firstValue := len(p.keys), len(p.values)
	if p.accept('}') {
		return &Object{}, true
	}

	for {
		p.skipBlanks()
		if p.pos == len(p.text) || p.text[p.pos] != '"' {
			return nil, false
		}
		key, ok := p.stringValue()
		if !ok || !p.accept(':') {
			return nil, false
		}
		v, ok := p.value()
		if !ok {
			return nil, false
		}

		p.keys, p.values = append(p.keys, key), append(p.values, v)
		if p.accept(',') {
			continue
		}

		o := p.newObject(p.keys[firstKey:], p.values[firstValue:])
		p.keys, p.values = p.keys[:firstKey], p.values[:firstValue]
		return o, p.accept('}')
	}
}

// newObject returns an object with copies of keys and values. A repeated key keeps its first position and gets its last value.
func (p *parser) newObject(keys []string, values []any) *Object {
	isShared := p.depth < sharedDepth
	if isShared && slices.Equal(p.shapes[p.depth], keys) { // The keys of the last object are unique.
		return &Object{keys: p.shapes[p.depth], values: slices.Clone(values)}
	}

	o := &Object{keys: make([]string, 0, len(keys)), values: make([]any, 0, len(keys))}
	for i, key := range keys {
		size := o.Len()
		o.Set(key, values[i])
		if p.repeated != nil && o.Len() == size {
			p.repeated[o] = append(p.repeated[o], key)
		}
	}
	if isShared && o.index == nil {
		p.shapes[p.depth] = slices.Clip(o.keys) // Without room to append, because objects share it.
	}
	return o
}

// stringValue reads a string. Its opening quote comes next.
func (p *parser) stringValue() (string, bool) {
	start := p.pos + 1
	isPlain := true // The string has no escapes and is ASCII.
	for i := start; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			p.pos = i + 1
			if isPlain || !slices.Contains(p.text[start:i], '\\') && utf8.Valid(p.text[start:i]) {
				return p.substring(start, i), true
			}

			var s string
			err := json.Unmarshal(p.text[start-1:i+1], &s) // Decodes the escapes, and replaces what is not valid Unicode.
			return s, err == nil
		case c == '\\':
			isPlain = false
			i++ // The next character does not end the string.
		case c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			isPlain = false
		}
	}

	return "", false
}

// A value that holds a short string keeps a window of the text in memory, not the whole text. Sizes are in bytes.
const (
	windowSize  = 512
	ownMemoryAt = 128 // From this length on, a string does not begin a window.
)

// substring returns a copy of text[start:end]. Short strings that follow each other share the memory of a window.
func (p *parser) substring(start, end int) string {
	if end > p.windowStart+len(p.window) {
		if end-start >= ownMemoryAt {
			return string(p.text[start:end])
		}
		p.windowStart = start
		p.window = string(p.text[start:min(len(p.text), start+windowSize)])
	}
	return p.window[start-p.windowStart : end-p.windowStart]
}

// number reads a number.
func (p *parser) number() (any, bool) {
	start := p.pos
	isNegative := p.skip("-")
	first := p.pos
	digits := p.skipDigits()
	if digits == 0 || digits > 1 && p.text[first] == '0' {
		return nil, false
	}

	isInteger := true
	if p.skip(".") {
		isInteger = false
		if p.skipDigits() == 0 {
			return nil, false
		}
	}
	if p.skip("eE") {
		isInteger = false
		p.skip("+-")
		if p.skipDigits() == 0 {
			return nil, false
		}
	}

	const safeDigits = 18 // An integer of so many digits fits in an int64.
	if !isInteger || digits > safeDigits {
		return Number(p.substring(start, p.pos)), true
	}
	n := int64(0)
	for _, c := range p.text[first:p.pos] {
		n = n*10 + int64(c-'0')
	}
	if isNegative {
		n = -n
	}
	return n, true
}

// skip consumes the next byte if it is one of chars, and reports whether it is.
func (p *parser) skip(chars string) bool {
	if p.pos == len(p.text) || strings.IndexByte(chars, p.text[p.pos]) < 0 {
		return false
	}
	p.pos++
	return true
}

// skipDigits consumes decimal digits, and returns how many.
func (p *parser) skipDigits() int {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		p.pos++
	}
	return p.pos - start
}

// Number returns the value of a JSON number's text: int64 or *big.Int for an integer, otherwise float64. A number beyond the
// range of float64 becomes the largest float64.
func Number(text string) any {
	if strings.ContainsAny(text, ".eE") {
		f, _ := strconv.ParseFloat(text, 64) // It is an infinity if the number is out of range.
		return max(-math.MaxFloat64, min(f, math.MaxFloat64))
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}

	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return float64(0) // The text is not a JSON number.
	}
	return n
}
