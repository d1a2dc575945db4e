package jsonata

import (
	"slices"
)

// A kind is the kind of a node.
type kind uint8

const (
	kindValue kind = iota
	kindRegex
	kindName
	kindVariable
	kindWildcard
	kindDescendant
	kindPath
	kindBinary
	kindNegate
	kindArray
	kindObject
	kindBlock
	kindCondition
	kindBind
	kindLambda
	kindCall
	kindPartial
	kindTransform
	kindSort
	kindApply
	kindPlaceholder
	kindParent
	kindEnd // The end of the expression, where an operand is missing.
)

// A node is a node of an expression's syntax tree. After processing, a path is a list of steps, each with its filters. A definition may
// have thousands of nodes, so that they are small: what few nodes have is in details.
type node struct {
	kind kind

	keepArray     bool // [] follows the node, so that a single result stays in an array.
	keepSingleton bool // [] follows a step of the path.
	noFlatten     bool // The node is an array constructor at the beginning or end of a path, or a block with one.
	isPlain       bool // A literal, variable or name without clauses and [].
	isRange       bool // A range in an array constructor.
	isTail        bool // A call in the last place of a function's body.
	hasBinds      bool // The block sets variables.
	isTuple       bool // The step, or a step of the path, binds variables: its results are tuples.
	isDescending  bool // The criterion of an order-by clause has the mark >.

	pos   int    // The byte offset in the expression.
	text  string // The operator, name or variable.
	value any    // The value of a literal, or the regular expression.
	lhs   *node  // The left operand; the function of a call; the pattern of a transformation; the test of a condition.
	rhs   *node  // The right operand, or the body of a function definition.
	third *node  // The third operand of a condition or a transformation.

	// Steps, items, expressions, arguments, parameters, the criteria of an order-by clause, or the keys and values of an object
	// constructor in turns.
	list []*node

	builtin *function // The built-in function that a variable names, unless a variable has its name.
	details *details  // Nil if the node has none.
}

// details is what few nodes have.
type details struct {
	names      []string   // The keys of an object constructor, if they are all different literals; or the parameters of a function definition.
	sig        *signature // The signature of a function definition, or nil.
	predicates []stage    // The predicates of a node that is not a step.
	stages     []stage    // The predicates and index variables of a step, applied to its result for each item.
	group      *node      // The object constructor of a group-by clause.
	focus      string     // The variable of x@$focus.
	index      string     // The variable of x#$index.
	slot       *slot      // The parent that a node % selects.
	ancestor   *slot      // The slot that holds the context value of a step.
	seeking    []*slot    // The slots of the nodes % in the node whose parents lie outside the node.
}

// noDetails are the details of a node that has none.
var noDetails details

// get returns the details of n, to read them.
func (n *node) get() *details {
	if n.details == nil {
		return &noDetails
	}
	return n.details
}

// add returns the details of n, to change them.
func (n *node) add() *details {
	if n.details == nil {
		n.details = &details{}
	}
	return n.details
}

// hasClauses reports whether n has predicates or a group-by clause of its own.
func (n *node) hasClauses() bool {
	return n.details != nil && (n.details.predicates != nil || n.details.group != nil)
}

// An allocator makes nodes, several at a time.
type allocator struct {
	free []node
}

// newNode returns a node at a position of the expression.
func (a *allocator) newNode(pos int) *node {
	if len(a.free) == 0 {
		const nodes = 8
		a.free = make([]node, nodes)
	}
	n := &a.free[0]
	a.free = a.free[1:]
	n.pos = pos
	return n
}

// A slot is the name under which a tuple holds the parent that an operator % selects.
type slot struct {
	label string
	level int // The number of steps up to the parent.
}

// A stage is a predicate of a step, or the variable of its index.
type stage struct {
	expr  *node // The predicate; nil for an index.
	index string
}

// The binding powers of the operators: a higher power binds more strongly.
const (
	powerAssign     = 10
	powerCondition  = 20
	powerOr         = 25
	powerAnd        = 30
	powerComparison = 40
	powerSum        = 50
	powerProduct    = 60
	powerObject     = 70
	powerDot        = 75
	powerCall       = 80
)

// bindingPower maps each operator with a left operand to its binding power.
var bindingPower = map[string]int{
	".": powerDot, "[": powerCall, "{": powerObject, "(": powerCall, "@": powerCall, "#": powerCall,
	"?": powerCondition, "+": powerSum, "-": powerSum, "*": powerProduct, "/": powerProduct, "%": powerProduct,
	"=": powerComparison, "<": powerComparison, ">": powerComparison, "^": powerComparison, ":=": powerAssign,
	"!=": powerComparison, "<=": powerComparison, ">=": powerComparison, "~>": powerComparison, "?:": powerComparison,
	"??": powerComparison, operatorAnd: powerAnd, operatorOr: powerOr, operatorIn: powerComparison, "&": powerSum,
}

// maxNesting is how deep expressions may be nested.
const maxNesting = 500

// A parser is a Pratt parser: the binding powers decide which operands belong to an operator.
type parser struct {
	lexer  lexer
	latest bool  // See Config.Latest.
	token  token // The next token.
	depth  int   // The number of expressions around the current one.
	err    error // The first error.

	variables []string // The names of all variables so far. A name may be there repeatedly.
	allocator
}

// fail records the first error and moves to the end of the text, which stops the parser.
func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.lexer.pos = len(p.lexer.text)
	p.token = token{kind: tokenEnd, text: "(end)", pos: p.lexer.pos}
}

