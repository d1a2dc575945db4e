package cloud_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/session"
)

// usageFile has what one of each operation uses, as TestUsageOfOperations has counted it. The simulation of scale and the costs of a month are
// computed from it.
const usageFile = "testdata/usage.json"

// operationUsage is what one operation uses, without its posts.
type operationUsage struct {
	Requests   int     `json:"requests"`   // to DynamoDB
	ReadUnits  float64 `json:"readUnits"`  // of DynamoDB
	WriteUnits float64 `json:"writeUnits"` // of DynamoDB, with those of the indexes
	WaitsMS    int     `json:"waitsMs"`    // for DynamoDB and for posts, one after the other
	LogBytes   int     `json:"logBytes"`
}

// operations are what tabs, workers and workflows do. A user has two tabs, and one job that runs. Each returns after what is to be counted.
var operations = map[string]func(a *fakeAWS, begin func()){
	"connect": func(a *fakeAWS, begin func()) {
		r := a.newRoutes()
		begin()
		r.connect("L0SM9cOFvHcCIhy=")
	},
	"disconnect": func(a *fakeAWS, begin func()) {
		r := a.newRoutes()
		begin()
		r.disconnect("L0SM9cOFvHcCIhw=")
	},
	"sync": func(a *fakeAWS, begin func()) {
		a.publishState(1)
		r := a.newRoutes()
		r.connect("L0SM9cOFvHcCIhw=")
		begin()
		r.sync("L0SM9cOFvHcCIhw=", syncRequest(nil, ""))
	},
	"push": func(a *fakeAWS, begin func()) {
		a.publishState(1)
		time.Sleep(message.SlowPushInterval)
		begin()
		a.publishState(2)
	},
	"first state": func(a *fakeAWS, begin func()) {
		begin()
		a.invokeNotifier(1)
	},
	"state": func(a *fakeAWS, begin func()) {
		a.invokeNotifier(1)
		time.Sleep(message.SlowPushInterval)
		begin()
		a.invokeNotifier(2)
	},
	"reaper": func(a *fakeAWS, begin func()) { // a run that finds no ended session
		reaper := &session.Reaper{Sessions: a.connections, Gateway: a, Log: a.log}
		begin()
		a.invoke(func() error { return reaper.Handle(a.t.Context(), nil) })
	},
	"sweeper": func(a *fakeAWS, begin func()) { // a run that finds no execution
		sweeper := &notify.Sweeper{Notifier: a.notifier, Feed: a.feed, Log: a.log}
		begin()
		a.invoke(func() error {
			return sweeper.Handle(a.t.Context(), json.RawMessage(`{"detail-type":"Scheduled Event"}`))
		})
	},
	"end": func(a *fakeAWS, begin func()) {
		sweeper := &notify.Sweeper{Notifier: a.notifier, Feed: a.feed, Log: a.log}
		begin()
		a.invoke(func() error {
			return sweeper.Handle(a.t.Context(), json.RawMessage(`{"detail-type":"Step Functions Execution Status Change","detail":{`+
				`"executionArn":"arn:aws:states:us-east-1:123456789012:execution:m:run","status":"SUCCEEDED","redriveCount":0}}`))
		})
	},
	"reap": func(a *fakeAWS, begin func()) {
		begin()
		for c, err := range a.connections.ByUser(a.t.Context(), "u1") {
			if err != nil {
				a.t.Fatal(err)
			}
			if _, err := a.connections.DeleteIfUnchanged(a.t.Context(), c); err != nil {
				a.t.Fatal(err)
			}
			break
		}
		_ = a.Send(a.t.Context(), "", []byte("{}"))
		time.Sleep(gatewayAnswersAfter) // for the close
	},
}

// invokeNotifier invokes the notifier for a state of the user's job.
func (a *fakeAWS) invokeNotifier(progress int) {
	a.invoke(func() error {
		_, err := a.notifier.Handle(a.t.Context(), json.RawMessage(fmt.Sprintf(`{"userId":"u1","epoch":"`+costEpoch+`","key":"run/Notify/%d",`+
			`"execution":"arn:aws:states:us-east-1:123456789012:execution:m:run","message":{"type":"upload_progress",`+
			`"data":{"uploadId":"u-42","fileName":"parts-list.csv","progress":%[1]d,"message":"Parsing row %[1]d"}}}`, progress)))
		return err
	})
}

// publishState publishes a state of the user's job from a worker.
func (a *fakeAWS) publishState(progress float64) {
	if err := a.notifier.Publish(a.t.Context(), message.Request{
		UserID: "u1", Epoch: costEpoch + "#0000",
		Message: message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Progress: progress, Message: fmt.Sprintf("Parsing row %g", progress)},
	}); err != nil {
		a.t.Fatal(err)
	}
}

// TestUsageOfOperations counts what one of each operation uses, on an emulator, and compares it with usageFile. -update writes the file.
func TestUsageOfOperations(t *testing.T) {
	client := dynamotest.Client(t, dynamotest.Dynalite, nil)
	got := map[string]operationUsage{}
	for name, run := range operations {
		connections, feed := dynamotest.Tables(t, client)
		synctest.Test(t, func(t *testing.T) {
			a := newFakeAWS(t, connections.Table, feed.Table)
			var start time.Time
			run(a, func() { a.usage, start = usage{}, time.Now() })
			u := a.usage
			got[name] = operationUsage{u.requests, u.reads, u.writes, int(time.Since(start).Milliseconds()), u.logged}
		})
	}
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(usageFile, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readUsage(t), got); diff != "" {
		t.Errorf("%s is not what was counted (-stated +counted):\n%s", usageFile, diff)
	}
}

// readUsage returns what one of each operation uses.
func readUsage(t *testing.T) map[string]operationUsage {
	t.Helper()
	text, err := os.ReadFile(usageFile)
	if err != nil {
		t.Fatal(err)
	}
	var stated map[string]operationUsage
	if err := json.Unmarshal(text, &stated); err != nil {
		t.Fatal(err)
	}
	return stated
}
