package session

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

// TestEveryCursorFits: whatever ids the jobs have.
func TestEveryCursorFits(t *testing.T) {
	for _, text := range []string{"x", "<", "&", `"`, `\`, "\u2028", "é", "😀"} {
		id := strings.Repeat(text, message.MaxID/len(text))
		if !message.ValidID(id, message.MaxID) {
			t.Fatalf("%q is no id", text)
		}
		c := cursor{After: id, Until: id, Sent: &rank{Ended: true, Updated: math.MinInt64, Job: id}, Since: strings.Repeat("7", 26)}
		got, err := decodeCursor(c.String())
		if len(c.String()) > message.MaxCursor || err != nil {
			t.Errorf("ids of %q make a cursor of %d bytes, %v", text, len(c.String()), err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("the decoded cursor (-encoded +decoded):\n%s", diff)
		}
	}
}
