package asl_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

// A recordedValidation is a definition with the verdict of AWS.
type recordedValidation struct {
	Name           string          `json:"name"`
	API            string          `json:"api"`
	Type           string          `json:"type"`
	Definition     json.RawMessage `json:"definition"`
	DefinitionText *string         `json:"definition_text"`
	Verdict        string          `json:"verdict"`
	Expected       struct {
		Message   string `json:"message"`
		Exception string `json:"exception_value"`
	} `json:"expected"`
}

func TestDefinitionsAreValidatedAsOnAWS(t *testing.T) {
	for _, c := range readLines[recordedValidation](t, "validation.jsonl") {
		t.Run(c.Name, func(t *testing.T) {
			text := c.Definition
			if c.DefinitionText != nil {
				text = json.RawMessage(*c.DefinitionText)
			}

			m, err := asl.Parse(text)
			if err == nil && c.Type == "EXPRESS" {
				if problems := m.ExpressProblems(); problems != nil {
					err = &asl.DefinitionError{Problems: problems}
				}
			}
			if (err == nil) != (c.Verdict == "valid") {
				t.Fatalf("Parse: %v, want %s", err, c.Verdict)
			}

			want := c.Expected.Message
			if _, message, ok := strings.Cut(c.Expected.Exception, "CreateStateMachine operation: "); ok {
				want = message
			}
			if err != nil && want != "" && !matchText(want, err.Error()) {
				t.Errorf("message: want %s, got %s", want, err)
			}
		})
	}
}
