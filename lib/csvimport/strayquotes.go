package csvimport

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/message"
)

// StrayQuotes are the quotes that have probably swallowed rows: a field begins with a quote, has line ends, and goes on after the
// closing quote.
type StrayQuotes struct {
	// Count is the number of these quotes. Lines are the physical lines of the first of them, from 1.
	Count int64   `json:"count"`
	Lines []int64 `json:"lines"`
}

// IsZero reports whether there are none.
func (q StrayQuotes) IsZero() bool { return q.Count == 0 }

// with returns q and the quote that is opened on this line.
func (q StrayQuotes) with(line int64) StrayQuotes {
	q.Count++
	if len(q.Lines) < message.MaxStrayQuotes {
		q.Lines = append(q.Lines, line)
	}
	return q
}

// note returns a sentence for the user, or "" if there are no such quotes.
func (q StrayQuotes) note() string {
	if q.IsZero() {
		return ""
	}
	lines := make([]string, len(q.Lines))
	for i, line := range q.Lines {
		lines[i] = strconv.FormatInt(line, 10)
	}
	where := "line " + lines[0]
	if len(lines) > 1 {
		where = "lines " + strings.Join(lines[:len(lines)-1], ", ") + " and " + lines[len(lines)-1]
	}
	if more := q.Count - int64(len(lines)); more > 0 {
		where += fmt.Sprintf(" (and %d more)", more)
	}
	return "Check " + where + ": a quote there opens a value of several lines. If these lines are rows of their own, remove the quote"
}
