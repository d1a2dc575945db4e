package asl_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/asl"
)

// recordedDataset returns a dataset from which a recorded Distributed Map can have made its output. The recordings do not hold the
// datasets, but their outputs are the items.
func recordedDataset(t *testing.T, c recordedCase) string {
	t.Helper()
	isCSV := bytes.Contains(c.Definition, []byte(`"CSV"`))
	switch {
	case strings.Contains(c.Name, "no_json_list"):
		return `"text"`
	case strings.Contains(c.Name, "duplicate_headers"), c.Expected.Status == "FAILED":
		return "a,b,c\n"
	}

	var items []any
	if err := json.Unmarshal(c.Expected.Output, &items); err != nil {
		t.Fatal(err)
	}
	if len(items) > 0 && bytes.Contains(c.Definition, []byte(`"ItemBatcher"`)) {
		var all []any
		for _, batch := range items {
			inner, _ := batch.(map[string]any)["Items"].([]any)
			all = append(all, inner...)
		}
		items = all
	}
	if limited := bytes.Contains(c.Definition, []byte(`"MaxItems`)) && len(items) == 2; limited {
		items = append(items, items[0]) // An item that is beyond the limit.
	}
	if !isCSV {
		text, err := json.Marshal(items)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}

	var headers []string
	for header := range items[0].(map[string]any) {
		headers = append(headers, header)
	}
	var table strings.Builder
	if bytes.Contains(c.Definition, []byte(`"FIRST_ROW"`)) {
		table.WriteString(strings.Join(headers, ",") + "\n")
	} else {
		headers = []string{"H1", "H2", "H3"}
	}
	for _, item := range items {
		var row []string
		for _, header := range headers {
			field, _ := item.(map[string]any)[header].(string)
			row = append(row, field)
		}
		table.WriteString(strings.Join(row, ",") + ",more\n")
	}
	return table.String()
}

func TestDistributedMapsEndAsRecordedOnAWS(t *testing.T) {
	run := 0
	for _, c := range readLines[recordedCase](t, "cases.jsonl") {
		if !bytes.Contains(c.Definition, []byte(`"ItemReader"`)) && !bytes.Contains(c.Definition, []byte(`"ResultWriter"`)) {
			continue
		}
		run++

		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				objects := &asl.MemoryObjects{}
				if bytes.Contains(c.Definition, []byte(`"ItemReader"`)) {
					for _, key := range []string{"file.csv", "file.json"} {
						if err := objects.PutObject(t.Context(), "bucket-name", key, []byte(recordedDataset(t, c))); err != nil {
							t.Fatal(err)
						}
					}
				}

				var h history
				result := parse(t, string(c.Definition)).Run(t.Context(), asl.Execution{
					ID:             "arn:aws:states:us-east-1:111111111111:execution:machine:run",
					StateMachineID: "arn:aws:states:us-east-1:111111111111:stateMachine:machine",
					Input:          c.Input, Objects: objects, Record: h.record,
				})
				for _, difference := range append(compareResult(c, result), compareEvents(c, h.events)...) {
					t.Error(difference)
				}
			})
		})
	}
	t.Logf("%d recorded Distributed Maps were run", run)
}
