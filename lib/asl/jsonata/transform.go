package jsonata

import (
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// transformSignature is the signature of the function of a transform.
var transformSignature = mustSignature("<(oa):o>")

// transform returns the function of the operator |pattern|update,delete|. The function returns a changed deep copy of its argument. It
// changes only objects of that copy: the pattern may also select an object of a variable, which other expressions share.
func (e *evaluation) transform(n *node, f *frame) *function {
	return &function{
		name: "transform", arity: 1, sig: transformSignature,
		call: func(e *evaluation, args []any, _ any) (any, error) {
			if isUndefined(argAt(args, 0)) {
				return undefined{}, nil
			}
			objects := map[*jsontree.Object]bool{} // The objects of the copy.
			copied, err := e.deepCopy(args[0], objects)
			if err != nil {
				return nil, err
			}
			matches, err := e.eval(n.lhs, copied, f)
			if err != nil || isUndefined(matches) {
				return copied, err
			}

			for _, match := range itemsOf(matches) {
				o, ok := match.(*jsontree.Object)
				if !ok || !objects[o] {
					o = &jsontree.Object{} // The clauses are still evaluated, and checked.
					if err := e.applyUpdate(n, match, o, f); err != nil {
						return nil, err
					}
					continue
				}
				if err := e.applyUpdate(n, match, o, f); err != nil {
					return nil, err
				}
			}

			return copied, nil
		},
	}
}

// applyUpdate changes the object o as the update and delete clauses of a transform say, with the match as their context.
func (e *evaluation) applyUpdate(n *node, match any, o *jsontree.Object, f *frame) error {
	updates, err := e.eval(n.rhs, match, f)
	if err != nil {
		return err
	}

	if !isUndefined(updates) {
		changes, ok := updates.(*jsontree.Object)
		if !ok {
			return evalError("T2011", "The insert/update clause of the transform expression must evaluate to an object: "+e.describe(updates))
		}
		for _, key := range changes.Keys() {
			value, _ := changes.Get(key)
			if err := e.setPair(o, key, value); err != nil {
				return err
			}
		}
	}

	if n.third == nil {
		return nil
	}

	deletions, err := e.eval(n.third, match, f)
	if err != nil || isUndefined(deletions) {
		return err
	}

	deleted := map[string]bool{}
	for _, deletion := range itemsOf(deletions) {
		name, ok := deletion.(string)
		if !ok {
			return evalError("T2012", "The delete clause of the transform expression must evaluate to a string or array of strings: "+
				e.describe(deletions))
		}
		deleted[name] = true
	}

	remaining := &jsontree.Object{}
	for _, key := range o.Keys() {
		if value, _ := o.Get(key); !deleted[key] {
			remaining.Set(key, value)
		}
	}
	*o = *remaining
	return nil
}

// deepCopy returns a copy of v without any part of v. It adds the objects in the copy to objects.
func (e *evaluation) deepCopy(v any, objects map[*jsontree.Object]bool) (any, error) {
	if items, ok := arrayItems(v); ok {
		if err := e.reserveItems(len(items)); err != nil {
			return nil, err
		}
		copied := make([]any, len(items))
		for i, item := range items {
			var err error
			if copied[i], err = e.deepCopy(item, objects); err != nil {
				return nil, err
			}
		}
		return &array{items: copied}, nil
	}

	o, ok := v.(*jsontree.Object)
	if !ok {
		return v, nil
	}

	copied := &jsontree.Object{}
	objects[copied] = true
	if err := e.step(1); err != nil {
		return nil, err
	}
	for _, key := range o.Keys() {
		value, _ := o.Get(key)
		value, err := e.deepCopy(value, objects)
		if err != nil {
			return nil, err
		}
		if err := e.setPair(copied, key, value); err != nil {
			return nil, err
		}
	}
	return copied, nil
}
