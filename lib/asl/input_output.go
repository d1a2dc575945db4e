package asl

import (
	"context"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// runOnce runs the state once, without retries and catchers.
func (s *stateRun) runOnce(ctx context.Context) (outcome, error) {
	s.result, s.errorOutput = nil, nil // An earlier attempt may have set them.

	// In JSONPath, s.pathRoot is the value of $. For most fields, that is the input after InputPath. JSONata does not use s.pathRoot.
	s.pathRoot = s.input
	if !s.state.jsonata && s.state.kind != kindFail { // A Fail state has no InputPath.
		data, err := s.applyPath(s.state.inputPath, s.input)
		if err != nil {
			return outcome{}, err
		}
		s.pathRoot = data
	}
	s.inspectInput()

	switch s.state.kind {
	case kindChoice:
		return s.runChoice()
	case kindFail:
		return outcome{}, s.runFail()
	case kindSucceed:
		return s.finishState(s.pathRoot)
	case kindWait:
		if err := s.runWait(ctx); err != nil {
			return outcome{}, err
		}
		return s.finishState(s.pathRoot)
	case kindPass:
		result, err := s.runPass()
		if err != nil {
			return outcome{}, err
		}
		return s.finishState(result)
	default:
		result, err := s.computeResult(ctx)
		if err != nil {
			return outcome{}, err
		}
		s.result = &result
		return s.finishState(result)
	}
}

// inspectInput adds the input after InputPath to the values of a probe. As on AWS, a Parallel state and a Pass state with a Result do not
// have this value.
func (s *stateRun) inspectInput() {
	if p := s.thread.run.probe; p != nil && !s.state.jsonata && s.state.kind != kindParallel && s.state.result == nil {
		p.set("afterInputPath", s.pathRoot)
	}
}

// computeResult returns the result of a Task, Parallel or Map state.
func (s *stateRun) computeResult(ctx context.Context) (any, error) {
	if p := s.thread.run.probe; p.isMocked() {
		result, err := s.mockedResult()
		if err == nil && s.state.kind == kindTask {
			p.set("result", result)
		}
		return result, err
	}

	switch s.state.kind {
	case kindTask:
		result, err := s.runTask(ctx)
		if err == nil {
			s.thread.run.probe.set("result", result)
		}
		return result, err
	case kindParallel:
		return s.runParallel(ctx)
	default:
		return s.runMap(ctx)
	}
}

// applyPath applies an InputPath or OutputPath to v. If the field is a reference, applyPath sets s.pathRoot, which is $, to v.
func (s *stateRun) applyPath(p ioPath, v any) (any, error) {
	switch {
	case p.null:
		return &jsontree.Object{}, nil
	case p.ref == nil:
		return v, nil
	default:
		s.pathRoot = v
		return s.evalPath(p.ref)
	}
}

// effectiveInput returns the value of the state's Arguments or Parameters, or s.pathRoot if the state has neither field.
func (s *stateRun) effectiveInput() (any, error) {
	v, err := s.evalInput()
	if p := s.thread.run.probe; p != nil && err == nil && s.state.kind != kindParallel && s.state.result == nil {
		name := "afterParameters"
		if s.state.jsonata {
			name = "afterArguments"
		}
		p.set(name, v)
	}
	return v, err
}

// evalInput does what effectiveInput does.
func (s *stateRun) evalInput() (any, error) {
	switch {
	case s.state.jsonata && s.state.arguments != nil:
		return s.state.arguments.eval(s, "Arguments")
	case s.state.parameters != nil:
		return s.state.parameters.eval(s, "Parameters")
	default:
		return s.pathRoot, nil
	}
}

// runPass returns the result of a Pass state.
func (s *stateRun) runPass() (any, error) {
	if s.state.jsonata {
		return s.input, nil
	}
	result, err := s.effectiveInput()
	if err != nil || s.state.result == nil {
		return result, err
	}
	if result, err = s.state.result.eval(s, "Result"); err == nil {
		s.thread.run.probe.set("result", result)
	}
	return result, err
}

// finishState applies the output fields of a state to its result, and returns the outcome. The result of a state that only passes its
// input on is that input.
func (s *stateRun) finishState(result any) (outcome, error) {
	out := outcome{output: result, next: s.state.next}
	var err error
	if s.state.jsonata {
		if s.state.output != nil {
			out.output, err = s.state.output.eval(s, "Output")
		}
	} else {
		out.output, err = s.applyOutputFields(result)
	}
	if err != nil {
		return outcome{}, err
	}
	if out.assigned, err = s.evalAssign(s.state.assign, "Assign"); err != nil {
		return outcome{}, err
	}

	return out, s.checkSize(out.output)
}

// applyOutputFields applies ResultSelector, ResultPath and OutputPath, and returns the output. It sets s.pathRoot to the result,
// which is $ in Assign.
func (s *stateRun) applyOutputFields(result any) (any, error) {
	st := s.state
	s.pathRoot = result
	if st.resultSelector != nil {
		value, err := st.resultSelector.eval(s, "ResultSelector")
		if err != nil {
			return nil, err
		}
		result = value
	}

	output := result
	switch st.kind {
	case kindSucceed, kindWait, kindChoice: // These types of states have no ResultPath.
	default:
		p := s.thread.run.probe
		p.set("afterResultSelector", result)
		var err error
		if output, err = s.applyResultPath(st.resultPath, result); err != nil {
			return nil, err
		}
		p.set("afterResultPath", output)
	}

	output, err := s.applyPath(st.outputPath, output)
	s.pathRoot = result // applyPath may have changed s.pathRoot.
	return output, err
}

// applyResultPath returns the state's input with the result at a ResultPath. A nil path discards the result.
func (s *stateRun) applyResultPath(p *path, result any) (any, error) {
	if p == nil {
		return s.input, nil
	}
	output, ok := p.set(s.input, result)
	if !ok {
		return nil, failuref(errorResultPath, "Unable to apply ReferencePath $%s to input %s", p.text, jsontree.Marshal(s.input))
	}
	return output, nil
}

// evalAssign returns the variables that an Assign sets, or nil if there is none. field is its path in error texts.
func (s *stateRun) evalAssign(t template, field string) (*jsontree.Object, error) {
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
