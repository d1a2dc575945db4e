package asl

import (
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A pathFunction is a function at the end of a path, such as length in $.list.length(). As in Jayway, the parser accepts each name.
type pathFunction struct {
	name      string
	arguments string // The text between the parentheses.
}

// function parses the parentheses after a function's name, and its arguments.
func (p *pathParser) function(name string) (*pathFunction, error) {
	depth := 0
	for i, c := range p.rest() {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			f := &pathFunction{name: name, arguments: strings.TrimSpace(p.rest()[1:i])}
			p.pos += i + 1
			return f, nil
		}
	}
	return nil, p.fail("a parenthesis is not closed")
}

// apply applies the function to v. ok is false if the function has no value, as with a function that does not exist. The functions that
// compute with numbers never have one: in Step Functions they find no numbers, because its JSON library has other types than Jayway
// expects.
func (f *pathFunction) apply(v any) (result any, ok bool) {
	items, isArray := v.([]any)
	o, isObject := v.(*jsontree.Object)
	switch f.name {
	case "length", "size":
		switch {
		case isArray:
			return int64(len(items)), true
		case isObject:
			return int64(o.Len()), true
		}
		return nil, true
	case "keys":
		if !isObject {
			return nil, true
		}
		keys := make([]any, o.Len())
		for i, key := range o.Keys() {
			keys[i] = key
		}
		return keys, true
	case "first":
		return itemAt(items, 0)
	case "last":
		return itemAt(items, -1)
	case "index":
		i, err := strconv.Atoi(f.arguments)
		if err != nil {
			return nil, false
		}
		return itemAt(items, i)
	default:
		return nil, false
	}
}
