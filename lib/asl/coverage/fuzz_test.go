package coverage_test

import (
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/coverage"
)

// FuzzHTML draws any definition that is valid: the drawing ends, and names each item.
func FuzzHTML(f *testing.F) {
	f.Add([]byte(shop))
	f.Add([]byte(`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"A"},{"Variable":"$.a","IsNull":false,"Next":"B"}],"Default":"C"},
		"B":{"Type":"Pass","Next":"A"},"C":{"Type":"Pass","End":true}}}`))
	f.Fuzz(func(t *testing.T, definition []byte) {
		m, err := asl.Parse(definition)
		if err != nil {
			return
		}
		p := coverage.New("m", m)
		page := p.HTML()
		if got, want := strings.Count(page, "<tr class="), len(p.Items()); got != want {
			t.Errorf("the page lists %d items, want %d", got, want)
		}
		if strings.Contains(page, "NaN") || strings.Contains(page, "Inf ") {
			t.Errorf("the page has a coordinate that is no number:\n%s", page)
		}
	})
}
