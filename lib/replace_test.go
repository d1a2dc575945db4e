package lib_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// worker is a second module's program, which reports the progress of its own work.
const worker = `package main

import (
	"context"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

type printer struct{}

func (printer) Send(_ context.Context, id string, frame []byte) error {
	fmt.Println(id, len(frame) > 0)

	return nil
}

func main() {
	ctx := context.Background()
	connections := &connection.Memory{}
	err := connections.Put(ctx, connection.Connection{ID: "c1", UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		panic(err)
	}
	n := &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: connections, Sender: printer{}}}
	err = n.Publish(ctx, message.Request{
		UserID:  "u1",
		Message: message.UploadProgress{UploadID: "u-42", FileName: "f.csv", Progress: 50, Message: "Half way"},
	})
	if err != nil {
		panic(err)
	}
}
`

// TestASecondModuleUsesTheLibrary does what statemachines/README.md says under "From a worker", "In Go". The worker posts one frame to one
// connection, and prints the id of the connection and whether the frame has content.
func TestASecondModuleUsesTheLibrary(t *testing.T) {
	herald, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("main.go", []byte(worker))
	for _, args := range [][]string{
		{"mod", "init", "example.com/worker"},
		{"mod", "edit", "-require=github.com/herald-progress/herald@v0.0.0", "-replace=github.com/herald-progress/herald=" + herald},
		{"mod", "tidy"},
	} {
		run(t, dir, args...)
	}
	if got, want := run(t, dir, "run", "."), "c1 true"; strings.TrimSpace(got) != want {
		t.Errorf("the second module prints %q, want %q", got, want)
	}
}

// TestASecondModuleTestsItsWorkflow does what statemachines/README.md says under "From an empty folder", but for the twin, which package
// local tests.
func TestASecondModuleTestsItsWorkflow(t *testing.T) {
	page, err := os.ReadFile("../statemachines/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## From an empty folder")
	section, tests, _ := strings.Cut(section, "\n### Test it")
	parent := t.TempDir()
	herald, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(herald, filepath.Join(parent, "herald")); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "sh", "-e", "-c", block(t, section, "```sh\n"))
	command.Dir = parent
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("the first commands of the section: %v\n%s", err, out)
	}
	dir := filepath.Join(parent, "thumbs")
	for _, name := range []string{"twin", "runtime.py"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}

	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"thumbs.asl.json": block(t, section, "```json\n"), "app.py": block(t, section, "```python\n"), "thumbs_test.go": block(t, tests, "```go\n"),
	} {
		write(name, content)
		if file, err := os.ReadFile(filepath.Join("../testdata/thumbs", name)); err != nil || string(file) != content {
			t.Errorf("testdata/thumbs/%s is not what the section shows: %v", name, err)
		}
	}
	for line := range strings.Lines(block(t, tests, "```sh\n")) {
		run(t, dir, strings.Fields(line)[1:]...)
	}

	whole, _, found := strings.Cut(block(t, tests, "```go\n"), "\nfunc TestBusy")
	if !found {
		t.Fatal("the section has no TestBusy")
	}
	write("thumbs_test.go", whole)
	command = exec.CommandContext(t.Context(), "go", "test", "-aslcoverage=cover", ".")
	command.Dir = dir
	out, err := command.CombinedOutput()
	if want := block(t, tests, "they fail:\n\n```\n"); err == nil || !strings.Contains(string(out), want) {
		t.Errorf("without TestBusy, go test ends with %v and prints\n%s, want\n%s", err, out, want)
	}
	if drawing, err := os.ReadFile(filepath.Join(dir, "cover", "thumbs.html")); err != nil || !strings.Contains(string(drawing), "✗ Retry[0]") {
		t.Errorf("the drawing lacks what is missing: %v", err)
	}
}

// block returns the first block of a page that begins with the given text.
func block(t *testing.T, page, begin string) string {
	t.Helper()
	_, text, _ := strings.Cut(page, begin)
	text, _, _ = strings.Cut(text, "```\n")
	if text == "" {
		t.Fatalf("the section has no block that begins with %s", begin)
	}
	return text
}

// run runs the go command in a folder and returns its output.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}

	return string(out)
}
