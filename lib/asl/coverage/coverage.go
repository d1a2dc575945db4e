// Package coverage measures which parts of a state machine definition executions have taken: its states, transitions, rules of Choice
// states, catchers and retriers. It reports them as text and as a drawing of the machine.
package coverage

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/herald-progress/herald/lib/asl"
)

// Kind is the kind of an Item.
type Kind string

// The kinds of items.
const (
	State      Kind = "state"      // Taken when the state is entered.
	Transition Kind = "transition" // Next or End: taken when the state succeeds.
	Choice     Kind = "choice"     // An item of Choices, or Default: taken when it decides.
	Catcher    Kind = "catcher"    // An item of Catch: taken when it handles an error.
	Retrier    Kind = "retrier"    // An item of Retry: taken when it handles an error, also if it has no attempt left.
)

// Kinds lists the kinds of items in the order of reports.
func Kinds() []Kind { return []Kind{State, Transition, Choice, Catcher, Retrier} }

// Item is a part of a definition that an execution may take.
type Item struct {
	Kind Kind
	// Name is the item's place in the definition, such as States.Import.Catch[0].
	Name string
	// Detail says what the item is for, such as States.ALL -> NotifyFailed.
	Detail string
	// Count is how often executions have taken the item.
	Count int
}

// String returns the name, and the detail in parentheses.
func (i Item) String() string {
	if i.Detail == "" {
		return i.Name
	}
	return i.Name + " (" + i.Detail + ")"
}

// Profile counts what executions of one state machine take. Its methods may be called concurrently.
type Profile struct {
	name    string
	outline asl.Outline

	mu    sync.Mutex
	items []*Item          // In the order in which the states lead to each other.
	byKey map[string]*Item // By the name of a state, or of a state with a dot and a field.
}

// New returns an empty profile of the machine. name is the machine's name in reports.
func New(name string, machine *asl.Machine) *Profile {
	p := &Profile{name: name, outline: machine.Outline(), byKey: map[string]*Item{}}
	p.addItems(p.outline)
	return p
}

// addItems adds the items of the states in an outline.
func (p *Profile) addItems(o asl.Outline) {
	for _, s := range o.States {
		at := o.At + "." + s.Name
		p.add(s.Name, Item{Kind: State, Name: at, Detail: s.Type})
		for _, r := range s.Retriers {
			p.add(fieldKey(s.Name, r.Field), Item{Kind: Retrier, Name: at + "." + r.Field, Detail: retrierDetail(r)})
		}
		for _, e := range s.Exits {
			p.add(fieldKey(s.Name, e.Field), Item{Kind: kindOf(e), Name: at + "." + e.Field, Detail: exitDetail(e)})
		}
		for _, inner := range s.Inner {
			p.addItems(inner)
		}
	}
}

func (p *Profile) add(key string, item Item) {
	p.items = append(p.items, &item)
	p.byKey[key] = &item
}

// fieldKey returns the key of a field of a state. State names are unique, and a field never contains a line feed.
func fieldKey(state, field string) string { return state + "\n" + field }

// kindOf returns the kind of an exit.
func kindOf(e asl.Exit) Kind {
	switch {
	case strings.HasPrefix(e.Field, "Catch["):
		return Catcher
	case strings.HasPrefix(e.Field, "Choices["), e.Field == "Default":
		return Choice
	default:
		return Transition
	}
}

// maxCondition is the greatest number of characters of a condition in a report.
const maxCondition = 80

func exitDetail(e asl.Exit) string {
	switch {
	case e.Next == "":
		return ""
	case e.Condition == "":
		return "-> " + e.Next
	default:
		return shorten(strings.Join(strings.Fields(e.Condition), " "), maxCondition) + " -> " + e.Next
	}
}

func retrierDetail(r asl.Retrier) string {
	return fmt.Sprintf("%s, MaxAttempts %d", shorten(strings.Join(r.Errors, ", "), maxCondition), r.Attempts)
}

// shorten returns text with at most limit characters; the last one is … if there are more.
func shorten(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}

// Trace counts what the step takes. It is the Execution.Trace of each execution that is measured. A step of another machine counts for
// nothing.
func (p *Profile) Trace(s asl.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := s.State
	if s.Kind != asl.StepEntered {
		if s.Field == "" {
			return
		}
		key = fieldKey(s.State, s.Field)
	}
	if item := p.byKey[key]; item != nil {
		item.Count++
	}
}

// Name returns the machine's name.
func (p *Profile) Name() string { return p.name }

// Items returns all items of the definition, state by state.
func (p *Profile) Items() []Item {
	p.mu.Lock()
	defer p.mu.Unlock()
	items := make([]Item, len(p.items))
	for i, item := range p.items {
		items[i] = *item
	}
	return items
}

// Missed returns the items of the given kinds that no execution has taken; of all kinds if none is given.
func (p *Profile) Missed(kinds ...Kind) []Item {
	return slices.DeleteFunc(p.Items(), func(i Item) bool { return i.Count > 0 || !isOf(i, kinds) })
}

// Share returns the share of the items of the given kinds that executions have taken, from 0 to 1; of all kinds if none is given. It is
// 1 if there is no such item.
func (p *Profile) Share(kinds ...Kind) float64 {
	taken, all := p.count(kinds...)
	if all == 0 {
		return 1
	}
	return float64(taken) / float64(all)
}

// count returns how many items of the kinds were taken, and how many there are.
func (p *Profile) count(kinds ...Kind) (taken, all int) {
	for _, i := range p.Items() {
		if isOf(i, kinds) {
			all++
			taken += min(i.Count, 1)
		}
	}
	return taken, all
}

// isOf reports whether the item is of one of the kinds; no kinds means all.
func isOf(i Item, kinds []Kind) bool { return len(kinds) == 0 || slices.Contains(kinds, i.Kind) }

// Text returns the report as text: the share of each kind, and each item that no execution has taken.
func (p *Profile) Text() string {
	var b strings.Builder
	taken, all := p.count()
	fmt.Fprintf(&b, "%s: %s of the definition is covered, %d of %d\n", p.name, percent(taken, all), taken, all)
	for _, kind := range Kinds() {
		if taken, all := p.count(kind); all > 0 {
			fmt.Fprintf(&b, "  %-12s %d of %d\n", plural(kind), taken, all)
		}
	}

	missed := p.Missed()
	if len(missed) > 0 {
		b.WriteString("never taken:\n")
	}
	for _, i := range missed {
		fmt.Fprintf(&b, "  %s\n", i)
	}
	return b.String()
}

// plural returns the name of several items of a kind.
func plural(kind Kind) string { return string(kind) + "s" }

// percent returns a share in percent, rounded down, so that only all items are 100 %.
func percent(taken, all int) string {
	const thousand = 1000
	tenths := thousand
	if all > 0 {
		tenths = taken * thousand / all
	}
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}
