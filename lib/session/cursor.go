package session

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

var errCursor = errors.New("session: bad cursor")

// cursor is where the next sync continues. Jobs are read in pages in the order of their ids. The jobs of a page are sent in the
// order of rank. The zero value is the start.
type cursor struct {
	// After is the job id after which the page starts. Until is its last job id. An empty Until means the last job.
	After string `json:"a,omitzero"`
	Until string `json:"u,omitzero"`
	// Sent is the rank of the last job of the page that was sent, or nil.
	Sent *rank `json:"s,omitzero"`
	// Since is the field "since" of the request for the sync's first page. The browser's own "since" grows with each page, but
	// notes that were stored late may have ids below its value on the first page. Since is empty once these notes are sent.
	Since string `json:"n,omitzero"`
}

// rank is a job's position in the order of sending: running jobs before ended ones, the newest first.
type rank struct {
	Ended bool `json:"e,omitzero"`
	// Updated is the time of the job's last update, in milliseconds since 1970.
	Updated int64  `json:"t"`
	Job     string `json:"j"`
}

func newRank(r feed.Row) rank {
	return rank{Ended: r.State.Status.Terminal(), Updated: r.UpdatedAt.UnixMilli(), Job: r.State.UploadID}
}

// compare returns a negative number if the job with rank r is sent before the other one.
func (r rank) compare(other rank) int {
	switch {
	case !r.Ended && other.Ended:
		return -1
	case r.Ended && !other.Ended:
		return 1
	default:
		return cmp.Or(cmp.Compare(other.Updated, r.Updated), strings.Compare(r.Job, other.Job))
	}
}

// String encodes the cursor. The start is an empty text.
func (c cursor) String() string {
	if c == (cursor{}) {
		return ""
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // escaped ids would exceed message.MaxCursor
	if err := enc.Encode(c); err != nil {
		return "" // cannot happen: texts and numbers always encode
	}
	return base64.RawURLEncoding.EncodeToString(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}

// decodeCursor decodes the cursor of a synced frame. An empty text is the start.
func decodeCursor(s string) (cursor, error) {
	var c cursor
	if s == "" {
		return c, nil
	}
	if len(s) > message.MaxCursor {
		return c, errCursor
	}
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || message.DecodeObject(text, "", &c) != nil {
		return cursor{}, errCursor
	}
	ids := []string{c.After, c.Until}
	if c.Sent != nil {
		ids = append(ids, c.Sent.Job)
	}
	for _, id := range ids {
		if len(id) > message.MaxID {
			return cursor{}, errCursor
		}
	}
	if c.Since != "" {
		since, err := ulid.ParseStrict(c.Since)
		if err != nil {
			return cursor{}, errCursor
		}
		c.Since = since.String()
	}

	return c, nil
}
