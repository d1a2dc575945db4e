package ecmaregexp

import "fmt"

// An operation is what an instruction does.
type operation int

const (
	opMatch         operation = iota
	opRune                    // Match the character r.
	opAny                     // Match any character but a line break.
	opClass                   // Match a character of a class.
	opJump                    // Go on at to.
	opSplit                   // Go on at to, and at other if that fails.
	opSave                    // Store the offset in the register to.
	opReset                   // Clear the captured offsets from to up to other.
	opMark                    // Store the offset in the mark to.
	opProgress                // Fail if the offset is still that of the mark to.
	opBegin                   // Match at the beginning.
	opEnd                     // Match at the end.
	opWord                    // Match at a word boundary.
	opBackReference           // Match the text of the group to.
	opLook                    // Match the program up to the instruction before to, and go on at to and at the same offset.
)

// An instruction is one instruction of a program.
type instruction struct {
	op        operation
	r         rune
	class     *class
	to, other int
	negated   bool
	backward  bool // In a lookbehind, the program matches from right to left.
}

// maxProgram is the greatest number of instructions.
const maxProgram = 20_000

// A compiler makes a program of a tree.
type compiler struct{ re *Regexp }

// add appends an instruction.
func (c *compiler) add(in instruction) error {
	if len(c.re.program) >= maxProgram {
		return fmt.Errorf("%w: it is too large", ErrSyntax)
	}
	c.re.program = append(c.re.program, in)
	return nil
}

// here is the position of the next instruction.
func (c *compiler) here() int { return len(c.re.program) }

// emit appends the program of a tree.
func (c *compiler) emit(n *tree, backward bool) error {
	switch n.kind {
	case kindSequence:
		for i := range n.parts {
			part := n.parts[i]
			if backward {
				part = n.parts[len(n.parts)-1-i]
			}
			if err := c.emit(part, backward); err != nil {
				return err
			}
		}
		return nil
	case kindAlternatives:
		return c.alternatives(n, backward)
	case kindGroup:
		return c.group(n, backward)
	case kindLook:
		at := c.here()
		if err := c.add(instruction{op: opLook, negated: n.negated}); err != nil {
			return err
		}
		if err := c.emit(n.parts[0], n.behind); err != nil {
			return err
		}
		err := c.add(instruction{op: opMatch})
		c.re.program[at].to = c.here()
		return err
	case kindRepeat:
		return c.repeat(n, backward)
	default:
		in := n.instruction
		in.backward = backward
		return c.add(in)
	}
}

func (c *compiler) alternatives(n *tree, backward bool) error {
	var jumps []int
	for i, part := range n.parts {
		split := c.here()
		isLast := i == len(n.parts)-1
		if !isLast {
			if err := c.add(instruction{op: opSplit, to: split + 1}); err != nil {
				return err
			}
		}
		if err := c.emit(part, backward); err != nil {
			return err
		}
		if !isLast {
			jumps = append(jumps, c.here())
			if err := c.add(instruction{op: opJump}); err != nil {
				return err
			}
			c.re.program[split].other = c.here()
		}
	}
	for _, at := range jumps {
		c.re.program[at].to = c.here()
	}
	return nil
}

func (c *compiler) group(n *tree, backward bool) error {
	if n.group == 0 {
		return c.emit(n.parts[0], backward)
	}
	first, second := 2*n.group, 2*n.group+1
	if backward {
		first, second = second, first
	}
	if err := c.add(instruction{op: opSave, to: first}); err != nil {
		return err
	}
	if err := c.emit(n.parts[0], backward); err != nil {
		return err
	}
	return c.add(instruction{op: opSave, to: second})
}

// repeat appends the program of a quantifier: the required copies of its part, then the optional copies or a loop.
func (c *compiler) repeat(n *tree, backward bool) error {
	for range n.least {
		if err := c.iteration(n, backward); err != nil {
			return err
		}
	}
	if n.most < 0 {
		return c.loop(n, backward)
	}

	var splits []int
	for i := n.least; i < n.most; i++ {
		splits = append(splits, c.here())
		if err := c.add(instruction{op: opSplit}); err != nil {
			return err
		}
		if err := c.progress(n, backward); err != nil {
			return err
		}
	}
	for _, at := range splits {
		c.split(at, at+1, c.here(), n.lazy)
	}
	return nil
}

// loop appends the program of an unlimited repetition.
func (c *compiler) loop(n *tree, backward bool) error {
	start := c.here()
	if err := c.add(instruction{op: opSplit}); err != nil {
		return err
	}
	if err := c.progress(n, backward); err != nil {
		return err
	}
	if err := c.add(instruction{op: opJump, to: start}); err != nil {
		return err
	}
	c.split(start, start+1, c.here(), n.lazy)
	return nil
}

// split completes the split at an instruction: it first tries the body, or the end if the quantifier is lazy.
func (c *compiler) split(at, body, end int, lazy bool) {
	if lazy {
		body, end = end, body
	}
	c.re.program[at].to, c.re.program[at].other = body, end
}

// progress appends an iteration that fails if it matches nothing.
func (c *compiler) progress(n *tree, backward bool) error {
	if n.parts[0].kind == kindSimple && n.parts[0].instruction.op <= opClass { // It always matches a character.
		return c.iteration(n, backward)
	}
	mark := c.re.marks
	c.re.marks++
	if err := c.add(instruction{op: opMark, to: mark}); err != nil {
		return err
	}
	if err := c.iteration(n, backward); err != nil {
		return err
	}
	return c.add(instruction{op: opProgress, to: mark})
}

// iteration appends one copy of the part of a quantifier. It clears what its groups captured before.
func (c *compiler) iteration(n *tree, backward bool) error {
	if n.toGroup > n.fromGroup {
		if err := c.add(instruction{op: opReset, to: 2 * n.fromGroup, other: 2 * n.toGroup}); err != nil {
			return err
		}
	}
	return c.emit(n.parts[0], backward)
}
