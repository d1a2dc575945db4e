package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/progress"
)

// costUpdates is how many updates each row of the README's table counts.
const costUpdates = 1000

// costEpoch is the start of the executions that send the updates. It must be before 2000, when the clock of synctest starts.
const costEpoch = "1999-11-22T10:00:00.123Z"

// TestTheCostsInTheREADME counts the requests that progress updates to two tabs send to AWS, and compares the counts with the
// README's table. Time is virtual. DynamoDB is an emulator that returns the capacity for which AWS would charge.
func TestTheCostsInTheREADME(t *testing.T) {
	client := dynamotest.Client(t, dynamotest.Dynalite, nil)
	readme, err := os.ReadFile("../../cdkapp/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		run  func(*fakeAWS)
	}{
		{"a notify state each, 2 s apart: none coalesced", func(a *fakeAWS) { a.sendStates(2 * time.Second) }},
		{"a notify state each, ten a second", func(a *fakeAWS) { a.sendStates(100 * time.Millisecond) }},
		{"from four workers' parts, ten a second in all", (*fakeAWS).publishParts},
		{"from one worker's Reporter, ten a second", (*fakeAWS).runReporter},
		{"1,000 executions that end, of whatever workflow", (*fakeAWS).endExecutions},
	} {
		t.Run(row.name, func(t *testing.T) {
			connections, feed := dynamotest.Tables(t, client)
			synctest.Test(t, func(t *testing.T) {
				a := newFakeAWS(t, connections.Table, feed.Table)
				row.run(a)
				t.Log(a.row(row.name))
				if got := a.row(row.name); differs(string(readme), row.name, got) {
					t.Errorf("the README's table lacks this row, which was measured:\n%s", got)
				}
			})
		})
	}
}

// fakeAWS counts what AWS would charge. It is the HTTP client of the DynamoDB client, which sends the requests to an emulator, and it
// is the Sender of frames.
type fakeAWS struct {
	t        *testing.T
	http     *http.Client
	notifier *notify.Notifier

	mu            sync.Mutex
	requests      int     // to DynamoDB
	reads, writes float64 // capacity units
	invocations   int     // of Lambda functions
	posts         int     // to connections
}

// newFakeAWS returns a fake AWS in which the user u1 has two tabs. The counts begin at 0.
func newFakeAWS(t *testing.T, connectionsTable, feedTable string) *fakeAWS {
	t.Helper()
	a := &fakeAWS{t: t, http: bubbleClient()}
	client := dynamotest.Client(t, dynamotest.Dynalite, a)
	connections := &dynamo.Connections{Client: client, Table: connectionsTable}
	for _, id := range []string{"L0SM9cOFvHcCIhw=", "L0SM9cOFvHcCIhx="} {
		c := connection.Connection{ID: id, UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(24 * time.Hour)}
		if err := connections.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	a.notifier = &notify.Notifier{
		Broadcaster: &broadcast.Broadcaster{Store: connections, Sender: a}, Feed: &dynamo.Feed{Client: client, Table: feedTable},
	}
	a.requests, a.reads, a.writes = 0, 0, 0
	return a
}

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
	response, err := a.http.Do(r)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(answer))
	var used struct {
		ConsumedCapacity struct{ CapacityUnits float64 }
	}
	if err := json.Unmarshal(answer, &used); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests++
	units := used.ConsumedCapacity.CapacityUnits
	switch operation := r.Header.Get("X-Amz-Target"); {
	case response.StatusCode == http.StatusBadRequest:
		a.writes++ // AWS charges a write whose condition fails.
	case units == 0 && bytes.Contains(body, []byte(`"ConsistentRead":true`)):
		a.reads++ // AWS charges a read that finds nothing. The emulator does not.
	case units == 0:
		a.t.Errorf("%s was not charged", operation)
	case strings.HasSuffix(operation, ".GetItem"), strings.HasSuffix(operation, ".Query"):
		a.reads += units
	default:
		a.writes += units
	}
	return response, nil
}

// Send counts a post to a connection.
func (a *fakeAWS) Send(context.Context, string, []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.posts++
	return nil
}

