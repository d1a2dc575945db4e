package objects_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/local/objects"
)

// FuzzForm sends any body as a form. What is stored is a file within the bounds of its policy.
func FuzzForm(f *testing.F) {
	f.Add("key", "in/${filename}", "a.csv", []byte("abc"))
	f.Add("Content-Type", "text/csv", `C:\a`, []byte("--b"))
	f.Add("x-amz-meta-a\r\nb", "\x00", "", []byte("\r\n--b--\r\n"))
	endpoint, err := objects.New(objects.Config{Bucket: "uploads", Dir: f.TempDir(), SecretKeys: map[string]string{"x": "y"}})
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, name, value, fileName string, content []byte) {
		body := bytes.NewBufferString("--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nin/a\r\n")
		fields := append([]string{name, value}, signedForm(`["starts-with", "$key", "in/"], ["content-length-range", 2, 4]`)...)
		for i := 0; i < len(fields); i += 2 {
			fmt.Fprintf(body, "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", fields[i], fields[i+1])
		}
		fmt.Fprintf(body, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n\r\n%s\r\n--b--\r\n", fileName, content)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/uploads", body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w.Code >= http.StatusMultipleChoices {
			return
		}

		read := httptest.NewRecorder()
		endpoint.ServeHTTP(read, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/uploads/in/a", nil))
		if size := read.Body.Len(); size < 2 || size > 4 {
			t.Errorf("%d bytes are stored", size)
		}
	})
}

// FuzzPolicy signs any policy. S3 answers each without an internal error.
func FuzzPolicy(f *testing.F) {
	f.Add(`{"expiration": "2999-01-01T00:00:00Z", "conditions": [{"key": "in/a"}, ["eq", "$x", "\$y"], ["content-length-range", 1, "2"]]}`)
	f.Add(`{"expiration": null, "conditions": null}`)
	f.Add(`{"expiration": "2999-01-01T00:00:00Z", "conditions": [null, [], [1, 2, 3], {"a": {}}]}`)
	endpoint, err := objects.New(objects.Config{Bucket: "uploads", Dir: f.TempDir(), SecretKeys: map[string]string{"x": "y"}})
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, policy string) {
		body := &bytes.Buffer{}
		fields := append([]string{"key", "in/a", "x-amz-meta-uncovered", "1"}, signPolicy(policy)...)
		for i := 0; i < len(fields); i += 2 {
			fmt.Fprintf(body, "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", fields[i], fields[i+1])
		}
		fmt.Fprint(body, "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc\r\n--b--\r\n")
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/uploads", body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)
		covered := strings.Contains(strings.ToLower(policy), "uncovered") || strings.Contains(policy, `\u`)
		if w.Code >= http.StatusInternalServerError || w.Code < http.StatusMultipleChoices && !covered {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
