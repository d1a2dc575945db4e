package asl

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// maxNameLength is the greatest number of characters of a state's name.
const maxNameLength = 80

// decodeFlow decodes StartAt and States. language is the query language of states that do not set their own.
func (d *decoder) decodeFlow(f *fieldReader, language string) *flow {
	f.require("States", "StartAt")
	parsed := &flow{startAt: f.targetValue("StartAt"), states: map[string]*state{}}

	v, ok := f.take("States")
	if !ok {
		return parsed
	}

	states, ok := v.(*jsontree.Object)
	if !ok {
		f.invalid("States", "Expected value of type Object")
		return parsed
	}

	if states.Len() == 0 {
		f.invalid("States", ruleEmpty)
		return parsed
	}

	for _, name := range states.Keys() {
		at := f.path("States") + "/" + name
		d.checkName(name, at, slices.Contains(d.repeated[states], name))
		definition, _ := states.Get(name)
		parsed.states[name] = d.decodeState(name, definition, at, language)
	}

	d.checkTargets(f, parsed, states)
	d.checkGraph(f, parsed, states)
	return parsed
}

// checkName adds a problem if a state's name is too long, or if it is not the only state of this name in the whole state machine.
// at is the path of the state. isRepeated is set if the text has the name twice in the same States.
func (d *decoder) checkName(name, at string, isRepeated bool) {
	if isRepeated || d.names[name] {
		d.addProblem(codeName, at, "State name '"+name+"' is used more than once")
	}
	d.names[name] = true

	if utf8.RuneCountInString(name) > maxNameLength {
		d.invalid(at, "State names must not be longer than "+strconv.Itoa(maxNameLength)+" characters")
	}
}

// eachTarget calls visit with the name of each state that a state leads to. field is where the name stands: /Next or /Default with i = -1,
// or the field Next of item i of /Choices or /Catch.
func (s *state) eachTarget(visit func(field string, i int, name string)) {
	if s.next != "" {
		visit("/Next", -1, s.next)
	}
	for i, c := range s.choices {
		if c.next != "" {
			visit("/Choices", i, c.next)
		}
	}
	if s.defaultNext != "" {
		visit("/Default", -1, s.defaultNext)
	}
	for i, c := range s.catch {
		if c.next != "" {
			visit("/Catch", i, c.next)
		}
	}
}

// isTerminal reports whether the execution of a flow can end in the state.
func (s *state) isTerminal() bool { return s.end || s.kind == kindSucceed || s.kind == kindFail }

// checkTargets adds a problem for each transition to a state that does not exist. states is the object States of the definition: the
// problems come in its order. As on AWS, the text names Next also if the transition is that of another field.
func (d *decoder) checkTargets(f *fieldReader, parsed *flow, states *jsontree.Object) {
	missing := func(at, name string) { d.addProblem(codeTarget, at, ruleTarget+name) }
	if parsed.startAt != "" && parsed.states[parsed.startAt] == nil {
		missing(f.path("StartAt"), parsed.startAt)
	}

	for _, name := range states.Keys() {
		parsed.states[name].eachTarget(func(field string, i int, target string) {
			if parsed.states[target] != nil {
				return
			}
			at := f.path("States") + "/" + name + field
			if i >= 0 {
				at = indexPath(at, i) + "/Next"
			}
			missing(at, target)
		})
	}
}

// checkGraph adds a problem if no state of the flow ends it. Otherwise it adds a problem for each state that StartAt does not lead to.
// AWS reports only the first problem of such a flow, too.
func (d *decoder) checkGraph(f *fieldReader, parsed *flow, states *jsontree.Object) {
	hasEnd := false
	for _, s := range parsed.states {
		hasEnd = hasEnd || s.isTerminal() || s.kind == "" // The type of a state without one is a problem already.
	}
	if !hasEnd {
		d.problems = append(d.problems, Problem{Code: codeEnd, Rule: "Workflow has no terminal state"})
		return
	}
	if parsed.states[parsed.startAt] == nil {
		return // Every state would be reported.
	}

	reached := map[string]bool{parsed.startAt: true}
	for queue := []string{parsed.startAt}; len(queue) > 0; {
		next := parsed.states[queue[0]]
		queue = queue[1:]
		if next == nil { // The target does not exist: checkTargets reports it.
			continue
		}
		next.eachTarget(func(_ string, _ int, target string) {
			if !reached[target] {
				reached[target] = true
				queue = append(queue, target)
			}
		})
	}

	for _, name := range states.Keys() {
		if !reached[name] {
			d.addProblem(codeTarget, f.path("States")+"/"+name, `State "`+name+`" is not reachable.`)
		}
	}
}
