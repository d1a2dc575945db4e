package asl_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestREADMEsShowExamplesAndNameExistingTests(t *testing.T) {
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
	checkREADME(t, "README.md", sources.String(), 10)
	checkREADME(t, "jsonata/README.md", sources.String(), 4)
}

func TestTheREADMEShowsTheTimelineOfAFailedTest(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	timeline, err := os.ReadFile("asltest/testdata/busy.golden")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```\n"+string(timeline)+"```\n") {
		t.Errorf("the README does not show the timeline\n%s", timeline)
	}
}

// checkREADME checks that the code and the tests which a README names are in the sources. It must name so many tests.
func checkREADME(t *testing.T, file, sources string, fewest int) {
	t.Helper()
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```go\n")[1:]
	if len(blocks) == 0 {
		t.Errorf("%s shows no code", file)
	}
	for _, block := range blocks {
		if code, _, found := strings.Cut(block, "```"); !found || !strings.Contains(sources, code) {
			t.Errorf("no example has this code of %s:\n%s", file, code)
		}
	}
	names := regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(string(readme), -1)
	if len(names) < fewest { // Fewer names mean that the expression above no longer finds them.
		t.Errorf("found %d names of tests in %s, want %d at least", len(names), file, fewest)
	}
	for _, name := range names {
		isAPI := name[1] == "TestState" // Step Functions' API of this name.
		if !isAPI && !strings.Contains(sources, "func "+name[1]+"(") {
			t.Errorf("%s names %s, which does not exist", file, name[1])
		}
	}
}
