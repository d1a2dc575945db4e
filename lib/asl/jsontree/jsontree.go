// Package jsontree reads and writes JSON values. It keeps the order of keys and the digits of integers.
//
// A value is nil, bool, string, int64, *big.Int (an integer that does not fit in int64), float64, []any or *Object.
// Goroutines share values, so code must not change a value that it has received or passed on.
package jsontree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// ErrTrailingData is the error of Parse when text follows the JSON value.
var ErrTrailingData = errors.New("jsontree: text after the value")

// Object is a JSON object whose keys keep the order in which they were first set. The zero value is an empty object.
type Object struct {
	keys   []string
	values map[string]any
}

// NewObject returns an object of alternating keys and values: NewObject("a", 1, "b", 2).
func NewObject(pairs ...any) *Object {
	o := &Object{}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		o.Set(key, pairs[i+1])
	}
	return o
}

// Len returns the number of keys.
func (o *Object) Len() int { return len(o.keys) }

// Keys returns the keys in order. The caller must not change them.
func (o *Object) Keys() []string { return o.keys }

// Get returns the value of key and whether the object has that key.
func (o *Object) Get(key string) (any, bool) {
	v, ok := o.values[key]
	return v, ok
}

// Set sets the value of key. A new key comes last; an existing key keeps its position.
func (o *Object) Set(key string, value any) {
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	if o.values == nil {
		o.values = make(map[string]any)
	}
	o.values[key] = value
}

// Clone returns a shallow copy of o.
func (o *Object) Clone() *Object {
	size := len(o.keys) + 1 // With room for the key that most callers add.
	clone := &Object{keys: make([]string, 0, size), values: make(map[string]any, size)}
	for _, key := range o.keys {
		clone.Set(key, o.values[key])
	}
	return clone
}

// Parse reads one JSON value.
func Parse(text []byte) (any, error) {
	if !json.Valid(text) { // Valid also limits the nesting, which Decoder.Token below does not.
		var v any
		err := json.Unmarshal(text, &v) // Returns the reason.
		if err == nil {
			err = ErrTrailingData
		}
		return nil, fmt.Errorf("parse JSON: %w", err)
	}

	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrTrailingData
	}

	return v, nil
}

func parseValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}

	switch token := token.(type) {
	case json.Number:
		return Number(token.String()), nil
	case json.Delim:
		if token == '[' {
			return parseArray(d)
		}
		return parseObject(d)
	default:
		return token, nil
	}
}

func parseArray(d *json.Decoder) (any, error) {
	items := []any{}
	for d.More() {
		v, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}

	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	return items, nil
}

func parseObject(d *json.Decoder) (any, error) {
	o := &Object{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("parse JSON: %w", err)
		}
		key, _ := token.(string)

		v, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		o.Set(key, v)
	}

	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	return o, nil
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
