package asl_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

// distributedMap returns a definition with the Distributed Map A, whose child executions return their input. fields are more fields of A.
func distributedMap(fields string) string {
	return `{"StartAt":"A","States":{"A":{"Type":"Map","End":true,"ItemProcessor":{
		"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}}` + fields + `}}}`
}

// readerFrom returns an ItemReader that reads the object data of the bucket named by the input. config is its ReaderConfig.
func readerFrom(config string) string {
	return `,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket.$":"$.b","Key":"data"},"ReaderConfig":{` + config + `}}`
}

// put writes an object to the bucket b.
func put(t *testing.T, objects asl.Objects, key, content string) {
	t.Helper()
	if err := objects.PutObject(t.Context(), "b", key, []byte(content)); err != nil {
		t.Fatal(err)
	}
}

// compress compresses a text with gzip.
func compress(t *testing.T, text string) string {
	t.Helper()
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return compressed.String()
}

const machineARN = "arn:aws:states:eu-central-1:111111111111:stateMachine:machine"

func TestItemReaderReadsDatasets(t *testing.T) {
	const table = "H1,H2\nv1,v2\n,\n   \n\"a,b\",2,3\n"
	for _, test := range []struct{ name, fields, data, want string }{
		{"CSV", readerFrom(`"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"`), table, `[{"H1":"v1","H2":"v2"},{"H1":"","H2":""},{"H1":"   ","H2":""},{"H1":"a,b","H2":"2"}]`},
		{"compressed CSV", readerFrom(`"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"`), compress(t, "\ufeffH1\n1\n"), `[{"H1":"1"}]`},
		{"given headers", readerFrom(`"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["A"],"CSVDelimiter":"PIPE","MaxItems":2`), "1|2\n3\n4\n", `[{"A":"1"},{"A":"3"}]`},
		{"an empty header", readerFrom(`"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"`), "H1,\n1,2,3\n", `[{"H1":"1","":"2"}]`},
		{"the same header twice", readerFrom(`"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["A","A"]`), "1,2\n", "FAILED States.ItemReaderFailed CSV headers cannot contain duplicates."},
		{"JSON", readerFrom(`"InputType":"JSON"`), `[1,{"a":2}]`, `[1,{"a":2}]`},
		{"at most two", readerFrom(`"InputType":"JSON","MaxItemsPath":"$.n"`), `[1,2,3]`, `[1,2]`},
		{"no limit", readerFrom(`"InputType":"JSON","MaxItems":0`), `[1,2,3]`, `[1,2,3]`},
		{"a negative limit", readerFrom(`"InputType":"JSON","MaxItemsPath":"$.negative"`), `[1]`, "FAILED States.ItemReaderFailed field MaxItems must be positive"},
		{"an object", readerFrom(`"InputType":"JSON"`), `{"a":1}`, `[{"Key":"a","Value":1}]`},
		{"a pointer", readerFrom(`"InputType":"JSON","ItemsPointer":"/a~1b/1"`), `{"a/b":[0,[5,6]]}`, `[5,6]`},
		{"a pointer to nothing", readerFrom(`"InputType":"JSON","ItemsPointer":"/a/9"`), `{"a":[0]}`, `FAILED States.ItemReaderFailed ItemsPointer does not select a value: there is no "9".`},
		{"no items", readerFrom(`"InputType":"JSON"`), `5`, "FAILED States.ItemReaderFailed Attempting to map over non-iterable node."},
		{"no JSON", readerFrom(`"InputType":"JSON"`), `[`, "FAILED States.ItemReaderFailed parse JSON: unexpected end of JSON input"},
		{"JSON lines", readerFrom(`"InputType":"JSONL"`), "{\"a\":1}\n\n2\n", `[{"a":1},2]`},
		{"Parquet", readerFrom(`"InputType":"PARQUET"`), "PAR1", "FAILED States.ItemReaderFailed InputType PARQUET cannot be read here."},
		{
			"an inventory", readerFrom(`"InputType":"MANIFEST"`),
			`{"destinationBucket":"arn:aws:s3:::b","fileFormat":"CSV","fileSchema":"Bucket, Key","files":[{"key":"part.csv.gz"}]}`,
			`[{"Bucket":"x","Key":"y"}]`,
		},
		{"an inventory in ORC", readerFrom(`"InputType":"MANIFEST"`), `{"fileFormat":"ORC"}`, `FAILED States.ItemReaderFailed The manifest has files of the format "ORC". Only CSV can be read here.`},
		{"a manifest of Athena", readerFrom(`"InputType":"JSONL","ManifestType":"ATHENA_DATA"`), "s3://b/list/1\ns3://b/list/2\n", `[1,2]`},
		{"a manifest without URIs", readerFrom(`"InputType":"JSONL","ManifestType":"ATHENA_DATA"`), "list\n", "FAILED States.ItemReaderFailed The manifest has a line that is not the URI of an object."},
		{
			"a listing",
			`,"ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{"Bucket":"b","Prefix":"list/"}},"ItemSelector":{"k.$":"$$.Map.Item.Value.Key","s.$":"$$.Map.Item.Value.Size","c.$":"$$.Map.Item.Value.StorageClass"}`,
			"", `[{"k":"list/1","s":1,"c":"STANDARD"},{"k":"list/2","s":1,"c":"STANDARD"}]`,
		},
		{
			"the items of a listing",
			`,"ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{"Bucket":"b","Prefix":"list/"},"ReaderConfig":{"InputType":"JSONL","Transformation":"LOAD_AND_FLATTEN"}}`,
			"", `[1,2]`,
		},
		{"no object", strings.Replace(readerFrom(`"InputType":"JSON"`), `"data"`, `"other"`, 1), "", "FAILED States.ItemReaderFailed the object other does not exist in the bucket b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := &asl.MemoryObjects{}
			put(t, objects, "data", test.data)
			put(t, objects, "part.csv.gz", compress(t, "x,y\n"))
			put(t, objects, "list/1", "1")
			put(t, objects, "list/2", "2")

			result := parse(t, distributedMap(test.fields)).Run(t.Context(), asl.Execution{
				StateMachineID: machineARN, Input: []byte(`{"b":"b","n":"2","negative":-1}`), Objects: objects,
			})
			if diff := cmp.Diff(test.want, resultText(result)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestItemReaderFailsInsideTheMapRun(t *testing.T) {
	var h history
	m := parse(t, distributedMap(readerFrom(`"InputType":"JSON"`)))
	m.Run(t.Context(), asl.Execution{Input: []byte(`{"b":"b"}`), Record: h.record})
	want := "ExecutionStarted MapStateEntered MapStateStarted MapRunStarted MapRunFailed MapStateFailed ExecutionFailed"
	if got := h.eventTypes(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestItemBatcherMakesBatches(t *testing.T) {
	for _, test := range []struct{ name, fields, want string }{
		{"by number", `,"ItemBatcher":{"MaxItemsPerBatch":2,"BatchInput":{"at.$":"$$.State.Name"}}`, `[{"BatchInput":{"at":"A"},"Items":[11,22]},{"BatchInput":{"at":"A"},"Items":[33]}]`},
		{"by a path", `,"ItemBatcher":{"MaxItemsPerBatchPath":"$[0]"}`, `[{"Items":[11,22,33]}]`},
		// {"Items":[11,22]} has 17 bytes.
		{"by size", `,"ItemBatcher":{"MaxInputBytesPerBatch":17}`, `[{"Items":[11,22]},{"Items":[33]}]`},
		{"by size, one byte less", `,"ItemBatcher":{"MaxInputBytesPerBatch":16}`, `[{"Items":[11]},{"Items":[22]},{"Items":[33]}]`},
		{"an item that is too long", `,"ItemBatcher":{"MaxInputBytesPerBatch":13}`, "FAILED States.ItemReaderFailed An item is larger than the maximum size of a batch."},
		{"with a selector", `,"ItemSelector":{"i.$":"$$.Map.Item.Index"},"ItemBatcher":{"MaxItemsPerBatch":9}`, `[{"Items":[{"i":0},{"i":1},{"i":2}]}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := parse(t, distributedMap(test.fields)).Run(t.Context(), asl.Execution{Input: []byte(`[11,22,33]`)})
			if diff := cmp.Diff(test.want, resultText(result)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestToleratedFailuresCountItems(t *testing.T) {
	// The batch with the item 3 fails, which is two of the four items.
	fail := strings.NewReplacer(`"I":{"Type":"Pass","End":true}`,
		`"I":{"Type":"Choice","Choices":[{"Variable":"$.Items[0]","NumericEquals":3,"Next":"F"}],"Default":"S"},"F":{"Type":"Fail","Error":"No"},"S":{"Type":"Succeed"}`)
	for _, test := range []struct{ field, want string }{
		{`"ToleratedFailureCount":2`, `[{"Items":[1,2]}]`},
		{`"ToleratedFailureCount":1`, "FAILED States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded"},
		{`"ToleratedFailurePercentage":50`, `[{"Items":[1,2]}]`},
		{`"ToleratedFailurePercentage":49.9`, "FAILED States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded"},
	} {
		definition := fail.Replace(distributedMap(`,"ItemBatcher":{"MaxItemsPerBatch":2},` + test.field))
		if got := resultText(parse(t, definition).Run(t.Context(), asl.Execution{Input: []byte(`[1,2,3,4]`)})); got != test.want {
			t.Errorf("%s: got %s, want %s", test.field, got, test.want)
		}
	}
}

// uuids matches what differs each time.
var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

func TestResultWriterWritesResults(t *testing.T) {
	writer := func(config string) string {
		return `,"Label":"L","ToleratedFailureCount":1,"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"out","Prefix":"jobs/"}` + config + `}`
	}
	fails := strings.NewReplacer(`"I":{"Type":"Pass","End":true}`,
		`"I":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":2,"Next":"F"}],"Default":"S"},"F":{"Type":"Fail","Error":"No","Cause":"why"},"S":{"Type":"Succeed"}`)
	record := func(input, outcome, redrive, status string) string {
		return `{"ExecutionArn":"arn:aws:states:eu-central-1:111111111111:execution:machine/L:ID","Input":"` + input + `","InputDetails":{"Included":true},"Name":"ID",` +
			outcome + `"OutputDetails":{"Included":true},"RedriveCount":0,` + redrive + `"StartDate":"2000-01-01T00:00:00Z","StateMachineArn":"` + machineARN + `/L","Status":"` + status + `","StopDate":"2000-01-01T00:00:00Z"}`
	}
	succeeded := record("[1,[3]]", `"Output":"[1,[3]]",`, `"RedriveStatus":"NOT_REDRIVABLE","RedriveStatusReason":"Execution is SUCCEEDED and cannot be redriven",`, "SUCCEEDED")
	failed := record("2", `"Error":"No","Cause":"why",`, `"RedriveStatus":"REDRIVABLE",`, "FAILED")

	for _, test := range []struct{ name, config, succeeded, failed string }{
		{"records", ``, "[" + succeeded + "]", "[" + failed + "]"},
		{"compact", `,"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSON"}`, `[[1,[3]]]`, "[" + failed + "]"},
		{"flat lines", `,"WriterConfig":{"Transformation":"FLATTEN","OutputType":"JSONL"}`, "1\n[3]\n", failed + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				objects := &asl.MemoryObjects{}
				m := parse(t, fails.Replace(distributedMap(writer(test.config))))
				result := m.Run(t.Context(), asl.Execution{StateMachineID: machineARN, Input: []byte(`[[1,[3]],2]`), Objects: objects})
				arn := "arn:aws:states:eu-central-1:111111111111:mapRun:machine/L:ID"
				want := `{"MapRunArn":"` + arn + `","ResultWriterDetails":{"Bucket":"out","Key":"jobs/ID/manifest.json"}}`
				if diff := cmp.Diff(want, uuids.ReplaceAllString(resultText(result), "ID")); diff != "" {
					t.Fatal(diff)
				}

				files := map[string]string{}
				for o, err := range objects.ListObjects(t.Context(), "out", "jobs/") {
					if err != nil {
						t.Fatal(err)
					}
					opened, err := objects.GetObject(t.Context(), "out", o.Key)
					if err != nil {
						t.Fatal(err)
					}
					content, err := io.ReadAll(opened)
					if err != nil {
						t.Fatal(err)
					}
					files[uuids.ReplaceAllString(o.Key, "ID")] = uuids.ReplaceAllString(string(content), "ID")
				}

				const idLength = 36 - 2 // The manifest has the sizes before the IDs were replaced.
				size := func(text string) string { return strconv.Itoa(len(text) + idLength*strings.Count(text, "ID\"")) }
				wantFiles := map[string]string{
					"jobs/ID/SUCCEEDED_0.json": test.succeeded, "jobs/ID/FAILED_0.json": test.failed,
					"jobs/ID/manifest.json": `{"DestinationBucket":"out","MapRunArn":"` + arn + `","ResultFiles":{"FAILED":[{"Key":"jobs/ID/FAILED_0.json","Size":` +
						size(test.failed) + `}],"PENDING":[],"SUCCEEDED":[{"Key":"jobs/ID/SUCCEEDED_0.json","Size":` + size(test.succeeded) + `}]}}`,
				}
				if diff := cmp.Diff(wantFiles, files); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestResultWriterWithoutABucketTransformsTheOutput(t *testing.T) {
	for _, test := range []struct{ config, want string }{
		{`"Transformation":"FLATTEN","OutputType":"JSON"`, `[1,2,3]`},
		{`"Transformation":"COMPACT","OutputType":"JSONL"`, `"[1,2]\n3\n"`},
	} {
		m := parse(t, distributedMap(`,"ResultWriter":{"WriterConfig":{`+test.config+`}}`))
		if got := resultText(m.Run(t.Context(), asl.Execution{Input: []byte(`[[1,2],3]`)})); got != test.want {
			t.Errorf("%s: got %s, want %s", test.config, got, test.want)
		}
	}
}

// failingObjects fails to write.
type failingObjects struct{ asl.MemoryObjects }

func (*failingObjects) PutObject(context.Context, string, string, []byte) error {
	return errors.New("access denied")
}

func TestResultWriterFailsWithTheErrorOfAWS(t *testing.T) {
	m := parse(t, distributedMap(`,"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b"}}`))
	got := resultText(m.Run(t.Context(), asl.Execution{Input: []byte(`[1]`), Objects: &failingObjects{}}))
	if want := "FAILED States.ResultWriterFailed access denied"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestChildExecutionsRecordTheirHistories(t *testing.T) {
	var (
		mu        sync.Mutex
		histories []string
		run       asl.MapRun
		finished  int
	)
	m := parse(t, distributedMap(`,"MaxConcurrency":2,"ToleratedFailureCount":3`))
	result := m.Run(t.Context(), asl.Execution{
		StateMachineID: machineARN, Input: []byte(`[1,2,3]`),
		StartMapRun: func(r asl.MapRun) func(*asl.Error) {
			run = r
			return func(err *asl.Error) {
				if err == nil {
					finished++
				}
			}
		},
		StartChild: func(c asl.Child) (func(asl.Event), func(asl.Result)) {
			h := &history{}
			return h.record, func(r asl.Result) {
				mu.Lock()
				defer mu.Unlock()
				if c.ID != "arn:aws:states:eu-central-1:111111111111:execution:machine/A:"+c.Name || c.MapRunARN != run.ARN {
					t.Errorf("the child is %+v", c)
				}
				histories = append(histories, fmt.Sprintf("%s %s %s", c.Input, h.eventTypes(), resultText(r)))
			}
		},
	})

	if got := resultText(result); got != `[1,2,3]` {
		t.Errorf("got %s", got)
	}
	slices.Sort(histories)
	var want []string
	for i := range 3 {
		want = append(want, fmt.Sprintf("%d ExecutionStarted PassStateEntered PassStateExited ExecutionSucceeded %[1]d", i+1))
	}
	if diff := cmp.Diff(want, histories); diff != "" {
		t.Error(diff)
	}
	if run.State != "A" || run.Items != 3 || run.Children != 3 || run.MaxConcurrency != 2 || *run.ToleratedFailureCount != 3 || run.ToleratedFailurePercentage != nil || finished != 1 {
		t.Errorf("the Map run is %+v, finished %d times", run, finished)
	}
}

func TestExecutionWithoutObjectsCannotReadItems(t *testing.T) {
	m := parse(t, distributedMap(readerFrom(`"InputType":"JSON"`)))
	got := resultText(m.Run(t.Context(), asl.Execution{Input: json.RawMessage(`{"b":"b"}`)}))
	if want := "FAILED States.ItemReaderFailed asl: the execution has no access to Amazon S3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// endlessObjects has objects of a size.
type endlessObjects struct {
	asl.MemoryObjects

	size int64
}

func (o *endlessObjects) GetObject(context.Context, string, string) (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(zeros{}, o.size)), nil
}

// zeros is an endless text of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestItemReaderReadsNoMoreThanItMay(t *testing.T) {
	const limit = 128 << 20
	m := parse(t, distributedMap(readerFrom(`"InputType":"PARQUET"`))) // Fails after the object was read.
	for _, test := range []struct {
		size int64
		want string
	}{{limit, "FAILED States.ItemReaderFailed InputType PARQUET cannot be read here."}, {limit + 1, "FAILED States.ItemReaderFailed The dataset is larger than 134217728 bytes."}} {
		got := resultText(m.Run(t.Context(), asl.Execution{Input: []byte(`{"b":"b"}`), Objects: &endlessObjects{size: test.size}}))
		if got != test.want {
			t.Errorf("%d bytes: got %s, want %s", test.size, got, test.want)
		}
	}
}

func TestAnEndlessChildFailsWhenItsHistoryIsFull(t *testing.T) {
	m, err := asl.Parse([]byte(`{"QueryLanguage":"JSONata","StartAt":"M","States":{"M":{"Type":"Map","Items":[1,2],"Label":"m","ItemProcessor":{
		"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
		"StartAt":"A","States":{
			"A":{"Type":"Choice","Choices":[{"Condition":"{% $states.input = 1 %}","Next":"B"}],"Default":"C"},
			"B":{"Type":"Pass","Next":"A"},"C":{"Type":"Succeed"}}},"End":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = "FAILED States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded"
	if got := resultText(m.Run(t.Context(), asl.Execution{})); got != want {
		t.Errorf("without histories: %s", got)
	}

	var child *asl.Error
	got := resultText(m.Run(t.Context(), asl.Execution{StartChild: func(c asl.Child) (func(asl.Event), func(asl.Result)) {
		return func(asl.Event) {}, func(r asl.Result) {
			if string(c.Input) == "1" {
				child = r.Error
			}
		}
	}}))
	if got != want || child == nil || child.Name != "States.Runtime" {
		t.Errorf("with histories: %s, and the child %v", got, child)
	}
}
