package trace_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/trace"
)

func TestATraceDependsOnlyOnTheSetOfItsEvents(t *testing.T) {
	for name, input := range workflows {
		t.Run(name, func(t *testing.T) {
			events := parse(t, run(t, name, input, 1))
			for seed := range uint64(30) {
				random := rand.New(rand.NewPCG(seed, 2))
				var some []trace.Event
				for _, e := range events {
					if seed%3 == 0 || random.IntN(4) > 0 { // with gaps, but in each third case
						some = append(some, e)
					}
				}
				want := encode(t, some)
				other := slices.Clone(some)
				for range random.IntN(20) {
					other = append(other, some[random.IntN(len(some))])
				}
				random.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
				if got := encode(t, other); got != want {
					t.Fatalf("seed %d: another order gives another trace", seed)
				}
			}
		})
	}
}

func TestATraceContinuesAfterItsEncoding(t *testing.T) {
	events := parse(t, run(t, "analyse", `{}`, 1))
	stored := &trace.Trace{}
	for _, e := range events {
		stored.Add(e)
		data, err := stored.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if stored, err = trace.Unmarshal(data); err != nil {
			t.Fatal(err)
		}
	}
	if data, _ := stored.Marshal(); string(data) != encode(t, events) {
		t.Error("the trace that was stored after each event differs")
	}
}

func TestStepsHaveTitlesAndStatuses(t *testing.T) {
	for name, want := range map[string]string{
		"transcode":  "Read the file's format succeeded, Transcode the video succeeded, Cool down succeeded, Publish it succeeded, Done succeeded",
		"thumbnails": "List succeeded, Make the thumbnails: 12 of 12 succeeded, Resize succeeded, Check succeeded, Write index succeeded",
		"order":      "How large? succeeded, Validate succeeded, Check credit succeeded, Reserve succeeded, Charge succeeded, Ship succeeded",
		"flaky":      "Call service succeeded, Optional step failed, Note the failure succeeded, Save succeeded",
		"saga":       "Book hotel succeeded, Book flight failed, Cancel hotel succeeded, Trip failed failed",
	} {
		view := viewOf(t, name, parse(t, run(t, name, workflows[name], 1)))
		got := strings.Split(stepsText(view), ", ")
		wanted := strings.Split(want, ", ")
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: the steps are %s, want %s", name, got, wanted)
		}
	}
}

func viewOf(t *testing.T, name string, events []trace.Event) trace.View {
	t.Helper()
	tr := &trace.Trace{}
	for _, e := range events {
		tr.Add(e)
	}
	return tr.View(plan(t, name), &trace.Averages{})
}

func TestStepsEndWithoutTheEventsOfTheirExits(t *testing.T) {
	for name, input := range workflows {
		events := slices.DeleteFunc(parse(t, run(t, name, input, 1)), func(e trace.Event) bool { return strings.HasSuffix(e.Type, "StateExited") })
		for _, s := range viewOf(t, name, events).Steps {
			if s.Status == trace.Running {
				t.Errorf("%s: %s runs after the end", name, s.Name)
			}
		}
		last := events[:len(events)-1] // without the end
		running := 0
		for _, s := range viewOf(t, name, last).Steps {
			if s.Status == trace.Running {
				running++
			}
		}
		if running > 1 && name != "render" { // it ends with a Parallel state
			t.Errorf("%s: %d steps run before the end, want the last one at most", name, running)
		}
	}
}

func TestARedriveContinuesAFailedExecution(t *testing.T) {
	event := func(id, redrives int64, kind string) trace.Event {
		return trace.Event{ID: id, PreviousID: id - 1, Type: kind, Redrives: redrives, Time: 1000 * id, Name: "Probe"}
	}
	events := []trace.Event{
		event(1, 0, "ExecutionStarted"), event(2, 0, "TaskStateEntered"), event(3, 0, "TaskFailed"), event(4, 0, "ExecutionFailed"),
		event(5, 1, "ExecutionRedriven"), event(6, 1, "TaskSucceeded"), event(7, 1, "TaskStateExited"),
	}
	for range 50 {
		rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		tr := &trace.Trace{}
		for _, e := range events {
			tr.Add(e)
		}
		if tr.End() != "" || tr.Redrives() != 1 {
			t.Fatalf("the end is %q after %d redrives", tr.End(), tr.Redrives())
		}
	}
}

