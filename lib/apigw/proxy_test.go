package apigw_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/herald-progress/herald/lib/apigw"
)

// throughProxy returns a configuration whose requests go through a proxy.
func throughProxy(t *testing.T, config aws.Config, proxy string) aws.Config {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	client, ok := config.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		client = awshttp.NewBuildableClient()
	}
	config.HTTPClient = client.WithTransportOptions(func(t *http.Transport) { t.Proxy = http.ProxyURL(u) })

	return config
}

// TestPostsGoThroughAnHTTPProxy: a proxy needs the whole URI in a request.
func TestPostsGoThroughAnHTTPProxy(t *testing.T) {
	var requests []string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method+" "+r.RequestURI+" "+r.Host)
	}))
	defer proxy.Close()
	s, err := apigw.New(throughProxy(t, awsConfig.Copy(), proxy.URL), "http://api.example.com/prod")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), "abc=", []byte("x")); err != nil {
		t.Error(err)
	}
	if want := "POST http://api.example.com/prod/@connections/abc%3D api.example.com"; len(requests) != 1 || requests[0] != want {
		t.Errorf("the proxy got %q, want %s", requests, want)
	}
}

// TestPostsOverTLSTunnelThroughAProxy: the proxy only sees the name of the server.
func TestPostsOverTLSTunnelThroughAProxy(t *testing.T) {
	for _, protocol := range []string{protocolTLS, protocolHTTP2} {
		t.Run(protocol, func(t *testing.T) {
			var path string
			server := newServer(protocol, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { path = r.RequestURI }))
			defer server.Close()
			var connected string
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				connected = r.Method + " " + r.RequestURI
				tunnel(t, w, r.RequestURI)
			}))
			defer proxy.Close()
			defer server.CloseClientConnections()
			s, err := apigw.New(throughProxy(t, trusting(server.Certificate()), proxy.URL), server.URL+"/prod")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Send(t.Context(), "abc=", []byte("x")); err != nil {
				t.Error(err)
			}
			if want := "CONNECT " + server.Listener.Addr().String(); connected != want || path != "/prod/@connections/abc%3D" {
				t.Errorf("the proxy got %q, and the server %q", connected, path)
			}
		})
	}
}

// tunnel connects the client of w with a server, until one of them closes.
func tunnel(t *testing.T, w http.ResponseWriter, address string) {
	t.Helper()
	there, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)

		return
	}
	defer there.Close()
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)

		return
	}
	defer here.Close()
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	var copying sync.WaitGroup
	copying.Go(func() {
		defer here.Close()
		_, _ = io.Copy(here, there)
	})
	_, _ = io.Copy(there, here)
	there.Close()
	copying.Wait()
}
