package lib_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/metrics"
)

// TestEachMetricIsRecorded checks that the code of a function records each metric of package metrics, so that no alarm waits for a metric
// that nothing writes.
func TestEachMetricIsRecorded(t *testing.T) {
	recorded := map[string]bool{}
	call := regexp.MustCompile(`\.(?:Count|Duration)\(metrics\.(\w+),`)
	for _, text := range readTree(t, func(path string) bool {
		return filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go") && strings.HasPrefix(path, "../lib/")
	}) {
		for _, found := range call.FindAllStringSubmatch(text, -1) {
			recorded[found[1]] = true
		}
	}
	page := readTree(t, func(path string) bool { return path == "../cdkapp/README.md" })["cdkapp/README.md"]
	for _, m := range metrics.All() { // constants and names are the same
		if !recorded[m.Name()] {
			t.Errorf("nothing records %s", m.Name())
		}
		if !strings.Contains(page, "`"+m.Name()+"`") {
			t.Errorf("cdkapp/README.md does not list %s", m.Name())
		}
	}
}
