package jsonata_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// This file runs the cases of JSONata's own test suite, and expressions of public reports whose result on AWS or in the reference
// implementation is known.

// A suiteCase is a case of JSONata's test suite.
type suiteCase struct {
	Name            string                     `json:"name"`
	Expr            string                     `json:"expr"`
	Data            json.RawMessage            `json:"data"`
	Dataset         *string                    `json:"dataset"`
	Bindings        map[string]json.RawMessage `json:"bindings"`
	Result          json.RawMessage            `json:"result"`
	UndefinedResult bool                       `json:"undefinedResult"`
	Code            string                     `json:"code"`
	Error           json.RawMessage            `json:"error"`
	Unordered       bool                       `json:"unordered"`
	Depth           int                        `json:"depth"`
}

// A report is an expression of a public report.
type report struct {
	Expr     string                     `json:"expr"`
	Vars     map[string]json.RawMessage `json:"vars"`
	Input    json.RawMessage            `json:"input"`
	Expected json.RawMessage            `json:"expected"`
	Error    string                     `json:"error"` // "undefined" means that there is no value.
}

// conformanceFile opens a file of the conformance data. It skips the test if CONFORMANCE_DIR is not set.
func conformanceFile(t *testing.T, name string) *os.File {
	t.Helper()
	folder := os.Getenv("CONFORMANCE_DIR")
	if folder == "" {
		t.Skip("CONFORMANCE_DIR is not set: the JSONata test suite is not run")
	}
	file, err := os.Open(filepath.Join(folder, "jsonata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// readLines decodes each line of a file of the conformance data.
func readLines[T any](t *testing.T, name string) []T {
	t.Helper()
	var items []T
	const maxLine = 16 << 20 // Far more than the longest case.
	scanner := bufio.NewScanner(conformanceFile(t, name))
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		var item T
		if err := json.Unmarshal(scanner.Bytes(), &item); err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return items
}

// parseValue returns the value of a JSON text. It returns nil for an empty text.
func parseValue(t *testing.T, text json.RawMessage) any {
	t.Helper()
	if len(text) == 0 {
		return nil
	}
	v, err := jsontree.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// parseValues returns the values of JSON texts.
func parseValues(t *testing.T, texts map[string]json.RawMessage) map[string]any {
	t.Helper()
	values := map[string]any{}
	for name, text := range texts {
		values[name] = parseValue(t, text)
	}
	return values
}

// evaluate compiles and evaluates an expression. Without an input, the expression has none.
func evaluate(t *testing.T, c jsonata.Config, expr string, input json.RawMessage, bindings map[string]json.RawMessage) (any, error) {
	t.Helper()
	x, err := c.Compile(expr)
	if err != nil {
		return nil, err
	}
	values := parseValues(t, bindings)
	if len(input) == 0 {
		return x.Eval(values)
	}
	return x.EvalInput(parseValue(t, input), values)
}

// difference returns how a result differs from the expected one, or an empty text.
func (c suiteCase) difference(t *testing.T, got any, err error) string {
	t.Helper()
	var failure *jsonata.Error
	switch {
	case c.Code != "" || len(c.Error) > 0:
		if !errors.As(err, &failure) {
			return "want the error " + c.Code + ", got " + text(got, err)
		}
		if c.Code != "" && c.Code != failure.Code {
			return "want the error " + c.Code + ", got " + err.Error()
		}
	case c.UndefinedResult:
		if !errors.Is(err, jsonata.ErrUndefined) {
			return "want no value, got " + text(got, err)
		}
	case string(c.Result) == "null" && errors.Is(err, jsonata.ErrFunction): // The suite writes a function as null.
	default:
		want := parseValue(t, c.Result)
		if err != nil || !jsontree.Equal(want, got) && (!c.Unordered || !sameItems(want, got)) {
			return "want " + string(c.Result) + ", got " + text(got, err)
		}
	}
	return ""
}

func text(v any, err error) string {
	if err != nil {
		return err.Error()
	}
	return string(jsontree.Marshal(v))
}

// sameItems reports whether two arrays have the same items in any order.
func sameItems(want, got any) bool {
	a, okA := want.([]any)
	b, okB := got.([]any)
	if !okA || !okB || len(a) != len(b) {
		return false
	}
	count := map[string]int{}
	for i := range a {
		count[string(jsontree.Marshal(a[i]))]++
		count[string(jsontree.Marshal(b[i]))]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// suiteLimits are those of the test suite, whose cases make up to ten million items.
func (c suiteCase) limits() jsonata.Limits {
	const depth, steps, bytes = 1000, 200_000_000, 1 << 30
	limits := jsonata.Limits{Depth: depth, Steps: steps, Bytes: bytes}
	if c.Depth > 0 {
		limits.Depth = c.Depth
	}
	return limits
}

func TestExpressionsOfTheTestSuiteAgree(t *testing.T) {
	t.Parallel()
	var datasets map[string]json.RawMessage
	if err := json.NewDecoder(conformanceFile(t, "datasets.json")).Decode(&datasets); err != nil {
		t.Fatal(err)
	}

	cases, agree := readLines[suiteCase](t, "cases.jsonl"), 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			input := c.Data
			if c.Dataset != nil {
				input = datasets[*c.Dataset]
			}
			got, err := evaluate(t, jsonata.Config{Latest: true, Limits: c.limits()}, c.Expr, input, c.Bindings)
			reason, isKnown := suiteDifferences[c.Name]
			switch difference := c.difference(t, got, err); {
			case difference == "" && isKnown:
				t.Errorf("no longer differs; it is listed as %q", reason)
			case difference != "" && !isKnown:
				t.Errorf("%s\n%s", c.Expr, difference)
			case difference == "":
				agree++
			}
		})
	}
	t.Logf("%d of %d cases agree", agree, len(cases))
	if agree < len(cases)-len(cases)/100 {
		t.Errorf("%d of %d cases agree, want at least 99 %%", agree, len(cases))
	}
}

func TestExpressionsOfPublicReportsAgree(t *testing.T) {
	t.Parallel()
	for _, r := range readLines[report](t, "reports.jsonl") {
		t.Run(r.Expr, func(t *testing.T) {
			got, err := evaluate(t, jsonata.Config{}, r.Expr, r.Input, r.Vars)
			c := suiteCase{Result: r.Expected, UndefinedResult: r.Error == "undefined"}
			if r.Error != "" && !c.UndefinedResult {
				c.Error = json.RawMessage(`true`)
			}
			reason, isKnown := reportDifferences[r.Expr]
			switch difference := c.difference(t, got, err); {
			case difference == "" && isKnown:
				t.Errorf("no longer differs; it is listed as %q", reason)
			case difference != "" && !isKnown:
				t.Error(difference)
			}
		})
	}
}
