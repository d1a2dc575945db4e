package statemachines_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/asltest"
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

	mu sync.Mutex
	// publishFails reports whether an execution cannot publish states of jobs. If it is nil, every execution can.
	publishFails func(execution string) bool

	feed      feed.Memory
	published int      // The number of states that were applied to the feed.
	frames    []string // The notifier's messages, each as one line.
}

// crash returns an error that is not one of our Go types, such as Runtime.ExitError. Lambda reports it by its name.
func crash(name, message string) error {
	return messages.InvokeResponse_Error{Type: name, Message: message}
}

// csvImport is the workflow csv_import without its functions.
var csvImport = asltest.Machine{File: "csv_import.asl.json", Substitutions: functionARNs(statemachines.Substitutions("csv_import")...)}

// TestMain fails if the tests miss a part of a definition.
func TestMain(m *testing.M) { os.Exit(asltest.RequireCoverage(m, 1, csvImport, album)) }

// machine returns the workflow with the functions of the world.
func (w *world) machine() asltest.Machine {
	const rangeBytes = 30 // Small, so that a file of four rows is imported in two chunks.
	c := csvimport.Config{Store: &w.store, Publisher: w, RangeBytes: rangeBytes}
	m := csvImport
	m.Tasks = asltest.Tasks{
		"CsvPlan": asltest.Func(csvimport.NewPlan(c).Handle), "CsvChunk": asltest.Func(csvimport.NewChunk(c).Handle),
		"CsvFinish": asltest.Func(csvimport.NewFinish(c).Handle), "Notifier": asltest.Func(w.notify),
	}
	return m
}

// failing returns the tasks of the functions that fail as functionErrors and failingCalls say.
func (w *world) failing() asltest.Tasks {
	tasks, working := asltest.Tasks{}, w.machine().Tasks
	for name, err := range w.functionErrors {
		fail := asltest.Func(func(context.Context, json.RawMessage) (any, error) { return nil, err })
		tasks[name] = fail
		if w.failingCalls > 0 {
			tasks[name] = asltest.Sequence(fail, append(slices.Repeat([]asl.Tasks{fail}, w.failingCalls-1), working[name])...)
		}
	}
	return tasks
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
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.publishFails != nil && w.publishFails(r.Execution) {
		return crash("Throttled", "try again")
	}
	w.published++
	_, _, err := w.feed.Apply(ctx, feed.User(r.UserID), feed.Update{
		State: state, Epoch: r.Epoch, Key: r.Key, Execution: r.Execution, Part: r.Part, ID: strconv.Itoa(w.published), At: time.Now(),
	})
	return err
}

// run uploads a file and runs its import. With an empty content it uploads nothing, so that the import does not find the file.
// If redrives is set, it runs the previous execution again. Each of tasks replaces functions.
func (w *world) run(content, key string, tasks ...asltest.Tasks) *asltest.Execution {
	w.t.Helper()
	if content != "" {
		w.put(content, key)
	}
	if w.redrives == 0 || w.began.IsZero() {
		w.began = time.Now()
	}
	return w.execute(w.began, content, key, "01", append([]asltest.Tasks{w.failing()}, tasks...)...)
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

// arn returns the ARN of the execution that began at a time.
func (w *world) arn(began time.Time) string {
	kind := ":execution:"
	if w.express {
		kind = ":express:"
	}
	return fmt.Sprint("arn:aws:states:eu-central-1:123456789012", kind, "csv_import:", began.UnixNano())
}

// execute runs the execution that began at a time and imports the file.
func (w *world) execute(began time.Time, content, key, sequencer string, tasks ...asltest.Tasks) *asltest.Execution {
	w.t.Helper()
	m := w.machine()
	m.Execution = asl.Execution{ID: w.arn(began), RedriveCount: w.redrives, Start: began}
	return asltest.Run(w.t, m, map[string]any{"source": "aws.s3", "detail-type": "Object Created", "detail": map[string]any{
		"version": "0", "bucket": map[string]any{"name": "b"}, "request-id": "r",
		"object": map[string]any{"key": key, "size": len(content), "etag": csvimport.ETag([]byte(content)), "sequencer": sequencer},
	}}, tasks...)
}

// countCalls returns how often each function was called.
func countCalls(run *asltest.Execution) map[string]int {
	counts := map[string]int{}
	for _, function := range []string{"CsvPlan", "CsvChunk", "CsvFinish", "Notifier"} {
		if calls := len(run.Calls(function)); calls > 0 {
			counts[function] = calls
		}
	}
	return counts
}
