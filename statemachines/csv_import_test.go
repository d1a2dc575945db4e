package statemachines_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/statemachines"
)

// world answers the workflow's functions: the steps of the import on a store in memory, and a notifier that writes down
// what it gets. A function named in broken fails instead.
type world struct {
	t      *testing.T
	store  csvimport.Memory
	broken map[string]error
	// failures is how many of the first calls fail; zero means all.
	failures int

	mu     sync.Mutex
	calls  map[string]int
	frames []string
}

// crash is a function's failure as Lambda reports one that no Go type stands for.
type crash struct{ name, message string }

func (c crash) Error() string { return c.message }

func (w *world) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	var in struct {
		FunctionName string
		Payload      json.RawMessage
	}
	if err := json.Unmarshal(task.Arguments, &in); err != nil {
		w.t.Errorf("%s: arguments %s: %v", task.State, task.Arguments, err)
	}
	name := in.FunctionName[strings.LastIndex(in.FunctionName, ":")+1:]
	w.mu.Lock()
	w.calls[name]++
	failing := w.broken[name]
	if w.failures > 0 && w.calls[name] > w.failures {
		failing = nil
	}
	w.mu.Unlock()
	out, err := any(nil), failing
	if err == nil {
		out, err = w.invoke(ctx, name, in.Payload)
	}
	if err != nil {
		return nil, functionError(err)
	}
	payload, err := json.Marshal(out)
	if err != nil {
		w.t.Errorf("%s: output: %v", name, err)
	}

	return json.Marshal(map[string]any{"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": json.RawMessage(payload)})
}

// functionError returns err as aws-lambda-go reports it: under the name of its Go type.
func functionError(err error) error {
	name := reflect.Indirect(reflect.ValueOf(err)).Type().Name()
	var c crash
	if errors.As(err, &c) {
		name = c.name
	}
	cause, _ := json.Marshal(map[string]string{"errorMessage": err.Error(), "errorType": name})

	return &asl.Error{Name: name, Cause: string(cause)}
}

func (w *world) invoke(ctx context.Context, name string, payload []byte) (any, error) {
	c := csvimport.Config{Store: &w.store, RangeBytes: 30}
	switch name {
	case "CsvPlan":
		return handle(ctx, w.t, payload, csvimport.NewPlan(c).Handle)
	case "CsvChunk":
		return handle(ctx, w.t, payload, csvimport.NewChunk(c).Handle)
	case "CsvFinish":
		return handle(ctx, w.t, payload, csvimport.NewFinish(c).Handle)
	case "Notifier":
		return handle(ctx, w.t, payload, w.notify)
	default:
		w.t.Errorf("no function %q", name)

		return nil, crash{"ResourceNotFoundException", "no function"}
	}
}

func handle[In, Out any](ctx context.Context, t *testing.T, payload []byte, h func(context.Context, In) (Out, error)) (any, error) {
	t.Helper()
	var in In
	if err := json.Unmarshal(payload, &in); err != nil {
		t.Errorf("payload %s: %v", payload, err)
	}

	return h(ctx, in)
}

// notify writes a frame down in one line. It is as strict as the notifier.
func (w *world) notify(_ context.Context, payload json.RawMessage) (any, error) {
	var in struct {
		UserID  string          `json:"userId"`
		Message json.RawMessage `json:"message"`
	}
	err := message.DecodeObject(payload, "", &in)
	data, err2 := message.Decode(in.Message)
	if err := errors.Join(err, err2); err != nil || in.UserID != "auth0|1" {
		w.t.Errorf("notifier is given %s: %v", payload, err)
	}
	line := ""
	switch d := data.(type) {
	case message.UploadProgress:
		line = fmt.Sprintf("%s %s %v %s: %s", d.UploadID, d.FileName, d.Progress, d.Status, d.Message)
	case message.Notification:
		line = fmt.Sprintf("notification %s: %s: %s", d.Severity, d.Title, d.Message)
	case message.Error:
		line = fmt.Sprintf("error %s: %s %s", d.Code, d.Message, d.Details)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames = append(w.frames, line)

	return map[string]any{"messageId": "m"}, nil
}

// csvImport returns the workflow.
func csvImport(t *testing.T) *asl.Machine {
	t.Helper()
	definition, err := statemachines.Fill("csv_import", functions(statemachines.Substitutions("csv_import")...))
	if err != nil {
		t.Fatal(err)
	}
	machine, err := asl.Parse([]byte(definition))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}

	return machine
}

