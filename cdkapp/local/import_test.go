package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// runCommand runs the command and returns its exit code, stdout and stderr.
func runCommand(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// writeFile writes a file into a new folder and returns its path.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAMendedRejectedFileIsImported(t *testing.T) {
	results := filepath.Join(t.TempDir(), "results")
	list := writeFile(t, "list.csv", "part,color,quantity,note\n3001,-1,x,a\n3002,Red,y,'b\n")
	if code, stdout, stderr := runCommand(t, "-results", results, list); code != exitFailed {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	rejected, err := os.ReadFile(filepath.Join(results, "rejected.csv"))
	if err != nil {
		t.Fatal(err)
	}
	mended := writeFile(t, "rejected.csv", strings.NewReplacer(",x,", ",3,", ",y,", ",4,").Replace(string(rejected)))
	again := filepath.Join(t.TempDir(), "again")
	if code, stdout, stderr := runCommand(t, "-results", again, mended); code != 0 {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	rows, err := os.ReadFile(filepath.Join(again, "part-00000.jsonl"))
	want := `{"line":2,"part":"3001","color":"-1","quantity":3,"extra":{"note":"a"}}
{"line":3,"part":"3002","color":"Red","quantity":4,"extra":{"note":"'b"}}
`
	if err != nil || string(rows) != want {
		t.Errorf("rows are\n%s, error %v, want\n%s", rows, err, want)
	}
}

func TestNoControlCharacterReachesTheTerminal(t *testing.T) {
	const evil = "a\x1b[2J\u009b31m\u202e\x7f"
	text := "\uFEFFpart,color,quantity," + `"` + strings.ReplaceAll(evil, "\x1b", "") + `"` + "\n3001,Red,1,x\n3001,Red," + evil + ",x\n3001,Red,1,\xff\n" + evil + ",Red,1,\n"
	file := writeFile(t, evil+".csv", text)
	for _, args := range [][]string{
		{file}, {"-json", file}, {"-v", file}, {file + "x"}, {"-" + evil, file}, {"-results", file, file}, {file, "-" + evil}, {"watch", evil},
		{"watch", "-token-file", evil}, {"-faults", evil}, {"-allow-host", evil}, {"-results", filepath.Dir(file), file},
	} {
		_, stdout, stderr := runCommand(t, args...)
		if i := strings.IndexFunc(stdout+stderr, func(r rune) bool {
			return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
		}); i >= 0 {
			t.Errorf("%q prints %q", args, (stdout + stderr)[max(0, i-200):])
		}
	}
}

// TestAFailedImportEndsTheBarWithOneLine checks that there is no gap between the bar and what follows: the error, or the summary after one
// empty line.
func TestAFailedImportEndsTheBarWithOneLine(t *testing.T) {
	for _, tt := range []struct {
		content, next string
		empty         int // the empty lines before it
	}{
		{"part,color\n3001,Red\n", "local: Line 1: the column quantity is missing", 0},
		{"part,color,quantity\n3001,Red,x\n", "list.csv: 1 rows in", 1},
	} {
		c := openTerminal(t, nil, writeFile(t, "list.csv", tt.content))
		c.waitForEnd(exitFailed)
		lines := strings.Split(c.waitFor(tt.next), "\n")
		next := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, tt.next) })
		if bar := next - tt.empty - 1; bar < 0 || !strings.Contains(lines[bar], "%") {
			t.Errorf("%d empty lines are not what stands before %q:\n%s", tt.empty, tt.next, strings.Join(lines, "\n"))
		}
	}
}
