package process

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/loopback"
)

// apiPath is the beginning of the paths of the Runtime API, https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
const apiPath = "/2018-06-01/runtime"

// maxBody is the greatest size of a response that is stored, in bytes. Lambda refuses responses over 6 MB; their size is in the error.
const maxBody = 64 << 20

// A runtimeAPI serves the Runtime API for one process.
type runtimeAPI struct {
	ready      chan struct{} // Closed when the process has asked for its first invocation.
	initFailed chan *invoke.FunctionError
	work       chan *work // The process takes its invocations from here.

	readyOnce sync.Once
	mu        sync.Mutex
	current   *work // The invocation that runs; nil if there is none.
}

// work is an invocation for a process.
type work struct {
	invoke.Call

	result chan result // Of capacity 1. Only one result is sent, because take sends each work once.
}

type result struct {
	payload []byte
	err     error
}

func newRuntimeAPI() *runtimeAPI {
	return &runtimeAPI{ready: make(chan struct{}), initFailed: make(chan *invoke.FunctionError, 1), work: make(chan *work)}
}

// prepare returns a call as work, to which the process may answer until finish is called.
func (a *runtimeAPI) prepare(call invoke.Call) *work {
	w := &work{Call: call, result: make(chan result, 1)}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = w
	return w
}

func (a *runtimeAPI) finish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = nil
}

// take returns the invocation with the given id and ends it. It returns nil if another invocation or none is running.
func (a *runtimeAPI) take(requestID string) *work {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil || a.current.RequestID != requestID {
		return nil
	}
	w := a.current
	a.current = nil
	return w
}

// handler serves the Runtime API to programs of this machine. A runtime is no page: requests of pages, also of those of this machine,
// are forbidden.
func (a *runtimeAPI) handler(address string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiPath+"/invocation/next", a.serveNext)
	mux.HandleFunc("POST "+apiPath+"/invocation/{id}/response", a.serveResponse)
	mux.HandleFunc("POST "+apiPath+"/invocation/{id}/error", a.serveError)
	mux.HandleFunc("POST "+apiPath+"/init/error", a.serveInitError)
	return loopback.Only(loopback.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != address || r.Header["Origin"] != nil || r.Header["Sec-Fetch-Site"] != nil {
			http.Error(w, "Forbidden: the Runtime API is for the function's process", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// serveNext answers with the next invocation, when there is one.
func (a *runtimeAPI) serveNext(w http.ResponseWriter, r *http.Request) {
	a.readyOnce.Do(func() { close(a.ready) })
	var next *work
	select {
	case next = <-a.work:
	case <-r.Context().Done():
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Lambda-Runtime-Aws-Request-Id", next.RequestID)
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(next.Timeout).UnixMilli(), 10))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", next.FunctionARN)
	header.Set("Lambda-Runtime-Trace-Id", "Root=1-"+strconv.FormatInt(time.Now().Unix(), 16)+"-"+randomHex(12)+";Sampled=0")
	_, _ = w.Write(next.Payload) // It fails only if the process has ended.
}

// serveResponse ends the invocation with what the function returned.
func (a *runtimeAPI) serveResponse(w http.ResponseWriter, r *http.Request) {
	a.end(w, r, func(body []byte) result { return result{payload: body} })
}

// serveError ends the invocation with the function's error.
func (a *runtimeAPI) serveError(w http.ResponseWriter, r *http.Request) {
	a.end(w, r, func(body []byte) result { return result{err: invoke.ParseFunctionError(body)} })
}

// end reads the body and ends the invocation that the path names. It counts what comes after maxBody, and does not store it.
func (a *runtimeAPI) end(w http.ResponseWriter, r *http.Request, resultOf func([]byte) result) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	var rest int64
	if err == nil {
		rest, err = io.Copy(io.Discard, r.Body)
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, "InvalidRequest", "The body is incomplete") // The process has ended.
		return
	}
	invocation := a.take(r.PathValue("id"))
	if invocation == nil {
		writeError(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	if rest > 0 {
		writeError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size")
		invocation.result <- result{err: invoke.NewTooLarge(maxBody + rest)}
		return
	}
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"}) // Before the result: the process may now be stopped.
	invocation.result <- resultOf(body)
}

// serveInitError takes the error of a process that could not start.
func (a *runtimeAPI) serveInitError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writeError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size")
		return
	}
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
	select {
	case a.initFailed <- invoke.ParseFunctionError(body):
	default: // It has reported one already.
	}
}

func writeError(w http.ResponseWriter, status int, kind, message string) {
	writeJSON(w, status, map[string]string{"errorType": kind, "errorMessage": message})
}

// writeJSON answers with JSON, and sends the answer at once.
func writeJSON(w http.ResponseWriter, status int, fields map[string]string) {
	body, err := json.Marshal(fields)
	if err != nil {
		body = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // It fails only if the process has ended.
	_ = http.NewResponseController(w).Flush()
}
