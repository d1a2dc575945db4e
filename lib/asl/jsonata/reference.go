package jsonata

import "slices"

// References are what an expression reads from outside itself.
type References struct {
	// Names are the names that the expression reads at the top level, where there is no context: phone in phone.number. Each name
	// stands there once, in the order of the expression.
	Names []string
	// HasRoot is set if the expression reads $$, the context at the top level.
	HasRoot bool
	// Fields are the fields that the expression reads directly from each variable: result for $states.result. They are listed by the
	// variable's name, without $. Each field stands there once.
	Fields map[string][]string
}

// References returns what the expression reads from outside itself.
func (x *Expr) References() References {
	r := References{Fields: map[string][]string{}}
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

	for _, part := range []*node{n.lhs, n.rhs, n.third} {
		r.addNames(part)
	}
	for _, part := range n.list {
		r.addNames(part)
	}
	for _, pair := range n.pairs {
		r.addNames(pair[0])
		r.addNames(pair[1])
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
		name := n.list[0].text
		r.Fields[name] = addOnce(r.Fields[name], n.list[1].text)
	}

	for _, part := range []*node{n.lhs, n.rhs, n.third, n.group} {
		r.addFields(part)
	}
	for _, part := range n.list {
		r.addFields(part)
	}
	for _, list := range [][]stage{n.predicates, n.stages} {
		for _, s := range list {
			r.addFields(s.expr)
		}
	}
	for _, pair := range n.pairs {
		r.addFields(pair[0])
		r.addFields(pair[1])
	}
	for _, t := range n.terms {
		r.addFields(t.expr)
	}
}

// addOnce appends name to names if it is not there yet.
func addOnce(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}
