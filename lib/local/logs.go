package local

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/observe"
)

const (
	// logInterval is how long log lines are collected before they are delivered. CloudWatch Logs takes seconds.
	logInterval = 200 * time.Millisecond
	// maxLogLines is how many lines a batch has at most, as a batch of PutLogEvents.
	maxLogLines = 10_000
)

// LogFaults are the faults of the delivery of log lines. The zero value delivers the lines in order, once, and soon.
type LogFaults struct {
	// Delay is the longest delay of a line. Each line has its own, so that lines come in another order. One of ten comes twice.
	Delay time.Duration
}

// logDelivery delivers the events of watched executions to the observer, as a subscription filter of CloudWatch Logs does.
type logDelivery struct {
	events   *eventBridge
	machines map[string]bool // by ARN
	faults   LogFaults

	mu    sync.Mutex
	lines map[string][]logLine // by ARN of the state machine
}

// logLine is a line that is delivered at a time.
type logLine struct {
	at   time.Time
	text string
}

func newLogDelivery(events *eventBridge, machines []observe.Machine, faults LogFaults) *logDelivery {
	d := &logDelivery{events: events, machines: map[string]bool{}, faults: faults, lines: map[string][]logLine{}}
	for _, m := range machines {
		d.machines[m.ARN] = true
	}
	return d
}

// record logs an event of an execution, if its state machine is watched. The log of an Express workflow has execution data, because the
// observer needs the input.
func (d *logDelivery) record(execution string, redrives int, e asl.Event) {
	machine := observe.StateMachineOf(execution)
	if !d.machines[machine] {
		return
	}
	x, _ := message.ParseExecution(execution)
	text, err := e.LogLine(execution, redrives, x.Express)
	if err != nil {
		return // an event of the interpreter is JSON
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.faults.Delay == 0 {
		d.lines[machine] = append(d.lines[machine], logLine{now, string(text)})
		return
	}
	times := 1
	const repeated = 10 // one of so many comes twice
	if rand.IntN(repeated) == 0 {
		times++
	}
	for range times {
		d.lines[machine] = append(d.lines[machine], logLine{now.Add(rand.N(d.faults.Delay)), string(text)})
	}
}

// run delivers the lines whose time has come, again and again until ctx ends. Then it delivers the rest.
func (d *logDelivery) run(ctx context.Context) {
	ticks := time.NewTicker(logInterval)
	defer ticks.Stop()
	for {
		select {
		case now := <-ticks.C:
			d.deliver(now)
		case <-ctx.Done():
			d.deliver(time.Now().Add(d.faults.Delay))
			return
		}
	}
}

// deliver invokes the observer with the lines whose time has come.
func (d *logDelivery) deliver(now time.Time) {
	d.mu.Lock()
	batches := map[string][]string{}
	for machine, lines := range d.lines {
		var later []logLine
		for _, l := range lines {
			if l.at.After(now) || len(batches[machine]) >= maxLogLines {
				later = append(later, l)
				continue
			}
			batches[machine] = append(batches[machine], l.text)
		}
		d.lines[machine] = later
	}
	d.mu.Unlock()
	observer, _ := lambdas.ByName("observer")
	for machine, lines := range batches {
		if len(lines) > 0 {
			event := logEvent(machine, lines, now)
			d.events.running.Go(func() { d.events.invokeWithRetries(observer, event) })
		}
	}
}

// started tells the observer that an execution of a watched state machine has started.
func (d *logDelivery) started(event map[string]any, execution string) {
	if d.machines[observe.StateMachineOf(execution)] {
		observer, _ := lambdas.ByName("observer")
		d.events.goUnlessClosed(func() { d.events.invokeWithRetries(observer, event) })
	}
}

// logEvent returns the event of a subscription filter
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html).
func logEvent(machine string, lines []string, at time.Time) map[string]any {
	name := machine[strings.LastIndexByte(machine, ':')+1:]
	events := make([]map[string]any, len(lines))
	for i, text := range lines {
		events[i] = map[string]any{"id": strconv.Itoa(i), "timestamp": at.UnixMilli(), "message": text}
	}
	text, err := json.Marshal(map[string]any{
		"messageType": "DATA_MESSAGE", "owner": awswire.Account, "logGroup": "/aws/vendedlogs/states/" + name, "logStream": "states/" + name,
		"subscriptionFilters": []string{"herald"}, "logEvents": events,
	})
	if err != nil {
		panic(fmt.Sprintf("local: encode log lines: %v", err)) // texts and numbers can always be encoded
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text) // a bytes.Buffer takes all
	_ = w.Close()
	return map[string]any{"awslogs": map[string]any{"data": base64.StdEncoding.EncodeToString(b.Bytes())}}
}
