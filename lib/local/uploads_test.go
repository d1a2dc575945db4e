package local_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// askUpload sends a message about an upload and returns the answer.
func askUpload(t *testing.T, c *client.Conn, fields string) message.UploadURL {
	t.Helper()
	if err := c.Send(t.Context(), `{"request":"r",`+fields+`}`); err != nil {
		t.Fatal(err)
	}
	frames := until(t, c, func(e message.Envelope) bool { return e.Type == message.TypeUploadURL || e.Type == message.TypeError })
	answer, ok := frames[len(frames)-1].Data.(message.UploadURL)
	if !ok {
		t.Fatalf("%s is answered %+v", fields, frames[len(frames)-1].Data)
	}
	return answer
}

// putFromPage sends a preflight and a PUT as a browser does for a page.
func putFromPage(t *testing.T, target, origin string, headers map[string]string, content []byte) int {
	t.Helper()
	send := func(method string, headers map[string]string, body []byte) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, target, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response
	}
	preflight := send(http.MethodOptions, map[string]string{
		"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type,if-none-match",
	}, nil)
	allowed := preflight.Header.Get("Access-Control-Allow-Headers")
	if preflight.StatusCode != http.StatusOK || !strings.Contains(allowed, "content-type") || !strings.Contains(allowed, "if-none-match") {
		return preflight.StatusCode
	}
	response := send(http.MethodPut, headers, content)
	if response.StatusCode == http.StatusOK && (response.Header.Get("ETag") == "" || response.Header.Get("Access-Control-Allow-Origin") == "") {
		t.Errorf("a page cannot read the response: %v", response.Header)
	}
	return response.StatusCode
}

// TestAPageUploadsAFileThatIsImported uploads a file with one PUT, and a larger one in parts. The import's job has the id of the upload.
func TestAPageUploadsAFileThatIsImported(t *testing.T) {
	small, err := os.ReadFile(partsList + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	// Each row is longer than 800 bytes, so the file is larger than MaxSinglePut and is uploaded in parts.
	large := []byte("part,color,quantity\n" + strings.Repeat("3001,"+strings.Repeat("Red ", 200)+",4\n", message.MaxSinglePut/800))
	for name, content := range map[string][]byte{"one PUT": small, "parts": large} {
		t.Run(name, func(t *testing.T) {
			twin, log := startTwin(t)
			ann := openTab(t, twin, "auth0|ann/x")
			a := askUpload(t, ann, fmt.Sprintf(`"action":"upload","fileName":"parts + list.csv","size":%d,"contentType":"text/csv"`, len(content)))
			targets := map[string][]byte{a.URL: content}
			if a.URL == "" { // The file is uploaded in parts, each with a URL of its own.
				delete(targets, "")
				for i, p := range a.Parts {
					from := int64(i) * a.PartSize
					targets[p.URL] = content[from:min(from+a.PartSize, int64(len(content)))]
				}
			}
			for target, part := range targets {
				if status := putFromPage(t, target, "https://evil.example", a.Headers, part); status != http.StatusForbidden {
					t.Errorf("a PUT of a foreign page is answered %d", status)
				}
				if status := putFromPage(t, target, "http://localhost:5173", a.Headers, part[:len(part)-1]); status != http.StatusForbidden {
					t.Errorf("a PUT that is a byte too short is answered %d", status)
				}
				if status := putFromPage(t, target, "http://localhost:5173", a.Headers, part); status != http.StatusOK {
					t.Fatalf("PUT is answered %d", status)
				}
			}
			for range 2 { // A client that misses the answer repeats upload_complete.
				if end := askUpload(t, ann, `"action":"upload_complete","uploadId":"`+a.UploadID+`"`); !end.Complete {
					t.Errorf("the end is %+v", end)
				}
			}
			wantImported(t, twin, a.UploadID)
			for target := range targets {
				_, query, _ := strings.Cut(target, "?")
				if strings.Contains(log.String(), query) {
					t.Error("the log has the URL")
				}
			}
			if strings.Contains(log.String(), "X-Amz-") {
				t.Errorf("the log has a part of a URL: %s", log)
			}
		})
	}
}

// wantImported waits until the job of an upload has ended, and requires that it succeeded.
func wantImported(t *testing.T, twin *local.Twin, id string) {
	t.Helper()
	tab := openTab(t, twin, "auth0|ann/x")
	if err := tab.Send(t.Context(), `{"action":"sync"}`); err != nil {
		t.Fatal(err)
	}
	frames := until(t, tab, func(e message.Envelope) bool {
		p, ok := e.Data.(message.UploadProgress)
		return ok && e.Job == id && p.Status.Terminal()
	})
	end, _ := json.Marshal(frames[len(frames)-1].Data)
	if !strings.Contains(string(end), `"status":"succeeded"`) || !strings.Contains(string(end), `"fileName":"parts + list.csv"`) {
		t.Errorf("the job ends with %s", end)
	}
}
