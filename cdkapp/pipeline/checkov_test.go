package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkov returns how often checkov reports each check in a template.
func checkov(t *testing.T, program string, template template) map[string]int {
	t.Helper()
	raw, err := json.Marshal(template.all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stack.template.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	// It must not ask its vendor for guidelines.
	command := exec.CommandContext(t.Context(), program, "--file", file, "--framework", "cloudformation", "--output", "json", "--quiet",
		"--compact", "--soft-fail", "--skip-download")
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	var report struct {
		Results struct {
			Failed []struct {
				ID string `json:"check_id"`
			} `json:"failed_checks"`
		} `json:"results"`
	}
	if err := json.Unmarshal(printed, &report); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	found := map[string]int{}
	for _, finding := range report.Results.Failed {
		found[finding.ID]++
	}

	return found
}

// securityPage returns the page that answers what checkov finds.
func securityPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// answers returns the findings that a page answers: all, and those that stay with all settings.
func answers(page string) (all, reasons map[string]int) {
	all, reasons = map[string]int{}, map[string]int{}
	for _, row := range regexp.MustCompile(`(?m)^\| (CKV_\w+), [^|]+ \| (\d+) \| (setting|reason)`).FindAllStringSubmatch(page, -1) {
		count, _ := strconv.Atoi(row[2])
		all[row[1]] = count
		if row[3] == "reason" {
			reasons[row[1]] = count
		}
	}
	return all, reasons
}

// TestCheckovFindsOnlyWhatIsAnswered compares what checkov finds with the table of SECURITY.md. It needs checkov, which CHECKOV names.
func TestCheckovFindsOnlyWhatIsAnswered(t *testing.T) {
	page := securityPage(t)
	all, reasons := answers(page)
	if len(all) == 0 || len(reasons) == 0 || len(reasons) == len(all) {
		t.Fatalf("the page answers %v, %v by a reason", slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(reasons)))
	}
	sum := 0
	for _, count := range all {
		sum += count
	}
	if claim := fmt.Sprintf("reports %d findings of %d kinds", sum, len(all)); !strings.Contains(page, claim) {
		t.Errorf("the page does not say that checkov %s", claim)
	}
	program := os.Getenv("CHECKOV")
	if program == "" {
		t.Skip("CHECKOV is not set: needs checkov")
	}
	if diff := cmp.Diff(all, checkov(t, program, fullTemplate(t))); diff != "" {
		t.Errorf("findings (-answered +found):\n%s", diff)
	}
	settings := fullSettings()
	settings.Props.KMSKeyARN = keyARN
	settings.Props.VPCSubnetIDs, settings.Props.VPCSecurityGroupIDs = []string{"subnet-0123456789abcdef0"}, []string{"sg-0123456789abcdef0"}
	if diff := cmp.Diff(reasons, checkov(t, program, synthesise(t, settings))); diff != "" {
		t.Errorf("findings with all settings (-reasons +found):\n%s", diff)
	}
}
