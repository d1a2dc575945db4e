package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/cloud/browser"
	"github.com/herald-progress/herald/lib/cloud/workflow"
	"github.com/herald-progress/herald/lib/metrics/metricstest"
	"github.com/herald-progress/herald/lib/session"
)

// captureLog redirects os.Stderr, where functions log, and returns what is logged from then on. Functions must start after it.
func captureLog(t *testing.T) func() []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = file
	t.Cleanup(func() {
		os.Stderr = stderr
		_ = file.Close()
	})
	return func() []byte {
		log, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
}

// throttlingAWS is a DynamoDB that throttles every request, and an API Gateway that has no connection.
func throttlingAWS(t *testing.T) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var throttled atomic.Int64
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") == "" {
			w.WriteHeader(http.StatusGone)
			return
		}
		throttled.Add(1)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}`)
	}))
	t.Cleanup(aws.Close)
	return aws, &throttled
}

// TestEachFunctionWritesItsMetricsAtTheEndOfAnEvent lets DynamoDB throttle each function, and compares what the functions count with the
// requests that were throttled.
func TestEachFunctionWritesItsMetricsAtTheEndOfAnEvent(t *testing.T) {
	aws, throttled := throttlingAWS(t)
	setLambdaVariables(t, aws.URL)
	variables := map[string]string{
		"CONNECTIONS_TABLE": "t", "FEED_TABLE": "f", "WEBSOCKET_API_ENDPOINT": aws.URL + "/prod", "AUTH_MODE": "jwks",
		"AUTH_ISSUER": "http://127.0.0.1:1", "AUTH_AUDIENCE": "*", "WATCHED_STATE_MACHINES": "[]", "METRICS_STACK": "Herald-Two",
	}
	getenv := func(name string) string { return variables[name] }
	const notification = `{"userId":"u1","message":{"type":"notification","data":{"title":"t","message":"m","severity":"info"}}}`
	event := session.Request{Body: `{"action":"sync"}`}
	event.RequestContext.ConnectionID = "c1"
	for name, handle := range map[string]func(*testing.T) error{
		"notifier": func(t *testing.T) error {
			t.Helper()
			h, err := cloud.Notifier(t.Context(), getenv)
			if err != nil {
				return err
			}
			_, _ = h.Handle(t.Context(), json.RawMessage(notification)) // it fails
			return nil
		},
		"sweeper": func(t *testing.T) error {
			t.Helper()
			h, err := workflow.Sweeper(t.Context(), getenv)
			if err != nil {
				return err
			}
			_ = h.Handle(t.Context(), json.RawMessage(`{}`))
			return nil
		},
		"reaper": func(t *testing.T) error {
			t.Helper()
			h, err := browser.Reaper(t.Context(), getenv)
			if err != nil {
				return err
			}
			_ = h.Handle(t.Context(), json.RawMessage(`{}`))
			return nil
		},
		"disconnect": func(t *testing.T) error {
			t.Helper()
			t.Setenv("AWS_MAX_ATTEMPTS", "2") // each try is counted
			h, err := browser.Disconnect(t.Context(), getenv)
			if err != nil {
				return err
			}
			_, _ = h.Handle(t.Context(), event)
			return nil
		},
		"default": func(t *testing.T) error {
			t.Helper()
			h, err := browser.Default(t.Context(), getenv)
			if err != nil {
				return err
			}
			_, _ = h.Handle(t.Context(), event)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			throttled.Store(0)
			log := captureLog(t)
			if err := handle(t); err != nil {
				t.Fatal(err)
			}
			counted, lines := 0.0, 0
			for _, v := range metricstest.Parse(t, log()) {
				if v.Stack != "Herald-Two" {
					t.Errorf("the stack is %s", v.Stack)
				}
				if v.Metric == "DynamoDBThrottles" {
					counted, lines = counted+v.Values[0], lines+1
				}
			}
			if want := float64(throttled.Load()); counted != want || want == 0 || lines != 1 {
				t.Errorf("%v throttled requests are counted in %d lines, want %v in one", counted, lines, want)
			}
		})
	}
}

func TestAFunctionWithoutTheVariableWritesNoMetrics(t *testing.T) {
	aws, _ := throttlingAWS(t)
	setLambdaVariables(t, aws.URL)
	log := captureLog(t)
	variables := map[string]string{"CONNECTIONS_TABLE": "t", "WEBSOCKET_API_ENDPOINT": aws.URL + "/prod"}
	h, err := browser.Reaper(t.Context(), func(name string) string { return variables[name] })
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Handle(t.Context(), nil); err == nil {
		t.Error("the reaper does not return the error of its store")
	}
	if strings.Contains(string(log()), "_aws") {
		t.Errorf("metrics are written:\n%s", log())
	}
}

// traced returns the context of an invocation with a tracing header.
func traced(t *testing.T, header any) context.Context {
	t.Helper()
	return context.WithValue(t.Context(), "x-amzn-trace-id", header) //nolint:revive,staticcheck // the key of aws-lambda-go
}

// TestEachLineOfAnInvocationNamesItsTrace lets functions log what fails, also with the attributes of a connection. Lines outside of an
// invocation name no trace.
func TestEachLineOfAnInvocationNamesItsTrace(t *testing.T) {
	aws, _ := throttlingAWS(t)
	setLambdaVariables(t, aws.URL)
	variables := map[string]string{
		"CONNECTIONS_TABLE": "t", "FEED_TABLE": "f", "WEBSOCKET_API_ENDPOINT": aws.URL + "/prod", "AUTH_MODE": "jwks",
		"AUTH_ISSUER": "http://127.0.0.1:1", "AUTH_AUDIENCE": "*",
	}
	getenv := func(name string) string { return variables[name] }
	log := captureLog(t)
	notifier, err := cloud.Notifier(t.Context(), getenv)
	if err != nil {
		t.Fatal(err)
	}
	connections, err := browser.Default(t.Context(), getenv)
	if err != nil {
		t.Fatal(err)
	}
	starts := bytes.Count(log(), []byte("\n"))
	const id = "1-5759e988-bd862e3fe1be46a994272793"
	ctx := traced(t, "Root="+id+";Sampled=0")
	_, _ = notifier.Handle(ctx, json.RawMessage(`{"connectionId":"c1","message":{"type":"notification","data":{"title":"t","message":"m","severity":"info"}}}`))
	_, _ = notifier.Handle(ctx, json.RawMessage(`{}`))
	event := session.Request{Body: `{"action":"sync"}`}
	event.RequestContext.ConnectionID = "c1"
	_, _ = connections.Handle(ctx, event)
	messages := map[string]bool{}
	for n, line := range slices.Collect(bytes.Lines(log())) {
		var got struct{ Msg, Trace string }
		if !bytes.HasPrefix(line, []byte("{")) { // of the SDK
			continue
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		messages[got.Msg] = true
		if want := map[bool]string{true: "", false: id}[n < starts]; got.Trace != want {
			t.Errorf("the trace is %q, want %q: %s", got.Trace, want, line)
		}
	}
	for _, want := range []string{"notified", "request refused", "message not answered"} {
		if !messages[want] {
			t.Errorf("%q is not logged: %v", want, slices.Collect(maps.Keys(messages)))
		}
	}
}

func TestTraceIsThatOfTheInvocation(t *testing.T) {
	const id = "1-5759e988-bd862e3fe1be46a994272793"
	invocation := func(header any) context.Context { return traced(t, header) }
	got := map[string]string{
		"traced":      cloud.Trace(invocation("Root=" + id + ";Parent=53995c3f42cd8ad8;Sampled=1")),
		"not sampled": cloud.Trace(invocation("Root=" + id + ";Sampled=0")),
		"garbage":     cloud.Trace(invocation("Root=x")),
		"no text":     cloud.Trace(invocation(5)),
		"outside":     cloud.Trace(t.Context()),
	}
	want := map[string]string{"traced": id, "not sampled": id, "garbage": "", "no text": "", "outside": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
}
