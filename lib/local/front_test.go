package local_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// TestPathsOfOtherServicesAreNotAnsweredByS3 sends requests that miss the stage, or are for another version of Lambda's API.
func TestPathsOfOtherServicesAreNotAnsweredByS3(t *testing.T) {
	twin, _ := startTwin(t)
	for _, tt := range []struct {
		method, path, errorType string
		status                  int
	}{
		{http.MethodPost, "/@connections/abc=", "ForbiddenException", http.StatusForbidden},
		{http.MethodGet, "/@connections/", "ForbiddenException", http.StatusForbidden},
		{http.MethodDelete, "/%40connections/abc=", "ForbiddenException", http.StatusForbidden},
		{http.MethodPost, "/dev/@connections/abc=", "ForbiddenException", http.StatusForbidden},
		{http.MethodPost, "/2014-11-13/functions/herald-notifier/invoke-async/", "UnknownOperationException", http.StatusNotFound},
		{http.MethodGet, "/2021-10-31/functions/herald-notifier/url", "UnknownOperationException", http.StatusNotFound},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, twin.Endpoint()+tt.path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || !json.Valid(text) || answer.StatusCode != tt.status || answer.Header.Get("X-Amzn-Errortype") != tt.errorType {
			t.Errorf("%s %s: %s, %v, %s (%v)", tt.method, tt.path, answer.Status, answer.Header, text, err)
		}
	}
}

// TestAFormStartsAnImport uploads a parts list by a form of a page of this machine. A foreign page's form is refused.
func TestAFormStartsAnImport(t *testing.T) {
	twin, _ := startTwin(t)
	tab := openTab(t, twin, "u1")
	for _, tt := range []struct {
		origin string
		status int
	}{{"https://evil.example", http.StatusForbidden}, {"null", http.StatusForbidden}, {"http://localhost:3000", http.StatusNoContent}} {
		form := strings.Join([]string{
			"--b", `Content-Disposition: form-data; name="key"`, "", "uploads/dTE/f-1/${filename}",
			"--b", `Content-Disposition: form-data; name="file"; filename="list.csv"`, "", "part,color,quantity\n3001,5,1\n", "--b--", "",
		}, "\r\n")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, twin.Endpoint()+"/"+local.Bucket, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"multipart/form-data; boundary=b"}, "Origin": {tt.origin}}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != tt.status {
			t.Errorf("a form from %s: %s, want %d", tt.origin, answer.Status, tt.status)
		}
	}
	until(t, tab, func(e message.Envelope) bool { return e.Type == message.TypeNotification })
}
