package lib_test

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// These tests keep the pages of documentation true: the tests, files, settings, log lines and code that the pages name must exist.

// readTree returns the content of each file of the repository for which match returns true. The keys are paths from the
// repository's root.
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

// testName matches the name of a test, a fuzz target or a benchmark.
var testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`)

// missingTests returns a function. For a text, that function returns the names of tests in the text that no test file declares.
func missingTests(t *testing.T) func(text string) []string {
	t.Helper()
	// TestState is an operation of AWS Step Functions; a mock configuration file has TestCases, each a TestCase.
	declared := map[string]bool{"TestState": true, "TestCase": true, "TestCases": true}
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	for _, source := range readTree(t, func(path string) bool { return strings.HasSuffix(path, "_test.go") }) {
		for _, found := range declaration.FindAllStringSubmatch(source, -1) {
			declared[found[1]] = true
		}
	}

	return func(text string) []string {
		return slices.DeleteFunc(testName.FindAllString(text, -1), func(name string) bool { return declared[name] })
	}
}

// TestDocsNameTestsThatExist checks every test, fuzz target and benchmark that a page of documentation names.
func TestDocsNameTestsThatExist(t *testing.T) {
	missing, docs := missingTests(t), readTree(t, isDoc)
	for path, text := range docs {
		for _, name := range missing(text) {
			t.Errorf("%s names %s, which does not exist", path, name)
		}
	}
	if n := len(testName.FindAllString(docs["testdata/README.md"], -1)); n < 26 {
		t.Errorf("testdata/README.md names %d tests, want one for each of 12 criteria and 14 cases at least", n)
	}
}

// TestCommentsNameTestsThatExist checks every test, fuzz target and benchmark that a Go comment names.
func TestCommentsNameTestsThatExist(t *testing.T) {
	missing := missingTests(t)
	for path, source := range readTree(t, func(path string) bool { return filepath.Ext(path) == ".go" }) {
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, comment := range file.Comments {
			for _, name := range missing(comment.Text()) {
				t.Errorf("a comment in %s names %s, which does not exist", path, name)
			}
		}
	}
}

// TestDocsShowCodeOfExamples checks that the Go code in the page for people who notify is that of an example, which compiles.
func TestDocsShowCodeOfExamples(t *testing.T) {
	page := readTree(t, func(path string) bool { return path == "../statemachines/README.md" })["statemachines/README.md"]
	files := readTree(t, func(path string) bool {
		return slices.Contains([]string{"../lib/progress/example_test.go", "../testdata/thumbs/thumbs_test.go", "../cdkapp/pipeline/watch_example_test.go"}, path)
	})
	examples := strings.Join(slices.Collect(maps.Values(files)), "\n")
	blocks := strings.Split(page, "```go\n")[1:]
	if len(blocks) == 0 {
		t.Error("the page shows no Go code")
	}
	for _, block := range blocks {
		code, _, _ := strings.Cut(block, "```")
		if !strings.Contains(examples, code) {
			t.Errorf("no example contains this code of the page:\n%s", code)
		}
	}
}

// TestTheDocsSayWhichNodeTheGateUses checks the major version of Node.js that the pages ask for.
func TestTheDocsSayWhichNodeTheGateUses(t *testing.T) {
	const gate = ".ci/run"
	files := readTree(t, func(path string) bool {
		return slices.Contains([]string{"../" + gate, "../README.md", "../cdkapp/README.md", "../lib/web/package.json"}, path)
	})
	version := regexp.MustCompile(`\bnode@(\d+)\.\d+\.\d+ `).FindStringSubmatch(files[gate])
	if version == nil {
		t.Fatal("the gate does not install Node.js")
	}
	for page, want := range map[string]string{
		"README.md": "Node.js " + version[1] + " or later", "cdkapp/README.md": "Node.js " + version[1] + " or later",
		"lib/web/package.json": `"node": ">=` + version[1] + `"`,
	} {
		if !strings.Contains(strings.Join(strings.Fields(files[page]), " "), want) {
			t.Errorf("%s does not say %q, which the gate uses", page, want)
		}
	}
}

// TestDocsListEverySetting checks that the page for people who deploy has a row for each setting in cdk.json, with its default.
func TestDocsListEverySetting(t *testing.T) {
	page := readTree(t, func(path string) bool { return path == "../cdkapp/README.md" })["cdkapp/README.md"]
	var app struct{ Context map[string]any }
	if err := json.Unmarshal([]byte(readTree(t, func(path string) bool { return path == "../cdk.json" })["cdk.json"]), &app); err != nil {
		t.Fatal(err)
	}
	settings := 0
	for name, value := range app.Context {
		if strings.HasPrefix(name, "@") { // a setting of the CDK
			continue
		}
		settings++
		_, row, found := strings.Cut(page, "\n| `"+name+"` |")
		if !found {
			t.Errorf("cdkapp/README.md has no row for the setting %s", name)

			continue
		}
		stated := strings.Trim(strings.Split(row, "|")[0], " `")
		if list, isList := value.([]any); value == "" || isList && len(list) == 0 {
			continue // the row says what an absent setting means
		}
		if want := fmt.Sprint(value); stated != want {
			t.Errorf("cdkapp/README.md says that %s is %s by default, want %s", name, stated, want)
		}
	}
	if settings == 0 {
		t.Error("cdk.json has no settings")
	}
}

