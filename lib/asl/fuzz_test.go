package asl_test

import (
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

// FuzzItemReader reads any dataset in each format. The execution must end with items or with States.ItemReaderFailed.
func FuzzItemReader(f *testing.F) {
	machines := make([]*asl.Machine, 0, len(fuzzedReaders))
	for _, config := range fuzzedReaders {
		m, err := asl.Parse([]byte(distributedMap(readerFrom(config))))
		if err != nil {
			f.Fatal(err)
		}
		machines = append(machines, m)
	}
	for _, seed := range []string{
		"a,b\n1,\"2\n", `[{"a":1}]`, "{}\n[]\n", `{"destinationBucket":"b","fileFormat":"CSV","fileSchema":"a","files":[{"key":"data"}]}`,
		"s3://b/data\n", "\x1f\x8b\x08",
	} {
		f.Add([]byte(seed))
	}

	f.Fuzz(func(t *testing.T, data []byte) {
		objects := &asl.MemoryObjects{}
		put(t, objects, "data", string(data))
		for i, m := range machines {
			result := m.Run(t.Context(), asl.Execution{Input: []byte(`{"b":"b"}`), Objects: objects})
			got := resultText(result)
			if result.Error != nil && !strings.HasPrefix(got, "FAILED States.ItemReaderFailed ") && !strings.HasPrefix(got, "FAILED States.DataLimitExceeded ") {
				t.Errorf("%s: %s", fuzzedReaders[i], got)
			}
		}
	})
}

// fuzzedReaders are the configurations that FuzzItemReader reads with.
var fuzzedReaders = []string{
	`"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"`, `"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["a"],"CSVDelimiter":"TAB"`,
	`"InputType":"JSON","ItemsPointer":"/a/0"`, `"InputType":"JSON"`, `"InputType":"JSONL"`, `"InputType":"MANIFEST"`,
	`"InputType":"JSONL","ManifestType":"ATHENA_DATA"`,
}
