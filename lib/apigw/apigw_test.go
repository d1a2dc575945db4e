package apigw_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/broadcast"
)

// awsConfig has credentials that the test servers accept.
var awsConfig = aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", "session")}

// newSender returns a sender for the stage prod of a test server.
func newSender(tb testing.TB, url string) *apigw.Sender {
	tb.Helper()
	s, err := apigw.New(awsConfig, url+"/prod")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestNewRejectsInvalidEndpoints(t *testing.T) {
	for _, endpoint := range []string{"", "prod", "wss://x.example/prod", "https:///prod", ":"} {
		if _, err := apigw.New(awsConfig, endpoint); err == nil {
			t.Errorf("New accepted the endpoint %q", endpoint)
		}
	}
}

// TestRequestsCarryAValidSignature recomputes the signature of each request with the steps that AWS documents
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
func TestRequestsCarryAValidSignature(t *testing.T) {
	const id = "L0S+9/OFvHcCIhw="
	var method string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		method = r.Method
		body, _ := io.ReadAll(r.Body)
		algorithm, fields, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		parts := map[string]string{}
		for field := range strings.SplitSeq(fields, ", ") {
			name, value, _ := strings.Cut(field, "=")
			parts[name] = value
		}
		var headers strings.Builder
		for name := range strings.SplitSeq(parts["SignedHeaders"], ";") {
			value := r.Header.Get(name)
			if name == "host" { // net/http moves this header out of r.Header
				value = r.Host
			}
			if name == "content-length" {
				value = strconv.FormatInt(r.ContentLength, 10)
			}
			fmt.Fprintf(&headers, "%s:%s\n", name, value)
		}
		// The path is encoded twice: once in the URL and once more for the signature.
		const path = "/prod/%40connections/L0S%252B9%252FOFvHcCIhw%253D"
		canonical := strings.Join([]string{r.Method, path, "", headers.String(), parts["SignedHeaders"], digest(body)}, "\n")
		date := r.Header.Get("X-Amz-Date")
		scope := date[:8] + "/us-east-1/execute-api/aws4_request"
		key := []byte("AWS4key") // AWS4, and "key": the secret access key of awsConfig
		for part := range strings.SplitSeq(scope, "/") {
			key = mac(key, part)
		}
		want := hex.EncodeToString(mac(key, strings.Join([]string{"AWS4-HMAC-SHA256", date, scope, digest([]byte(canonical))}, "\n")))
		if algorithm != "AWS4-HMAC-SHA256" || parts["Credential"] != "id/"+scope || parts["Signature"] != want {
			t.Errorf("authorization is %s %v, want the signature %s", algorithm, parts, want)
		}
		for _, name := range []string{"host", "x-amz-date", "x-amz-security-token"} {
			if !strings.Contains(parts["SignedHeaders"], name) {
				t.Errorf("%s is not signed", name)
			}
		}
	}))
	defer server.Close()
	s := newSender(t, server.URL)
	if err := s.Send(t.Context(), id, []byte("frame")); err != nil || method != "POST" {
		t.Fatalf("Send by %s: %v", method, err)
	}
	if err := s.Close(t.Context(), id); err != nil || method != "DELETE" {
		t.Fatalf("Close by %s: %v", method, err)
	}
}

// digest returns the SHA-256 hash of b in hexadecimal digits.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// mac returns the HMAC-SHA256 of a text.
func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func TestSendMapsStatusesToErrors(t *testing.T) {
	for _, tt := range []struct {
		name      string
		status    int
		errorType string // the header X-Amzn-Errortype
		want      error  // nil: success, or any error that is final
	}{
		{"delivered", 200, "", nil},
		{"gone", 410, "GoneException", broadcast.ErrGone},
		{"throttled", 429, "LimitExceededException", broadcast.ErrThrottled},
		{"throttled, without an error type", 429, "", broadcast.ErrThrottled},
		{"failing", 500, "InternalServerError", broadcast.ErrUnavailable},
		{"timed out", 504, "", broadcast.ErrUnavailable},
		{"forbidden is final", 403, "ForbiddenException", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var path, body, signature string
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				raw, _ := io.ReadAll(r.Body)
				path, body, signature = r.URL.EscapedPath(), string(raw), r.Header.Get("Authorization")
				if tt.errorType != "" {
					w.Header().Set("X-Amzn-Errortype", tt.errorType)
				}
				w.WriteHeader(tt.status)
			}))
			defer server.Close()
			err := newSender(t, server.URL).Send(t.Context(), "L0SM9cOFvHcCIhw=", []byte("private"))
			if (err == nil) != (tt.status == 200) || (tt.want != nil && !errors.Is(err, tt.want)) {
				t.Errorf("Send: %v, want %v", err, tt.want)
			}
			for _, sentinel := range []error{broadcast.ErrGone, broadcast.ErrThrottled, broadcast.ErrUnavailable} {
				if !errors.Is(tt.want, sentinel) && errors.Is(err, sentinel) {
					t.Errorf("Send: %v, which must not match %v", err, sentinel)
				}
			}
			if err != nil && strings.Contains(err.Error(), "private") {
				t.Error("the error contains the frame")
			}
			// The @ may be escaped or not: both are the same path.
			if path != "/prod/@connections/L0SM9cOFvHcCIhw%3D" && path != "/prod/%40connections/L0SM9cOFvHcCIhw%3D" {
				t.Errorf("posted to %s", path)
			}
			if body != "private" || !strings.Contains(signature, "/execute-api/aws4_request") {
				t.Errorf("posted %q, signed %q", body, signature)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests for one Send, want 1", n)
			}
		})
	}
}

func TestCloseMapsStatusesToErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		want   error
	}{
		{"closed", 204, nil},
		{"gone already", 410, nil},
		{"throttled", 429, broadcast.ErrThrottled},
		{"failing", 500, broadcast.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = r.Method + " " + r.URL.Path + " " + string(body)
				w.WriteHeader(tt.status)
			}))
			defer server.Close()
			if err := newSender(t, server.URL).Close(t.Context(), "L0SM9cOFvHcCIhw="); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("Close: %v, want %v", err, tt.want)
			}
			if want := "DELETE /prod/@connections/L0SM9cOFvHcCIhw= "; got != want {
				t.Errorf("request is %q, want %q", got, want)
			}
		})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer server.Close()
	if err := newSender(t, server.URL).Close(t.Context(), "c"); err == nil {
		t.Error("Close returned no error for status 403")
	}
}

func TestSendToAnUnreachableServiceIsErrUnavailable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if err := newSender(t, server.URL).Send(t.Context(), "c", nil); !errors.Is(err, broadcast.ErrUnavailable) {
		t.Errorf("Send: %v, want ErrUnavailable", err)
	}
}

func TestSendReusesSockets(t *testing.T) {
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s := newSender(t, server.URL)
	// A new post may start before an earlier post has returned its socket to the pool, so some rounds open a few more sockets.
	// With the SDK's default of ten idle sockets, this test would open over a thousand sockets.
	const rounds, concurrent, maxSockets = 20, 64, 4 * 64
	for range rounds {
		var posts sync.WaitGroup
		for range concurrent {
			posts.Go(func() {
				if err := s.Send(context.Background(), "c", []byte("x")); err != nil {
					t.Error(err)
				}
			})
		}
		posts.Wait()
	}
	if n := opened.Load(); n > maxSockets {
		t.Errorf("%d sockets for %d posts, %d at the same time; want at most %d", n, rounds*concurrent, concurrent, maxSockets)
	}
}
