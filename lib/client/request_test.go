package client

import (
	"fmt"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/message"
)

// TestTheLargestSyncFitsAFrame: have, cursor and since at their limits.
func TestTheLargestSyncFitsAFrame(t *testing.T) {
	v := View{jobs: map[string]job{}}
	for n := range message.MaxHave {
		id := fmt.Sprintf("%s%04d", strings.Repeat("<", 100), n)
		v.jobs[id] = job{at: position{epoch: "2026-11-22T10:00:00.123Z#0000", seq: 1 << 53}}
	}
	v.notes.since = strings.Repeat("7", 26)
	v.page.cursor = validCursor(strings.Repeat("c", message.MaxCursor))
	if v.page.cursor == "" || validCursor(v.page.cursor+"c") != "" {
		t.Error("the longest cursor is not usable, or a longer one is")
	}
	request := v.request(false)
	if len(request) > message.MaxClientFrame || len(request) < message.MaxHaveBytes {
		t.Errorf("the sync takes %d bytes", len(request))
	}
}