// advance reads the next token. slash is the argument of lexer.next.
func (p *parser) advance(slash slashMeaning) {
	if p.err != nil {
		return
	}
	t, err := p.lexer.next(slash)
	if err != nil {
		p.fail(err)
		return
	}
	p.token = t
}

// nextIs reports whether the operator comes next.
func (p *parser) nextIs(operator string) bool {
	return p.token.kind == tokenOperator && p.token.text == operator
}

// expect consumes the operator, or fails if another token comes next. slash is the meaning of a slash after the operator.
func (p *parser) expect(operator string, slash slashMeaning) {
	if !p.nextIs(operator) {
		if p.token.kind == tokenEnd {
			p.fail(syntaxError("S0203", p.token.pos, "Expected "+quote(operator)+" before end of expression"))
		} else {
			p.fail(syntaxError("S0202", p.token.pos, "Expected "+quote(operator)+", got "+quote(p.token.text)))
		}
		return
	}
	p.advance(slash)
}

// accept consumes the operator if it comes next, and reports whether it did.
func (p *parser) accept(operator string) bool {
	if !p.nextIs(operator) {
		return false
	}
	p.advance(slashBeginsRegex)
	return true
}

// expression parses an expression up to the first operator that does not bind more strongly than power.
func (p *parser) expression(power int) *node {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		p.fail(syntaxError("S0500", p.token.pos, "Expression is nested too deeply"))
	}

	t := p.token
	if isPrefixOperator(t) {
		p.advance(slashBeginsRegex)
	} else {
		p.advance(slashDivides)
	}
	left := p.prefix(t)
	for p.err == nil && p.token.kind == tokenOperator && power < bindingPower[p.token.text] {
		t = p.token
		p.advance(slashBeginsRegex)
		left = p.infix(t, left)
	}

	return left
}

// isPrefixOperator reports whether t is an operator that begins an expression and has an operand after it.
func isPrefixOperator(t token) bool {
	return t.kind == tokenOperator && slices.Contains([]string{"[", "(", "{", "-", "|"}, t.text)
}

// prefix parses an expression that begins with the token t, up to its first operator with a left operand.
func (p *parser) prefix(t token) *node {
	n := p.newNode(t.pos)
	n.text, n.value = t.text, t.value
	switch t.kind {
	case tokenValue:
		n.kind = kindValue
	case tokenRegex:
		n.kind = kindRegex
	case tokenName:
		n.kind = kindName
	case tokenVariable:
		n.kind = kindVariable
		if t.text != "" && t.text != "$" { // These are the context and the input.
			p.variables = append(p.variables, t.text)
		}
	case tokenOperator:
		p.prefixOperator(n)
	case tokenEnd: // processor.process refuses it, unless an operator is missing, which is the better message.
		n.kind = kindEnd
	}

	return n
}

// prefixOperator parses the rest of an expression that begins with an operator, whose text is n.text, into n.
func (p *parser) prefixOperator(n *node) {
	switch n.text {
	case operatorAnd, operatorOr, operatorIn: // At the beginning of an expression, the word is a name.
		n.kind = kindName
	case "*":
		n.kind = kindWildcard
	case "**":
		n.kind = kindDescendant
	case "-":
		n.kind, n.rhs = kindNegate, p.expression(powerObject)
	case "[":
		n.kind, n.list = kindArray, p.items()
	case "{":
		n.kind, n.list = kindObject, p.objectPairs()
	case "(":
		n.kind, n.list = kindBlock, p.block()
	case "|":
		n.kind, n.lhs = kindTransform, p.expression(0)
		p.expect("|", slashBeginsRegex)
		n.rhs = p.expression(0)
		if p.accept(",") {
			n.third = p.expression(0)
		}
		p.expect("|", slashDivides)
	case "%":
		n.kind = kindParent
	default:
		p.fail(syntaxError("S0211", n.pos, "The symbol "+quote(n.text)+" cannot be used as a unary operator"))
	}
}

// block parses the expressions of a block up to its closing parenthesis.
func (p *parser) block() []*node {
	var parts []*node
	for !p.nextIs(")") && p.err == nil {
		parts = append(parts, p.expression(0))
		if !p.accept(";") {
			break
		}
	}

	p.expect(")", slashDivides)
	return parts
}

// items parses the items of an array constructor up to its closing bracket. An item may be a range, such as 1..3.
func (p *parser) items() []*node {
	var items []*node
	for first := true; p.err == nil && (!first || !p.nextIs("]")); first = false {
		item := p.expression(0)
		if p.nextIs("..") {
			operator := p.newNode(p.token.pos)
			p.advance(slashBeginsRegex)
			operator.kind, operator.text, operator.isRange, operator.lhs, operator.rhs = kindBinary, "..", true, item, p.expression(0)
			item = operator
		}

		items = append(items, item)
		if !p.accept(",") {
			break
		}
	}

	p.expect("]", slashDivides)
	return items
}

// objectPairs parses the keys and values of an object constructor up to its closing brace. It returns them in turns.
func (p *parser) objectPairs() []*node {
	var pairs []*node
	for first := true; p.err == nil && (!first || !p.nextIs("}")); first = false {
		key := p.expression(0)
		p.expect(":", slashBeginsRegex)
		pairs = append(pairs, key, p.expression(0))
		if !p.accept(",") {
			break
		}
	}

	p.expect("}", slashDivides)
	return pairs
}
