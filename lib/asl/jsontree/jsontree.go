// Package jsontree reads and writes JSON values. It keeps the order of keys and the digits of integers.
//
// A value is nil, bool, string, int64, *big.Int (an integer that does not fit in int64), float64, []any or *Object.
// Goroutines share values, so code must not change a value that it has received or passed on.
package jsontree

import (
	"maps"
	"slices"
)

// Object is a JSON object whose keys keep the order in which they were first set. The zero value is an empty object.
type Object struct {
	keys   []string
	values []any          // The value of keys[i] is values[i].
	index  map[string]int // Maps each key to its position, from indexFrom keys on. Otherwise it is nil.
}

// indexFrom is the number of keys from which an object has an index. With fewer keys, it is faster to compare them one by one.
const indexFrom = 12

// NewObject returns an object of alternating keys and values: NewObject("a", 1, "b", 2).
func NewObject(pairs ...any) *Object {
	size := len(pairs) / 2 // A pair is two arguments.
	o := &Object{keys: make([]string, 0, size), values: make([]any, 0, size)}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		o.Set(key, pairs[i+1])
	}
	return o
}

// ObjectOf returns an object of keys, which must all be different, and their values. The object takes values over, and shares keys: the
// caller must not change them.
func ObjectOf(keys []string, values []any) *Object {
	o := &Object{keys: slices.Clip(keys), values: values}
	if len(keys) >= indexFrom {
		o.makeIndex()
	}
	return o
}

// makeIndex makes the index of the keys.
func (o *Object) makeIndex() {
	o.index = make(map[string]int, len(o.keys))
	for i, key := range o.keys {
		o.index[key] = i
	}
}

// Len returns the number of keys.
func (o *Object) Len() int { return len(o.keys) }

// Keys returns the keys in order. The caller must not change them.
func (o *Object) Keys() []string { return o.keys }

// Get returns the value of key and whether the object has that key.
func (o *Object) Get(key string) (any, bool) {
	if i := o.position(key); i >= 0 {
		return o.values[i], true
	}
	return nil, false
}

// position returns the position of key, or -1 if the object does not have that key.
func (o *Object) position(key string) int {
	if o.index == nil {
		return slices.Index(o.keys, key)
	}
	if i, ok := o.index[key]; ok {
		return i
	}
	return -1
}

// Set sets the value of key. A new key comes last; an existing key keeps its position.
func (o *Object) Set(key string, value any) {
	if i := o.position(key); i >= 0 {
		o.values[i] = value
		return
	}

	o.keys, o.values = append(o.keys, key), append(o.values, value)
	switch {
	case o.index != nil:
		o.index[key] = len(o.keys) - 1
	case len(o.keys) == indexFrom:
		o.makeIndex()
	}
}

// Clone returns a shallow copy of o.
func (o *Object) Clone() *Object {
	size := len(o.keys) + 1 // With room for the key that most callers add.
	return &Object{
		keys:   append(make([]string, 0, size), o.keys...),
		values: append(make([]any, 0, size), o.values...),
		index:  maps.Clone(o.index),
	}
}