// start runs an import of the file, and of a file that is not there where content is empty.
func (w *world) start(content, key string) asl.Result {
	w.t.Helper()
	if content != "" {
		writer := w.store.Create(w.t.Context(), key, csvimport.Replace)
		_, err := io.WriteString(writer, content)
		if err := errors.Join(err, writer.Close()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.calls = map[string]int{}
	input, _ := json.Marshal(map[string]any{"source": "aws.s3", "detail-type": "Object Created", "detail": map[string]any{
		"version": "0", "bucket": map[string]any{"name": "b"}, "request-id": "r",
		"object": map[string]any{"key": key, "size": len(content), "etag": csvimport.ETag([]byte(content)), "sequencer": "01"},
	}})

	return csvImport(w.t).Run(w.t.Context(), asl.Execution{
		ID: fmt.Sprint("arn:aws:states:eu-central-1:123456789012:execution:csv_import:", time.Now().UnixNano()), Input: input, Tasks: w,
	})
}

func TestCSVImport(t *testing.T) {
	const (
		good     = "part,color,quantity\n3001,Red,1\n3002,Blue,2\n3003,Red,\n3004,Red,4\n"
		sorry    = "The import failed because of a problem on our side. Please upload the file again later."
		details  = ` {"uploadId":"up","fileName":"f.csv"}`
		started  = "up f.csv 5 running: Importing 4 rows"
		complete = "up f.csv 100 succeeded: Imported 3 of 4 rows, 1 rejected"
		note     = "notification warning: Imported f.csv: 3 of 4 rows were imported, 1 rejected"
	)
	key := csvimport.UploadKey("auth0|1", "up", "f.csv")
	for _, tt := range []struct {
		name, content, key string
		broken             map[string]error
		failures           int
		status             asl.Status
		failure            string
		frames             []string
		calls              map[string]int
	}{
		{
			name: "success", content: good, key: key, status: asl.StatusSucceeded,
			frames: []string{started, complete, note}, calls: map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "nothing rejected, one range", content: "part,color,quantity\n1,Red,1\n", key: key, status: asl.StatusSucceeded,
			frames: []string{
				"up f.csv 5 running: Importing 1 rows", "up f.csv 100 succeeded: Imported 1 of 1 rows",
				"notification success: Imported f.csv: 1 of 1 rows were imported",
			},
			calls: map[string]int{"CsvPlan": 1, "CsvChunk": 1, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "no rows", content: "part,color,quantity\n", key: key, status: asl.StatusSucceeded,
			frames: []string{
				"up f.csv 5 running: Importing 0 rows", "up f.csv 100 succeeded: Imported 0 of 0 rows",
				"notification success: Imported f.csv: 0 of 0 rows were imported",
			},
			calls: map[string]int{"CsvPlan": 1, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "invalid file", content: "part,color\n", key: key, status: asl.StatusFailed, failure: "InvalidFile",
			frames: []string{
				"up f.csv 0 failed: Line 1: the column quantity is missing",
				"error INVALID_FILE: Line 1: the column quantity is missing" + details,
			},
			calls: map[string]int{"CsvPlan": 2, "Notifier": 2},
		},
		{
			name: "missing object", key: key, status: asl.StatusFailed, failure: "InvalidFile",
			frames: []string{"up f.csv 0 failed: The file is no longer there", "error INVALID_FILE: The file is no longer there" + details},
			calls:  map[string]int{"CsvPlan": 2, "Notifier": 2},
		},
		{
			name: "plan crashes three times", content: good, key: key, status: asl.StatusFailed, failure: "Runtime.ExitError",
			broken: map[string]error{"CsvPlan": crash{"Runtime.ExitError", "signal: killed at 10.0.0.1"}}, failures: 3,
			frames: []string{"up f.csv 0 failed: " + sorry, "error INTERNAL_ERROR: " + sorry + details},
			calls:  map[string]int{"CsvPlan": 4, "Notifier": 2},
		},
		{
			name: "plan never answers, nobody can be told", content: good, key: key, status: asl.StatusFailed, failure: "Runtime.ExitError",
			broken: map[string]error{"CsvPlan": crash{"Runtime.ExitError", "signal: killed"}},
			calls:  map[string]int{"CsvPlan": 6},
		},
		{
			name: "the key is not an upload's", content: good, key: "uploads/f.csv", status: asl.StatusFailed, failure: "InvalidFile",
			calls: map[string]int{"CsvPlan": 2},
		},
		{
			name: "the store is down while chunks work", content: good, key: key, status: asl.StatusFailed, failure: "StoreError",
			broken: map[string]error{"CsvChunk": &csvimport.StoreError{Op: "read range", Err: errors.New("10.0.0.1 unreachable")}},
			frames: []string{started, "up f.csv 5 failed: " + sorry, "error INTERNAL_ERROR: " + sorry + details},
			calls:  map[string]int{"CsvPlan": 1, "CsvChunk": 6, "Notifier": 3},
		},
		{
			name: "the store is down for a moment", content: good, key: key, status: asl.StatusSucceeded,
			broken: map[string]error{"CsvChunk": &csvimport.StoreError{Op: "read range", Err: io.ErrUnexpectedEOF}}, failures: 4,
			frames: []string{started, complete, note}, calls: map[string]int{"CsvPlan": 1, "CsvChunk": 6, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "finish fails", content: good, key: key, status: asl.StatusFailed, failure: "Unknown",
			broken: map[string]error{"CsvFinish": crash{"Unknown", "x"}},
			frames: []string{started, "up f.csv 95 failed: " + sorry, "error INTERNAL_ERROR: " + sorry + details},
			calls:  map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "notifier down", content: good, key: key, status: asl.StatusSucceeded,
			broken: map[string]error{"Notifier": crash{"StoreError", "x"}},
			calls:  map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 9},
		},
		{
			name: "notifier refuses, which is not retried", content: good, key: key, status: asl.StatusSucceeded,
			broken: map[string]error{"Notifier": crash{"InvalidMessage", "x"}},
			calls:  map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "notifier down when the import fails", content: "part\n", key: key, status: asl.StatusFailed, failure: "InvalidFile",
			broken: map[string]error{"Notifier": crash{"DeliveryError", "x"}},
			calls:  map[string]int{"CsvPlan": 2, "Notifier": 6},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t, broken: tt.broken, failures: tt.failures}
				result := w.start(tt.content, tt.key)
				name := ""
				if result.Error != nil {
					name = result.Error.Name
				}
				if result.Status != tt.status || name != tt.failure {
					t.Errorf("execution ends %s with %v, want %s %s", result.Status, result.Error, tt.status, tt.failure)
				}
				if diff := cmp.Diff(tt.frames, w.frames); diff != "" {
					t.Errorf("frames (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.calls, w.calls); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestCSVImportIgnoresARepeatedEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t}
		content, key := "part,color,quantity\n1,Red,1\n", csvimport.UploadKey("auth0|1", "up", "f.csv")
		if r := w.start(content, key); r.Status != asl.StatusSucceeded {
			t.Fatalf("first execution ends %s with %v", r.Status, r.Error)
		}
		w.frames = nil
		time.Sleep(time.Second)
		r := w.start(content, key)
		if r.Status != asl.StatusSucceeded || string(r.Output) != `{"repeated":true}` {
			t.Errorf("second execution ends %s with %s %v, want a quiet success", r.Status, r.Output, r.Error)
		}
		if diff := cmp.Diff(map[string]int{"CsvPlan": 1}, w.calls); diff != "" || w.frames != nil {
			t.Errorf("calls (-want +got):\n%s frames %q", diff, w.frames)
		}
	})
}

func TestCSVImportSurvivesAHungNotifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := hanging{&world{t: t, calls: map[string]int{}}}
		began := time.Now()
		r := csvImport(t).Run(t.Context(), asl.Execution{Tasks: w, Input: json.RawMessage(
			`{"detail":{"object":{"key":"` + csvimport.UploadKey("auth0|1", "up", "f.csv") + `"}}}`)})
		if r.Status != asl.StatusFailed || r.Error.Name != "InvalidFile" {
			t.Errorf("execution ends %s with %v, want InvalidFile", r.Status, r.Error)
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("execution took %v with two notifications of three tries of 5 s", took)
		}
	})
}

// hanging is a world whose notifier does not answer.
type hanging struct{ *world }

func (h hanging) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	if strings.HasPrefix(task.State, "Notify") {
		<-ctx.Done()

		return nil, ctx.Err()
	}

	return h.world.RunTask(ctx, task)
}
