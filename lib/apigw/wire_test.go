package apigw_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/apigw"
)

// sdkOnly are the headers that describe the SDK and its retries. The sender does not send them.
var sdkOnly = []string{"User-Agent", "Accept-Encoding", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request"}

// wireRequest is a request as a server received it. The values of headers that depend on the time are removed.
type wireRequest struct {
	Method, URI, Host, Body string
	Length                  int64
	Header                  map[string][]string
	Credential              string // the first field of Authorization
	Signed                  string // the names of the signed headers
}

// received returns a request without the headers of sdkOnly.
func received(r *http.Request) wireRequest {
	body, _ := io.ReadAll(r.Body)
	header := maps.Clone(r.Header)
	fields := strings.Split(header.Get("Authorization"), ", ")
	for _, name := range sdkOnly {
		delete(header, name)
	}
	header["X-Amz-Date"] = []string{"now"}
	header["Authorization"] = nil
	signed := slices.DeleteFunc(strings.Split(strings.TrimPrefix(fields[1], "SignedHeaders="), ";"), func(name string) bool {
		return slices.Contains(sdkOnly, http.CanonicalHeaderKey(name))
	})

	return wireRequest{r.Method, r.RequestURI, r.Host, string(body), r.ContentLength, header, fields[0], strings.Join(signed, ";")}
}

// TestPostsAreTheSDKsOnTheWire compares the posts of a sender with those of the SDK's client, as a server receives them.
func TestPostsAreTheSDKsOnTheWire(t *testing.T) {
	var requests []wireRequest
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests = append(requests, received(r)) }))
	defer server.Close()
	static := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", "")}
	for _, config := range []aws.Config{awsConfig, static} {
		for _, endpoint := range []string{server.URL + "/prod", server.URL, server.URL + "/stage_2-x"} {
			sender, err := apigw.New(config, endpoint)
			if err != nil {
				t.Fatal(err)
			}
			client := apigatewaymanagementapi.NewFromConfig(config, func(o *apigatewaymanagementapi.Options) { o.BaseEndpoint = &endpoint })
			for _, id := range []string{"abc=", "L0S+9/OFvHcCIhw=", "a b", "~-._", "%3D", "ü@:;,?#&$!'()*"} {
				for _, frame := range []string{`{"type":"pong"}`, "x", ""} {
					requests = nil
					input := &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte(frame)}
					if _, err := client.PostToConnection(t.Context(), input); err != nil {
						t.Fatal(err)
					}
					if err := sender.Send(t.Context(), id, []byte(frame)); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(requests[0], requests[1]); diff != "" {
						t.Errorf("%s, %q, frame %q: request (-SDK +sender):\n%s", endpoint, id, frame, diff)
					}
				}
			}
		}
	}
}

// TestAPostIsOneWrite: a second write for the body would cost a system call and, over TLS, a record.
func TestAPostIsOneWrite(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	first := make(chan string, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := make([]byte, 16<<10)
		n, _ := c.Read(b) // what was written at once arrives at once
		first <- string(b[:n])
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	}()
	if err := newSender(t, "http://"+listener.Addr().String()).Send(t.Context(), "c", []byte("the frame")); err != nil {
		t.Fatal(err)
	}
	if request := <-first; !strings.HasSuffix(request, "\r\n\r\nthe frame") {
		t.Errorf("the first write is %q, without the frame", request)
	}
}

// TestClosesAreTheSDKs: Close uses the SDK's client, without its retries.
func TestClosesAreTheSDKs(t *testing.T) {
	var requests []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method+" "+r.RequestURI+" "+fmt.Sprint(strings.Contains(r.UserAgent(), "api/apigatewaymanagementapi")))
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	if err := newSender(t, server.URL).Close(t.Context(), "abc="); err == nil {
		t.Error("Close returned no error for status 500")
	}
	if diff := cmp.Diff([]string{"DELETE /prod/@connections/abc%3D true"}, requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
