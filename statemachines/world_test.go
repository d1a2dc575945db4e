package statemachines_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/statemachines"
)

// world runs the workflow's functions in memory: the steps of the import on a store, and a notifier. Steps and notifier
// publish the states of jobs to the feed.
type world struct {
	t     *testing.T
	store csvimport.Memory

	// functionErrors holds, by the name of a function, the error with which its calls fail.
	functionErrors map[string]error
	// failingCalls is the number of calls of each of these functions that fail, from the first on; 0 means all calls.
	failingCalls int

	// began is the start time of the execution. The execution's ARN ends with it, in nanoseconds.
	began time.Time
	// redrives is the redrive count of the execution.
	redrives int
	// express makes the execution an Express execution, whose context object has no redrive count.
	express bool

	// publishFails reports whether an execution cannot publish states of jobs. If it is nil, every execution can.
	publishFails func(execution string) bool

	mu        sync.Mutex
	feed      feed.Memory
	published int            // The number of states that were applied to the feed.
	calls     map[string]int // The number of calls of each function.
	sent      []call         // All calls, in order.
	frames    []string       // The notifier's messages, each as one line.
}

// call is one call of a function by a state.
type call struct {
	state, function string
	payload         json.RawMessage
}

// crash is an error that is not one of our Go types, such as Runtime.ExitError. Lambda reports it by its name.
type crash struct{ name, message string }

func (c crash) Error() string { return c.message }

// RunTask calls the function that a task names, or fails as functionErrors says.
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
	w.sent = append(w.sent, call{task.State, name, in.Payload})
	err := w.functionErrors[name]
	if w.failingCalls > 0 && w.calls[name] > w.failingCalls {
		err = nil
	}
	w.mu.Unlock()
	if err != nil {
		return nil, functionError(err)
	}
	out, err := w.invoke(ctx, name, in.Payload)
	if err != nil {
		return nil, functionError(err)
	}
	payload, err := json.Marshal(out)
	if err != nil {
		w.t.Errorf("%s: output: %v", name, err)
	}

	return json.Marshal(map[string]any{"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": json.RawMessage(payload)})
}

// functionError returns err as Lambda reports it: by the name of its Go type, or by the name of a crash.
func functionError(err error) error {
	name := reflect.Indirect(reflect.ValueOf(err)).Type().Name()
	var c crash
	if errors.As(err, &c) {
		name = c.name
	}
	cause, _ := json.Marshal(map[string]string{"errorMessage": err.Error(), "errorType": name})
	return &asl.Error{Name: name, Cause: string(cause)}
}

// invoke calls the function with the given name.
func (w *world) invoke(ctx context.Context, name string, payload []byte) (any, error) {
	const rangeBytes = 30 // Small, so that a file of four rows is imported in two chunks.
	c := csvimport.Config{Store: &w.store, Publisher: w, RangeBytes: rangeBytes}
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

// handle decodes the payload and calls the function's handler h.
func handle[In, Out any](ctx context.Context, t *testing.T, payload []byte, h func(context.Context, In) (Out, error)) (any, error) {
	t.Helper()
	var in In
	if err := json.Unmarshal(payload, &in); err != nil {
		t.Errorf("payload %s: %v", payload, err)
	}
	return h(ctx, in)
}

// notify is the notifier: it validates the request, publishes the state in it, and records its message as one line.
func (w *world) notify(ctx context.Context, payload json.RawMessage) (any, error) {
	in, err := notify.Decode(payload)
	if err != nil || in.UserID != "auth0|1" {
		w.t.Errorf("notifier is given %s: %v", payload, err)
	}
	if err := w.Publish(ctx, in); err != nil {
		return nil, err
	}
	line := ""
	switch d := in.Message.(type) {
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

// Publish applies the state of a job to the feed, and ignores any other message.
func (w *world) Publish(ctx context.Context, r message.Request) error {
	state, ok := message.AsUploadProgress(r.Message)
	if !ok {
		return nil
	}
	if err := r.Validate(); err != nil {
		w.t.Errorf("request %+v: %v", r, err)
	}
	if w.publishFails != nil && w.publishFails(r.Execution) {
		return crash{"Throttled", "try again"}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.published++
	_, _, err := w.feed.Apply(ctx, feed.User(r.UserID), feed.Update{
		State: state, Epoch: r.Epoch, Key: r.Key, Execution: r.Execution, Part: r.Part, ID: strconv.Itoa(w.published), At: time.Now(),
	})
	return err
}

// csvImport returns the workflow csv_import.
func csvImport(t *testing.T) *asl.Machine {
	t.Helper()
	definition, err := statemachines.Fill("csv_import", functionARNs(statemachines.Substitutions("csv_import")...))
	if err != nil {
		t.Fatal(err)
	}
	machine, err := asl.Parse([]byte(definition))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return machine
}

// run uploads a file and runs its import. With an empty content it uploads nothing, so that the import does not find the file.
// If redrives is set, it runs the previous execution again.
func (w *world) run(content, key string) asl.Result {
	w.t.Helper()
	if content != "" {
		w.put(content, key)
	}
	w.calls, w.sent = map[string]int{}, nil
	if w.redrives == 0 || w.began.IsZero() {
		w.began = time.Now()
	}
	return csvImport(w.t).Run(w.t.Context(), w.execution(content, key, "01"))
}

// put uploads a file.
func (w *world) put(content, key string) {
	w.t.Helper()
	writer := w.store.Create(w.t.Context(), key, csvimport.Replace)
	_, err := io.WriteString(writer, content)
	if err := errors.Join(err, writer.Close()); err != nil {
		w.t.Fatal(err)
	}
}

// execution returns an execution that imports the file and began at w.began.
func (w *world) execution(content, key, sequencer string) asl.Execution {
	kind := ":execution:"
	if w.express {
		kind = ":express:"
	}
	input, _ := json.Marshal(map[string]any{"source": "aws.s3", "detail-type": "Object Created", "detail": map[string]any{
		"version": "0", "bucket": map[string]any{"name": "b"}, "request-id": "r",
		"object": map[string]any{"key": key, "size": len(content), "etag": csvimport.ETag([]byte(content)), "sequencer": sequencer},
	}})
	return asl.Execution{
		ID:           fmt.Sprint("arn:aws:states:eu-central-1:123456789012", kind, "csv_import:", w.began.UnixNano()),
		RedriveCount: w.redrives, Start: w.began, Input: input, Tasks: w,
	}
}
