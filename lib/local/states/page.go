package states

import (
	"cmp"
	"encoding/base64"
	"strconv"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// The sizes of pages, in items.
const (
	defaultPageSize = 100
	maxPageSize     = 1000
)

// maxPageBytes is about how many bytes a page of a history has at most, if it has more than one event.
const maxPageBytes = 8 << 20

// Page selects a page of a list.
type Page struct {
	// MaxResults is the maximum number of items in the page, at most 1,000; zero means 100.
	MaxResults int `json:"maxResults"`
	// NextToken is the NextToken in the output for the previous page; empty means the first page.
	NextToken string `json:"nextToken"`
}

// parse returns the position after which the page starts, and the page's size. The position is zero for the first page. A position
// is an execution's sequence, an event's ID, or the number of state machines before the page, depending on the list.
func (p Page) parse() (position int64, size int, err error) {
	if p.MaxResults < 0 || p.MaxResults > maxPageSize {
		return 0, 0, awswire.NewError("ValidationException",
			"1 validation error detected: Value at 'maxResults' failed to satisfy constraint: "+
				"Member must have value less than or equal to 1000")
	}

	size = cmp.Or(p.MaxResults, defaultPageSize)
	if p.NextToken == "" {
		return 0, size, nil
	}

	text, err := base64.RawURLEncoding.DecodeString(p.NextToken)
	if err != nil {
		return 0, 0, errInvalidToken
	}

	position, err = strconv.ParseInt(string(text), 10, 64)
	if err != nil || position <= 0 {
		return 0, 0, errInvalidToken
	}
	return position, size, nil
}

// pageToken returns the NextToken from which Page.parse returns the position.
func pageToken(position int64) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendInt(nil, position, 10))
}
