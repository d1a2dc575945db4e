package jsonata_test

import (
	"os"
	"strings"
	"testing"
)

// TestNeighboursOfReportsAgreeWithTheReference evaluates expressions like those that others have reported, here and with npm jsonata.
func TestNeighboursOfReportsAgreeWithTheReference(t *testing.T) {
	t.Parallel()
	r := startReference(t)
	text, err := os.ReadFile("testdata/neighbours.txt")
	if err != nil {
		t.Fatal(err)
	}
	for expr := range strings.Lines(string(text)) {
		expr = strings.TrimSuffix(expr, "\n")
		want := r.evaluate(t, expr, referenceInput)
		if got := ours(t, expr, referenceInput); !agree(expr, got, want) {
			t.Errorf("%s\n got %s\nwant %s %s", expr, got, want.text(), want.Message)
		}
	}
}
