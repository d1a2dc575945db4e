package asl_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestREADMEShowsTheExampleAndNamesExistingTests(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, pattern := range []string{"*_test.go", "*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(source)
		}
	}
	blocks := strings.Split(string(readme), "```go\n")[1:]
	if len(blocks) == 0 {
		t.Error("the README shows no code")
	}
	for _, block := range blocks {
		if code, _, found := strings.Cut(block, "```"); !found || !strings.Contains(sources.String(), code) {
			t.Errorf("no example has this code of the README:\n%s", code)
		}
	}
	names := regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(string(readme), -1)
	if len(names) < 10 { // Fewer names mean that the expression above no longer finds them.
		t.Errorf("found %d names of tests in the README, want 10 at least", len(names))
	}
	for _, name := range names {
		isAPI := name[1] == "TestState" // Step Functions' API of this name.
		if !isAPI && !strings.Contains(sources.String(), "func "+name[1]+"(") {
			t.Errorf("the README names %s, which does not exist", name[1])
		}
	}
}
