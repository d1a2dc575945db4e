// Package statemachines contains the definitions of Herald's workflows, in the Amazon States Language with JSONata.
package statemachines

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// suffix is the end of the name of a definition's file. The beginning is the name of the workflow.
const suffix = ".asl.json"

//go:embed *.asl.json
var files embed.FS

// placeholder matches ${Name} in a definition.
var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9_:]+)\}`)

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
	found := map[string]bool{}
	for _, m := range placeholder.FindAllSubmatch(definition, -1) {
		found[string(m[1])] = true
	}
	return slices.Sorted(maps.Keys(found))
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

	return Substitute(string(definition), substitutions)
}

// Substitute returns a definition with each ${Name} replaced by its substitution, escaped for a JSON string. The error names all
// placeholders without a substitution, and the substitutions that there are.
func Substitute(definition string, substitutions map[string]string) (string, error) {
	missing := map[string]bool{}
	filled := placeholder.ReplaceAllStringFunc(definition, func(match string) string {
		value, ok := substitutions[nameOf(match)]
		if !ok {
			missing[match] = true
		}
		return string(escape(value))
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("statemachines: no substitution for %s; there are %s",
			strings.Join(slices.Sorted(maps.Keys(missing)), ", "), strings.Join(slices.Sorted(maps.Keys(substitutions)), ", "))
	}
	return filled, nil
}

// nameOf returns the name in a placeholder.
func nameOf(match string) string { return match[len("${") : len(match)-len("}")] }

// escape returns s as it stands between the quotes of a JSON string.
func escape(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return []byte(s)
	}
	quoted := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return quoted[1 : len(quoted)-1]
}
