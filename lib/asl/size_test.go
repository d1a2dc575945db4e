package asl_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

// TestSharedValuesAreNotWrittenOut runs states whose output has the same 200 KB thousands of times. In memory it is there once; its
// text would take gigabytes.
func TestSharedValuesAreNotWrittenOut(t *testing.T) {
	const times = 5000
	list := strings.TrimSuffix(strings.Repeat("$,", times), ",")
	repeated := func(field, value string) string {
		var fields []string
		for i := range times {
			fields = append(fields, fmt.Sprintf(`"f%d%s":"%s"`, i, field, value))
		}
		return "{" + strings.Join(fields, ",") + "}"
	}
	const (
		tooLarge  = "States.DataLimitExceeded"
		intrinsic = "States.IntrinsicFailure"
	)
	input, _ := json.Marshal(map[string]any{"s": strings.Repeat("x", 200_000)})
	for name, tt := range map[string]struct{ fields, wantError string }{
		"fields in JSONPath":  {`"Parameters":` + repeated(".$", "$"), tooLarge},
		"fields in JSONata":   {`"QueryLanguage":"JSONata","Output":` + repeated("", "{% $states.input %}"), tooLarge},
		"States.Array":        {`"Parameters":{"x.$":"States.Array(` + list + `)"}`, tooLarge},
		"States.Format":       {`"Parameters":{"x.$":"States.Format('` + strings.Repeat("{}", times) + `',` + list + `)"}`, intrinsic},
		"States.JsonToString": {`"Parameters":{"x.$":"States.JsonToString(States.Array(` + list + `))"}`, intrinsic},
		"a formatted array":   {`"Parameters":{"x.$":"States.Format('{}', States.Array(` + list + `))"}`, intrinsic},
		"States.Hash":         {`"Parameters":{"x.$":"States.Hash(States.Array(` + list + `), 'MD5')"}`, intrinsic},
	} {
		t.Run(name, func(t *testing.T) {
			machine, err := asl.Parse([]byte(`{"StartAt":"P","States":{"P":{"Type":"Pass",` + tt.fields + `,"End":true}}}`))
			if err != nil {
				t.Fatal(err)
			}
			for _, record := range []func(asl.Event){nil, func(asl.Event) {}} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				result := machine.Run(t.Context(), asl.Execution{Input: input, Record: record})
				runtime.ReadMemStats(&after)
				if result.Error == nil || result.Error.Name != tt.wantError {
					t.Errorf("the execution ended %s with %v, want %s", result.Status, result.Error, tt.wantError)
				}
				if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 100 {
					t.Errorf("it made %d MiB", made)
				}
			}
		})
	}
}

// TestArrayUniqueComparesValues has 20,000 different items, each twice. Numbers are equal by value, objects in any order of keys.
func TestArrayUniqueComparesValues(t *testing.T) {
	const items = 20_000
	all := []string{`1.0`, `{"a":1,"b":[true,null,"x"]}`, `{"b":[true,null,"x"],"a":1.0}`, `"1"`, `[1]`, `[1,1]`, `1e0`, `null`, `false`, `0`, `-0`}
	for i := range items {
		all = append(all, fmt.Sprint(i), fmt.Sprint(i))
	}
	machine, err := asl.Parse([]byte(`{"StartAt":"P","States":{"P":{"Type":"Pass","Parameters":{"n.$":"States.ArrayLength(States.ArrayUnique($))"},"End":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	result := machine.Run(t.Context(), asl.Execution{Input: json.RawMessage("[" + strings.Join(all, ",") + "]")})
	if want := fmt.Sprintf(`{"n":%d}`, items+6); string(result.Output) != want {
		t.Errorf("the output is %s (%v), want %s", result.Output, result.Error, want)
	}
}
