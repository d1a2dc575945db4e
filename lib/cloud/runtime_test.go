package cloud_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/herald-progress/herald/lib/logtest"
)

// This file runs built functions, and serves the Lambda Runtime API to them.

// invokeTimeout is how long a function may take for an event if the caller's context has no deadline.
const invokeTimeout = 30 * time.Second

// runtimePath is the beginning of the paths of the Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
const runtimePath = "/2018-06-01/runtime/invocation/"

// process is a built function that runs in another process and uses the Lambda Runtime API, which this test serves. It is a
// lambda.Handler. As on Lambda, the function handles one event at a time; further events wait.
type process struct {
	// InitTook is the time from the start of the process to its first request for an event.
	InitTook time.Duration

	process *os.Process
	events  chan *event   // the events that wait for the function
	pending sync.Map      // the event that the function handles, from request ID to *event
	ended   chan struct{} // closed when the process has ended
	output  *logtest.Buffer
}

// event is an event that the function handles or will handle.
type event struct {
	id       string
	payload  []byte
	deadline time.Time
	taken    time.Time // when the function received the event
	answers  chan answer
}

// answer is a function's result for an event, or its error.
type answer struct {
	payload []byte
	failed  bool
	took    time.Duration
}

// startProcess starts a program and waits until it asks for its first event. The program has only the variables of environment and
// those that Lambda adds. If the program ends instead, the error is a messages.InvokeResponse_Error.
func startProcess(tb testing.TB, command *exec.Cmd, environment ...string) (*process, error) {
	tb.Helper()
	p := &process{events: make(chan *event), ended: make(chan struct{}), output: &logtest.Buffer{}}
	ready := make(chan time.Time, 1)
	server := httptest.NewServer(p.runtime(ready))
	command.Env = append(slices.Clip(environment), "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=test",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local")
	command.Stdout, command.Stderr = p.output, p.output
	start := time.Now()
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	p.process = command.Process
	go func() {
		_ = command.Wait()
		close(p.ended)
	}()
	tb.Cleanup(func() {
		_ = p.process.Kill()
		<-p.ended
		server.CloseClientConnections()
		server.Close()
	})
	select {
	case at := <-ready:
		p.InitTook = at.Sub(start)
		return p, nil
	case <-p.ended:
		return nil, p.exit()
	}
}

// runtime returns the API from which the function gets events, and to which it sends its answers.
func (p *process) runtime(ready chan<- time.Time) http.Handler {
	var requests atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimePath+"next", func(w http.ResponseWriter, r *http.Request) {
		id := requests.Add(1)
		if id == 1 {
			ready <- time.Now()
		}
		select {
		case e := <-p.events:
			e.id, e.taken = strconv.FormatInt(id, 10), time.Now()
			p.pending.Store(e.id, e)
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", e.id)
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(e.deadline.UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:test")
			_, _ = w.Write(e.payload)
		case <-r.Context().Done():
		}
	})
	for result, failed := range map[string]bool{"response": false, "error": true} {
		mux.HandleFunc("POST "+runtimePath+"{id}/"+result, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			e, pending := p.pending.LoadAndDelete(r.PathValue("id"))
			if err != nil || !pending {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			e.(*event).answers <- answer{payload: body, failed: failed, took: time.Since(e.(*event).taken)}
			w.WriteHeader(http.StatusAccepted)
		})
	}
	return mux
}

// Invoke returns the function's answer. Its error is the function's own, or Runtime.ExitError when the process ends.
func (p *process) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	body, _, err := p.timed(ctx, payload)
	return body, err
}

// timed does the same as Invoke, and also returns the time that the function took.
func (p *process) timed(ctx context.Context, payload []byte) ([]byte, time.Duration, error) {
	e := &event{payload: payload, deadline: time.Now().Add(invokeTimeout), answers: make(chan answer, 1)}
	if deadline, ok := ctx.Deadline(); ok {
		e.deadline = deadline
	}
	events := p.events
	for {
		select {
		case events <- e:
			events = nil // The event is sent only once: a send to a nil channel never happens.
		case a := <-e.answers:
			return a.result()
		case <-p.ended:
			select {
			case a := <-e.answers: // The function answered before it ended.
				return a.result()
			default:
				return nil, 0, p.exit()
			}
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// result returns the answer as process.timed does.
func (a answer) result() ([]byte, time.Duration, error) {
	if !a.failed {
		return a.payload, a.took, nil
	}
	var failure messages.InvokeResponse_Error
	if err := json.Unmarshal(a.payload, &failure); err != nil {
		return nil, a.took, fmt.Errorf("read the function's error: %w", err)
	}
	return nil, a.took, failure
}

// exit returns the error of a function whose process has ended, with the last line of its output.
func (p *process) exit() error {
	lines := strings.Split(strings.TrimSpace(p.output.String()), "\n")
	return messages.InvokeResponse_Error{Type: "Runtime.ExitError", Message: lines[len(lines)-1]}
}

// memory returns the greatest resident memory of the process so far, in bytes.
func (p *process) memory(tb testing.TB) int {
	tb.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.process.Pid), "status"))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		tb.Fatal(err)
	}
	return kilobytes << 10
}
