package main

import (
	"bytes"
	"os"
	"path/filepath"
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
