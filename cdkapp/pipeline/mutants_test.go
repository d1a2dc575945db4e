package pipeline_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"
)

// unproved matches the paths of values that need no proof.
var unproved = regexp.MustCompile(`/Description$` + // for readers
	`|/Targets/0/Id$|/Statement/\d+/Sid$` + // names inside one resource
	`|^/Parameters/BootstrapVersion|^/Rules/CheckBootstrapVersion`) // the CDK's own

// mutants changes one value of a template after the other.
type mutants struct {
	// found reports a mistake to the proofs. path is where it is.
	found func(path, mistake string)
	count int
}

func (m *mutants) try(path, mistake string) {
	if !unproved.MatchString(path) {
		m.count++
		m.found(path, mistake)
	}
}

// walk changes value, which is at path, and each value in it. set replaces value.
func (m *mutants) walk(path string, value any, set func(any)) {
	replace := func(mistake string, with any) {
		set(with)
		m.try(path, mistake)
		set(value)
	}
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			child := value[key]
			delete(value, key)
			m.try(path+"/"+key, "is missing")
			value[key] = child
			m.walk(path+"/"+key, child, func(v any) { value[key] = v })
		}
		value["Added"] = "x"
		m.try(path+"/Added", "is added")
		delete(value, "Added")
	case []any:
		for i, child := range value {
			replace(fmt.Sprint("has no value ", i), slices.Delete(slices.Clone(value), i, i+1))
			m.walk(fmt.Sprint(path, "/", i), child, func(v any) { value[i] = v })
		}
		replace("has one more value", append(slices.Clone(value), "x"))
	case string:
		replace("is longer", value+"x")
		if value != "*" {
			replace("is a star", "*")
		}
	case float64:
		replace("is larger", value+1)
	case bool:
		replace("is the opposite", !value)
	}
}

// TestEveryChangedValueIsFound changes each value of the full template: it is removed, added to, and replaced. A proof must find each of
// these mistakes.
func TestEveryChangedValueIsFound(t *testing.T) {
	template, all := fullTemplate(t), passingProofs(t)
	m := mutants{found: func(path, mistake string) {
		for i, p := range all {
			if p.failure(t, template) != "" {
				all[0], all[i] = all[i], all[0] // The next mistake is probably in the same resource.
				return
			}
		}
		t.Errorf("no proof finds that %s %s", path, mistake)
	}}
	m.walk("", template.all, nil)
	if m.count < 5000 {
		t.Errorf("only %d mistakes were made", m.count)
	}
	t.Logf("%d mistakes", m.count)
}
