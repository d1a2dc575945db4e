package asl_test

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/asl"
)

// FuzzParse parses any definition, and runs it if it is valid: in virtual time, with random answers to its tasks. The execution must end
// with a result, a complete history and no goroutine left behind.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`,
		`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.a > 1 %}","Next":"A"}]}}}`,
		`{"StartAt":"A","States":{"A":{"Type":"Map","ItemsPath":"$.a","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Fail"}}},"Catch":[{"ErrorEquals":["States.ALL"],"Next":"A"}],"End":true}}}`,
		`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":0,"Next":"A"}],"Default":"C"},"C":{"Type":"Succeed"}}}`,
		`{"TimeoutSeconds":50,"StartAt":"A","States":{"A":{"Type":"Parallel","Branches":[{"StartAt":"W","States":{"W":{"Type":"Wait","Timestamp":"9999-01-01T00:00:00Z","End":true}}},{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E"}}}],"Next":"A"}}}`,
		`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Arguments":{"t":"{% $states.context.Task.Token %}"},"TimeoutSeconds":20,"HeartbeatSeconds":5,"Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":99999999,"JitterStrategy":"FULL"}],"Catch":[{"ErrorEquals":["States.ALL"],"Assign":{"e":"{% $states.errorOutput %}"},"Next":"A"}],"Assign":{"x":"{% $states.result %}"},"Output":"{% $states.result %}","Next":"A"}}}`,
		distributedMap(`,"ItemsPath":"$.items","ItemBatcher":{"MaxItemsPerBatch":2},"ToleratedFailurePercentage":50,"MaxConcurrency":1,"Label":"l"`),
		`{"QueryLanguage":"JSONata","StartAt":"M","States":{"M":{"Type":"Map","Items":"{% [1..40] %}","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"L","States":{"L":{"Type":"Pass","Next":"L2"},"L2":{"Type":"Choice","Choices":[{"Condition":"{% $random() < 0.1 %}","Next":"S"}],"Default":"L"},"S":{"Type":"Succeed"}}},"End":true}}}`,
	} {
		f.Add([]byte(seed))
	}
	for _, pattern := range []string{"../../statemachines/*.asl.json", "../../testdata/workflow/*.asl.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add([]byte(strings.ReplaceAll(string(text), "${", "arn:aws:lambda:us-east-1:000000000000:function:{")))
		}
	}

	if os.Getenv("CONFORMANCE_DIR") != "" {
		for _, recorded := range readLines[struct{ Definition json.RawMessage }](f, "cases.jsonl") {
			f.Add([]byte(recorded.Definition))
		}
	}

	f.Fuzz(func(t *testing.T, definition []byte) {
		m, err := asl.Parse(definition)
		var refused *asl.DefinitionError
		switch {
		case err != nil && (!errors.As(err, &refused) || len(refused.Problems) == 0):
			t.Errorf("got %v, want a DefinitionError with problems", err)
		case err == nil && m == nil:
			t.Error("neither a machine nor an error")
		case err == nil:
			seed := fnv.New64a() // The same definition gets the same answers.
			_, _ = seed.Write(definition)
			runBounded(t, m, seed.Sum64())
		}
	})
}

// The bounds of an execution in a fuzz target.
const (
	fuzzedEvents  = 400                        // Then the execution is cancelled.
	fuzzedTime    = 100 * 365 * 24 * time.Hour // Virtual time, then it is cancelled.
	maxFuzzedTime = time.Minute                // Real time, after which the target fails. A loaded machine needs seconds.
	maxFuzzedHeap = 1 << 30                    // By how many bytes the heap may grow.
)

// fuzzedInput is the input of an execution in a fuzz target.
const fuzzedInput = `{"a":[1,"x",{"b":[true,null]}],"items":[1,2,3],"n":-1.5,"s":"text","o":{"k":"v"},"t":"2024-01-01T00:00:00Z"}`

