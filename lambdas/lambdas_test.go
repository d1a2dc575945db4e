package lambdas_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lambdas"
)

func TestEachFunctionHasAFolder(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var folders, names []string
	for _, entry := range entries {
		if entry.IsDir() {
			folders = append(folders, entry.Name())
		}
	}
	for _, f := range lambdas.Functions() {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, folders); diff != "" {
		t.Errorf("the table and the folders differ (-table +folders):\n%s", diff)
	}
}

// TestFunctionsAreComplete checks the values that CloudFormation and Lambda require, and that no id, route or variable is used
// twice.
func TestFunctionsAreComplete(t *testing.T) {
	used := map[string]bool{}
	for _, f := range lambdas.Functions() {
		if f.ID == "" || used[f.ID] || used["route "+f.Route] {
			t.Errorf("%s: the id %q is empty, or another function has it or the route %q", f.Name, f.ID, f.Route)
		}
		used[f.ID] = true
		if f.Route != "" {
			used["route "+f.Route] = true
		}
		if f.Description == "" || f.MemoryMB < 128 || f.Timeout < time.Second || f.Timeout > 15*time.Minute || f.Timeout%time.Second != 0 {
			t.Errorf("%s: description %q, %d MB, timeout %v", f.Name, f.Description, f.MemoryMB, f.Timeout)
		}
		if s := f.Schedule; s.Interval%time.Minute != 0 || s.Interval > 0 && s.Description == "" {
			t.Errorf("%s: schedule %+v", f.Name, s)
		}
		if h := f.OnFailure; h != (lambdas.FailureHandling{}) && (h.MaxAge < time.Minute || h.MaxAge > 6*time.Hour || h.Retries < 0 || h.Retries > 2) {
			t.Errorf("%s: failure handling %+v", f.Name, h)
		}
		variables := slices.Sorted(slices.Values(slices.Concat(f.Required, f.Optional)))
		if len(slices.Compact(slices.Clone(variables))) != len(variables) {
			t.Errorf("%s: a variable stands twice in %v", f.Name, variables)
		}
		if got, ok := lambdas.ByName(f.Name); !ok || got.ID != f.ID {
			t.Errorf("%s is found as %+v", f.Name, got)
		}
	}
}
