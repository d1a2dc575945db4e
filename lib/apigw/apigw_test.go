package apigw_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/broadcast"
)

func sender(url string) *apigw.Sender {
	return apigw.New(aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", "")}, url+"/prod")
}

func TestSendMapsAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		want   error
	}{
		{"delivered", 200, "", nil},
		{"gone", 410, "GoneException", broadcast.ErrGone},
		{"throttled", 429, "LimitExceededException", broadcast.ErrThrottled},
		{"throttled, unnamed", 429, "", broadcast.ErrThrottled},
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
				if tt.kind != "" {
					w.Header().Set("X-Amzn-Errortype", tt.kind)
				}
				w.WriteHeader(tt.status)
			}))
			defer server.Close()
			err := sender(server.URL).Send(t.Context(), "L0SM9cOFvHcCIhw=", []byte("private"))
			if (err == nil) != (tt.status == 200) || (tt.want != nil && !errors.Is(err, tt.want)) {
				t.Errorf("Send: %v, want %v", err, tt.want)
			}
			for _, retry := range []error{broadcast.ErrGone, broadcast.ErrThrottled, broadcast.ErrUnavailable} {
				if !errors.Is(tt.want, retry) && errors.Is(err, retry) {
					t.Errorf("Send: %v, which is taken for %v", err, retry)
				}
			}
			if err != nil && strings.Contains(err.Error(), "private") {
				t.Error("the error repeats the frame")
			}
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

func TestSendReportsAnUnreachableService(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if err := sender(server.URL).Send(t.Context(), "c", nil); !errors.Is(err, broadcast.ErrUnavailable) {
		t.Errorf("Send: %v, want ErrUnavailable", err)
	}
}

func TestSocketsAreKept(t *testing.T) {
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s := sender(server.URL)
	const rounds, atOnce = 5, 64
	for range rounds {
		var posts sync.WaitGroup
		for range atOnce {
			posts.Go(func() {
				if err := s.Send(context.Background(), "c", []byte("x")); err != nil {
					t.Error(err)
				}
			})
		}
		posts.Wait()
	}
	if n := opened.Load(); n > atOnce {
		t.Errorf("%d sockets for %d posts, %d at once; want at most %d", n, rounds*atOnce, atOnce, atOnce)
	}
}
