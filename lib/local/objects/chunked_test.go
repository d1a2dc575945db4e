package objects_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/objects"
)

func TestDecodesAWSChunkedBodies(t *testing.T) {
	t.Parallel()
	client, endpoint := newS3(t, nil)
	for body, want := range map[string]int{
		"4\r\nabcd\r\n2\r\nef\r\n0\r\nx-amz-checksum-crc32:S4457w==\r\n\r\n": http.StatusOK,
		"6;chunk-signature=0a\r\nabcdef\r\n0;chunk-signature=0b\r\n\r\n":     http.StatusOK,
		"6\r\nabcdef\r\n0\r\n":    http.StatusOK,
		"5\r\nabcde\r\n0\r\n\r\n": http.StatusBadRequest, // Shorter than X-Amz-Decoded-Content-Length.
	} {
		answer := send(t, http.MethodPut, endpoint+"/uploads/in/chunked", body, http.Header{
			"X-Amz-Content-Sha256": {"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, "X-Amz-Decoded-Content-Length": {"6"},
			"Content-Encoding": {"aws-chunked"},
		})
		if answer.StatusCode != want {
			t.Errorf("%q: %s, want %d", body, answer.Status, want)
		}
	}

	body, out, err := get(t, client, s3.GetObjectInput{Key: aws.String("in/chunked")})
	if err != nil || body != "abcdef" || out.ContentEncoding != nil {
		t.Errorf("got %q, encoding %v, error %v", body, out.ContentEncoding, err)
	}

	// Malformed bodies store nothing.
	for _, body := range []string{"", "x\r\n", "-1\r\n", "6\r\nabc", "6\r\nabcdefg\r\n0\r\n\r\n", strings.Repeat("1", 5000)} {
		answer := send(t, http.MethodPut, endpoint+"/uploads/in/bad", body, http.Header{
			"X-Amz-Content-Sha256": {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, "X-Amz-Decoded-Content-Length": {"6"},
		})
		if answer.StatusCode < http.StatusBadRequest {
			t.Errorf("%q: %s", body, answer.Status)
		}
	}

	_, _, err = get(t, client, s3.GetObjectInput{Key: aws.String("in/bad")})
	wiretest.WantCode(t, "malformed", err, "NoSuchKey")
}

func FuzzRequest(f *testing.F) {
	f.Add("PUT", "/uploads/in/a", "", "", []byte("text"))
	f.Add("PUT", "/uploads/in/", "", "", []byte("longer than the decoded length"))
	f.Add("PUT", "/uploads/in/a", "partNumber=1&uploadId=x", "STREAMING-", []byte("4\r\ntext\r\n0\r\n\r\n"))
	f.Add("POST", "/uploads/in/a", "uploadId=x", "", []byte("<CompleteMultipartUpload><Part/></CompleteMultipartUpload>"))
	f.Add("GET", "/uploads", "list-type=2&delimiter=/&max-keys=1", "", []byte(nil))

	endpoint, err := objects.New(objects.Config{
		Bucket: "uploads", Dir: f.TempDir(),
		Created: func(_ context.Context, event json.RawMessage) {
			if !json.Valid(event) {
				f.Errorf("event %s", event)
			}
		},
	})
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, method, path, query, sha string, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/", bytes.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawQuery = method, path, query
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		r.Header.Set("X-Amz-Decoded-Content-Length", "4")
		r.Header.Set("X-Amz-Content-Sha256", sha)
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)

		if w.Code == http.StatusOK && method == http.MethodPut && sha == "" && strings.HasPrefix(path, "/uploads/in/") &&
			query == "" {
			read := httptest.NewRecorder()
			back := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			back.URL.Path = path
			endpoint.ServeHTTP(read, back)
			if !bytes.Equal(read.Body.Bytes(), body) {
				t.Errorf("stored %q, read %q", body, read.Body)
			}
		}
	})
}
