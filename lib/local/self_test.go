package local_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// selfVariable is an environment variable. In a process that a test starts, it selects what this test binary runs instead of the
// tests.
const selfVariable = "HERALD_TEST_SELF"

// The values of selfVariable.
const (
	asTwin               = "twin"
	asImportServer       = "importer"
	asSilentImportServer = "silent importer" // a twin whose imports report no progress
	asBrowser            = "browser"
	asStoredTwin         = "stored twin"
)

func TestMain(m *testing.M) {
	serve := map[string]func(context.Context) error{
		asTwin: serveTwin, asImportServer: serveImports, asSilentImportServer: serveImports, asBrowser: browse, asStoredTwin: serveStored,
	}[os.Getenv(selfVariable)]
	if serve == nil {
		os.Exit(m.Run())
	}
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// self is a process of this test binary that runs another program.
type self struct {
	*exec.Cmd

	in     io.WriteCloser
	out    *bufio.Reader
	killed bool
}

// startSelf starts this test binary as another program, one of the values of selfVariable. The process ends when its input is
// closed, at the end of the test.
func startSelf(tb testing.TB, as string, variables ...string) *self {
	tb.Helper()
	// The cleanup needs the process after the test's context has ended.
	s := &self{Cmd: exec.CommandContext(context.WithoutCancel(tb.Context()), os.Args[0])}
	s.Env, s.Stderr = append(append(os.Environ(), selfVariable+"="+as), variables...), os.Stderr
	in, err := s.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	s.in, s.out = in, bufio.NewReader(out)
	if err := s.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if s.killed {
			return
		}
		_ = in.Close()
		if err := s.Wait(); err != nil {
			tb.Errorf("process as %s: %v", as, err)
		}
	})
	return s
}

// kill ends the process by a signal that it cannot catch.
func (s *self) kill(tb testing.TB) {
	tb.Helper()
	if err := s.Process.Kill(); err != nil {
		tb.Fatal(err)
	}
	s.killed = true
	_ = s.Wait() // its error says only that the process was killed
}
