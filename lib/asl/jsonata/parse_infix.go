package jsonata

import "slices"

// infix parses the rest of an expression whose operator is t and whose left operand is left.
func (p *parser) infix(t token, left *node) *node {
	n := p.newNode(t.pos)
	n.text, n.lhs = t.text, left
	switch t.text {
	case "?":
		n.kind, n.rhs = kindCondition, p.expression(0)
		if p.accept(":") {
			n.third = p.expression(0)
		}
	case ":=":
		n.kind = kindBind
		if left.kind != kindVariable {
			p.fail(syntaxError("S0212", t.pos, "The left side of := must be a variable name (start with $)"))
		}
		n.rhs = p.expression(powerAssign - 1) // Less than powerAssign, because := is right-associative.
	case "[":
		return p.predicate(n)
	case "{":
		n.kind = kindObject
		n.list = p.objectPairs()
	case "^":
		n.kind = kindSort
		p.sortTerms(n)
	case "(":
		return p.call(n)
	case "~>":
		n.kind, n.rhs = kindApply, p.expression(powerComparison)
	case "@", "#":
		n.kind, n.rhs = kindBinary, p.expression(powerCall)
		if n.rhs.kind != kindVariable {
			p.fail(syntaxError("S0214", t.pos, "The right side of "+quote(t.text)+" must be a variable name (start with $)"))
		}
	case "?:", "??":
		if !p.latest {
			p.failLater(t)
		}
		n.kind, n.rhs = kindBinary, p.expression(bindingPower[t.text])
	default:
		n.kind, n.rhs = kindBinary, p.expression(bindingPower[t.text])
	}

	return n
}

// predicate parses the rest of x[…].
func (p *parser) predicate(n *node) *node {
	n.kind = kindBinary
	if p.nextIs("]") { // x[] keeps a single result in an array.
		step := n.lhs
		for step.kind == kindBinary && step.text == "[" { // In x[1][], it is x that [] belongs to.
			step = step.lhs
		}
		step.keepArray = true
		p.advance(slashDivides)
		return n.lhs
	}

	n.rhs = p.expression(0)
	p.expect("]", slashDivides)
	return n
}

// sortTerms parses the criteria of x^(…).
func (p *parser) sortTerms(n *node) {
	p.expect("(", slashBeginsRegex)
	for p.err == nil {
		descending := false
		if p.nextIs("<") || p.nextIs(">") {
			descending = p.nextIs(">")
			p.advance(slashBeginsRegex)
		}

		criterion := p.expression(0)
		criterion.isDescending = descending
		n.list = append(n.list, criterion)
		if !p.accept(",") {
			break
		}
	}

	p.expect(")", slashDivides)
}

// call parses the arguments of a function call, or the parameters and the body of a function definition.
func (p *parser) call(n *node) *node {
	n.kind = kindCall
	for first := true; p.err == nil && (!first || !p.nextIs(")")); first = false {
		if p.nextIs("?") {
			n.kind = kindPartial
			placeholder := p.newNode(p.token.pos)
			placeholder.kind = kindPlaceholder
			n.list = append(n.list, placeholder)
			p.advance(slashBeginsRegex)
		} else {
			n.list = append(n.list, p.expression(0))
		}

		if !p.accept(",") {
			break
		}
	}

	p.expect(")", slashDivides)
	if n.lhs.kind == kindName && (n.lhs.text == "function" || n.lhs.text == "λ") {
		p.lambda(n)
	}
	return n
}

// lambda parses the signature and the body of a function definition. call has parsed its parameters into n.list.
func (p *parser) lambda(n *node) {
	n.kind = kindLambda
	d := n.add()
	for _, parameter := range n.list {
		if parameter.kind != kindVariable {
			p.fail(syntaxError("S0208", parameter.pos, "Parameter of function definition must be a variable name (start with $)"))
		}
		d.names = append(d.names, parameter.text)
	}

	d.names = slices.Clip(d.names)
	if p.nextIs("<") {
		d.sig = p.signature()
	}
	p.expect("{", slashBeginsRegex)
	n.rhs = p.expression(0)
	p.expect("}", slashDivides)
}

// signature parses the signature of a function definition. The next token is its <.
func (p *parser) signature() *signature {
	rest := p.lexer.text[p.token.pos:]
	end := closingBracket(rest)
	if end < 0 {
		p.fail(syntaxError("S0202", p.token.pos, `Expected ">" in a function signature`))
		return nil
	}

	sig, err := parseSignature(rest[:end+1])
	if err != nil {
		p.fail(err)
		return nil
	}

	p.lexer.pos = p.token.pos + end + 1
	p.advance(slashBeginsRegex)
	return sig
}

// failLater fails at an operator that JSONata got after the version that Step Functions runs.
func (p *parser) failLater(t token) {
	p.fail(syntaxError("S0211", t.pos, "The operator "+t.text+" is not in JSONata 2.0.6, the version of Step Functions: it came with 2.1. "+
		"Write $exists(a) ? a : b"))
}