func TestATraceIsBounded(t *testing.T) {
	tr := &trace.Trace{}
	random := rand.New(rand.NewPCG(1, 1))
	for id := range int64(60_000) {
		name := fmt.Sprintf("%s%d", strings.Repeat("\U00010348", 70), random.Int64())
		kind := []string{"TaskStateEntered", "TaskStateExited", "TaskFailed", "MapStateEntered", "MapStateStarted"}[random.IntN(5)]
		if random.IntN(2) == 0 {
			tr.Add(trace.Event{ID: id + 1, PreviousID: random.Int64N(60_000), Type: kind, Time: 253_402_300_799_999, Name: name, Length: 1 << 31})
		}
	}
	const largestRow = 100 << 10 // a row of DynamoDB may have 400 KB
	data, err := tr.Marshal()
	if err != nil || len(data) > largestRow {
		t.Fatalf("the trace has %d bytes, error %v", len(data), err)
	}
	if _, err := trace.Unmarshal(data); err != nil {
		t.Error(err)
	}
	t.Logf("the largest trace has %d bytes", len(data))
}

func TestATraceOfTwentyStatesFitsAWriteUnit(t *testing.T) {
	tr := &trace.Trace{}
	for n := range int64(20) {
		for i, kind := range []string{"TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"} {
			e := trace.Event{ID: 5*n + int64(i) + 2, PreviousID: 5*n + int64(i) + 1, Type: kind, Time: 1787541942901 + 977*(5*n+int64(i))}
			if strings.HasPrefix(kind, "TaskState") {
				e.Name = fmt.Sprint("Analyse the part number ", n)
			}
			tr.Add(e)
		}
	}
	if data, _ := tr.Marshal(); len(data) > 700 {
		t.Errorf("the trace has %d bytes; with the other attributes, a row over 1,024 costs two write units", len(data))
	}
}

func TestLinesThatAreNoEventsAreCounted(t *testing.T) {
	const event = `{"details":{"name":"Intake"},"redrive_count":"0","id":"2","type":"TaskStateEntered","previous_event_id":"0",` +
		`"event_timestamp":"1787541942901","execution_arn":"arn:aws:states:us-east-1:123456789012:execution:machine:name"}`
	b, err := trace.DecodeBatch(compress(t, fmt.Sprintf(`{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"g","logStream":"s","subscriptionFilters":["f"],
		"logEvents":[{"id":"1","timestamp":1,"message":"Permissions are set correctly to allow AWS CloudWatch Logs to write into your logs while creating a subscription."},
		{"id":"2","timestamp":1,"message":%q},{"id":"3","timestamp":1,"message":"{\"id\":\"x\"}"}]}`, event)))
	want := trace.Event{
		Execution: "arn:aws:states:us-east-1:123456789012:execution:machine:name", ID: 2, Type: "TaskStateEntered", Time: 1787541942901, Name: "Intake",
	}
	if err != nil || b.Others != 2 || len(b.Events) != 1 || b.Events[0] != want {
		t.Errorf("the batch is %+v, error %v", b, err)
	}
	if b, err := trace.DecodeBatch(compress(t, `{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE"}]}`)); err != nil || len(b.Events) != 0 {
		t.Errorf("the control message is %+v, error %v", b, err)
	}
}

func TestABatchThatGrowsTooLargeIsRefused(t *testing.T) {
	zeros := compress(t, `{"messageType":"DATA_MESSAGE","x":"`+strings.Repeat("0", trace.MaxBatch)+`"}`)
	for _, data := range [][]byte{zeros, []byte("bm8="), []byte("?"), nil, compress(t, "[]"), compress(t, `{"messageType":"NEW"}`)} {
		if _, err := trace.DecodeBatch(data); err == nil {
			t.Errorf("%.20s is accepted", data)
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(compress(f, `{"messageType":"DATA_MESSAGE","logEvents":[{"message":"{}"}]}`), []byte(`{"id":"1","type":"a","event_timestamp":1,"execution_arn":"a"}`))
	f.Fuzz(func(t *testing.T, data, line []byte) {
		_, _ = trace.DecodeBatch(data)
		e, err := trace.ParseEvent(line)
		if err != nil {
			return
		}
		tr := &trace.Trace{}
		tr.Add(e)
		encoded, err := tr.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := trace.Unmarshal(encoded); err != nil || again.Newest() != tr.Newest() {
			t.Fatalf("decoded: %v, error %v", again, err)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte{}, []byte(`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"}}}`))
	f.Fuzz(func(t *testing.T, data, definition []byte) {
		p, _ := trace.NewPlan(definition)
		a, err := trace.UnmarshalAverages(data)
		if err != nil {
			a = &trace.Averages{}
		}
		tr, err := trace.Unmarshal(data)
		if err != nil {
			tr = &trace.Trace{}
		}
		if v := tr.View(p, a); v.Progress < 0 || v.Progress > 100 {
			t.Errorf("the progress is %v", v.Progress)
		}
	})
}
