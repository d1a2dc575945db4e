package asl_test

import (
	"fmt"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

func TestChoiceRulesSelectTheNextState(t *testing.T) {
	for _, test := range []struct {
		rule, input string // The fields of the only choice, and the input.
		want        bool   // The rule matches.
	}{
		{`"Variable":"$.a","NumericEquals":1`, `{"a":1.0}`, true},
		{`"Variable":"$.a","NumericEquals":1`, `{"a":"1"}`, false},
		{`"Variable":"$.a","NumericLessThanPath":"$.b"`, `{"a":1,"b":2}`, true},
		{`"Variable":"$.a","NumericGreaterThanEquals":9007199254740993`, `{"a":9007199254740992}`, false},
		{`"Variable":"$.a","StringGreaterThan":"b"`, `{"a":"c"}`, true},
		{`"Variable":"$.a","StringMatches":"log-*.txt"`, `{"a":"log-1.txt.txt"}`, true},
		{`"Variable":"$.a","StringMatches":"log-*.txt"`, `{"a":"log-.tx"}`, false},
		{`"Variable":"$.a","StringMatches":"*a*b*"`, `{"a":"xxaxxbxx"}`, true},
		{`"Variable":"$.a","StringMatches":"*a*b*"`, `{"a":"xxbxxaxx"}`, false},
		{`"Variable":"$.a","StringMatches":"\\*\\\\"`, `{"a":"*\\"}`, true},
		{`"Variable":"$.a","StringMatches":"aa*aa"`, `{"a":"aaa"}`, false},
		{`"Variable":"$.a","BooleanEquals":false`, `{"a":false}`, true},
		{`"Variable":"$.a","TimestampLessThan":"2026-11-22T12:00:00+02:00"`, `{"a":"2026-11-22T09:59:59.999Z"}`, true},
		{`"Variable":"$.a","TimestampEqualsPath":"$.b"`, `{"a":"2026-11-22T10:00:00Z","b":"2026-11-22T12:00:00+02:00"}`, true},
		{`"Variable":"$.a","IsTimestamp":true`, `{"a":"2026-11-22"}`, false},
		{`"Variable":"$.a","IsNull":true`, `{"a":null}`, true},
		{`"Variable":"$.b","IsPresent":true`, `{"a":null}`, false},
		{`"Variable":"$.b","IsPresent":false`, `{"a":null}`, true},
		{`"Variable":"$.a[1]","IsPresent":true`, `{"a":[1]}`, false},
		{`"And":[{"Variable":"$.b","IsPresent":true},{"Variable":"$.b","NumericEquals":1}]`, `{}`, false},
		{`"Or":[{"Variable":"$.a","NumericEquals":1},{"Variable":"$.a","NumericEquals":2}]`, `{"a":2}`, true},
		{`"Not":{"Variable":"$.a","IsString":true}`, `{"a":2}`, true},
		{`"Variable":"$$.State.Name","StringEquals":"C"`, `{}`, true},
	} {
		m := parse(t, fmt.Sprintf(`{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{%s,"Next":"T"}],"Default":"F"},
			"T":{"Type":"Pass","Result":true,"End":true},"F":{"Type":"Pass","Result":false,"End":true}}}`, test.rule))
		got := resultText(m.Run(t.Context(), asl.Execution{Input: []byte(test.input)}))
		if got != fmt.Sprint(test.want) {
			t.Errorf("%s of %s: got %s, want %v", test.rule, test.input, got, test.want)
		}
	}
}

func TestChoiceWithoutMatchOrVariableFails(t *testing.T) {
	const prefix = "An error occurred while executing the state 'C' (entered at the event id #2). "
	for _, test := range []struct{ choice, want string }{
		{`{"Variable":"$.b","NumericEquals":1,"Next":"T"}`, "FAILED States.Runtime " + prefix +
			"Invalid path '$.b': The choice state's condition path references an invalid value."},
		{`{"Variable":"$","IsNull":true,"Next":"T"}`, "FAILED States.NoChoiceMatched " + prefix +
			"Failed to transition out of the state. The state's choices did not match and it has no default."},
	} {
		m := parse(t, `{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[`+test.choice+`]},"T":{"Type":"Succeed"}}}`)
		if got := resultText(m.Run(t.Context(), asl.Execution{})); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