// runBounded runs an execution, with random answers to its tasks, and checks how it ends.
func runBounded(t *testing.T, m *asl.Machine, seed uint64) {
	t.Helper()
	hang := time.AfterFunc(maxFuzzedTime, func() { panic("the execution hangs") }) // The fuzzer writes the input down.
	defer hang.Stop()

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var (
		result asl.Result
		events []asl.Event
	)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), fuzzedTime)
		defer cancel()
		var recorded atomic.Int64 // Also by child executions.
		count := func(asl.Event) {
			if recorded.Add(1) == fuzzedEvents {
				cancel()
			}
		}
		result = m.Run(ctx, asl.Execution{
			ID: "arn:aws:states:us-east-1:000000000000:execution:m:x", StateMachineID: "arn:aws:states:us-east-1:000000000000:stateMachine:m",
			Input: json.RawMessage(fuzzedInput), Tasks: &randomTasks{random: rand.New(rand.NewPCG(seed, 0))}, Objects: &asl.MemoryObjects{},
			Record: func(e asl.Event) {
				events = append(events, e)
				count(e)
			},
			StartChild: func(asl.Child) (func(asl.Event), func(asl.Result)) { return count, func(asl.Result) {} },
		})
	})

	runtime.ReadMemStats(&after)
	if after.HeapSys > before.HeapSys+maxFuzzedHeap {
		t.Errorf("the heap has grown from %d to %d bytes", before.HeapSys, after.HeapSys)
	}
	wantEnd := map[asl.Status]string{
		asl.StatusSucceeded: "ExecutionSucceeded", asl.StatusFailed: "ExecutionFailed", asl.StatusAborted: "ExecutionAborted", asl.StatusTimedOut: "ExecutionTimedOut",
	}
	if end := events[len(events)-1].Type; end != wantEnd[result.Status] {
		t.Errorf("%s after %s", result.Status, end)
	}
	if succeeded := result.Status == asl.StatusSucceeded; succeeded != (result.Error == nil) || succeeded != json.Valid(result.Output) {
		t.Errorf("%s with the output %q and the error %v", result.Status, result.Output, result.Error)
	}
	if !slices.IsSortedFunc(events, func(a, b asl.Event) int { return int(a.ID - b.ID) }) || events[len(events)-1].ID != int64(len(events)) {
		t.Errorf("the events have the IDs %d to %d, want 1 to %d", events[0].ID, events[len(events)-1].ID, len(events))
	}
}

// randomTasks answers each task at random.
type randomTasks struct {
	mu     sync.Mutex
	random *rand.Rand
}

// choose returns a random number below n.
func (r *randomTasks) choose(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.random.IntN(n)
}

func (r *randomTasks) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	results := []string{
		`null`, `{}`, `[]`, `[1,"x",{"b":[true,null]}]`, `"text"`, `1e300`, `{"Payload":{"pictures":["a"],"rejectedShare":0.9}}`,
		`{"StatusCode":200,"Payload":{"ranges":[{"part":1}],"rows":10}}`, string(task.Arguments), `not JSON`, ``, `"` + strings.Repeat("x", 262_144) + `"`,
	}
	failures := []error{
		errors.New("broken"), &asl.Error{Name: "My.Error", Cause: "why"}, &asl.Error{}, &asl.Error{Name: "States.Timeout"},
		&asl.Error{Name: "States.Runtime", Fatal: true}, asl.NotServed(task.Resource),
	}
	choice := r.choose(len(results) + len(failures) + 2)
	switch {
	case choice < len(results):
		task.Submitted(json.RawMessage(results[0]))
		return json.RawMessage(results[choice]), nil
	case choice < len(results)+len(failures):
		return nil, failures[choice-len(results)]
	case choice == len(results)+len(failures):
		task.Heartbeat()
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
		}
		return json.RawMessage(`{}`), ctx.Err()
	default:
		<-ctx.Done() // fuzzedTime ends it if nothing else does.
		return nil, ctx.Err()
	}
}
