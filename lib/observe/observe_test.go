package observe_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/observe"
	"github.com/herald-progress/herald/lib/trace"
)

const (
	machineARN = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
	runARN     = "arn:aws:states:us-east-1:123456789012:execution:m:run"
	expressARN = "arn:aws:states:us-east-1:123456789012:express:m:run:5f0c"
	started    = 1787541942901
)

// fake is Step Functions and a publisher.
type fake struct {
	mu         sync.Mutex
	input      string
	definition string
	fail       error // the next error of Publish
	described  int
	published  []message.Request
}

func (f *fake) Execution(context.Context, string) (observe.Execution, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.described++
	if f.input == "" {
		return observe.Execution{}, observe.ErrUnknown
	}
	return observe.Execution{Input: f.input, Start: time.UnixMilli(started).UTC()}, nil
}

func (f *fake) Definition(context.Context, message.Execution, string) (string, error) {
	if f.definition == "" {
		return "", observe.ErrUnknown
	}
	return f.definition, nil
}

func (f *fake) Publish(_ context.Context, r message.Request) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail; err != nil {
		f.fail = nil
		return err
	}
	if _, err := r.Normalize(); err != nil {
		return err
	}
	f.published = append(f.published, r)
	return nil
}

// last returns the newest state.
func (f *fake) last(t *testing.T) message.JobProgress {
	t.Helper()
	if len(f.published) == 0 {
		t.Fatal("nothing was published")
	}
	state, _ := f.published[len(f.published)-1].Message.(message.JobProgress)
	return state
}

func newObserver(f *fake) *observe.Observer {
	now := func() time.Time { return time.UnixMilli(started).Add(time.Minute) }
	return &observe.Observer{
		Machines: []observe.Machine{{ARN: machineARN, User: "$.user.id", Job: "$.jobs[0]", Title: "$.title"}},
		Store:    &trace.Memory{Now: now}, Workflows: f, Publisher: f, Now: now,
	}
}

const (
	input      = `{"user":{"id":"ann"},"jobs":[9007199254740993],"title":"Report of May"}`
	definition = `{"StartAt":"A","States":{"A":{"Type":"Task","Comment":"Collect the numbers","Next":"B"},"B":{"Type":"Task","Next":"C"},"C":{"Type":"Succeed"}}}`
)

// line returns a log line.
func line(arn string, id int, kind, name string, more ...string) string {
	details, _ := json.Marshal(map[string]string{"name": name})
	if len(more) > 0 {
		details = []byte(more[0])
	}
	return fmt.Sprintf(`{"id":"%d","type":"%s","details":%s,"previous_event_id":"%d","event_timestamp":"%d","execution_arn":"%s","redrive_count":"0"}`,
		id, kind, details, id-1, started+1000*id, arn)
}

// batch returns the event of a subscription filter.
func batch(tb testing.TB, lines ...string) json.RawMessage {
	tb.Helper()
	type logEvent struct {
		ID        string `json:"id"`
		Timestamp int64  `json:"timestamp"`
		Message   string `json:"message"`
	}
	events := []logEvent{}
	for i, l := range lines {
		events = append(events, logEvent{fmt.Sprint(i), started, l})
	}
	text, err := json.Marshal(map[string]any{
		"messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "g", "logStream": "s", "subscriptionFilters": []string{"f"}, "logEvents": events,
	})
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	_ = w.Close()
	return json.RawMessage(`{"awslogs":{"data":"` + base64.StdEncoding.EncodeToString(b.Bytes()) + `"}}`)
}

func running(input string) json.RawMessage {
	quoted, _ := json.Marshal(input)
	if input == "" {
		quoted = []byte("null")
	}
	return json.RawMessage(fmt.Sprintf(`{"detail-type":"Step Functions Execution Status Change","detail":{"executionArn":%q,"status":"RUNNING","startDate":%d,`+
		`"input":%s,"redriveCount":0}}`, runARN, started, quoted))
}

func handle(t *testing.T, o *observe.Observer, event json.RawMessage) {
	t.Helper()
	if err := o.Handle(t.Context(), event); err != nil {
		t.Fatal(err)
	}
}

