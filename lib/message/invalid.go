package message

import (
	"fmt"
	"strings"
)

// maxProblems is how many problems an error spells out: a stranger may send thousands of fields.
const maxProblems = 10

// Problem is one broken rule. It never holds the value, which may be private.
type Problem struct{ Field, Rule string }

// Invalid says which fields of a message break which rules.
type Invalid struct{ Problems []Problem }

// Error returns the problems as "field rule", joined by semicolons: the first ten, and how many more there are.
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

func invalid(field, rule string) *Invalid {
	return &Invalid{Problems: []Problem{{Field: field, Rule: rule}}}
}

// TooLarge says that something is over its limit in bytes.
type TooLarge struct{ Size, Limit int }

// Error names the size and the limit.
func (e *TooLarge) Error() string {
	return fmt.Sprintf("message is %d bytes long, the limit is %d", e.Size, e.Limit)
}
