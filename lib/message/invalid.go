package message

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRefused is the error of a refused request, for [errors.Is]: the request breaks a rule, so that a repetition would be refused,
// too.
var ErrRefused = errors.New("message: request refused")

// maxProblems is how many problems an error text lists, because a request may have thousands of unknown fields.
const maxProblems = 10

// RuleKnownField is the rule that a field breaks which does not exist.
const RuleKnownField = "is not a known field"

// Problem is one broken rule. It never contains the value, which may be private.
type Problem struct{ Field, Rule string }

// Invalid is the error of a message that breaks rules.
type Invalid struct{ Problems []Problem }

// Error returns the first ten problems as "field rule", joined by semicolons, and the number of further problems.
func (e *Invalid) Error() string {
	all := make([]string, 0, maxProblems+1)
	for i, p := range e.Problems {
		if i == maxProblems {
			all = append(all, fmt.Sprintf("and %d more", len(e.Problems)-i))
			break
		}
		all = append(all, p.Field+" "+p.Rule)
	}
	return strings.Join(all, "; ")
}

// Is reports whether target is [ErrRefused].
func (*Invalid) Is(target error) bool { return target == ErrRefused }

func invalid(field, rule string) *Invalid {
	return &Invalid{Problems: []Problem{{Field: field, Rule: rule}}}
}

// TooLarge is the error of a message that exceeds a limit in bytes.
type TooLarge struct{ Size, Limit int }

// Is reports whether target is [ErrRefused].
func (*TooLarge) Is(target error) bool { return target == ErrRefused }

// Error returns the size and the limit.
func (e *TooLarge) Error() string {
	return fmt.Sprintf("message is %d bytes long, the limit is %d", e.Size, e.Limit)
}
