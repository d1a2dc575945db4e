package asl

import (
	"errors"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// missingError says that a definite path selects nothing, in the words of the Jayway library.
type missingError struct{ text string }

func (e *missingError) Error() string { return e.text }

// eval returns what the path selects in v: one value if the path is definite, else a list.
func (p *path) eval(v any) (any, error) {
	if !p.isDefinite() {
		c := collection{path: p, root: v, found: []any{}}
		c.collect(v, 0)
		if c.visits > maxVisits {
			return nil, errWide
		}
		return c.found, nil
	}

	for i := range p.steps {
		next, ok := p.steps[i].child(v)
		if ok {
			v = next
			continue
		}
		if i < len(p.steps)-1 && p.steps[i].kind == stepNames {
			return nil, &missingError{"Missing property in path " + p.describe(i+1)}
		}
		return nil, &missingError{"No results for path: " + p.describe(len(p.steps))}
	}

	return v, nil
}

// describe returns the first steps of a definite path in brackets.
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

// child returns the one child that a definite step selects.
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

func itemAt(items []any, i int) (any, bool) {
	if i < 0 {
		i += len(items)
	}
	if i < 0 || i >= len(items) {
		return nil, false
	}
	return items[i], true
}

// maxVisits bounds the work of an indefinite path: a few deep steps after each other select every value many times over.
const maxVisits = 1_000_000

// errWide is the error of a path that exceeds maxVisits.
var errWide = errors.New("asl: the JSONPath selects too much")

// A collection gathers what an indefinite path selects. root is the value of $ in filters.
type collection struct {
	path   *path
	root   any
	found  []any
	visits int
}

// collect adds what the steps from i on select in v.
func (c *collection) collect(v any, i int) {
	c.visits++
	switch {
	case c.visits > maxVisits:
	case i == len(c.path.steps):
		c.found = append(c.found, v)
	case c.path.steps[i].deep:
		walk(v, func(below any) { c.descend(below, i) })
	default:
		c.descend(v, i)
	}
}

// descend goes on with each child that step i selects in v.
func (c *collection) descend(v any, i int) {
	c.visits++
	if c.visits > maxVisits {
		return
	}
	for _, child := range c.path.steps[i].children(v, c.root) {
		c.collect(child, i+1)
	}
}

// walk calls visit with v and everything below it.
func walk(v any, visit func(any)) {
	visit(v)
	for _, child := range members(v) {
		walk(child, visit)
	}
}

// members returns the items of an array or the values of an object.
func members(v any) []any {
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

// children returns what one step selects directly in v.
func (s *pathStep) children(v, root any) []any {
	var selected []any
	switch s.kind {
	case stepWildcard:
		return members(v)
	case stepFilter:
		if o, ok := v.(*jsontree.Object); ok {
			if s.filter(o, root) {
				return []any{o}
			}
			return nil
		}

		for _, member := range members(v) {
			if s.filter(member, root) {
				selected = append(selected, member)
			}
		}
		return selected
	case stepNames:
		return s.named(v)
	}

	items, ok := v.([]any)
	if !ok {
		return nil
	}
	if s.kind == stepSlice {
		from, to := s.bounds(len(items))
		for i := from; i < to; i += s.by {
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

// named returns the values of the step's names; several names give one object of them, as in Jayway.
func (s *pathStep) named(v any) []any {
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

	some := &jsontree.Object{}
	for _, name := range s.names {
		if value, ok := o.Get(name); ok {
			some.Set(name, value)
		}
	}
	return []any{some}
}

func (s *pathStep) bounds(length int) (int, int) {
	from, to := 0, length
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

// put returns a copy of v in which value stands at the path, which is definite. It makes the objects that are missing on
// the way. ok is false when something on the way is neither, or when an index selects nothing.
func (p *path) put(v, value any) (any, bool) {
	return putSteps(p.steps, v, value)
}

func putSteps(steps []pathStep, v, value any) (any, bool) {
	if len(steps) == 0 {
		return value, true
	}

	step := &steps[0]
	if step.kind == stepNames {
		o := &jsontree.Object{}
		if known, ok := v.(*jsontree.Object); ok {
			o = known.Clone()
		} else if v != nil {
			return nil, false
		}

		child, _ := o.Get(step.names[0])
		changed, ok := putSteps(steps[1:], child, value)
		o.Set(step.names[0], changed)
		return o, ok
	}

	items, _ := v.([]any)
	child, ok := itemAt(items, step.indices[0])
	if !ok {
		return nil, false
	}

	changed, ok := putSteps(steps[1:], child, value)

	i := step.indices[0]
	if i < 0 {
		i += len(items)
	}

	copied := append([]any{}, items...)
	copied[i] = changed
	return copied, ok
}
