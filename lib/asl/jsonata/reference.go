package jsonata

import "slices"

// References are what an expression reads from outside itself.
type References struct {
	// Names are the names that the expression reads at the top level, where there is no context: phone in phone.number. Each name
	// stands there once, in the order of the expression.
	Names []string
	// HasRoot is set if the expression reads $$, the context at the top level.
	HasRoot bool
	// Fields are the fields that the expression reads directly from variables. Each field stands there once.
	Fields []Field
}

// Field is a field of a variable, such as $states.result.
type Field struct {
	// Variable is the variable's name, without $.
	Variable string
	// Name is the field's name.
	Name string
}

// References returns what the expression reads from outside itself.
func (x *Expr) References() References {
	var r References
	r.addNames(x.root)
	r.addFields(x.root)
	return r
}

// addNames adds the names that n reads at the top level. Only the first step of a path has the context of the path itself. All later
// steps, the predicates, the criteria of an order-by clause and group-by clauses have the context of a value that the path has selected.
// The body of a function definition has the context of the definition.
func (r *References) addNames(n *node) {
	if n == nil {
		return
	}

	switch n.kind {
	case kindName:
		r.Names = addOnce(r.Names, n.text)
		return
	case kindPath:
		r.addNames(n.list[0])
		return
	case kindTransform: // Its parts have the context of the value that it transforms.
		return
	}

	r.addNames(n.lhs)
	r.addNames(n.rhs)
	r.addNames(n.third)
	for _, part := range n.list {
		r.addNames(part)
	}
}

// addFields adds $$ and the fields of variables, anywhere in n.
func (r *References) addFields(n *node) {
	if n == nil {
		return
	}

	if n.kind == kindVariable && n.text == "$" {
		r.HasRoot = true
	}
	if n.kind == kindPath && len(n.list) > 1 && n.list[0].kind == kindVariable && n.list[1].kind == kindName {
		r.Fields = addOnce(r.Fields, Field{n.list[0].text, n.list[1].text})
	}

	r.addFields(n.lhs)
	r.addFields(n.rhs)
	r.addFields(n.third)
	for _, part := range n.list {
		r.addFields(part)
	}
	if d := n.details; d != nil {
		r.addFields(d.group)
		for _, s := range d.predicates {
			r.addFields(s.expr)
		}
		for _, s := range d.stages {
			r.addFields(s.expr)
		}
	}
}

// addOnce appends item to items if it is not there yet.
func addOnce[T comparable](items []T, item T) []T {
	if slices.Contains(items, item) {
		return items
	}
	return append(items, item)
}
