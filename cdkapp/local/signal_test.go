package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestInterruptLeavesNoFiles interrupts imports while they run: each time the command removes the uploaded file before it exits.
func TestInterruptLeavesNoFiles(t *testing.T) {
	// Under nohup this process ignores SIGHUP, and the command would inherit that. signal.Notify ends it, so that the command
	// starts with the default.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for name, interrupt := range map[string]func(*os.Process, io.Closer){
		"Ctrl-C":                 func(p *os.Process, _ io.Closer) { p.Signal(os.Interrupt) },
		"the terminal is closed": func(p *os.Process, _ io.Closer) { p.Signal(syscall.SIGHUP) },
		"the reader has gone":    func(_ *os.Process, output io.Closer) { output.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-rate", "100", "../../testdata/parts-list.csv")
			cmd.Args[0] = "local" // TestMain runs the command of this name.
			cmd.Env = append(os.Environ(), "TMPDIR="+dir)
			output, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) == 0 {
				t.Fatal("no file was stored before the interrupt: this test would prove nothing")
			}
			interrupt(cmd.Process, output)
			if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() < 1 {
				t.Errorf("the command ended with %v, want an exit code over 0", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

func TestFileNameNeedNotBeUTF8(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Stra\xdfe.csv")
	if err := os.WriteFile(file, []byte("part,color,quantity\n3001,Red,4\n"), 0o600); err != nil {
		t.Skipf("this file system takes UTF-8 only: %v", err)
	}
	var stdout, stderr strings.Builder
	if code := run(t.Context(), []string{file}, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "Stra_e.csv: 1 rows") {
		t.Errorf("exit code %d, printed %s%s", code, stdout.String(), stderr.String())
	}
}