// row returns the counts as a row of the README's table.
func (a *fakeAWS) row(name string) string {
	return fmt.Sprintf("| %s | %d | %d | %g | %g | %d |", name, a.invocations, a.requests, a.reads, a.writes, a.posts)
}

// differs reports whether the README's row differs from the measured one. Requests and reads may differ by 3 %: whether
// connections were read for a state that is not pushed depends on the timing.
func differs(readme, name, measured string) bool {
	const tolerance, requestsColumn, readsColumn = 0.03, 1, 2
	_, rest, found := strings.Cut(readme, "| "+name+" |")
	stated, _, _ := strings.Cut(rest, "\n")
	want, got := strings.Split(stated, "|"), strings.Split(strings.TrimPrefix(measured, "| "+name+" |"), "|")
	if !found || len(want) != len(got) {
		return true
	}
	for i := range got {
		wantCount, _ := strconv.ParseFloat(strings.TrimSpace(want[i]), 64)
		gotCount, _ := strconv.ParseFloat(strings.TrimSpace(got[i]), 64)
		allowed := 0.0
		if i == requestsColumn || i == readsColumn {
			allowed = tolerance * gotCount
		}
		if math.Abs(wantCount-gotCount) > allowed {
			return true
		}
	}
	return false
}

// sendStates sends the updates as a workflow that has a state for each of them: each is an invocation of the notifier.
func (a *fakeAWS) sendStates(pause time.Duration) {
	for n := range costUpdates {
		request := fmt.Sprintf(`{"userId":"u1","epoch":"`+costEpoch+`","key":"run/Notify/%d","execution":"arn:aws:states:us-east-1:123456789012:execution:m:run",`+
			`"message":{"type":"upload_progress","data":{"uploadId":"u-42","fileName":"parts-list.csv","progress":%g,"message":"Row %[1]d of 1000"}}}`, n, float64(n)/10)
		next := time.Now().Add(pause)
		if _, err := a.notifier.Handle(a.t.Context(), json.RawMessage(request)); err != nil {
			a.t.Fatal(err)
		}
		a.invocations++
		time.Sleep(time.Until(next))
	}
}

// publishParts publishes the updates of four workers. On AWS each worker has a process and a Notifier. Here all share one Notifier.
func (a *fakeAWS) publishParts() {
	for n := range costUpdates {
		next := time.Now().Add(100 * time.Millisecond)
		if err := a.notifier.Publish(a.t.Context(), message.Request{
			UserID: "u1", Epoch: costEpoch + "#0000",
			Part:    &message.Part{ID: string(rune('0' + n%4)), Done: int64(n/4 + 1), Total: costUpdates},
			Message: message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Message: "Parsing rows"},
		}); err != nil {
			a.t.Fatal(err)
		}
		time.Sleep(time.Until(next))
	}
}

// runReporter makes the updates with one worker's Reporter.
func (a *fakeAWS) runReporter() {
	r := progress.New(a.t.Context(), progress.Config{
		Publisher: a.notifier, UserID: "u1", UploadID: "u-42", FileName: "parts-list.csv", Epoch: costEpoch + "#0000",
	})
	r.Phase(progress.Phase{Name: "parse", To: 100, Steps: costUpdates, Rows: true})
	for n := range int64(costUpdates) {
		r.Update(n + 1)
		time.Sleep(100 * time.Millisecond)
	}
	r.Close(a.t.Context())
}

// endExecutions sends the sweeper the ends of executions that no job names. The end of an execution whose jobs have ended costs the
// same.
func (a *fakeAWS) endExecutions() {
	sweeper := &notify.Sweeper{Notifier: a.notifier, Feed: a.notifier.Feed.(*dynamo.Feed)}
	for n := range costUpdates {
		event := fmt.Sprintf(`{"detail-type":"Step Functions Execution Status Change","detail":{`+
			`"executionArn":"arn:aws:states:us-east-1:123456789012:execution:m:%d","status":"SUCCEEDED","redriveCount":0}}`, n)
		if err := sweeper.Handle(a.t.Context(), json.RawMessage(event)); err != nil {
			a.t.Fatal(err)
		}
		a.invocations++
	}
}
