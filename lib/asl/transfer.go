package asl

import (
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// attempt runs the state once.
func (s *scope) attempt() (outcome, error) {
	s.result, s.errorOutput = nil, nil
	s.data = s.input
	if !s.state.jsonata && s.state.kind != kindFail {
		data, err := s.throughPath(s.state.inputPath, s.input)
		if err != nil {
			return outcome{}, err
		}
		s.data = data
	}

	switch s.state.kind {
	case kindChoice:
		return s.choose()
	case kindFail:
		return outcome{}, s.fail()
	case kindSucceed:
		return s.finish(s.data, false)
	case kindWait:
		if err := s.waitState(); err != nil {
			return outcome{}, err
		}
		return s.finish(s.data, false)
	case kindPass:
		result, err := s.pass()
		if err != nil {
			return outcome{}, err
		}
		return s.finish(result, s.state.result != nil)
	default:
		result, err := s.work()
		if err != nil {
			return outcome{}, err
		}
		return s.finish(result, true)
	}
}

// work runs the states that have others do something.
func (s *scope) work() (any, error) {
	switch s.state.kind {
	case kindTask:
		return s.task()
	case kindParallel:
		return s.parallel()
	default:
		return s.mapState()
	}
}

// throughPath applies an InputPath or OutputPath.
func (s *scope) throughPath(p ioPath, v any) (any, error) {
	switch {
	case p.null:
		return &jsontree.Object{}, nil
	case p.ref == nil:
		return v, nil
	default:
		s.data = v
		return s.evalPath(p.ref)
	}
}

// effective returns the input of the state's work: what Arguments or Parameters make of it.
func (s *scope) effective() (any, error) {
	switch {
	case s.state.jsonata && s.state.arguments != nil:
		return s.state.arguments.eval(s, "Arguments")
	case s.state.parameters != nil:
		return s.state.parameters.eval(s, "Parameters")
	default:
		return s.data, nil
	}
}

// pass returns the result of a Pass state.
func (s *scope) pass() (any, error) {
	if s.state.jsonata {
		return s.input, nil
	}
	result, err := s.effective()
	if err != nil || s.state.result == nil {
		return result, err
	}
	return s.state.result.eval(s, "Result")
}

// finish makes the outcome of a state's result. visible says whether JSONata sees it as $states.result.
func (s *scope) finish(result any, visible bool) (outcome, error) {
	out := outcome{output: result, next: s.state.next}
	var err error
	if s.state.jsonata {
		if visible {
			s.result = &result
		}
		if s.state.output != nil {
			out.output, err = s.state.output.eval(s, "Output")
		}
	} else {
		out.output, err = s.shape(result)
	}

	if err != nil {
		return outcome{}, err
	}
	if out.assigned, err = s.evalAssign(s.state.assign, "Assign"); err != nil {
		return outcome{}, err
	}

	out.output, err = s.limited(out.output, s.state.name)
	return out, err
}

// shape applies ResultSelector, ResultPath and OutputPath. It leaves $ as Assign sees it: the result.
func (s *scope) shape(result any) (any, error) {
	st := s.state
	s.data = result
	if st.resultSelector != nil {
		selected, err := st.resultSelector.eval(s, "ResultSelector")
		if err != nil {
			return nil, err
		}
		result = selected
	}

	output := result
	switch st.kind {
	case kindSucceed, kindWait, kindChoice: // These have no ResultPath.
	default:
		var err error
		if output, err = s.withResult(st.resultPath, result); err != nil {
			return nil, err
		}
	}

	output, err := s.throughPath(st.outputPath, output)
	s.data = result
	return output, err
}

// withResult applies a ResultPath; nil discards the result.
func (s *scope) withResult(p *path, result any) (any, error) {
	if p == nil {
		return s.input, nil
	}
	output, ok := p.put(s.input, result)
	if !ok {
		return nil, failf(errorResultPath, "Unable to apply ReferencePath $%s to input %s", p.text, jsontree.Marshal(s.input))
	}
	return output, nil
}

// evalAssign evaluates an Assign; nil if there is none.
func (s *scope) evalAssign(t template, field string) (*jsontree.Object, error) {
	if t == nil {
		return nil, nil
	}
	v, err := t.eval(s, field)
	if err != nil {
		return nil, err
	}

	assigned, _ := v.(*jsontree.Object)
	return assigned, nil
}
