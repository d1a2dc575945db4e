package asl

import (
	"strconv"
)

// choose runs a Choice state.
func (s *scope) choose() (outcome, error) {
	for i, c := range s.state.choices {
		at := "Choices[" + strconv.Itoa(i) + "]"
		ok, err := c.rule.holds(s, at+"/Condition")
		if err != nil {
			return outcome{}, err
		}
		if ok {
			return s.chosen(c, at+"/")
		}
	}

	if s.state.fallback == "" {
		return outcome{}, &failure{
			name:  errorNoChoice,
			cause: "Failed to transition out of the state. The state's choices did not match and it has no default.",
		}
	}
	return s.chosen(choice{next: s.state.fallback, assign: s.state.assign, output: s.state.output}, "")
}

// chosen makes the outcome of the choice that was made. field is the path of the choice's fields.
func (s *scope) chosen(c choice, field string) (outcome, error) {
	out := outcome{next: c.next, output: s.data}
	var err error
	if s.state.jsonata {
		out.output = s.input
		if c.output != nil {
			out.output, err = c.output.eval(s, field+"Output")
		}
	} else {
		out.output, err = s.shape(s.data)
	}

	if err != nil {
		return outcome{}, err
	}
	if out.assigned, err = s.evalAssign(c.assign, field+"Assign"); err != nil {
		return outcome{}, err
	}

	out.output, err = s.limited(out.output, s.state.name)
	return out, err
}