func TestTheStatusChangeOpensTheJob(t *testing.T) {
	for name, event := range map[string]json.RawMessage{"with its input": running(input), "without its input": running("")} {
		f := &fake{input: input, definition: definition}
		o := newObserver(f)
		handle(t, o, event)
		want := message.JobProgress{JobID: "9007199254740993", Title: "Report of May", Message: "Started", Status: message.StatusRunning}
		if diff := cmp.Diff(want, f.last(t)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		r := f.published[0]
		if r.UserID != "ann" || r.Epoch != "2026-08-24T03:25:42.901Z#0000" || r.Execution != runARN {
			t.Errorf("%s: the request is %+v", name, r)
		}
		if want := map[string]int{"with its input": 0, "without its input": 1}[name]; f.described != want {
			t.Errorf("%s: the execution was described %d times, want %d", name, f.described, want)
		}
	}
}

func TestLogLinesMoveTheJob(t *testing.T) {
	f := &fake{input: input, definition: definition}
	o := newObserver(f)
	handle(t, o, batch(t, line(runARN, 1, "ExecutionStarted", ""), line(runARN, 2, "TaskStateEntered", "A")))
	if s := f.last(t); s.Message != "Collect the numbers" || s.Progress != 0 || s.Phase != "Collect the numbers" || s.Status != message.StatusRunning {
		t.Errorf("the first state is %+v", s)
	}
	handle(t, o, batch(t, line(runARN, 3, "TaskStateExited", "A"), line(runARN, 4, "TaskStateEntered", "B")))
	s := f.last(t)
	if s.Message != "B" || s.Progress != 33.33 {
		t.Errorf("the second state is %+v", s)
	}
	at := func(seconds int64) message.Time {
		return message.Time{Time: time.UnixMilli(started + 1000*seconds).UTC()}
	}
	want := []message.Step{
		{Name: "A", At: at(2), Status: message.StepSucceeded, Title: "Collect the numbers"}, {Name: "B", At: at(4), Status: message.StepRunning},
	}
	if diff := cmp.Diff(want, s.Steps.List()); diff != "" {
		t.Errorf("the steps: %s", diff)
	}
	if f.described != 1 {
		t.Errorf("the execution was described %d times, want once", f.described)
	}
}

func TestAMapShowsHowManyOfItsItemsAreDone(t *testing.T) {
	f := &fake{input: input, definition: `{"StartAt":"M","States":{"M":{"Type":"Map","Comment":"Pack the boxes","End":true,
		"ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Task","End":true}}}}}}`}
	handle(t, newObserver(f), batch(t,
		line(runARN, 1, "ExecutionStarted", ""), line(runARN, 2, "MapStateEntered", "M"), line(runARN, 3, "MapStateStarted", "", `{"length":"4"}`),
		line(runARN, 4, "MapIterationStarted", "M"), line(runARN, 5, "TaskStateEntered", "A"), line(runARN, 6, "TaskStateExited", "A"),
		line(runARN, 7, "MapIterationSucceeded", "M"), line(runARN, 8, "MapIterationStarted", "M"), line(runARN, 9, "TaskStateEntered", "A")))
	if s := f.last(t); s.Message != "Pack the boxes: 1 of 4" || s.Progress != 25 {
		t.Errorf("the state is %q at %v %%", s.Message, s.Progress)
	}
}

func TestExecutionsWithoutAUserAreIgnored(t *testing.T) {
	for name, input := range map[string]string{
		"no user": `{"jobs":["j"]}`, "no job": `{"user":{"id":"ann"}}`, "not JSON": `x`, "a user that is no id": `{"user":{"id":{}},"jobs":["j"]}`,
		"a user that is too long": `{"user":{"id":"` + strings.Repeat("x", message.MaxUserID+1) + `"},"jobs":["j"]}`, "unknown": "",
	} {
		f := &fake{input: input, definition: definition}
		o := newObserver(f)
		for n := range 5 {
			handle(t, o, batch(t, line(runARN, n+1, "TaskStateEntered", "A")))
		}
		handle(t, o, running(`{}`))
		if len(f.published) != 0 || f.described != 1 {
			t.Errorf("%s: %d states published, %d requests", name, len(f.published), f.described)
		}
	}
}

func TestExecutionsOfOtherMachinesAreNotObserved(t *testing.T) {
	f := &fake{input: input, definition: definition}
	o := newObserver(f)
	handle(t, o, batch(t,
		line("arn:aws:states:us-east-1:123456789012:execution:other:run", 1, "ExecutionStarted", ""),
		line("arn:aws:states:us-east-1:123456789012:execution:m/Label:run", 1, "ExecutionStarted", ""), line("nonsense", 1, "ExecutionStarted", "")))
	handle(t, o, json.RawMessage(`{"awslogs":{"data":"?"}}`))
	handle(t, o, json.RawMessage(`{"detail-type":"Other"}`))
	handle(t, o, json.RawMessage(`[`))
	if len(f.published)+f.described != 0 {
		t.Errorf("%d states published, %d requests", len(f.published), f.described)
	}
}

func TestAFailedPublishIsRepeatedWithTheBatch(t *testing.T) {
	f := &fake{input: input, definition: definition, fail: errors.New("down")}
	o := newObserver(f)
	event := batch(t, line(runARN, 2, "TaskStateEntered", "A"))
	if o.Handle(t.Context(), event) == nil {
		t.Error("the failure is not returned")
	}
	handle(t, o, event)
	if len(f.published) != 1 {
		t.Errorf("%d states were published", len(f.published))
	}
	f.fail = message.ErrRefused
	handle(t, o, event) // a retry would not help
}

func TestExpressWorkflowsEndByTheirLogs(t *testing.T) {
	inputDetails := func() string { text, _ := json.Marshal(map[string]string{"input": input}); return string(text) }()
	for end, want := range map[string]message.Status{
		"ExecutionSucceeded": message.StatusSucceeded, "ExecutionFailed": message.StatusFailed, "ExecutionTimedOut": message.StatusFailed,
		"ExecutionAborted": message.StatusCancelled,
	} {
		f := &fake{definition: definition}
		o := newObserver(f)
		handle(t, o, batch(t, line(expressARN, 2, "TaskStateEntered", "A")))
		if len(f.published) != 0 {
			t.Error("published without a user")
		}
		handle(t, o, batch(t, line(expressARN, 1, "ExecutionStarted", "", inputDetails)))
		handle(t, o, batch(t, line(expressARN, 3, "TaskStateExited", "A"), line(expressARN, 4, end, "")))
		if s := f.last(t); s.Status != want || (s.Progress == 100) != (want == message.StatusSucceeded) || s.JobID != "9007199254740993" {
			t.Errorf("%s: the last state is %+v", end, s)
		}
	}
}

// TestBatchesInAnyOrderGiveTheSameState sends the events of a Map with 1,600 items and of other machines in batches of random sizes, in
// random order, repeated and with gaps, several at once. The last state is that of one batch with all events.
func TestBatchesInAnyOrderGiveTheSameState(t *testing.T) {
	const events = 10_000
	mapDefinition := `{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Task","End":true}}},"End":true}}}`
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 1))
		lines := []string{line(runARN, 1, "ExecutionStarted", ""), line(runARN, 2, "MapStateEntered", "M"), line(runARN, 3, "MapStateStarted", "", `{"length":"1666"}`)}
		for id := 4; id < events; id++ {
			kind := []string{"MapIterationStarted", "TaskStateEntered", "TaskScheduled", "TaskSucceeded", "TaskStateExited", "MapIterationSucceeded"}[id%6]
			name := map[string]string{"MapIterationStarted": "M", "MapIterationSucceeded": "M", "TaskStateEntered": "A", "TaskStateExited": "A"}[kind]
			if seed == 0 || random.IntN(10) > 0 {
				lines = append(lines, line(runARN, id, kind, name))
			}
		}
		whole := &fake{input: input, definition: mapDefinition}
		handle(t, newObserver(whole), batch(t, lines...))

		f := &fake{input: input, definition: mapDefinition}
		o := newObserver(f)
		all := append([]string{}, lines...)
		for range 1000 {
			all = append(all, lines[random.IntN(len(lines))], line("arn:aws:states:us-east-1:123456789012:execution:other:run", random.IntN(events)+1, "TaskStateEntered", "A"))
		}
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var group sync.WaitGroup
		running, batches := make(chan struct{}, 3), 0
		for len(all) > 0 {
			n := min(1+random.IntN(800), len(all))
			event := batch(t, all[:n]...)
			all = all[n:]
			batches++
			running <- struct{}{}
			group.Go(func() {
				defer func() { <-running }()
				if err := o.Handle(t.Context(), event); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		handle(t, o, batch(t, lines[0])) // it publishes what is stored
		if diff := cmp.Diff(whole.last(t), f.last(t)); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
		if len(f.published) > batches+1 || f.described > batches {
			t.Errorf("seed %d: %d states and %d descriptions for %d batches", seed, len(f.published), f.described, batches)
		}
	}
}

func TestMachinesAreChecked(t *testing.T) {
	for list, want := range map[string]string{
		`[{"arn":"` + machineARN + `","user":"$.a.b[0]['c d'].e"}]`: "",
		`[]`:                             "",
		`{}`:                             "cannot unmarshal",
		`[{"arn":"` + machineARN + `"}]`: "user: must be a path",
		`[{"arn":"` + machineARN + `:1","user":"$.a"}]`:                                         "arn:",
		`[{"arn":"` + machineARN + `","user":"$"}]`:                                             "user: must be a path",
		`[{"arn":"` + machineARN + `","user":"$.a","job":"$..b"}]`:                              "job: must be a path",
		`[{"arn":"` + machineARN + `","user":"$.a","title":"$.a[*]"}]`:                          "title: must be a path",
		`[{"arn":"` + machineARN + `","user":"$.a","x":1}]`:                                     "unknown field",
		`[{"arn":"` + machineARN + `","user":"$.a"},{"arn":"` + machineARN + `","user":"$.a"}]`: "twice",
		`[` + strings.Repeat(`{"arn":"a"},`, observe.MaxMachines) + `{"arn":"b"}]`:              "at most",
	} {
		_, err := observe.ParseMachines(list)
		if (err == nil) != (want == "") || err != nil && (!errors.Is(err, observe.ErrMachines) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.80s: error %v, want %q", list, err, want)
		}
	}
}

func FuzzHandle(f *testing.F) {
	f.Add([]byte(running(input)), input, "$.user.id")
	f.Add([]byte(batch(f, line(runARN, 1, "ExecutionStarted", ""))), `{"a":[1]}`, "$['a'][0]")
	f.Fuzz(func(t *testing.T, event []byte, input, path string) {
		fk := &fake{input: input, definition: definition}
		o := newObserver(fk)
		o.Machines[0].User = path
		_ = o.Handle(t.Context(), event)
		_, _ = observe.ParseMachines(input)
		if len(fk.published) > 8 {
			t.Errorf("%d states for one event", len(fk.published))
		}
	})
}

// TestTheStepsThatRunAndTheNewestAreListed has more states than a job may list, of which the first still runs.
func TestTheStepsThatRunAndTheNewestAreListed(t *testing.T) {
	f := &fake{input: input} // without a definition, each state runs on its own
	o := newObserver(f)
	lines := []string{line(runARN, 1, "ExecutionStarted", ""), line(runARN, 2, "TaskStateEntered", "first")}
	for id := 3; id < 400; id++ {
		name := fmt.Sprint("The state with the long name number ", id/2)
		lines = append(lines, line(runARN, id, []string{"TaskStateExited", "TaskStateEntered"}[id%2], name))
	}
	handle(t, o, batch(t, lines...))
	steps := f.last(t).Steps.List()
	if n := len(steps); n < 10 || n > message.MaxListedSteps || steps[0].Name != "first" || steps[0].Status != message.StepRunning ||
		!strings.HasSuffix(steps[n-1].Name, " 199") {
		t.Errorf("%d steps: the first is %+v, the last %+v", n, steps[0], steps[n-1])
	}
	if data, err := json.Marshal(f.last(t)); err != nil || len(data) > message.MaxState {
		t.Errorf("the state has %d bytes, error %v", len(data), err)
	}
}
