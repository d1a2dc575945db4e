package process_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/local/process"
)

// TestPagesCannotReachAFunction sends requests of pages to the Runtime API of a function.
func TestPagesCannotReachAFunction(t *testing.T) {
	service, _, _ := start(t, process.Config{}, long)
	got, _ := call(t, service, request{Do: "env"})
	address := got.Env["AWS_LAMBDA_RUNTIME_API"]
	if !strings.HasPrefix(address, "127.0.0.1:") {
		t.Errorf("the Runtime API listens on %s", address)
	}
	for _, path := range []string{"/invocation/next", "/invocation/x/response", "/invocation/x/error", "/init/error"} {
		for _, from := range []struct{ host, origin, site string }{
			{host: "rebound.example"}, {host: strings.Replace(address, "127.0.0.1", "localhost", 1)}, {origin: "https://evil.example"},
			{origin: "null"}, {origin: "http://localhost:3000"}, {site: "same-site"}, {site: "cross-site"},
		} {
			method := http.MethodPost
			if strings.HasSuffix(path, "next") {
				method = http.MethodGet
			}
			r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/2018-06-01/runtime"+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if r.Host = address; from.host != "" {
				r.Host = from.host
			}
			for name, value := range map[string]string{"Origin": from.origin, "Sec-Fetch-Site": from.site} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusForbidden {
				t.Errorf("%s from %+v: %s", path, from, response.Status)
			}
		}
	}
	if _, result := call(t, service, request{}); result.Error != nil {
		t.Errorf("after the requests of pages: %+v", result.Error)
	}
}
