package apigw_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// The server that answers the posts of the benchmarks runs in a process of its own, so that its work does not count for them: a
// benchmark starts this test binary again, and TestMain then runs the server.

// serverVariable is the environment variable that makes TestMain run the server instead of the tests. Its value is the protocol.
const serverVariable = "HERALD_BENCHMARK_SERVER"

// The protocols of the server.
const (
	protocolHTTP  = "http"  // HTTP/1.1
	protocolTLS   = "tls"   // HTTP/1.1 over TLS
	protocolHTTP2 = "http2" // HTTP/2 over TLS
)

// postLatency is the time that the server takes for each post.
const postLatency = 10 * time.Millisecond

func TestMain(m *testing.M) {
	protocol := os.Getenv(serverVariable)
	if protocol == "" {
		os.Exit(m.Run())
	}
	server := newServer(protocol, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(postLatency)
	}))
	var certificate []byte
	if c := server.Certificate(); c != nil {
		certificate = c.Raw
	}
	// startServer reads this line.
	fmt.Fprintln(os.Stdout, server.URL, base64.StdEncoding.EncodeToString(certificate))
	_, _ = io.Copy(io.Discard, os.Stdin) // startServer closes stdin after the benchmark
}

// newServer starts a server.
func newServer(protocol string, handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = protocol == protocolHTTP2
	if protocol == protocolHTTP {
		server.Start()
	} else {
		server.StartTLS()
	}

	return server
}

// trusting returns awsConfig with an HTTP client that trusts a certificate.
func trusting(certificate *x509.Certificate) aws.Config {
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	config := awsConfig.Copy()
	config.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	})

	return config
}

// startServer starts the server in a separate process. It returns the server's URL, and a configuration that trusts the server.
func startServer(b *testing.B, protocol string) (string, aws.Config) {
	b.Helper()
	command := exec.CommandContext(b.Context(), os.Args[0])
	command.Env = append(os.Environ(), serverVariable+"="+protocol)
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	url, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
	config := awsConfig.Copy()
	config.HTTPClient = awshttp.NewBuildableClient()
	if encoded != "" {
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			b.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(raw)
		if err != nil {
			b.Fatal(err)
		}
		config = trusting(certificate)
	}

	return url, config
}
