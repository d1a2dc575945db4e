package cloud_test

import (
	"fmt"
	"os"
	"testing"
)

// functionsDir is the folder that the functions are built into.
var functionsDir string

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" { // BenchmarkShare has started this binary as a server.
		serveAWS()
		return
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// run runs the tests, and removes functionsDir at the end.
func run(m *testing.M) (code int, err error) {
	if functionsDir, err = os.MkdirTemp("", "herald-functions-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(functionsDir)
	return m.Run(), nil
}
