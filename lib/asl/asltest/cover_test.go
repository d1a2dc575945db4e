package asltest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/asl/coverage"
)

// A suite is tests that run to an exit code.
type suite int

func (s suite) Run() int { return int(s) }

func TestTheShareOfAMachineIsRequired(t *testing.T) {
	m := Machine{Name: t.Name() + time.Now().String(), // A machine of its own in each run of this test.
		Definition: []byte(`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$.n","IsPresent":true,"Next":"B"}],"Default":"C"},
		"B":{"Type":"Succeed"},"C":{"Type":"Fail"}}}`)}
	Run(t, m, `{"n":1}`)
	measured, err := measuredProfiles([]Machine{m})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		share float64
		code  int
	}{{0, 0}, {0.6, 0}, {0.61, 1}, {1, 1}} {
		var out strings.Builder
		if code := checkShare(&out, tt.share, measured); code != tt.code {
			t.Errorf("the code for %v is %d, want %d", tt.share, code, tt.code)
		}
		if missing := strings.Contains(out.String(), "States.A.Default (-> C)"); missing != (tt.code == 1) {
			t.Errorf("for %v it prints %s", tt.share, &out)
		}
	}
	Run(t, m, `{}`)
	if code := checkShare(&strings.Builder{}, 1, measured); code != 0 {
		t.Errorf("with both ways taken the code is %d, want 0: %s", code, measured[0].Text())
	}
}

func TestCoverageIsTheSameForAllSubstitutions(t *testing.T) {
	m := Machine{Definition: []byte(`{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"${Value}","End":true}}}`)}
	var seen []*coverage.Profile
	for _, value := range []string{"x", "y"} {
		m.Substitutions = map[string]string{"Value": value}
		l, err := m.load()
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, l.profile)
	}
	if seen[0] != seen[1] {
		t.Error("two substitutions have two profiles, want one")
	}
}

func TestCoverageIsNotCheckedIfTestsAreSelected(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"test.run", "TestX", "run"}, {"test.skip", "TestX", "skip"}, {"test.fuzz", "F", "fuzz"}, {"test.list", ".", "list"},
		{"test.short", "true", "short"}, {"test.short", "false", ""}, {"test.run", "", ""}, {"test.v", "true", ""},
	} {
		set := flag.NewFlagSet("test", flag.ContinueOnError)
		set.String(tt.name, tt.value, "")
		if got := selectingFlag(set.Lookup); got != tt.want {
			t.Errorf("with -%s=%s the flag that selects tests is %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestFailingTestsKeepTheirCode(t *testing.T) {
	never := Machine{Name: "never run", Definition: []byte(`{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`)}
	if code := RequireCoverage(suite(3), 1, never); code != 3 {
		t.Errorf("the code is %d, want that of the tests", code)
	}
	if code := RequireCoverage(suite(0), 1, Machine{}); code != 1 {
		t.Errorf("the code of a machine that cannot be loaded is %d, want 1", code)
	}
}

func TestDrawingsHaveTheNamesOfTheirMachines(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	var measured []*coverage.Profile
	for i, name := range []string{"a b/c", "a b/c", "../A_b_C"} {
		l, err := Machine{Name: name, Definition: []byte(`{"StartAt":"A","States":{"A":{"Type":"Pass","Result":` + strings.Repeat("1", i+1) + `,"End":true}}}`)}.load()
		if err != nil {
			t.Fatal(err)
		}
		measured = append(measured, l.profile)
	}
	if err := draw(folder, measured); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a_b_c.html", "a_b_c-2.html", ".._A_b_C.html"} {
		if text, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !strings.Contains(string(text), "<svg") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
