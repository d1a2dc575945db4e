package web_test

import (
	"io/fs"
	"testing"

	"github.com/herald-progress/herald/lib/web"
)

// TestTheBuiltFilesAreEmbedded holds that a program in Go serves the client without npm.
func TestTheBuiltFilesAreEmbedded(t *testing.T) {
	for _, name := range []string{"herald.js", "herald-react.js", "herald-uploads.js"} {
		if text, err := fs.ReadFile(web.Files(), name); err != nil || len(text) < 1000 {
			t.Errorf("%s has %d bytes: %v", name, len(text), err)
		}
	}
}
