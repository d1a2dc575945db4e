package asltest

import (
	"fmt"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// maxDifferences is how many differences a message lists.
const maxDifferences = 20

// difference returns a line for each place where two JSON values differ, or "". The order of an object's keys makes no difference.
func difference(want, got any) string {
	var d differ
	d.compare("$", want, got)
	if more := len(d.lines) - maxDifferences; more > 0 {
		d.lines = append(d.lines[:maxDifferences], fmt.Sprintf("  … %d more", more))
	}
	return strings.Join(d.lines, "\n")
}

// A differ collects differences.
type differ struct{ lines []string }

func (d *differ) addf(at, format string, args ...any) {
	d.lines = append(d.lines, "  "+at+": "+fmt.Sprintf(format, args...))
}

// compare adds the differences of two values at a path.
func (d *differ) compare(at string, want, got any) {
	switch want := want.(type) {
	case *jsontree.Object:
		if got, ok := got.(*jsontree.Object); ok {
			d.compareObjects(at, want, got)
			return
		}
	case []any:
		if got, ok := got.([]any); ok {
			d.compareArrays(at, want, got)
			return
		}
	}
	if !jsontree.Equal(want, got) {
		d.addf(at, "got %s, want %s", text(got), text(want))
	}
}

func (d *differ) compareObjects(at string, want, got *jsontree.Object) {
	for _, key := range want.Keys() {
		wanted, _ := want.Get(key)
		if value, ok := got.Get(key); ok {
			d.compare(member(at, key), wanted, value)
		} else {
			d.addf(member(at, key), "missing, want %s", text(wanted))
		}
	}
	for _, key := range got.Keys() {
		if _, ok := want.Get(key); !ok {
			value, _ := got.Get(key)
			d.addf(member(at, key), "unexpected %s", text(value))
		}
	}
}

func (d *differ) compareArrays(at string, want, got []any) {
	for i := range max(len(want), len(got)) {
		item := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case i >= len(got):
			d.addf(item, "missing, want %s", text(want[i]))
		case i >= len(want):
			d.addf(item, "unexpected %s", text(got[i]))
		default:
			d.compare(item, want[i], got[i])
		}
	}
}

// member returns the path of a member of an object.
func member(at, key string) string {
	for _, r := range key {
		if r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return fmt.Sprintf("%s[%q]", at, key)
		}
	}
	return at + "." + key
}

// text returns a value as a message shows it.
func text(v any) string { return shorten(jsontree.Text(v)) }
