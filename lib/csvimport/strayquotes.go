package csvimport

import (
	"fmt"
	"strconv"
	"strings"
)

// StrayQuotes are the quotes that have probably swallowed rows: a field begins with a quote, has line ends, and goes on after the
// closing quote. That is how the inches in `5" disc` look to a reader of CSV.
type StrayQuotes struct {
	// Count is the number of these quotes. Lines are the physical lines of the first ten of them, from 1.
	Count int64   `json:"count"`
	Lines []int64 `json:"lines"`
}

// IsZero reports whether there are none.
func (q StrayQuotes) IsZero() bool { return q.Count == 0 }

// with returns q and the quote that is opened on this line.
func (q StrayQuotes) with(line int64) StrayQuotes {
	q.Count++
	if len(q.Lines) < maxStrayQuotes {
		q.Lines = append(q.Lines, line)
	}
	return q
}

// note returns a sentence for the user. There must be a quote.
func (q StrayQuotes) note() string {
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
	return "A value that begins with a quote on " + where + " goes on after its closing quote on a later line. " +
		"The lines between became one value; if they are rows of their own, remove the quote or write it twice inside quotes"
}
