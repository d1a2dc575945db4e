package asl

import (
	"errors"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A missingError is the error of a variable that is not defined, or of a definite path that selects nothing. The text for a path is that
// of the Jayway library.
type missingError struct {
	text string
	// isPastEnd is set if the last step of the path is an index that the array does not have.
	isPastEnd bool
}

func (e *missingError) Error() string { return e.text }

// eval returns the value that the path selects in v.
func (p *path) eval(v any) (any, error) {
	selected, err := p.evalSteps(v)
	if err != nil || p.function == nil {
		return selected, err
	}

	result, ok := p.function.apply(selected)
	if !ok {
		return nil, &missingError{text: "The function " + p.function.name + "() has no value for path: $" + p.text}
	}
	return result, nil
}

// evalSteps returns the value that the steps of a definite path select in v, or the list that the steps of an indefinite path select.
func (p *path) evalSteps(v any) (any, error) {
	if !p.isDefinite() {
		c := collector{path: p, root: v, selected: []any{}}
		c.collect(v, 0)
		if c.visits > maxVisits {
			return nil, errPathTooExpensive
		}
		return c.selected, nil
	}

	for i := range p.steps {
		next, ok := p.steps[i].child(v)
		if ok {
			v = next
			continue
		}
		// Jayway has another text for a name before the last step than for an index or the last step.
		isLast := i == len(p.steps)-1
		if !isLast && p.steps[i].kind == stepNames {
			return nil, &missingError{text: "Missing property in path " + p.describe(i+1)}
		}
		_, isArray := v.([]any)
		return nil, &missingError{
			text:      "No results for path: " + p.describe(len(p.steps)),
			isPastEnd: isLast && isArray && p.steps[i].kind == stepIndices && p.function == nil,
		}
	}

	return v, nil
}

// describe returns the first steps of a definite path in bracket notation.
func (p *path) describe(steps int) string {
	var text strings.Builder
	text.WriteByte('$')
	for _, s := range p.steps[:steps] {
		if s.kind == stepNames {
			text.WriteString("['" + s.names[0] + "']")
		} else {
			text.WriteString("[" + strconv.Itoa(s.indices[0]) + "]")
		}
	}
	return text.String()
}

// child returns the child of v that a definite step selects.
func (s *pathStep) child(v any) (any, bool) {
	if s.kind == stepNames {
		o, ok := v.(*jsontree.Object)
		if !ok {
			return nil, false
		}
		return o.Get(s.names[0])
	}

	items, _ := v.([]any)
	return itemAt(items, s.indices[0])
}

// itemAt returns item i. A negative i counts from the end.
func itemAt(items []any, i int) (any, bool) {
	if i < 0 {
		i += len(items)
	}
	if i < 0 || i >= len(items) {
		return nil, false
	}
	return items[i], true
}

// maxVisits limits the work of an indefinite path: consecutive deep steps visit each value many times.
const maxVisits = 1_000_000

// errPathTooExpensive is the error of a path that exceeds maxVisits.
var errPathTooExpensive = errors.New("asl: the JSONPath selects too much")

// A collector collects the values that an indefinite path selects. root is the value of $ in filters.
type collector struct {
	path     *path
	root     any
	selected []any
	visits   int
}

// collect adds the values that the steps from i on select in v.
func (c *collector) collect(v any, i int) {
	c.visits++
	switch {
	case c.visits > maxVisits: // eval returns the error.
	case i == len(c.path.steps):
		c.selected = append(c.selected, v)
	case c.path.steps[i].deep:
		walk(v, func(inner any) { c.descend(inner, i) })
	default:
		c.descend(v, i)
	}
}

// descend calls collect for each direct child of v that step i selects.
func (c *collector) descend(v any, i int) {
	c.visits++
	if c.visits > maxVisits {
		return
	}
	for _, child := range c.path.steps[i].children(v, c.root) {
		c.collect(child, i+1)
	}
}

// walk calls visit with v and all values inside it, at any depth.
func walk(v any, visit func(any)) {
	visit(v)
	for _, child := range childValues(v) {
		walk(child, visit)
	}
}

// childValues returns the items of an array or the values of an object.
func childValues(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case *jsontree.Object:
		values := make([]any, 0, v.Len())
		for _, key := range v.Keys() {
			value, _ := v.Get(key)
			values = append(values, value)
		}
		return values
	default:
		return nil
	}
}

// children returns the children that a step selects in v, without those in deeper values.
func (s *pathStep) children(v, root any) []any {
	var selected []any
	switch s.kind {
	case stepWildcard:
		return childValues(v)
	case stepFilter:
		if o, ok := v.(*jsontree.Object); ok { // As in Jayway, a filter selects an object itself, not its values.
			if s.filter(o, root) {
				return []any{o}
			}
			return nil
		}

		for _, member := range childValues(v) {
			if s.filter(member, root) {
				selected = append(selected, member)
			}
		}
		return selected
	case stepNames:
		return s.namedValues(v)
	}

	items, ok := v.([]any)
	if !ok {
		return nil
	}
	if s.kind == stepSlice {
		from, to := s.bounds(len(items))
		for i := from; i < to; i += s.stride {
			selected = append(selected, items[i])
		}
		return selected
	}

	for _, i := range s.indices {
		if item, ok := itemAt(items, i); ok {
			selected = append(selected, item)
		}
	}
	return selected
}

// namedValues returns a list with what the names of the step select in v: one name selects the field's value; several names select one
// object with these fields, as in Jayway.
func (s *pathStep) namedValues(v any) []any {
	o, ok := v.(*jsontree.Object)
	if !ok {
		return nil
	}
	if len(s.names) == 1 {
		if value, ok := o.Get(s.names[0]); ok {
			return []any{value}
		}
		return nil
	}

	selected := &jsontree.Object{}
	for _, name := range s.names {
		if value, ok := o.Get(name); ok {
			selected.Set(name, value)
		}
	}
	return []any{selected}
}

// bounds returns the first index of a slice and the index after its last.
func (s *pathStep) bounds(length int) (from, to int) {
	from, to = 0, length
	if s.from != nil {
		from = *s.from
	}
	if s.to != nil {
		to = *s.to
	}

	if from < 0 {
		from += length
	}
	if to < 0 {
		to += length
	}
	return max(from, 0), min(to, length)
}

// set returns a copy of v with value at the path, which must be definite. It adds missing objects along the path. ok is false
// if the path leads through another kind of value or an index is out of range.
func (p *path) set(v, value any) (changed any, ok bool) {
	return setSteps(p.steps, v, value)
}

// setSteps does what set does, for the remaining steps of a path.
func setSteps(steps []pathStep, v, value any) (any, bool) {
	if len(steps) == 0 {
		return value, true
	}

	step := &steps[0]
	if step.kind == stepNames {
		o := &jsontree.Object{}
		if existing, ok := v.(*jsontree.Object); ok {
			o = existing.Clone()
		} else if v != nil {
			return nil, false
		}

		child, _ := o.Get(step.names[0])
		changed, ok := setSteps(steps[1:], child, value)
		o.Set(step.names[0], changed)
		return o, ok
	}

	items, _ := v.([]any)
	child, ok := itemAt(items, step.indices[0])
	if !ok {
		return nil, false
	}

	changed, ok := setSteps(steps[1:], child, value)
	i := step.indices[0]
	if i < 0 {
		i += len(items)
	}

	copied := append([]any{}, items...)
	copied[i] = changed
	return copied, ok
}
