package pipeline_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// TestAllHaveTheVersion checks the places that state the version: the newest section of the changes, and the packages for browsers and
// workers.
func TestAllHaveTheVersion(t *testing.T) {
	for file, pattern := range map[string]string{
		".github/CHANGELOG.md":               `(?m)^## (\S+)$`,
		"lib/web/package.json":               `"version": "([^"]+)"`,
		"lib/web/package-lock.json":          `"version": "([^"]+)"`,
		"lib/progress/node/package.json":     `"version": "([^"]+)"`,
		"lib/progress/python/pyproject.toml": `(?m)^version = "([^"]+)"$`,
	} {
		content, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindSubmatch(content)
		if found == nil || string(found[1]) != pipeline.Version {
			t.Errorf("the version in %s is %q, that of the app is %s", file, found, pipeline.Version)
		}
	}
}
