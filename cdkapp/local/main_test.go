package main

import (
	"bytes"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
)

// TestMain makes the test binary run these commands when it is started under their names: by a script of TestScripts, or by
// openTerminal.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"local": main, "local-ready": ready, "local-import": upload})
}

// ready waits until the port in its argument accepts connections.
func ready() {
	const pause = 10 * time.Millisecond
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pause) {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+os.Args[1]); err == nil {
			conn.Close()
			return
		}
	}
	os.Exit(1)
}

// upload uploads a file to the twin, as a browser of the user dev does. Its arguments are the port of the twin and the file.
func upload() {
	content, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	key := csvimport.UploadKey("dev", "u-1", filepath.Base(os.Args[2]))
	request, err := http.NewRequest(http.MethodPut, "http://127.0.0.1:"+os.Args[1]+"/"+local.Bucket+"/"+key, bytes.NewReader(content))
	if err != nil {
		log.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		log.Fatal(answer.Status)
	}
}

// TestScripts runs the scenarios in testdata/scripts: the command as a user types it.
func TestScripts(t *testing.T) {
	data, err := filepath.Abs("../../testdata") // The scripts have this folder as $DATA.
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
