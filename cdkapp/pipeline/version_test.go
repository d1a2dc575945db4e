package pipeline_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

func TestChangelogBeginsWithTheVersion(t *testing.T) {
	page, err := os.ReadFile("../../.github/CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+)$`).FindSubmatch(page)
	if found == nil || string(found[1]) != pipeline.Version {
		t.Errorf("the newest version of the page is %q, that of the app is %s", found, pipeline.Version)
	}
}
