package asltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

// A report collects what a test would report.
type report struct {
	mu    sync.Mutex
	texts []string
}

func (*report) Helper() {}

func (r *report) Error(args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, fmt.Sprint(args...))
}

func (r *report) Fatalf(format string, args ...any) {
	r.Error("fatal: " + fmt.Sprintf(format, args...))
}

// runWith runs a machine whose states are given, and returns what it reports, too.
func runWith(t *testing.T, states string, m Machine, input string, tasks ...Tasks) (*Execution, *report) {
	t.Helper()
	m.Definition = []byte(`{"QueryLanguage":"JSONata",` + states + `}`)
	l, err := m.load()
	if err != nil {
		t.Fatal(err)
	}
	r := &report{}
	return run(t, r, m, l, json.RawMessage(input), tasks), r
}

// task returns the states of a machine with one Task state, A, with further fields.
func task(resource, fields string) string {
	return `"StartAt":"A","States":{"A":{"Type":"Task","Resource":"` + resource + `",` + fields + `"End":true}}`
}

const (
	invoke  = "arn:aws:states:::lambda:invoke"
	fnARN   = "arn:aws:lambda:eu-central-1:123456789012:function:f"
	waitDay = `"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":86400,"End":true}}`
)

func TestADayTakesNoTime(t *testing.T) {
	e := Run(t, Machine{Definition: []byte(`{` + waitDay + `}`)}, nil)
	e.WantOutput(`{}`)
	e.WantDuration(24 * time.Hour)
}

func TestRunUsesTheBubbleOfTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Run(t, Machine{Definition: []byte(`{` + waitDay + `}`)}, nil).WantDuration(24 * time.Hour)
		if took := time.Since(began); took != 24*time.Hour {
			t.Errorf("the clock of the test moved by %v, want a day", took)
		}
	})
}

func TestRealTimeIsAnOption(t *testing.T) {
	began := time.Now()
	e := Run(t, Machine{Definition: []byte(`{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`), RealTime: true}, `[1]`)
	e.WantOutput(`[1]`)
	if e.recorder.start.Before(began) || e.isVirtual {
		t.Errorf("the execution started at %v, want the real time", e.recorder.start)
	}
}

