// Package statemachines contains the definitions of Herald's workflows, in the Amazon States Language with JSONata.
package statemachines

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl/substitution"
)

// suffix is the end of the name of a definition's file. The beginning is the name of the workflow.
const suffix = ".asl.json"

//go:embed *.asl.json
var files embed.FS

// Names returns the names of the workflows, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), suffix)
	}
	return names
}

// Substitutions returns the names of the workflow's ${Name} placeholders, sorted and without repetitions. It returns nil
// for an unknown workflow.
func Substitutions(name string) []string {
	definition, err := files.ReadFile(name + suffix)
	if err != nil {
		return nil
	}
	return substitution.Names(string(definition))
}

// Fill returns the workflow's definition with each ${Name} replaced by its substitution, escaped for a JSON string.
// The error names the workflow if it is unknown, or the substitution that is missing or unused.
func Fill(name string, substitutions map[string]string) (string, error) {
	definition, err := files.ReadFile(name + suffix)
	if err != nil {
		return "", fmt.Errorf("statemachines: no workflow %q, there are %s", name, strings.Join(Names(), ", "))
	}
	required := Substitutions(name)
	for _, key := range required {
		if substitutions[key] == "" {
			return "", fmt.Errorf("statemachines: %s: no substitution for ${%s}", name, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(substitutions)) {
		if !slices.Contains(required, key) {
			return "", fmt.Errorf("statemachines: %s: ${%s} is not in the definition", name, key)
		}
	}

	return substitution.Fill(string(definition), substitutions)
}
