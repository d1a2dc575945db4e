package asl_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

func TestDetailsAreReadAsTheyWereWritten(t *testing.T) {
	var h history
	m := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"v":1},"Next":"B"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Fail","Error":"E"}}}`)
	m.Run(t.Context(), asl.Execution{Input: json.RawMessage(`{"a":"b"}`), Record: h.record})
	for _, e := range h.events {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var read asl.Event
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e.Details.Map(), read.Details.Map()); diff != "" {
			t.Errorf("%s: %s", e.Type, diff)
		}
	}

	for _, text := range []string{`{"Details":{}}`, `{"Details":{"a":{},"b":{}}}`, `{"Details":{"a":1}}`, `{"Details":[]}`} {
		if err := json.Unmarshal([]byte(text), &asl.Event{}); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
