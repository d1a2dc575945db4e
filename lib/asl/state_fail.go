package asl

import "github.com/herald-progress/herald/lib/asl/jsontree"

// runFail runs a Fail state. Its error is the failure that the state describes, or the failure of an expression in it.
func (s *stateRun) runFail() error {
	name, err := s.evalText(s.state.failError)
	if err != nil {
		return err
	}

	cause, err := s.evalText(s.state.failCause)
	if err != nil {
		return err
	}
	return &failure{name: name, cause: cause, completeCause: true}
}

// evalText evaluates Error or Cause. It returns "" if the definition has no such field.
func (s *stateRun) evalText(field textField) (string, error) {
	var (
		v   any
		err error
	)
	switch {
	case field.path != nil:
		v, err = s.evalField(field.path, field.pathText, field.name)
	case field.value != nil:
		v, err = field.value.eval(s, field.name)
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
	case field.path != nil:
		return "", runtimeFailuref("The field '%s' must be a string: %s", field.name, jsontree.Marshal(v))
	default:
		return "", typeMismatch(field.value, field.name, "string", v)
	}
}
