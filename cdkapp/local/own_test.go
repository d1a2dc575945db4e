package main

import (
	"io"
	"strings"
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

func TestWatchNamesAWorkflowAndPaths(t *testing.T) {
	for value, want := range map[string]string{
		"render": "", "render,title=$.title": "", "a-b_1,user=$.detail.userId,job=$['job id'],title=$.t[0]": "",
		"": "arn:", "render,user": "user:", "render,user=userId": "user: must be a path", "render,owner=$.a": "not of the form", "render,": "not of the form",
	} {
		_, err := parse([]string{"-watch", value}, io.Discard)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("-watch %q: error %v, want %q", value, err, want)
		}
	}
	if _, err := parse([]string{"-watch", "a", "-watch", "a,job=$.j"}, io.Discard); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("the same workflow twice: error %v", err)
	}
}
