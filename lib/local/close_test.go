package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
)

// TestCloseDoesNotWaitForASilentBrowser closes a twin while a browser is connected that never answers, such as one on a sleeping machine.
func TestCloseDoesNotWaitForASilentBrowser(t *testing.T) {
	twin, err := local.Start(t.Context(), local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := twin.Token("ann", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(twin.Endpoint(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /prod?token=%s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", token)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake is answered %s", response.Status)
	}
	if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("closing the twin: %v", err)
	}
}

// TestCloseDoesNotWaitForASocketWithoutARequest closes a twin to which a client has opened a socket in advance, as
// browsers and connection pools do.
func TestCloseDoesNotWaitForASocketWithoutARequest(t *testing.T) {
	twin, err := local.Start(t.Context(), local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(twin.Endpoint(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := twinS3(twin).ListBuckets(t.Context(), nil); err != nil { // by now the first socket is accepted
		t.Fatal(err)
	}
	if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("closing the twin: %v", err)
	}
}

// TestRateLimitedRangesFitTheWorkflowsTimeout compares the time of a range at a limited rate with the TimeoutSeconds of
// the state that reads it.
func TestRateLimitedRangesFitTheWorkflowsTimeout(t *testing.T) {
	const bytesPerSecond, timeoutSeconds = 1000, 300
	twin, err := local.Start(t.Context(), local.Config{BytesPerSecond: bytesPerSecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	file, err := os.ReadFile(partsList + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	key := csvimport.UploadKey("ann", "u-42", "parts-list.csv")
	if _, err := twinS3(twin).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(local.Bucket), Key: &key, Body: strings.NewReader(string(file)),
	}); err != nil {
		t.Fatal(err)
	}
	out, err := lambda.NewFromConfig(twin.AWSConfig()).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String("herald-csvplan"),
		Payload:      fmt.Appendf(nil, `{"execution":"by hand","detail":{"object":{"key":%q,"size":%d,"sequencer":"1"}}}`, key, len(file)),
	})
	if err != nil {
		t.Fatal(err)
	}
	var plan csvimport.PlanOutput
	if err := json.Unmarshal(out.Payload, &plan); err != nil {
		t.Fatal(err)
	}
	if plan.TotalRows != 10000 {
		t.Fatalf("the plan is %s", out.Payload)
	}
	for _, r := range plan.Ranges {
		// At least half of the timeout must be left for a slow machine.
		if seconds := r.Bytes / bytesPerSecond; seconds > timeoutSeconds/2 {
			t.Errorf("range %d takes %d s, the workflow gives it %d s", r.N, seconds, timeoutSeconds)
		}
	}
}
