package process_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/process"
)

func TestAFunctionUnderAURLIsCalled(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/2015-03-31/functions/function/invocations" || r.Method != http.MethodPost {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		switch text := string(body); text {
		case `"emulator"`:
			_, _ = io.WriteString(w, `{"errorType":"E","errorMessage":"m"}`)
		case `"header"`:
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			_, _ = io.WriteString(w, `{"errorType":"H"}`)
		case `"status"`:
			w.WriteHeader(http.StatusBadGateway)
		case `"redirect"`:
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusTemporaryRedirect)
		case `"slow"`:
			<-r.Context().Done()
		default:
			_, _ = io.WriteString(w, `{"got":`+text+`}`)
		}
	}))
	defer server.Close()
	remote, err := process.NewRemote(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	service := invoke.New(invoke.Config{Functions: map[string]invoke.Function{"mine": {Handler: remote, Timeout: 5 * time.Second}}})
	defer service.Close(t.Context())
	for payload, want := range map[string]struct{ kind, payload string }{
		`{"a":1}`: {"", `{"got":{"a":1}}`}, `"emulator"`: {"E", `{"errorType":"E","errorMessage":"m"}`}, `"header"`: {"H", `{"errorType":"H"}`},
		`"status"`: {"Runtime.Unreachable", "502"}, `"redirect"`: {"Runtime.Unreachable", "307"}, `"slow"`: {"Sandbox.Timedout", "Task timed out after 5.00 seconds"},
	} {
		result, err := service.Invoke(t.Context(), "mine", []byte(payload))
		kind := ""
		if result.Error != nil {
			kind = result.Error.Type
		}
		if err != nil || kind != want.kind || !strings.Contains(string(result.Payload), want.payload) {
			t.Errorf("%s: %s %s, %v; want %+v", payload, kind, result.Payload, err, want)
		}
	}
}

func TestOnlyURLsOfThisMachineAreCalled(t *testing.T) {
	for text, want := range map[string]bool{
		"http://127.0.0.1:9000": true, "http://localhost:9000/my/path": true, "http://[::1]:9000": true,
		"https://example.com": false, "http://169.254.169.254/": false, "http://127.0.0.1.example.com": false, "http://:80\x7f": false,
	} {
		if _, err := process.NewRemote(text); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}
