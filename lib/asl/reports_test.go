package asl_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/asl"
)

// A report is an answer of AWS that others have measured or that AWS documents.
type report struct {
	Name           string          `json:"name"`
	Definition     json.RawMessage `json:"definition"`
	DefinitionText *string         `json:"definitionText"`
	Input          json.RawMessage `json:"input"`
	Want           string          `json:"want"`
}

// A reportedAnswer is what a report wants. Its zero value accepts any execution that has not succeeded.
type reportedAnswer struct {
	refused bool   // Parse rejects the definition.
	succeed bool   // The execution succeeds.
	output  string // JSON text; empty if any output will do.
	text    string // A part of the message of the refusal or of the failure.
}

// The forms in which reports say what they want.
var (
	refusedWant   = regexp.MustCompile(`^REFUSED:? ?\(?([A-Z_]*)(?:: (.*))?`)
	succeededWant = regexp.MustCompile(`^(?:SUCCEEDED )?([{\[].*?[}\]])(?: \(.*)?$`)
	failedWant    = regexp.MustCompile(`^FAILED (States\.\w+|[A-Z]\d+)(?:: (.*?))?(?: \.\.\.)?$`)
)

// oddWants are the answers of reports that are written in other words.
var oddWants = map[string]reportedAnswer{
	"F03-path-functions":       {text: "could not be found in the input"},
	"F06-choice-no-match":      {text: "States.Runtime"},
	"F15-infinity":             {succeed: true, output: `{"r":"Infinity"}`},
	"F17-depth-bound":          {text: "Stack overflow error: Check for non-terminating recursive function"},
	"F30-map-over-object":      {succeed: true, output: `[{"Key":"a","Value":1},{"Key":"b","Value":2}]`},
	"F31-previousEventId":      {succeed: true}, // TestEventsFollowThoseThatAWSNames checks the events.
	"F35-toMillis-time-only":   {succeed: true},
	"F39-pad-truncates":        {},
	"F49-fromMillis-overflow":  {},
	"F33-not-undefined":        {text: "returned nothing (undefined)"},
	"F43-formatNumber-codes":   {text: "The sub-picture must not contain a passive character"},
	"F41-transform-non-object": {text: "States.QueryEvaluationError"},
}

// answer returns what the report wants.
func (r report) answer(t *testing.T) reportedAnswer {
	t.Helper()
	if want, ok := oddWants[r.Name]; ok {
		return want
	}
	if parts := refusedWant.FindStringSubmatch(r.Want); parts != nil {
		want := reportedAnswer{refused: true}
		if strings.Contains(parts[1], "_") {
			want.text = parts[1]
		}
		if strings.HasPrefix(r.Want, "REFUSED "+want.text+": ") && want.text != "" {
			want.text += ": " + parts[2]
		}
		return want
	}
	if parts := succeededWant.FindStringSubmatch(r.Want); parts != nil {
		return reportedAnswer{succeed: true, output: parts[1]}
	}
	if parts := failedWant.FindStringSubmatch(r.Want); parts != nil {
		return reportedAnswer{text: parts[2]}
	}
	t.Fatalf("no test understands %q", r.Want)
	return reportedAnswer{}
}

// difference returns how the answer to a report differs from what it wants, or "".
func (r report) difference(t *testing.T) string {
	t.Helper()
	want := r.answer(t)
	definition := []byte(r.Definition)
	if r.DefinitionText != nil {
		definition = []byte(*r.DefinitionText)
	}

	m, err := asl.Parse(definition)
	switch {
	case err == nil && want.refused:
		return "the definition was not refused"
	case err != nil && (!want.refused || !strings.Contains(err.Error(), want.text)):
		return err.Error()
	case err != nil:
		return ""
	}

	difference := ""
	synctest.Test(t, func(t *testing.T) {
		result := m.Run(t.Context(), asl.Execution{Name: "run", Input: r.Input})
		if got := resultText(result); want.succeed != (result.Error == nil) || !strings.Contains(got, want.text) {
			difference = got
		}
		if want.output != "" && !matchJSON(json.RawMessage(want.output), result.Output) {
			difference = resultText(result)
		}
	})
	return difference
}

func TestAnswersAgreeWithReportsOfAWS(t *testing.T) {
	reports := readLines[report](t, "reports.jsonl")
	agree := 0
	wasRun := map[string]bool{}
	for _, r := range reports {
		wasRun[r.Name] = true

		t.Run(r.Name, func(t *testing.T) {
			difference := r.difference(t)
			reason, isKnown := reportDifferences[r.Name]
			switch {
			case difference == "" && isKnown:
				t.Errorf("no longer differs; it is listed as %q", reason)
			case difference != "" && !isKnown:
				t.Errorf("want %s, got %s", r.Want, difference)
			case difference == "":
				agree++
			}
		})
	}

	for name := range reportDifferences {
		if !wasRun[name] {
			t.Errorf("%s is listed as differing but was not run", name)
		}
	}
	t.Logf("%d of %d reports agree", agree, len(reports))
}
