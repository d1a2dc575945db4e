package asl

import "github.com/herald-progress/herald/lib/asl/jsontree"

// runFail runs a Fail state.
func (s *stateRun) runFail() error {
	name, err := s.evalText(s.state.failError)
	if err != nil {
		return err
	}

	cause, err := s.evalText(s.state.failCause)
	if err != nil {
		return err
	}
	return &failure{name: name, cause: cause, verbatimCause: true}
}

// evalText evaluates Error or Cause.
func (s *stateRun) evalText(t textField) (string, error) {
	var (
		v   any
		err error
	)
	switch {
	case t.path != nil:
		v, err = s.evalField(t.path, t.pathText, t.field)
	case t.value != nil:
		v, err = t.value.eval(s, t.field)
	default:
		return "", nil
	}
	if err != nil {
		return "", err
	}

	text, ok := v.(string)
	switch {
	case ok:
		return text, nil
	case t.path != nil:
		return "", runtimeFailuref("The field '%s' must be a string: %s", t.field, jsontree.Marshal(v))
	default:
		return "", typeMismatch(t.value, t.field, "string", v)
	}
}
