package asl

// runChoice runs a Choice state.
func (s *stateRun) runChoice() (outcome, error) {
	for i, c := range s.state.choices {
		at := indexed("Choices", i)
		ok, err := c.rule.matches(s, at+"/Condition")
		if err != nil {
			return outcome{}, err
		}
		if ok {
			s.field = at
			return s.choiceOutcome(c, at+"/")
		}
	}

	if s.state.defaultNext == "" {
		return outcome{}, &failure{
			name:  errorNoChoice,
			cause: "Failed to transition out of the state. The state's choices did not match and it has no default.",
		}
	}
	s.field = "Default"
	// The fields of the state itself belong to Default.
	return s.choiceOutcome(choice{next: s.state.defaultNext, assign: s.state.assign, output: s.state.output}, "")
}

// choiceOutcome returns the outcome of the state for the choice that matched. fieldPrefix, such as Choices[0]/, comes before the names of
// the choice's fields in error texts.
func (s *stateRun) choiceOutcome(c choice, fieldPrefix string) (outcome, error) {
	out := outcome{next: c.next, output: s.pathRoot}
	var err error
	if s.state.jsonata {
		out.output = s.input
		if c.output != nil {
			out.output, err = c.output.eval(s, fieldPrefix+"Output")
		}
	} else {
		out.output, err = s.applyOutputFields(s.pathRoot)
	}
	if err != nil {
		return outcome{}, err
	}
	if out.assigned, err = s.evalAssign(c.assign, fieldPrefix+"Assign"); err != nil {
		return outcome{}, err
	}

	return out, s.checkSize(out.output)
}