func TestATaskThatNeverReturnsEndsAfterAYear(t *testing.T) {
	hang := TaskFunc(func(ctx context.Context, _ asl.Task) (json.RawMessage, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	e, r := runWith(t, task(fnARN, ""), Machine{}, `{}`, Tasks{"f": hang})
	if e.Status != asl.StatusAborted || len(r.texts) != 1 || !strings.Contains(r.texts[0], "still runs after a year") {
		t.Errorf("the execution ended %s and reported %q, want that it runs for too long", e.Status, r.texts)
	}
}

type TooBig struct{}

func (TooBig) Error() string { return "too big" }

type TooBigPointer struct{}

func (*TooBigPointer) Error() string { return "too big" }

func TestFunctionsFailAsLambdaReportsIt(t *testing.T) {
	for name, tt := range map[string]struct {
		err              error
		wantName, report string
	}{
		"a type":                  {TooBig{}, "TooBig", `{"errorMessage":"too big","errorType":"TooBig"}`},
		"a pointer":               {&TooBig{}, "TooBig", `{"errorMessage":"too big","errorType":"TooBig"}`},
		"the outermost type":      {fmt.Errorf("resize: %w", TooBig{}), "wrapError", `{"errorMessage":"resize: too big","errorType":"wrapError"}`},
		"a nil pointer":           {(*TooBigPointer)(nil), "TooBigPointer", `{"errorMessage":"too big","errorType":"TooBigPointer"}`},
		"a plain error":           {errors.New("x"), "errorString", `{"errorMessage":"x","errorType":"errorString"}`},
		"a name of its own":       {messages.InvokeResponse_Error{Message: "m", Type: "Mine"}, "Mine", `{"errorMessage":"m","errorType":"Mine"}`},
		"an error of the machine": {fmt.Errorf("x: %w", &asl.Error{Name: "Own", Cause: "why"}), "Own", "why"},
	} {
		t.Run(name, func(t *testing.T) {
			f := func(context.Context, json.RawMessage) (int, error) { return 0, tt.err }
			e, _ := runWith(t, task(fnARN, ""), Machine{}, `{}`, Tasks{"f": Func(f)})
			e.WantError(tt.wantName, tt.report)
			if e.Error.Cause != tt.report {
				t.Errorf("the cause is %s, want %s", e.Error.Cause, tt.report)
			}
		})
	}
}

func TestFunctionsGetTheirPayload(t *testing.T) {
	double := func(_ context.Context, in struct{ N int }) (map[string]int, error) {
		return map[string]int{"n": 2 * in.N}, nil
	}
	for name, tt := range map[string]struct{ states, want string }{
		"by ARN":          {task(fnARN, ""), `{"n":6}`},
		"by invoke":       {task(invoke, `"Arguments":{"FunctionName":"f","Payload":{"n":5}},`), `{"ExecutedVersion":"$LATEST","Payload":{"n":10},"StatusCode":200}`},
		"without payload": {task(invoke, `"Arguments":{"FunctionName":"f"},`), `{"ExecutedVersion":"$LATEST","Payload":{"n":0},"StatusCode":200}`},
		"by the SDK": {
			task("arn:aws:states:::aws-sdk:lambda:invoke", `"Arguments":{"FunctionName":"f","Payload":"{\"n\":4}"},`),
			`{"ExecutedVersion":"$LATEST","Payload":"{\"n\":8}","StatusCode":200}`,
		},
		"with a token": {
			task(invoke+".waitForTaskToken", `"Arguments":{"FunctionName":"f","Payload":{"n":1,"token":"{% $states.context.Task.Token %}"}},`), `{"n":2}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, function := range []asl.Tasks{Func(double), Lambda(lambda.NewHandler(double))} {
				e, _ := runWith(t, tt.states, Machine{Tasks: Tasks{"f": function}}, `{"n":3}`)
				e.t = t
				e.WantOutput(tt.want)
			}
		})
	}
}

func TestInputThatAFunctionCannotReadFailsItAsInLambda(t *testing.T) {
	e, _ := runWith(t, task(fnARN, ""), Machine{}, `"text"`, Tasks{"f": Func(func(context.Context, int) (int, error) { return 1, nil })})
	e.t = t
	e.WantError("UnmarshalTypeError", "cannot unmarshal string")
}

func TestTasksAreFoundByTheirNames(t *testing.T) {
	for _, tt := range []struct {
		resource, arguments string
		want                []string
	}{
		{fnARN + ":live", `{}`, []string{"A", fnARN + ":live", fnARN, "f"}},
		{invoke, `{"FunctionName":"f:2"}`, []string{"A", "f:2", "f", invoke, "lambda:invoke"}},
		{invoke + ".waitForTaskToken", `{"FunctionName":"` + fnARN + `"}`, []string{"A", fnARN, "f", invoke + ".waitForTaskToken", "lambda:invoke.waitForTaskToken", "lambda:invoke"}},
		{"arn:aws:states:::sqs:sendMessage", `{"FunctionName":"no"}`, []string{"A", "arn:aws:states:::sqs:sendMessage", "sqs:sendMessage"}},
		{
			"arn:aws:states:::states:startExecution.sync:2", `{"StateMachineArn":"arn:aws:states:eu-central-1:1:stateMachine:child"}`,
			[]string{"A", "arn:aws:states:eu-central-1:1:stateMachine:child", "child", "arn:aws:states:::states:startExecution.sync:2", "states:startExecution.sync:2", "states:startExecution"},
		},
		{"arn:aws:states:eu-central-1:1:activity:act", `5`, []string{"A", "arn:aws:states:eu-central-1:1:activity:act", "act"}},
	} {
		if diff := cmp.Diff(tt.want, namesOf("A", tt.resource, json.RawMessage(tt.arguments))); diff != "" {
			t.Errorf("names of %s (-want +got):\n%s", tt.resource, diff)
		}
	}

	e, _ := runWith(t, task(fnARN, ""), Machine{Tasks: Tasks{"A": Return(1), "f": Return(2)}}, `{}`)
	e.t = t
	e.WantOutput(1) // The state's name wins.
	e, _ = runWith(t, task(fnARN, ""), Machine{Tasks: Tasks{"f": Return(1)}}, `{}`, Tasks{"f": Return(`"second"`)}, Tasks{"f": Return([]byte(`3`))})
	e.t = t
	e.WantOutput(3) // The last of the tasks wins.
}

func FuzzNamesOf(f *testing.F) {
	f.Add(invoke, `{"FunctionName":"f:2"}`)
	f.Add("arn:aws:lambda", `[`)
	f.Fuzz(func(t *testing.T, resource, arguments string) {
		names := namesOf("A", resource, json.RawMessage(arguments))
		if names[0] != "A" || len(names) > 8 {
			t.Errorf("names %q, want the state first", names)
		}
	})
}

func TestATaskThatNobodyServesFailsTheTest(t *testing.T) {
	states := `"StartAt":"A","States":{"A":{"Type":"Task","Resource":"` + invoke + `","Arguments":{"FunctionName":"resize"},
		"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"End":true},"B":{"Type":"Succeed"}}`
	_, r := runWith(t, states, Machine{Tasks: Tasks{"rezise": Return(1), "plan": Return(1)}}, `{}`)
	want := "no task for the state A: none is called A or resize or arn:aws:states:::lambda:invoke or lambda:invoke; there are plan, rezise\n"
	if len(r.texts) != 1 || !strings.HasPrefix(r.texts[0], want) || !strings.Contains(r.texts[0], "caught ResourceNotServed") {
		t.Errorf("reported %q, want %q with the timeline, although the error is caught", r.texts, want)
	}
}

func TestAnOutputThatIsNoJSONFailsTheTest(t *testing.T) {
	raw := func(text string) asl.Tasks {
		return TaskFunc(func(context.Context, asl.Task) (json.RawMessage, error) { return json.RawMessage(text), nil })
	}
	for name, tt := range map[string]struct {
		resource string
		task     asl.Tasks
		want     string
	}{
		"Return":         {fnARN, Return("hello"), "the task of the state A: hello is not JSON; a string in JSON has quotes\n"},
		"Return, invoke": {invoke, Return("hello"), "the task of the state A: hello is not JSON; a string in JSON has quotes\n"},
		"Sequence":       {fnARN, Sequence(Return("hello")), "the task of the state A: hello is not JSON; a string in JSON has quotes\n"},
		"TaskFunc":       {fnARN, raw("{"), "the task of the state A: it returned {, which is not JSON\n"},
		"nothing":        {fnARN, raw(""), "the task of the state A: it returned no JSON text; null stands for nothing\n"},
	} {
		t.Run(name, func(t *testing.T) {
			states := `"StartAt":"A","States":{"A":{"Type":"Task","Resource":"` + tt.resource + `","Arguments":{"FunctionName":"f"},
				"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"End":true},"B":{"Type":"Succeed"}}`
			_, r := runWith(t, states, Machine{Tasks: Tasks{"f": tt.task}}, `{}`)
			if len(r.texts) != 1 || !strings.HasPrefix(r.texts[0], tt.want) {
				t.Errorf("reported %q, want %q, although the error is caught", r.texts, tt.want)
			}
		})
	}
}

// TestAFunctionThatIgnoresItsContextIsNotWaitedFor times out a state, and fails the sibling of another one, as on AWS: the function goes on.
func TestAFunctionThatIgnoresItsContextIsNotWaitedFor(t *testing.T) {
	ended := 0
	slow := Func(func(context.Context, json.RawMessage) (int, error) {
		time.Sleep(time.Hour)
		ended++
		return 1, nil
	})
	e, r := runWith(t, task(fnARN, `"TimeoutSeconds":5,`), Machine{}, `{}`, Tasks{"f": slow})
	if e.Error == nil || e.Error.Name != "States.Timeout" || e.Duration != 5*time.Second || ended != 1 || len(r.texts) != 0 {
		t.Errorf("the execution ended %s with %v after %v, and the function %d times: %q", e.Status, e.Error, e.Duration, ended, r.texts)
	}

	states := `"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[{` + task(fnARN, "") + `},{` +
		strings.ReplaceAll(task(fnARN, ""), `"A"`, `"B"`) + `}]}}`
	down := Func(func(context.Context, json.RawMessage) (int, error) {
		time.Sleep(time.Second)
		return 0, &asl.Error{Name: "Down"}
	})
	e, _ = runWith(t, states, Machine{}, `{}`, Tasks{"A": slow, "B": down})
	if e.Error == nil || e.Error.Name != "Down" || e.Duration != time.Second || ended != 2 {
		t.Errorf("the execution ended %s with %v after %v", e.Status, e.Error, e.Duration)
	}
}

func TestAFunctionThatEndsItsGoroutineFails(t *testing.T) {
	f := func(context.Context, json.RawMessage) (int, error) {
		runtime.Goexit() // As t.FailNow does.
		return 1, nil
	}
	e, _ := runWith(t, task(fnARN, ""), Machine{}, `{}`, Tasks{"f": Func(f)})
	e.t = t
	e.WantError("Runtime.ExitError", "the function ended its goroutine, as t.FailNow does")
}

func TestANilTaskServesNothing(t *testing.T) {
	_, r := runWith(t, task(fnARN, ""), Machine{Tasks: Tasks{"f": Return(1), "g": Return(2)}}, `{}`, Tasks{"f": nil})
	if len(r.texts) != 1 || !strings.Contains(r.texts[0], "no task for the state A: none is called A or "+fnARN+" or f; there are g\n") {
		t.Errorf("reported %q", r.texts)
	}
}

func TestASequenceBeginsAgainInEachExecution(t *testing.T) {
	m := Machine{Tasks: Tasks{"f": Sequence(Fail("Busy", ""), Sequence(Return(1), Return(2)))}}
	states := `"StartAt":"A","States":{"A":{"Type":"Task","Resource":"` + fnARN + `","Retry":[{"ErrorEquals":["Busy"]}],"Next":"B"},
		"B":{"Type":"Task","Resource":"` + fnARN + `","Next":"C"},"C":{"Type":"Task","Resource":"` + fnARN + `","End":true}}`
	for range 2 {
		e, _ := runWith(t, states, m, `{}`)
		e.t = t
		e.WantRetries("A", 1)
		e.WantOutput(2)
	}
}

func TestAMachineThatCannotBeLoadedSaysWhy(t *testing.T) {
	for want, m := range map[string]Machine{
		"asltest: the Machine has neither a File nor a Definition":                            {},
		"asltest: open testdata/none.asl.json: no such file or directory":                     {File: "testdata/none.asl.json"},
		"asltest: album: no substitution for ${PlanFunctionArn}; there are ResizeFunctionArn": {File: "testdata/album.asl.json", Substitutions: map[string]string{"ResizeFunctionArn": "x"}},
		"asltest: machine: ${Typo} is not in the definition; there are A, B":                  {Definition: []byte(`"${A}${B}"`), Substitutions: map[string]string{"Typo": ""}},
		"asltest: m: the definition is invalid:\n  /States/A: State must have either 'Next' or 'End: true'\n  /States/A: Field 'Nxt' is not supported\n  the machine: Workflow has no terminal state": {
			Name: "m", Definition: []byte(`{"StartAt":"A","States":{"A":{"Type":"Pass","Nxt":"B"}}}`),
		},
	} {
		if _, err := m.load(); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

func TestExecutionsHaveTheSettingsOfTheMachine(t *testing.T) {
	var steps int
	m := Machine{Name: "m", Execution: asl.Execution{RedriveCount: 3, Trace: func(asl.Step) { steps++ }}}
	e, _ := runWith(t, `"StartAt":"P","States":{"P":{"Type":"Pass","Output":"{% $states.context.[Execution.(Id & RedriveCount & StartTime), StateMachine.Name] %}","End":true}}`, m, `{}`)
	e.t = t
	e.WantOutput(`["arn:aws:states:us-east-1:123456789012:execution:m:test32000-01-01T00:00:00Z", "m"]`)
	if steps != 2 {
		t.Errorf("the machine's own Trace got %d steps, want 2", steps)
	}
}
