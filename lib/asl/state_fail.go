package asl

import "github.com/herald-progress/herald/lib/asl/jsontree"

// fail runs a Fail state.
func (s *scope) fail() error {
	name, err := s.failText(s.state.failError)
	if err != nil {
		return err
	}

	cause, err := s.failText(s.state.failCause)
	if err != nil {
		return err
	}
	return &failure{name: name, cause: cause, placed: true}
}

func (s *scope) failText(t failText) (string, error) {
	var (
		v   any
		err error
	)
	switch {
	case t.path != nil:
		v, err = s.evalField(t.path, t.text, t.field)
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
		return "", runtimef("The field '%s' must be a string: %s", t.field, jsontree.Marshal(v))
	default:
		return "", mismatch(t.value, t.field, "string", v)
	}
}
