package asltest

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// updateFlag is the name of the flag with which Golden writes its files.
const updateFlag = "update"

func init() { //nolint:gochecknoinits // A flag must be there before the tests parse the flags.
	if flag.Lookup(updateFlag) == nil { // Another package may have it: then it serves both.
		flag.Bool(updateFlag, false, "write the golden files of asltest")
	}
}

// Golden compares the whole timeline of the execution, with all values in full, with a file such as testdata/album.golden. With the flag
// -update it writes the file instead:
//
//	go test -run TestAlbum -update
//
// The timeline is the same each time: iterations and branches come in their order, times are virtual, and each UUID is written as
// uuid-1, uuid-2 and so on. Values that come from $random() or from a real clock differ.
//
// A test that has a flag -update of its own reads that of this package, by flag.Lookup("update"): a flag can be defined only once.
func Golden(t *testing.T, e *Execution, file string) {
	t.Helper()
	golden(t, e, file, isUpdate())
}

// golden does what Golden does; update is the flag.
func golden(t reporter, e *Execution, file string, update bool) {
	t.Helper()
	if !e.isVirtual {
		t.Fatalf("asltest: an execution in real time takes another time each time, so it has no golden timeline")
	}
	got := strings.Join(e.lines(func(s string) string { return s }), "\n") + "\n"
	if update {
		if err := writeFile(file, got); err != nil {
			t.Fatalf("asltest: %v", err)
		}
		return
	}

	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("asltest: there is no %s: run go test -update to write it", file)
	}
	if err != nil {
		t.Fatalf("asltest: %v", err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
		t.Error(fmt.Sprintf("the timeline differs from %s (-want +got); go test -update accepts it:\n%s", file, diff))
	}
}

// isUpdate reports whether the flag -update is set.
func isUpdate() bool {
	f := flag.Lookup(updateFlag)
	return f != nil && f.Value.String() == "true"
}

// writeFile writes a file and makes its folder.
func writeFile(file, content string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(content), 0o600)
}
