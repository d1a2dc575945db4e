package cloud_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/progress"
)

// costUpdates is how many updates or ends a row of the tables counts.
const costUpdates = 1000

// costEpoch is the start of the executions that send the updates. It must be before 2000, when the clock of synctest starts.
const costEpoch = "1999-11-22T10:00:00.123Z"

// update writes the measured rows into the pages, in place of comparing them.
var update = flag.Bool("update", false, "write the costs into cdkapp/README.md and README.md")

// costs are the rows of the tables of costs. counted is how many of what the row names run makes.
var costs = []struct {
	name    string
	counted int
	run     func(*fakeAWS)
}{
	{"a notify state each, 2 s apart: none coalesced", costUpdates, func(a *fakeAWS) { a.sendStates(2 * time.Second) }},
	{"a notify state each, ten a second", costUpdates, func(a *fakeAWS) { a.sendStates(100 * time.Millisecond) }},
	{"from four workers' parts, ten a second in all", costUpdates, func(a *fakeAWS) { a.publishParts(4) }},
	{"from 43 workers' parts, ten a second in all", costUpdates, func(a *fakeAWS) { a.publishParts(43) }},
	{"from 64 workers' parts, ten a second in all", costUpdates, func(a *fakeAWS) { a.publishParts(64) }},
	{"from 256 workers' parts, ten a second in all", costUpdates, func(a *fakeAWS) { a.publishParts(message.MaxParts) }},
	{"from one worker's Reporter, ten a second", costUpdates, (*fakeAWS).runReporter},
	{"from one worker's Reporter in Python or Node.js, ten a second", costUpdates, (*fakeAWS).runInvokingReporter},
	{"1,000 executions that end, of whatever workflow", costUpdates, (*fakeAWS).endExecutions},
	{"1,000 watched executions of 20 states", 1, (*fakeAWS).watchExecution},
	{"1,000 executions of 20 states with 21 notify states", 1, (*fakeAWS).notifyExecution},
	{"1,000 reconnects of a tab that missed 50 notes, and states of 10 jobs", 1, (*fakeAWS).reconnect},
}

// TestTheCostsInTheREADME counts what AWS charges for progress updates to two tabs, and compares the counts and their prices with the
// tables. Time is virtual. DynamoDB is an emulator that returns the capacity for which AWS would charge. If a change of the costs is
// meant, write the rows again:
//
//	go test ./lib/cloud -run TheCosts -update
func TestTheCostsInTheREADME(t *testing.T) {
	client := dynamotest.Client(t, dynamotest.Dynalite, nil)
	page := readCostPage(t)
	for _, row := range costs {
		t.Run(row.name, func(t *testing.T) {
			connections, feed := dynamotest.Tables(t, client)
			synctest.Test(t, func(t *testing.T) {
				a := newFakeAWS(t, connections.Table, feed.Table)
				row.run(a)
				page.check(t, row.name, a.usage, row.counted)
			})
		})
	}
	if *update {
		page.write(t)
	}
}

// sendStates sends the updates as a workflow that has a state for each of them: each is an invocation of the notifier.
func (a *fakeAWS) sendStates(pause time.Duration) {
	defer a.countMinutes(time.Now())
	for n := range costUpdates {
		request := fmt.Sprintf(`{"userId":"u1","epoch":"`+costEpoch+`","key":"run/Notify/%d","execution":"arn:aws:states:us-east-1:123456789012:execution:m:run",`+
			`"message":{"type":"upload_progress","data":{"uploadId":"u-42","fileName":"parts-list.csv","progress":%g,"message":"Row %[1]d of 1000"}}}`, n, float64(n)/10)
		next := time.Now().Add(pause)
		a.invoke(func() error {
			_, err := a.notifier.Handle(a.t.Context(), json.RawMessage(request))
			return err
		})
		a.add(usage{transitions: 1})
		time.Sleep(time.Until(next))
	}
}

// publishParts publishes the updates of workers, one after the other. On AWS each worker has a process and a Notifier. Here all share
// one Notifier.
func (a *fakeAWS) publishParts(workers int) {
	defer a.countMinutes(time.Now())
	for n := range costUpdates {
		next := time.Now().Add(100 * time.Millisecond)
		if err := a.notifier.Publish(a.t.Context(), message.Request{
			UserID: "u1", Epoch: costEpoch + "#0000",
			Part:    &message.Part{ID: strconv.Itoa(n % workers), Done: int64(n/workers + 1), Total: costUpdates},
			Message: message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Message: "Parsing rows"},
		}); err != nil {
			a.t.Fatal(err)
		}
		time.Sleep(time.Until(next))
	}
}

// runReporter makes the updates with one worker's Reporter.
func (a *fakeAWS) runReporter() { a.report(a.notifier, false) }

// runInvokingReporter makes the updates with the Reporter of a worker in Python or Node.js, which invokes the notifier's function. The
// scenarios in testdata/reporter hold that it publishes at the same times as the Reporter in Go does here.
func (a *fakeAWS) runInvokingReporter() { a.report(invoker{a}, true) }

// report makes the updates with a Reporter.
func (a *fakeAWS) report(to progress.Publisher, noWait bool) {
	defer a.countMinutes(time.Now())
	r := progress.New(a.t.Context(), progress.Config{
		Publisher: to, NoWait: noWait, UserID: "u1", UploadID: "u-42", FileName: "parts-list.csv", Epoch: costEpoch + "#0000",
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
	sweeper := &notify.Sweeper{Notifier: a.notifier, Feed: a.feed, Log: a.log}
	for n := range costUpdates {
		event := fmt.Sprintf(`{"detail-type":"Step Functions Execution Status Change","detail":{`+
			`"executionArn":"arn:aws:states:us-east-1:123456789012:execution:m:%d","status":"SUCCEEDED","redriveCount":0}}`, n)
		a.invoke(func() error { return sweeper.Handle(a.t.Context(), json.RawMessage(event)) })
	}
}
