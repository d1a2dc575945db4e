package local_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/local"
)

// requestToken sends a request for a token, and returns the status and the body of the answer.
func requestToken(t *testing.T, twin *local.Twin, method, user, origin string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, twin.Endpoint()+local.TokenPath+"?user="+url.QueryEscape(user), nil)
	r.RequestURI = "" // httptest makes a server's request; a client must not send one with a RequestURI
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Header.Get("Access-Control-Allow-Origin") != "" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the headers are %v", answer.Header)
	}
	return answer.StatusCode, string(body)
}

func TestAProgramOfThisMachineGetsATokenThatConnects(t *testing.T) {
	twin, _ := startTwin(t)
	status, body := requestToken(t, twin, http.MethodPost, "dev", "")
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	conn, err := client.Dial(t.Context(), twin.WebSocketURL(), answer.Token)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	for name, request := range map[string]struct {
		method, user, origin string
		want                 int
	}{
		"without a user":  {http.MethodPost, "", "", http.StatusBadRequest},
		"by another page": {http.MethodPost, "dev", "https://evil.example.com", http.StatusForbidden},
	} {
		if status, body := requestToken(t, twin, request.method, request.user, request.origin); status != request.want || strings.Contains(body, `"token"`) {
			t.Errorf("%s: %d %s, want %d", name, status, body, request.want)
		}
	}
}
