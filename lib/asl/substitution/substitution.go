// Package substitution replaces the ${Name} placeholders of a state machine definition, as DefinitionSubstitutions of AWS SAM and of the
// AWS CDK do.
package substitution

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// placeholder matches ${Name} in a definition.
var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9_:]+)\}`)

// Names returns the names of the definition's placeholders, sorted and without repetitions.
func Names(definition string) []string {
	found := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(definition, -1) {
		found[m[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// Fill returns the definition with each ${Name} replaced by its value, escaped for a JSON string. The error names all placeholders
// without a value, and the values that there are.
func Fill(definition string, values map[string]string) (string, error) {
	missing := map[string]bool{}
	filled := placeholder.ReplaceAllStringFunc(definition, func(match string) string {
		value, ok := values[match[len("${"):len(match)-len("}")]]
		if !ok {
			missing[match] = true
		}
		return string(escape(value))
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("no substitution for %s; there are %s",
			strings.Join(slices.Sorted(maps.Keys(missing)), ", "), strings.Join(slices.Sorted(maps.Keys(values)), ", "))
	}
	return filled, nil
}

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
