package message

import (
	"fmt"
	"strings"
	"time"
)

// Limits, in bytes of UTF-8.
const (
	// MaxFrame is the largest frame that API Gateway takes at @connections (128 KB;
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
	MaxFrame = 131_072
	// MaxID bounds the id of a job, which becomes part of a DynamoDB sort key.
	MaxID = 256
	// MaxName bounds file names, titles, phases and codes.
	MaxName = 1024
	// MaxDetails bounds an error's details.
	MaxDetails = 4096
)

// How often the state of a job may be told that is not urgent: as often as a person can read it.
const (
	// MinInterval is the least time between two tellings.
	MinInterval = 250 * time.Millisecond
	// SlowInterval is the least time between two when progress moved under MinStep.
	SlowInterval = 2 * time.Second
	// MinStep is the movement, in percent, that is worth telling after MinInterval.
	MinStep = 1.0
)

const (
	// maxProblems is how many problems an error spells out: a stranger may send thousands of fields.
	maxProblems = 10

	ruleRequired = "is required"
	ruleUTF8     = "must be valid UTF-8"
	ruleType     = "must be one of upload_progress, notification, error"
)

func tooLong(limit int) string { return fmt.Sprintf("must be at most %d bytes", limit) }

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
