package asltest

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/herald-progress/herald/lib/asl/coverage"
)

// coverageFlag names the folder for the drawings of RequireCoverage.
var coverageFlag = flag.String("aslcoverage", "", "write a drawing of the coverage of each state machine into this `folder`")

// RequireCoverage runs the tests and returns the exit code of the test binary. It is 1 if all tests passed, but their executions took less
// than a share, from 0 to 1, of a machine's states, transitions, rules, catchers and retriers. Then RequireCoverage prints what is
// missing. Use it in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(asltest.RequireCoverage(m, 1, album)) }
//
// It checks the given machines, or all machines that the tests have run if none is given.
//
// Coverage is not checked if only some of the tests run: with -run, -skip, -short, -list or -fuzz. With -aslcoverage=FOLDER it is drawn in
// any case: a NAME.html for each machine.
func RequireCoverage(m interface{ Run() int }, share float64, machines ...Machine) int {
	code := m.Run()
	measured, err := measuredProfiles(machines)
	if err == nil && *coverageFlag != "" {
		err = draw(*coverageFlag, measured)
	}
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return max(code, 1)
	}

	if selecting := selectingFlag(flag.Lookup); selecting != "" {
		fmt.Fprintf(os.Stdout, "asltest: coverage is not checked, because -%s selects tests\n", selecting)
		return code
	}
	if code != 0 {
		return code // The coverage of tests that fail says nothing.
	}
	return checkShare(os.Stdout, share, measured)
}

// measuredProfiles returns the profiles of the machines, or of all that were run if none is given.
func measuredProfiles(machines []Machine) ([]*coverage.Profile, error) {
	if len(machines) == 0 {
		return profiles.all(), nil
	}
	measured := make([]*coverage.Profile, len(machines))
	for i, m := range machines {
		l, err := m.load()
		if err != nil {
			return nil, err
		}
		measured[i] = l.profile
	}
	return measured, nil
}

// checkShare reports each profile below the share and returns the exit code.
func checkShare(w io.Writer, share float64, measured []*coverage.Profile) int {
	code := 0
	for _, p := range measured {
		if p.Share() >= share {
			continue
		}
		code = 1
		fmt.Fprintf(w, "asltest: the tests cover too little, want %.4g %%. go test -aslcoverage=FOLDER draws it.\n%s", share*100, p.Text())
	}
	return code
}

// selectingFlag returns the name of a flag of go test that selects some of the tests, or "".
func selectingFlag(lookup func(string) *flag.Flag) string {
	for _, name := range []string{"run", "skip", "short", "list", "fuzz"} {
		f := lookup("test." + name)
		if f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return name
		}
	}
	return ""
}

// unsafe matches what a file's name should not have.
var unsafe = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// draw writes the drawing of each profile into a folder.
func draw(folder string, measured []*coverage.Profile) error {
	used := map[string]int{}
	for _, p := range measured {
		name := unsafe.ReplaceAllString(p.Name(), "_")
		used[strings.ToLower(name)]++ // Some file systems ignore case.
		if n := used[strings.ToLower(name)]; n > 1 {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		if err := writeFile(filepath.Join(folder, name+".html"), p.HTML()); err != nil {
			return fmt.Errorf("asltest: draw the coverage of %s: %w", p.Name(), err)
		}
	}
	return nil
}
