package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/metrics"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/progress"
)

// fakeAWS counts what AWS would charge. It is the HTTP client of the DynamoDB client, which sends the requests to an emulator, and it
// is the Sender of frames.
type fakeAWS struct {
	t           *testing.T
	http        *http.Client
	connections *dynamo.Connections
	feed        *dynamo.Feed
	log         *slog.Logger
	notifier    *notify.Notifier
	metrics     *metrics.Writer // of functions; workers write none

	mu    sync.Mutex
	usage usage
}

// usage is what AWS charges for.
type usage struct {
	requests      int           // to DynamoDB
	reads, writes float64       // capacity units
	transitions   int           // of workflows
	invocations   int           // of Lambda functions
	running       time.Duration // what the invocations take, without processor time
	posts         int           // to connections
	messages      int           // of API Gateway, in both directions, each of 32 KB at most
	connected     time.Duration // of all connections together
	logged        int           // bytes
}

// newFakeAWS returns a fake AWS in which the user u1 has two tabs. The counts begin at 0.
func newFakeAWS(t *testing.T, connectionsTable, feedTable string) *fakeAWS {
	t.Helper()
	a := &fakeAWS{t: t, http: bubbleClient(), connections: &dynamo.Connections{Table: connectionsTable}}
	client := dynamotest.Client(t, dynamotest.Dynalite, a)
	connections := &dynamo.Connections{Client: client, Table: connectionsTable}
	for _, id := range []string{"L0SM9cOFvHcCIhw=", "L0SM9cOFvHcCIhx="} {
		c := connection.Connection{ID: id, UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(24 * time.Hour)}
		if err := connections.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	a.connections, a.feed = connections, &dynamo.Feed{Client: client, Table: feedTable}
	const trace = "1-5759e988-bd862e3fe1be46a994272793"
	a.log = slog.New(slog.NewJSONHandler(logCounter{a}, nil)).With("trace", trace) // as each line of a function
	a.notifier = &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: connections, Sender: a}, Feed: a.feed, Log: a.log}
	a.notifier.Trace = func(context.Context) string { return trace }
	a.metrics = metrics.NewWriter(logCounter{a}, "Herald", nil)
	a.usage = usage{}
	return a
}

// logCounter counts what is logged.
type logCounter struct{ aws *fakeAWS }

func (l logCounter) Write(line []byte) (int, error) {
	l.aws.add(usage{logged: len(line)})
	return len(line), nil
}

// add adds to the counts.
func (a *fakeAWS) add(u usage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	total := &a.usage
	total.requests, total.posts, total.messages = total.requests+u.requests, total.posts+u.posts, total.messages+u.messages
	total.reads, total.writes, total.logged = total.reads+u.reads, total.writes+u.writes, total.logged+u.logged
	total.transitions, total.invocations = total.transitions+u.transitions, total.invocations+u.invocations
	total.running, total.connected = total.running+u.running, total.connected+u.connected
}

// invoke runs the handler of a Lambda function, which writes metrics. It counts the invocation, the time that it takes, and the lines that
// Lambda logs.
func (a *fakeAWS) invoke(handle func() error) {
	const startEndReport = 300 // bytes
	start := time.Now()
	a.notifier.Metrics = a.metrics
	err := handle()
	a.notifier.Metrics = nil
	a.metrics.Flush()
	if err != nil {
		a.t.Fatal(err)
	}
	a.add(usage{invocations: 1, running: time.Since(start), logged: startEndReport})
}

// invoker is a Publisher that invokes the notifier's function.
type invoker struct{ aws *fakeAWS }

func (i invoker) Publish(ctx context.Context, r message.Request) error {
	request := map[string]any{
		"userId": r.UserID, "epoch": r.Epoch, "sentAt": r.SentAt.Format(time.RFC3339Nano), "wait": !r.NoWait,
		"message": map[string]any{"type": r.Message.Type(), "data": r.Message},
	}
	raw, err := json.Marshal(request)
	if err != nil {
		return err
	}
	var out notify.Output
	i.aws.invoke(func() error {
		out, err = i.aws.notifier.Handle(ctx, raw)
		return err
	})
	if out.Pending {
		return progress.ErrPending
	}
	return nil
}

// countMinutes counts the minutes of the user's two connections since start.
func (a *fakeAWS) countMinutes(start time.Time) { a.add(usage{connected: 2 * time.Since(start)}) }

// bubbleClient returns an HTTP client for virtual time. It closes its sockets, because an idle socket stops virtual time. It connects
// without a deadline: the net package measures deadlines in real time, which a busy machine may exceed.
func bubbleClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(context.Background(), network, address)
		},
	}}
}

// Do sends a request to the emulator, asks for the consumed capacity, and adds it to the counts.
func (a *fakeAWS) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	body = bytes.Replace(body, []byte("{"), []byte(`{"ReturnConsumedCapacity":"TOTAL",`), 1)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	time.Sleep(dynamoAnswersAfter)
	response, err := a.http.Do(r)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(answer))
	response.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat)) // The emulator's clock is not virtual.
	var used struct {
		ConsumedCapacity struct{ CapacityUnits float64 }
	}
	if err := json.Unmarshal(answer, &used); err != nil {
		return nil, err
	}
	u := usage{requests: 1}
	units := used.ConsumedCapacity.CapacityUnits
	switch operation := r.Header.Get("X-Amz-Target"); {
	case response.StatusCode == http.StatusBadRequest:
		u.writes++ // AWS charges a write whose condition fails.
	case units == 0 && bytes.Contains(body, []byte(`"ConsistentRead":true`)):
		u.reads++ // AWS charges a read that finds nothing. The emulator does not.
	case units == 0 && strings.HasSuffix(operation, ".Query"):
		u.reads += 0.5 // the same, eventually consistent
	case units == 0:
		a.t.Errorf("%s was not charged", operation)
	case strings.HasSuffix(operation, ".GetItem"), strings.HasSuffix(operation, ".Query"):
		u.reads += units
	default:
		u.writes += units + a.indexWrites(operation, body)
	}
	a.add(u)
	return response, nil
}

// indexWrites returns the write units of the indexes for a request to DynamoDB, which the emulator does not count: a connection that is
// stored or deleted changes each index of its table. Other items are in no index.
func (a *fakeAWS) indexWrites(operation string, body []byte) float64 {
	table := fmt.Appendf(nil, `"TableName":%q`, a.connections.Table)
	if !bytes.Contains(body, table) || !strings.HasSuffix(operation, ".PutItem") && !strings.HasSuffix(operation, ".DeleteItem") {
		return 0
	}
	return float64(len(dynamo.ConnectionsTable(a.connections.Table).GlobalSecondaryIndexes))
}

// Send counts a post to a connection, and the messages for which API Gateway charges.
func (a *fakeAWS) Send(_ context.Context, _ string, frame []byte) error {
	const meteredBytes = 32 << 10
	time.Sleep(gatewayAnswersAfter)
	a.add(usage{posts: 1, messages: (len(frame) + meteredBytes - 1) / meteredBytes})
	return nil
}

// Close does nothing. AWS does not charge for it.
func (*fakeAWS) Close(context.Context, string) error { return nil }
