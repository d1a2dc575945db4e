package dynamo_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/feed/feedtest"
)

// idleConnections is how many connections to an emulator stay open for the next requests. The tests have no more requests in flight.
const idleConnections = 64

// wire is the HTTP client of the SDK. It records the requests. It lets some requests fail, before they are sent or after their
// response. It is also the clock of the store: it replaces the Date header of each response.
type wire struct {
	client *http.Client
	// oneByOne is true if only one request is sent at a time. moto needs this: its concurrent updates are not atomic.
	oneByOne bool
	sending  sync.Mutex // is held while a request is sent, if oneByOne is true

	mu          sync.Mutex                            // protects the fields below
	clockOffset time.Duration                         // how far the store's clock is ahead
	fault       func(operation string) feedtest.Fault // the fault of the next request; nil means no faults
	sent        []string                              // the operations that were sent
}

// Do sends a request of the SDK.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	w.mu.Lock()
	w.sent = append(w.sent, operation)
	fault := feedtest.NoFault
	if w.fault != nil {
		fault = w.fault(operation)
	}
	w.mu.Unlock()
	if fault == feedtest.NotApplied {
		return nil, feedtest.ErrInjected
	}
	response, err := w.send(r)
	if err == nil {
		response.Header.Set("Date", w.Now().UTC().Format(http.TimeFormat))
	}
	if err == nil && fault == feedtest.Applied {
		return nil, feedtest.ErrInjected
	}
	return response, err
}

// send sends a request and reads the whole response, so that the next request may be sent if oneByOne is true.
func (w *wire) send(r *http.Request) (*http.Response, error) {
	if w.oneByOne {
		w.sending.Lock()
		defer w.sending.Unlock()
	}
	response, err := w.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}

// Now returns the store's time.
func (w *wire) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.clockOffset)
}

// Pass advances the store's clock.
func (w *wire) Pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clockOffset += d
}

// setFault sets which requests fail.
func (w *wire) setFault(fault func(operation string) feedtest.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// requests returns the operations that were sent since the last call of requests, separated by spaces.
func (w *wire) requests() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := strings.Join(w.sent, " ")
	w.sent = nil
	return sent
}

// newWireClient returns a client of an emulator, and its wire. A nil retryer is the SDK's own.
func newWireClient(t *testing.T, variable string, retryer aws.Retryer) (*wire, *dynamodb.Client) {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = idleConnections
	t.Cleanup(transport.CloseIdleConnections)
	w := &wire{client: &http.Client{Transport: transport}, oneByOne: variable == dynamotest.Moto}
	options := dynamotest.Client(t, variable, w).Options()
	if retryer != nil {
		options.Retryer = retryer
	}
	return w, dynamodb.New(options)
}

// openFeed returns a feed on a new table of an emulator, and its wire.
func openFeed(t *testing.T, variable string, retryer aws.Retryer) (*dynamo.Feed, *wire) {
	t.Helper()
	w, client := newWireClient(t, variable, retryer)
	store := &dynamo.Feed{Client: client, Table: "feed_" + rand.Text()}
	for range 2 { // To create an existing table is no error.
		if err := dynamo.CreateFeed(t.Context(), store.Client, store.Table); err != nil {
			t.Fatal(err)
		}
	}
	return store, w
}

// retryers has the two ways in which a test may run, by name. Each value returns a new retryer for the SDK.
var retryers = map[string]func() aws.Retryer{
	"the SDK does not retry": func() aws.Retryer { return aws.NopRetryer{} },
	"the SDK retries": func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff, o.RateLimiter = time.Millisecond, ratelimit.None })
	},
}
