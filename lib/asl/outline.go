package asl

import (
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// Outline is a set of states and how they lead to each other: that of a state machine, of a branch of a Parallel state, or of the
// processor of a Map state.
type Outline struct {
	// At is the path of the states in the definition, such as States or States.Orders.ItemProcessor.States.
	At string
	// StartAt is the name of the first state.
	StartAt string
	// States are the states in the order in which StartAt leads to them.
	States []StateOutline
}

// StateOutline is what a state may do.
type StateOutline struct {
	// Name is the state's name, which is unique in the definition.
	Name string
	// Type is the type of the state, such as Task.
	Type string
	// Resource is the Resource of a Task.
	Resource string
	// Exits are the ways out of the state in the order of the definition: Next or End, each item of Choices, Default, each item of Catch.
	Exits []Exit
	// Retriers are the items of Retry.
	Retriers []Retrier
	// Inner are the branches of a Parallel state, or the one processor of a Map state.
	Inner []Outline
}

// Exit is a way out of a state.
type Exit struct {
	// Field is Step.Field of an execution that takes the exit.
	Field string
	// Next is the name of the next state; empty for End.
	Next string
	// Condition is the condition of an item of Choices, or the ErrorEquals of a Catch; empty for others.
	Condition string
}

// Retrier is an item of Retry.
type Retrier struct {
	// Field is Step.Field of an execution in which the retrier handles an error.
	Field string
	// Errors are its ErrorEquals.
	Errors []string
	// Attempts is its MaxAttempts.
	Attempts int
}

// Outline returns the states of the machine.
func (m *Machine) Outline() Outline { return m.flow.outline("States") }

// outline returns the outline of the flow, whose states are at a path of the definition.
func (f *flow) outline(at string) Outline {
	o := Outline{At: at, StartAt: f.startAt}
	seen := map[string]bool{f.startAt: true}
	for queue := []string{f.startAt}; len(queue) > 0; queue = queue[1:] {
		s := f.states[queue[0]]
		o.States = append(o.States, s.outline(at+"."+s.name))
		s.eachTarget(func(_ string, _ int, target string) {
			if !seen[target] {
				seen[target] = true
				queue = append(queue, target)
			}
		})
	}
	return o
}

// outline returns the outline of the state, which is at a path of the definition.
func (s *state) outline(at string) StateOutline {
	o := StateOutline{Name: s.name, Type: s.kind, Resource: s.resource}
	switch {
	case s.next != "":
		o.Exits = append(o.Exits, Exit{Field: "Next", Next: s.next})
	case s.end:
		o.Exits = append(o.Exits, Exit{Field: "End"})
	}
	for i, c := range s.choices {
		o.Exits = append(o.Exits, Exit{indexed("Choices", i), c.next, c.rule.String()})
	}
	if s.defaultNext != "" {
		o.Exits = append(o.Exits, Exit{Field: "Default", Next: s.defaultNext})
	}
	for i, c := range s.catch {
		o.Exits = append(o.Exits, Exit{indexed("Catch", i), c.next, strings.Join(c.errors, ", ")})
	}
	for i, r := range s.retry {
		o.Retriers = append(o.Retriers, Retrier{indexed("Retry", i), slices.Clone(r.errors), r.attempts})
	}

	for i, branch := range s.branches {
		o.Inner = append(o.Inner, branch.outline(at+"."+indexed("Branches", i)+".States"))
	}
	if s.mapFields != nil {
		o.Inner = append(o.Inner, s.mapFields.processor.outline(at+"."+s.mapFields.processorName+".States"))
	}
	return o
}

func (r andRule) String() string { return joinRules(r, " and ") }
func (r orRule) String() string  { return joinRules(r, " or ") }
func (r notRule) String() string { return "not (" + r.rule.String() + ")" }

// joinRules returns the texts of the rules, each in parentheses.
func joinRules(rules []rule, word string) string {
	texts := make([]string, len(rules))
	for i, r := range rules {
		texts[i] = "(" + r.String() + ")"
	}
	return strings.Join(texts, word)
}

func (r jsonataRule) String() string {
	if x, ok := r.condition.(*expression); ok {
		return x.text
	}
	literal, _ := r.condition.(literalTemplate)
	return jsontree.Text(literal.v)
}

func (r dataTest) String() string {
	if r.path != nil {
		return r.variable.text + " " + r.operator + "Path " + r.path.text
	}
	return r.variable.text + " " + r.operator + " " + jsontree.Text(r.value)
}
