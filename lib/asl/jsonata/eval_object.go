package jsonata

import (
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A group is the items that gave one key of an object constructor.
type group struct {
	pair int // The index in n.list of the key.
	data any // The items of the group.
	own  bool
}

// object evaluates an object constructor or a group-by clause over the items of v. Items that give the same key form a group:
// the value of that key is evaluated once, with the items of the group as its context.
func (e *evaluation) object(n *node, v any, f *frame) (any, error) {
	a, _ := v.(*array)
	isTuples := a != nil && a.tuples
	items, isArray := arrayItems(v)
	if !isArray {
		return e.singleObject(n, v, f)
	}
	if len(items) == 0 { // Without items, the keys and values are still evaluated once.
		return e.singleObject(n, undefined{}, f)
	}

	groups, keys := map[string]*group{}, []string{}
	for _, item := range items {
		context, inner := item, f
		if t, ok := item.(*tuple); ok && isTuples {
			context, inner = t.value, t.frame(f)
		}
		for i := 0; i < len(n.list); i += 2 {
			name, ok, err := e.key(n.list[i], context, inner)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}

			g, exists := groups[name]
			switch {
			case !exists:
				groups[name] = &group{pair: i, data: item}
				keys = append(keys, name)
			case g.pair != i:
				return nil, errSameKey(name)
			default:
				if err := e.addToGroup(g, item); err != nil {
					return nil, err
				}
			}
		}
	}
	return e.groupValues(n, keys, groups, isTuples, f)
}

// groupValues returns the object of the groups: it evaluates the value of each key with the items of its group.
func (e *evaluation) groupValues(n *node, keys []string, groups map[string]*group, areTuples bool, f *frame) (any, error) {
	result := &jsontree.Object{}
	for _, key := range keys {
		g := groups[key]
		context, inner := g.data, f
		if areTuples {
			merged, err := e.mergeTuples(itemsOf(g.data))
			if err != nil {
				return nil, err
			}
			context, inner = merged.value, merged.frame(f)
		}
		value, err := e.eval(n.list[g.pair+1], context, inner)
		if err != nil {
			return nil, err
		}
		if err := e.setPair(result, key, value); err != nil {
			return nil, err
		}
	}

	return result, nil
}

// singleObject evaluates an object constructor for one item.
func (e *evaluation) singleObject(n *node, v any, f *frame) (any, error) {
	if n.get().names != nil {
		return e.literalObject(n, v, f)
	}
	result := &jsontree.Object{}
	if len(n.list) == 2 {
		name, ok, err := e.key(n.list[0], v, f)
		if err != nil || !ok {
			return result, err
		}
		value, err := e.eval(n.list[1], v, f)
		if err != nil {
			return nil, err
		}
		return result, e.setPair(result, name, value)
	}

	count := len(n.list) / 2
	keys, present := make([]string, count), make([]bool, count)
	seen := make(map[string]bool, count)
	for i := range count { // All keys come before the values.
		name, ok, err := e.key(n.list[2*i], v, f)
		if err != nil {
			return nil, err
		}
		if ok && seen[name] {
			return nil, errSameKey(name)
		}
		keys[i], present[i] = name, ok
		seen[name] = seen[name] || ok
	}
	for i := range count {
		if !present[i] {
			continue
		}
		value, err := e.eval(n.list[2*i+1], v, f)
		if err != nil {
			return nil, err
		}
		if err := e.setPair(result, keys[i], value); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// literalObject evaluates an object constructor whose keys are all different literals.
func (e *evaluation) literalObject(n *node, v any, f *frame) (any, error) {
	keys := n.details.names
	if err := e.checkLeaf(); err != nil && len(keys) > 0 {
		return nil, err
	}
	e.nodes += len(keys)
	values := make([]any, len(keys))
	isComplete := true
	for i, key := range keys {
		var err error
		if values[i], err = e.eval(n.list[2*i+1], v, f); err != nil {
			return nil, err
		}
		if isUndefined(values[i]) {
			isComplete = false
			continue
		}
		if err := e.reserve(pairBytes + len(key)); err != nil {
			return nil, err
		}
	}
	if isComplete {
		return jsontree.ObjectOf(keys, values), nil
	}

	result := &jsontree.Object{}
	for i, key := range keys {
		if !isUndefined(values[i]) {
			result.Set(key, values[i])
		}
	}
	return result, nil
}

// key evaluates the key of a pair. ok is false if the key is undefined.
func (e *evaluation) key(n *node, v any, f *frame) (name string, ok bool, err error) {
	if s, isString := n.value.(string); isString && n.kind == kindValue && n.isPlain {
		e.nodes++
		return s, true, e.checkLeaf()
	}
	key, err := e.eval(n, v, f)
	if err != nil || isUndefined(key) {
		return "", false, err
	}
	name, ok = key.(string)
	if !ok {
		return "", false, evalError("T1003", "Key in object structure must evaluate to a string; got: "+e.describe(key))
	}
	return name, true, nil
}

func errSameKey(name string) error {
	return evalError("D1009", "Multiple key definitions evaluate to same key: "+quote(name))
}

// setPair sets a key of an object, unless the value is undefined.
func (e *evaluation) setPair(o *jsontree.Object, key string, value any) error {
	if isUndefined(value) {
		return nil
	}
	if err := e.reserve(pairBytes + len(key)); err != nil {
		return err
	}
	o.Set(key, value)
	return nil
}

// addToGroup appends an item, or the items of an array, to a group.
func (e *evaluation) addToGroup(g *group, item any) error {
	items := itemsOf(item)
	if err := e.reserveItems(len(items)); err != nil {
		return err
	}
	if g.own {
		a, _ := g.data.(*array)
		a.items = append(a.items, items...)
		return nil
	}
	joined, err := e.appendValues(g.data, item)
	g.data, g.own = joined, true
	return err
}
