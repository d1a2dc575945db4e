package cloud_test

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// This file serves the AWS services of BenchmarkShare, in a process of their own.

// How long the services take for each request.
const (
	dynamoAnswersAfter  = 5 * time.Millisecond
	gatewayAnswersAfter = 10 * time.Millisecond
)

// serverVariable, if set, makes this test binary serve the AWS services of the benchmark instead of running tests. Its value is
// the folder into which the binary writes the services' certificate.
const serverVariable = "HERALD_BENCHMARK_SERVER"

// serveAWS serves DynamoDB, @connections, Secrets Manager and @connections over HTTP/2, each over TLS on its own port, until the
// benchmark ends. It writes their URLs to its standard output, in this order.
func serveAWS() {
	dynamo := httptest.NewTLSServer(http.HandlerFunc(serveDynamoDB))
	secrets := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"SecretString":%q}`, secret)
	}))
	posts := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(gatewayAnswersAfter)
	})
	gateway, gatewayHTTP2 := httptest.NewTLSServer(posts), httptest.NewUnstartedServer(posts)
	gatewayHTTP2.EnableHTTP2 = true
	gatewayHTTP2.StartTLS()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: dynamo.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(os.Getenv(serverVariable), "own.pem"), certificate, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Fprintln(os.Stdout, dynamo.URL, gateway.URL, secrets.URL, gatewayHTTP2.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark closes the pipe
}

// queriedUser matches the user in a query. The user user-10, for example, has 10 connections.
var queriedUser = regexp.MustCompile(`"user-(\d+)"`)

// serveDynamoDB answers a query with the user's connections. It answers every other request with {}: a read finds nothing, and a
// write succeeds.
func serveDynamoDB(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	time.Sleep(dynamoAnswersAfter)
	user := queriedUser.FindSubmatch(body)
	answer := []byte("{}")
	if user != nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".Query") {
		count, _ := strconv.Atoi(string(user[1]))
		answer = connectionItems(count)
	}
	// Without this header the SDK logs a warning for each response.
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10))
	_, _ = w.Write(answer)
}

// connectionItems returns the answer to a query that finds count connections.
func connectionItems(count int) []byte {
	items := make([]string, count)
	now := time.Now()
	for i := range items {
		items[i] = fmt.Sprintf(`{"connectionId":{"S":"L0SM9cOFvH%06d="},"userId":{"S":"user"},"connectedAt":{"S":%q},`+
			`"expiresAt":{"N":"%d"},"tokenExpiresAt":{"N":"%[3]d"},"sessionMinute":{"N":"%d"}}`,
			i, now.UTC().Format("2006-01-02T15:04:05.000Z"), now.Add(time.Hour).Unix(), now.Add(time.Hour).Unix()/60)
	}
	return fmt.Appendf(nil, `{"Items":[%s],"Count":%d,"ScannedCount":%[2]d}`, strings.Join(items, ","), count)
}

// startAWS starts the services. It returns the environment variables with which functions find the services and trust their
// certificate, and the variable with which functions find @connections over HTTP/2.
func startAWS(b *testing.B) (variables []string, http2 string) {
	b.Helper()
	dir := b.TempDir()
	command := newShare(b).command(b, os.Args[0]) // before other work of this machine, which does not delay AWS either
	command.Env = append(os.Environ(), serverVariable+"="+dir)
	command.Stderr = os.Stderr
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
	urls := strings.Fields(line)
	return []string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + urls[0], "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + urls[2],
		"WEBSOCKET_API_ENDPOINT=" + urls[1] + "/prod", "SSL_CERT_FILE=" + certificates(b, dir),
		"CONNECTIONS_TABLE=t", "FEED_TABLE=f", "AUTH_MODE=hs256", "AUTH_SECRET_ARN=arn:aws:secretsmanager:us-east-1:000000000000:secret:herald",
	}, "WEBSOCKET_API_ENDPOINT=" + urls[3] + "/prod"
}

// certificates returns a file with this machine's certificates, if there are any, and the services' certificate at the end. On
// Lambda a function also reads the many certificates of Amazon Linux, which takes a part of its first call.
func certificates(b *testing.B, dir string) string {
	b.Helper()
	ownCertificate, err := os.ReadFile(filepath.Join(dir, "own.pem"))
	if err != nil {
		b.Fatal(err)
	}
	machineCertificates, _ := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	b.Logf("%d certificates", bytes.Count(machineCertificates, []byte("BEGIN"))+1)
	path := filepath.Join(dir, "all.pem")
	if err := os.WriteFile(path, append(append(machineCertificates, '\n'), ownCertificate...), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}
