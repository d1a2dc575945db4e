package asltest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

// flaky is a machine that fails after a retry.
const flaky = `"StartAt":"P","States":{"P":{"Type":"Pass","Next":"A"},"A":{"Type":"Task","Resource":"` + invoke + `",
	"Arguments":{"FunctionName":"f","Payload":"{% $states.input %}"},"Retry":[{"ErrorEquals":["Busy"],"IntervalSeconds":5,"MaxAttempts":1}],"End":true}}`

func TestAFailedAssertionSaysWhatDiffersAndShowsTheTimelineOnce(t *testing.T) {
	const timeline = `
+0s        P {"n":1}
             Next -> A
+0s        A
             call {"FunctionName":"f","Payload":{"n":1}}
             error Busy: why; Retry[0] waits 5s
+5s          call {"FunctionName":"f","Payload":{"n":1}}
             error Busy: why; Retry[0] has no attempt left
             failed Busy: why
FAILED after 5s: Busy: why
`
	for want, check := range map[string]func(*Execution){
		"the execution ended FAILED, want SUCCEEDED":                                func(e *Execution) { e.WantOutput(`{}`) },
		"the execution ended FAILED, want TIMED_OUT":                                func(e *Execution) { e.WantStatus(asl.StatusTimedOut) },
		"the execution failed with Busy, want Other":                                func(e *Execution) { e.WantError("Other", "") },
		"the cause of Busy is \"why\", want it to contain \"how\"":                  func(e *Execution) { e.WantError("Busy", "how") },
		"the states are P, A, want P":                                               func(e *Execution) { e.WantStates("P") },
		"f was called 2 times, want 1":                                              func(e *Execution) { e.WantCalls("f", `{}`) },
		"call 2 of f differs:\n  $[\"a b\"]: missing, want 3\n  $.n: got 1, want 2": func(e *Execution) { e.WantCalls("f", `{"n":1}`, map[string]int{"n": 2, "a b": 3}) },
		"A was retried 1 times, want 0":                                             func(e *Execution) { e.WantRetries("A", 0) },
		"the execution took 5s, want 6s":                                            func(e *Execution) { e.WantDuration(6 * time.Second) },
	} {
		e, r := runWith(t, flaky, Machine{}, `{"n":1}`, Tasks{"f": Fail("Busy", "why")})
		check(e)
		check(e)
		if diff := cmp.Diff([]string{want + timeline, want}, r.texts); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
	}
}

func TestAssertionsThatHoldReportNothing(t *testing.T) {
	e, r := runWith(t, flaky, Machine{}, `{"n":1}`, Tasks{"f": Sequence(Fail("Busy", ""), Return(`{"a":[1,2.0],"b":null}`))})
	e.WantStatus(asl.StatusSucceeded)
	e.WantOutput(`{"StatusCode":200,"ExecutedVersion":"$LATEST","Payload":{"b":null,"a":[1.0,2]}}`)
	e.WantStates("P", "A")
	e.WantCalls("f", `{"n":1}`, json.RawMessage(`{"n":1}`))
	e.WantCalls("lambda:invoke", `{"n":1}`, `{"n":1}`)
	e.WantCalls("g")
	e.WantRetries("A", 1)
	e.WantDuration(5 * time.Second)
	if all := e.Calls(); len(all) != 2 {
		t.Errorf("without a name there are %d calls, want 2", len(all))
	}
	if calls := e.Calls("f"); calls[1].After != 5*time.Second || calls[1].State != "A" {
		t.Errorf("the second call is %+v, want one of A after 5 s", calls[1])
	}
	if r.texts != nil {
		t.Errorf("reported %q", r.texts)
	}
}

func TestAnErrorIsWantedOfAFailedExecutionOnly(t *testing.T) {
	e, r := runWith(t, waitDay, Machine{}, `{}`)
	e.WantError("Busy", "")
	if len(r.texts) != 1 || !strings.HasPrefix(r.texts[0], "the execution ended SUCCEEDED, want FAILED with Busy\n") {
		t.Errorf("reported %q", r.texts)
	}
}

func TestDifferencesNameTheirPlace(t *testing.T) {
	for _, tt := range []struct{ want, got, diff string }{
		{`{"a":1,"b":2}`, `{"b":2.0,"a":1}`, ""},
		{`{"a":{"b":[1,2,3]}}`, `{"a":{"b":[1,5]},"c":"x"}`, "  $.a.b[1]: got 5, want 2\n  $.a.b[2]: missing, want 3\n  $.c: unexpected \"x\""},
		{`[1]`, `[1,{"a":null}]`, `  $[1]: unexpected {"a":null}`},
		{`{}`, `[]`, "  $: got [], want {}"},
		{`[]`, `null`, "  $: got null, want []"},
		{`{"a":null}`, `{}`, "  $.a: missing, want null"},
		{`"1"`, `1`, `  $: got 1, want "1"`},
		{"[" + strings.Repeat("1,", 30) + "1]", "[]", strings.Repeat("x", 0)},
	} {
		e := &Execution{t: &report{}}
		got := e.diff(tt.want, json.RawMessage(tt.got))
		if lines := strings.Split(got, "\n"); len(lines) > maxDifferences {
			if len(lines) != maxDifferences+1 || lines[maxDifferences] != "  … 11 more" {
				t.Errorf("%d lines, the last is %s", len(lines), lines[len(lines)-1])
			}
			continue
		}
		if got != tt.diff {
			t.Errorf("%s and %s differ by\n%s, want\n%s", tt.want, tt.got, got, tt.diff)
		}
	}
}

func TestAWantedTextThatIsNoJSONSaysSo(t *testing.T) {
	if _, err := jsonText("hello", "null"); err == nil || err.Error() != "hello is not JSON; a string in JSON has quotes" {
		t.Errorf("the error is %v", err)
	}
	if _, err := jsonText(func() {}, "null"); err == nil || !strings.Contains(err.Error(), "marshal func()") {
		t.Errorf("the error is %v", err)
	}
}
