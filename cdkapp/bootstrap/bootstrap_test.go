package bootstrap

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// writeModule writes a module with the layout of Herald: a folder in lambdas/ for each main package. sources holds their sources
// by name.
func writeModule(t *testing.T, sources map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/lambdas\n\ngo 1.26\n")
	for name, source := range sources {
		write(t, filepath.Join(dir, "lambdas", name, "main.go"), source)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// buildOrSkip builds the named functions of a module into dir. It skips the test with -short, or if there is no go command.
func buildOrSkip(t *testing.T, module, dir string, names ...string) error {
	t.Helper()
	if testing.Short() {
		t.Skip("compiling for arm64 takes seconds; skipped by -short")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command on PATH")
	}
	return build(t.Context(), module, dir, "arm64", names)
}

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestBuildMakesTheSameStaticProgramForEachFunctionEachTime(t *testing.T) {
	sources := map[string]string{
		"one":     "package main\n\nfunc main() { println(\"one\") }\n",
		"default": "package main\n\nfunc main() { println(\"another\") }\n",
	}
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		if err := buildOrSkip(t, writeModule(t, sources), dir, "one", "default"); err != nil {
			t.Fatal(err)
		}
	}
	for name := range sources {
		file := filepath.Join(first, name, "bootstrap")
		binary, err := elf.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if binary.Machine != elf.EM_AARCH64 {
			t.Errorf("%s is for %v, want arm64", name, binary.Machine)
		}
		if libraries, _ := binary.ImportedLibraries(); len(libraries) > 0 {
			t.Errorf("%s needs the libraries %v, want none", name, libraries)
		}
		_ = binary.Close()
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o111 != 0o111 {
			t.Errorf("%s cannot be executed by all: %v, %v", name, info.Mode(), err)
		}
		if !bytes.Equal(read(t, file), read(t, second, name, "bootstrap")) {
			t.Errorf("%s: two builds from different folders differ", name)
		}
	}
	if bytes.Equal(read(t, first, "one", "bootstrap"), read(t, first, "default", "bootstrap")) {
		t.Error("two functions have the same program")
	}
	entries, err := os.ReadDir(first)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(sources) {
		t.Errorf("the folder contains %v, want one folder per function", entries)
	}
}

func TestBuildReportsCompileErrors(t *testing.T) {
	module := writeModule(t, map[string]string{"one": "package main\n\nfunc main() { missing() }\n"})
	err := buildOrSkip(t, module, t.TempDir(), "one")
	if !errors.Is(err, ErrCompile) {
		t.Fatalf("got %v, want ErrCompile", err)
	}
	if !strings.Contains(err.Error(), "main.go:3:15: undefined: missing") {
		t.Errorf("the error does not contain the compiler's message: %v", err)
	}
}

func TestBuildNeedsGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Build(t.Context(), t.TempDir(), "arm64"); !errors.Is(err, ErrNoGo) {
		t.Errorf("got %v, want ErrNoGo", err)
	}
}

// TestBuildTakesAFolderThatIsRelativeAndNew builds as the first example of package pipeline does.
func TestBuildTakesAFolderThatIsRelativeAndNew(t *testing.T) {
	module := writeModule(t, map[string]string{"one": "package main\n\nfunc main() {}\n"})
	t.Chdir(t.TempDir())
	if err := buildOrSkip(t, module, "functions", "one"); err != nil {
		t.Fatal(err)
	}
	read(t, "functions", "one", "bootstrap")
	if _, err := os.Stat(filepath.Join(module, "functions")); err == nil {
		t.Error("the folder is in the module")
	}
}
