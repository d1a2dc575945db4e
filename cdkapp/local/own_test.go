package main

import (
	"io"
	"testing"

	"github.com/herald-progress/herald/lib/local"
)

func TestTheMockFileIsThatOfTheFlagOrOfTheVariable(t *testing.T) {
	for _, test := range []struct {
		variable string
		args     []string
		want     string
	}{
		{"", nil, ""},
		{"variable.json", nil, "variable.json"},
		{"variable.json", []string{"-mocks", "flag.json"}, "flag.json"},
	} {
		t.Setenv("SFN_MOCK_CONFIG", test.variable)
		o, err := parse(test.args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var c local.Config
		o.own.apply(&c, io.Discard)
		if c.MockFile != test.want {
			t.Errorf("%s %v: got %q, want %q", test.variable, test.args, c.MockFile, test.want)
		}
	}
}
