package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxPlanStates bounds the states of a Plan. A definition of 1 MB, the longest that Step Functions accepts, has fewer.
const maxPlanStates = 50_000

// errPlan means that a text is not a definition.
var errPlan = errors.New("trace: not a state machine definition")

// Plan is what the definition of a state machine says about the way of its executions: the states, their titles, and the longest path.
// It reads only what it needs. A definition that Step Functions accepts is never refused because of the rest.
type Plan struct {
	root *flow
	// states has all states, whose names are unique in the whole definition.
	states map[string]*state
}

// flow is a set of states of which one runs at a time: a state machine, a branch, or the processor of a Map.
type flow struct {
	start  string
	states map[string]*state
	// parent is the Parallel or Map state with the flow; nil for the state machine.
	parent *state
	// concurrent is true if several instances of the flow may run at once, because it is in a Map.
	concurrent bool
	// length is the weight of the longest path.
	length float64
}

// state is a state of a definition.
type state struct {
	name, title, kind string
	flow              *flow
	// next are the names of the states that may follow, without those that follow a failure.
	next, catch []string
	// inner are the branches of a Parallel, or the processor of a Map.
	inner []*flow
	// callback is true for a task that waits for a task token.
	callback bool
	// distributed is true for a Map whose iterations are executions of their own.
	distributed bool
	// weight is how many states the state counts for: itself, or those on the longest path inside of it. rest is the weight of the
	// longest path from the state to the end of its flow, with the state.
	weight, rest float64
	// repeats is true if the state may run again in the same run of its flow.
	repeats bool
}

// kindMap is the type of Map states.
const kindMap = "Map"

// The JSON of a definition.
type (
	flowJSON struct {
		StartAt         string                `json:"StartAt"`
		States          map[string]*stateJSON `json:"States"`
		ProcessorConfig struct {
			Mode string `json:"Mode"`
		} `json:"ProcessorConfig"`
	}
	stateJSON struct {
		Type          string       `json:"Type"`
		Comment       string       `json:"Comment"`
		Resource      string       `json:"Resource"`
		Next          string       `json:"Next"`
		Default       string       `json:"Default"`
		Choices       []targetJSON `json:"Choices"`
		Catch         []targetJSON `json:"Catch"`
		Branches      []*flowJSON  `json:"Branches"`
		ItemProcessor *flowJSON    `json:"ItemProcessor"`
		Iterator      *flowJSON    `json:"Iterator"`
	}
	targetJSON struct {
		Next string `json:"Next"`
	}
)

// NewPlan returns the plan of a definition in the Amazon States Language.
func NewPlan(definition []byte) (*Plan, error) {
	var f flowJSON
	if err := json.Unmarshal(definition, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", errPlan, err)
	}
	p := &Plan{states: map[string]*state{}}
	root, err := p.newFlow(&f, nil, false)
	if err != nil {
		return nil, err
	}
	p.root = root
	return p, nil
}

// newFlow returns a flow with all that is inside of it.
func (p *Plan) newFlow(f *flowJSON, parent *state, concurrent bool) (*flow, error) {
	if f == nil || f.States[f.StartAt] == nil {
		return nil, fmt.Errorf("%w: StartAt is not one of States", errPlan)
	}
	result := &flow{start: f.StartAt, states: map[string]*state{}, parent: parent, concurrent: concurrent}
	for name, s := range f.States {
		if s == nil || p.states[name] != nil || len(p.states) >= maxPlanStates {
			return nil, fmt.Errorf("%w: the state %q is not an object, its name is not unique, or there are over %d states", errPlan, name, maxPlanStates)
		}
		st := &state{
			name: name, title: title(name, s.Comment), kind: s.Type, flow: result, weight: 1,
			callback: strings.HasSuffix(s.Resource, ".waitForTaskToken"), next: s.targets(),
		}
		for _, c := range s.Catch {
			st.catch = append(st.catch, c.Next)
		}
		p.states[name], result.states[name] = st, st
		if err := p.addInner(st, s); err != nil {
			return nil, err
		}
	}
	result.measure()
	return result, nil
}

// targets returns the states that may follow, without those that follow a failure.
func (s *stateJSON) targets() []string {
	targets := []string{s.Next, s.Default}
	for _, c := range s.Choices {
		targets = append(targets, c.Next)
	}
	return targets
}

// addInner adds the branches or the processor of a state.
func (p *Plan) addInner(st *state, s *stateJSON) error {
	inner := s.Branches
	for _, processor := range []*flowJSON{s.ItemProcessor, s.Iterator} {
		if st.kind == kindMap && processor != nil {
			inner = []*flowJSON{processor}
			st.distributed = processor.ProcessorConfig.Mode == "DISTRIBUTED"
		}
	}
	for _, f := range inner {
		result, err := p.newFlow(f, st, st.flow.concurrent || st.kind == kindMap)
		if err != nil {
			return err
		}
		st.inner = append(st.inner, result)
		st.weight = max(st.weight, result.length)
	}
	return nil
}

// title returns what a user sees of a state: its comment if it is one short line, or else its name.
func title(name, comment string) string {
	const longest = 80
	comment = strings.TrimSpace(comment)
	if comment == "" || len(comment) > longest || strings.ContainsAny(comment, "\r\n") {
		return name
	}
	return comment
}

// measure sets rest and repeats of all states, and the length of the flow. A path takes no transition back to a state that it contains.
// The states that follow a failure count only for paths from themselves.
func (f *flow) measure() {
	m := measurement{flow: f, order: map[*state]int{}, low: map[*state]int{}, open: map[*state]bool{}, pending: map[*state]bool{}}
	m.visit(f.states[f.start])
	f.length = f.states[f.start].rest
	for _, s := range f.states {
		m.visit(s)
	}
}

// measurement is a depth-first search of a flow: Tarjan's, which finds the states that lead back to each other.
type measurement struct {
	flow *flow
	// order has the number of each visited state, and low the lowest number of a pending state that it leads to.
	order, low map[*state]int
	// open are the states on the current path. pending are those that may be in a loop with it, in the order of visits in stack.
	open, pending map[*state]bool
	stack         []*state
}

// visit sets s.rest, and s.repeats of the states in a loop whose first state is s.
func (m *measurement) visit(s *state) {
	if m.order[s] > 0 {
		return
	}
	m.order[s] = len(m.order) + 1
	m.low[s], m.open[s], m.pending[s] = m.order[s], true, true
	m.stack = append(m.stack, s)
	rest := 0.0
	for _, name := range s.next {
		next := m.flow.states[name]
		if next == nil {
			continue
		}
		s.repeats = s.repeats || next == s
		m.visit(next)
		if m.pending[next] {
			m.low[s] = min(m.low[s], m.low[next])
		}
		if !m.open[next] {
			rest = max(rest, next.rest)
		}
	}
	s.rest = s.weight + rest
	m.open[s] = false
	if m.low[s] == m.order[s] {
		m.closeLoop(s)
	}
}

// closeLoop removes the loop whose first state is s from the stack.
func (m *measurement) closeLoop(s *state) {
	i := len(m.stack) - 1
	for m.stack[i] != s {
		i--
	}
	loop := m.stack[i:]
	m.stack = m.stack[:i]
	longest := 0.0
	for _, member := range loop {
		longest = max(longest, member.rest)
	}
	for _, member := range loop {
		member.rest = longest // nobody knows how often the loop runs: there is no progress inside of it
		m.pending[member] = false
		member.repeats = member.repeats || len(loop) > 1
	}
}
