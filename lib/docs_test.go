package lib_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readTree returns the files of the repository that match, by their path from its top.
func readTree(t *testing.T, match func(path string) bool) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "cdk.out"):
			return fs.SkipDir
		case d.IsDir() || !match(path):
			return nil
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, "../")] = string(text)

		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return files
}

func isDoc(path string) bool { return filepath.Ext(path) == ".md" }

// TestDocsNameTestsThatExist checks every test, fuzz target and benchmark that a page of documentation names.
func TestDocsNameTestsThatExist(t *testing.T) {
	var sources strings.Builder
	for _, source := range readTree(t, func(path string) bool { return strings.HasSuffix(path, "_test.go") }) {
		sources.WriteString(source)
	}
	test := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`)
	docs := readTree(t, isDoc)
	for path, text := range docs {
		for _, name := range test.FindAllString(text, -1) {
			if !strings.Contains(sources.String(), "func "+name+"(") && name != "TestState" { // TestState is an action of AWS
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
	}
	if n := len(test.FindAllString(docs["testdata/README.md"], -1)); n < 26 {
		t.Errorf("testdata/README.md names %d tests, want one for each of 12 criteria and 14 cases at least", n)
	}
}

// TestDocsLinkToFilesThatExist checks every relative link.
func TestDocsLinkToFilesThatExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for path, text := range readTree(t, isDoc) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", filepath.Dir(path), found[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, found[1])
			}
		}
	}
}

// TestREADMEIsShort holds the first page to what a newcomer reads.
func TestREADMEIsShort(t *testing.T) {
	const limit = 200
	if n := strings.Count(readTree(t, func(path string) bool { return path == "../README.md" })["README.md"], "\n"); n == 0 || n >= limit {
		t.Errorf("README.md has %d lines, want under %d", n, limit)
	}
}

// TestContributingNamesCodeThatExists checks the files that the contributors' page names, and that each function it names
// beside a file is in that file.
func TestContributingNamesCodeThatExists(t *testing.T) {
	code := readTree(t, func(path string) bool { return strings.HasSuffix(path, ".go") })
	page := readTree(t, func(path string) bool { return strings.HasSuffix(path, "CONTRIBUTING.md") })[".github/CONTRIBUTING.md"]
	row := regexp.MustCompile("`((?:lib|cdkapp|statemachines|lambdas|testdata)/[\\w./]+)`(?:: ((?:`\\w+`(?:, )?)+))?")
	found := row.FindAllStringSubmatch(page, -1)
	if len(found) < 30 {
		t.Errorf("the page answers %d questions, want 30 at least", len(found))
	}
	for _, f := range found {
		path, names := f[1], strings.ReplaceAll(f[2], "`", "")
		if _, err := os.Stat(filepath.Join("..", path)); err != nil {
			t.Errorf("the page names %s, which does not exist", path)

			continue
		}
		for name := range strings.SplitSeq(names, ", ") {
			if name != "" && !regexp.MustCompile(`\b`+name+`\b`).MatchString(code[path]) {
				t.Errorf("the page names %s in %s, where it is not", name, path)
			}
		}
	}
}