// TestTheMapListsPackagesBelowTheirImports checks that the map in the contributors' page names every package, below all
// packages that it may import.
func TestTheMapListsPackagesBelowTheirImports(t *testing.T) {
	page := readTree(t, func(path string) bool { return strings.HasSuffix(path, "CONTRIBUTING.md") })[".github/CONTRIBUTING.md"]
	_, text, _ := strings.Cut(page, "## The map\n\n```\n")
	text, _, _ = strings.Cut(text, "```")
	lines := map[string]int{} // the line of each package or folder in the map
	for n, line := range strings.Split(text, "\n") {
		for word := range strings.FieldsSeq(line) {
			name := strings.TrimSuffix(word, "/")
			if strings.HasPrefix(word, "lib/") || strings.HasPrefix(line, word) {
				lines[name] = n + 1
			}
		}
	}
	for name, imports := range allowed {
		for _, imported := range imports {
			importerLine, importedLine := lineOf(lines, name), lineOf(lines, imported)
			if importerLine == 0 || importedLine == 0 || importedLine > importerLine {
				t.Errorf("%s is in line %d of the map, and may import %s in line %d", name, importerLine, imported, importedLine)
			}
		}
	}
}

// lineOf returns the line of a package in the map, or of the folder that contains it. It returns 0 if the map has neither.
func lineOf(lines map[string]int, name string) int {
	for ; name != "."; name = filepath.Dir(name) {
		if lines[name] > 0 {
			return lines[name]
		}
	}

	return 0
}

// TestDocsLinkToFilesThatExist checks every relative link, and that the page of a link with a fragment has the heading.
func TestDocsLinkToFilesThatExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]+))?\)`)
	docs := readTree(t, isDoc)
	for path, text := range docs {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			target := path
			if found[1] != "" {
				target = filepath.Join(filepath.Dir(path), found[1])
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, found[1])
			}
			if found[2] != "" && !slices.Contains(fragments(docs[target]), found[2]) {
				t.Errorf("%s links to a heading #%s, which %s does not have", path, found[2], target)
			}
		}
	}
}

// fragments returns the fragments by which links name the headings of a page: lower case, hyphens for spaces, no punctuation.
func fragments(page string) []string {
	var list []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		list = append(list, strings.ReplaceAll(name, " ", "-"))
	}

	return list
}

// TestREADMEIsShort keeps the first page short enough for a newcomer to read.
func TestREADMEIsShort(t *testing.T) {
	const limit = 200
	if n := strings.Count(readTree(t, func(path string) bool { return path == "../README.md" })["README.md"], "\n"); n == 0 || n >= limit {
		t.Errorf("README.md has %d lines, want under %d", n, limit)
	}
}

// TestContributingNamesCodeThatExists checks that each file that the contributors' page names exists, and that it has the names of
// code that the page lists after it.
func TestContributingNamesCodeThatExists(t *testing.T) {
	code := readTree(t, func(path string) bool { return strings.HasSuffix(path, ".go") })
	page := readTree(t, func(path string) bool { return strings.HasSuffix(path, "CONTRIBUTING.md") })[".github/CONTRIBUTING.md"]
	// A path in backquotes, and after a colon the names of code in it, such as `lib/feed/apply.go`: `Apply`.
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

// TestLogLinesOfTheDocsExist checks the lines that cdkapp/README.md tells deployers to count: each is logged, with its fields. What
// the runbook's alarms tell people to look for is one of these lines.
func TestLogLinesOfTheDocsExist(t *testing.T) {
	code := readTree(t, func(path string) bool {
		return strings.HasPrefix(path, "../lib/") && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go")
	})
	page := readTree(t, func(path string) bool { return path == "../cdkapp/README.md" })["cdkapp/README.md"]
	_, table, _ := strings.Cut(page, "| `msg` | function | fields |\n|---|---|---|\n")
	// A call of a logger: its message and, up to the end of the line, its fields.
	call := regexp.MustCompile(`(?s)(?:Info|Warn|Error)Context\(ctx, "([^"]+)"(.*?)\n|\.Log\(ctx, level, "([^"]+)"(.*?\))\n`)
	logged := map[string]string{} // the fields of each message
	for _, source := range code {
		source = regexp.MustCompile(`,\n\s*`).ReplaceAllString(source, ", ")
		for _, found := range call.FindAllStringSubmatch(source, -1) {
			logged[found[1]+found[3]] += found[2] + found[4]
		}
	}
	listed := map[string]bool{}
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) != 5 { // A row has three cells, and text before and after its bars. The table has ended.
			break
		}
		line := strings.Trim(cells[1], " `")
		listed[line] = true
		fields, ok := logged[line]
		if !ok {
			t.Errorf("the page lists %q, which is not logged", line)
			continue
		}
		for field := range strings.SplitSeq(strings.ReplaceAll(cells[3], "`", ""), ",") {
			if field = strings.TrimSpace(field); field != "" && !strings.Contains(fields, `"`+field+`"`) {
				t.Errorf("%q is logged without %q", line, field)
			}
		}
	}
	_, alarms, _ := strings.Cut(readTree(t, func(path string) bool { return path == "../cdkapp/RUNBOOK.md" })["cdkapp/RUNBOOK.md"], "\n## Alarms\n")
	alarms, _, _ = strings.Cut(alarms, "\n## ")
	inRunbook := regexp.MustCompile("`([a-z]+(?:\\s+[a-z]+)+)`").FindAllStringSubmatch(alarms, -1) // what has spaces is a line
	for _, found := range inRunbook {
		if line := strings.Join(strings.Fields(found[1]), " "); !listed[line] {
			t.Errorf("the runbook names the line %q, which cdkapp/README.md does not list", line)
		}
	}
	if len(listed) < 10 || len(inRunbook) < 10 {
		t.Errorf("the page lists %d lines, and the runbook names %d", len(listed), len(inRunbook))
	}
}
