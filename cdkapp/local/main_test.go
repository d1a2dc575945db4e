package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"local": main, "local-ready": ready})
}

// ready waits until the port in its argument accepts connections.
func ready() {
	const limit, pause = 10 * time.Second, 10 * time.Millisecond
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(pause) {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+os.Args[1]); err == nil {
			conn.Close()
			return
		}
	}
	os.Exit(1)
}

// TestScripts runs the scenarios in testdata/scripts: the command as a user types it.
func TestScripts(t *testing.T) {
	data, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join(data, "scripts"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DATA", data)
			return nil
		},
	})
}
