package asltest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parallel is a machine in which many threads run at once, and which makes random ids.
const parallel = `"StartAt":"M/[","States":{"M/[":{"Type":"Map","Items":"{% [1..12] %}","ItemProcessor":{"StartAt":"Both","States":{"Both":{"Type":"Parallel","End":true,"Branches":[
	{"StartAt":"L","States":{"L":{"Type":"Task","Resource":"` + invoke + `.waitForTaskToken","Arguments":{"FunctionName":"f","Payload":"{% $states.context.Task.Token %}"},"End":true}}},
	{"StartAt":"R","States":{"R":{"Type":"Pass","Output":"{% $uuid() %}","Next":"R2"},"R2":{"Type":"Pass","End":true}}}]}}},
	"Output":"{% $count($states.result) %}","End":true}}`

func TestTheTimelineOfConcurrentThreadsIsAlwaysTheSame(t *testing.T) {
	var first string
	for range 20 {
		e, _ := runWith(t, parallel, Machine{}, `{}`, Tasks{"f": Return(1)})
		e.t = t
		e.WantOutput(12)
		got := e.Timeline()
		if first == "" {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Fatalf("the timeline changes:\n%s", diff)
		}
	}

	want := `+0s        M/[ {}
             [0]
+0s            Both 1
                 [0]
+0s                L 1
                     call {"FunctionName":"f","Payload":"uuid-1"}
                     result 1
                     End
                 [1]
+0s                R 1
                     Next -> R2 "uuid-2"
+0s                R2
                     End
                 End [1,"uuid-2"]
             [1]
+0s            Both 2
`
	if !strings.HasPrefix(first, want) {
		t.Errorf("the timeline begins otherwise (-want +got):\n%s", cmp.Diff(want, first))
	}
}

func TestTheTimelineIsBounded(t *testing.T) {
	states := strings.Replace(parallel, "[1..12]", "[1..400]", 1)
	e, _ := runWith(t, states, Machine{}, `"`+strings.Repeat("ä", 1000)+`"`, Tasks{"f": Return(1)})
	lines := strings.Split(strings.TrimSuffix(e.Timeline(), "\n"), "\n")
	if len(lines) != maxLines+1 {
		t.Errorf("the timeline has %d lines, want %d and one that counts the others", len(lines), maxLines)
	}
	if want := strings.Repeat("ä", maxValue-1) + "… (1002 characters)"; !strings.HasSuffix(lines[0], want) {
		t.Errorf("the first line is %s, want it cut after %d characters", lines[0], maxValue)
	}
	if !strings.Contains(lines[maxLines/2], "more lines") || !strings.HasPrefix(lines[maxLines], "SUCCEEDED after 0s ") {
		t.Errorf("the timeline lacks its end: %q", lines[maxLines/2:])
	}
}

func TestTheTimelineShowsAbortedStatesAndErrorsWithoutAName(t *testing.T) {
	e, _ := runWith(t, `"StartAt":"B","States":{"B":{"Type":"Parallel","End":true,"Catch":[{"ErrorEquals":["States.ALL"],"Next":"F"}],"Branches":[
		{"StartAt":"Slow","States":{"Slow":{"Type":"Wait","Seconds":9,"End":true}}},
		{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"Next":"X"},"X":{"Type":"Fail","Cause":"bad"}}}]},"F":{"Type":"Fail"}}`, Machine{}, `{}`)
	want := `+0s        B {}
             [0]
+0s            Slow {}
+1s              aborted
             [1]
+0s            W {}
+1s              Next -> X
+1s            X
                 failed without a name: bad
             caught without a name: bad; Catch[0] -> F {"Error":null,"Cause":"bad"}
+1s        F
             failed without a name
FAILED after 1s: without a name
`
	if diff := cmp.Diff(want, e.Timeline()); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
}

func TestGoldenComparesTheWholeTimeline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "testdata", "x.golden")
	long := strings.Repeat("a", 2*maxValue)
	e, r := runWith(t, waitDay, Machine{}, `"`+long+`"`)
	golden(r, e, file, false)
	if len(r.texts) == 0 || !strings.Contains(r.texts[0], "fatal: asltest: there is no "+file+": run go test -update to write it") {
		t.Errorf("without a file it reports %q", r.texts)
	}

	r.texts = nil
	golden(r, e, file, true)
	golden(r, e, file, false)
	text, err := os.ReadFile(file)
	if err != nil || r.texts != nil || !strings.Contains(string(text), long) {
		t.Errorf("the file that was written is %s, %v, and reports %q", text, err, r.texts)
	}

	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "+24h0m0s", "+25h0m0s", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	golden(r, e, file, false)
	if len(r.texts) != 1 || !strings.Contains(r.texts[0], "the timeline differs from "+file) {
		t.Errorf("another file is reported as %q", r.texts)
	}

	e.isVirtual = false
	r.texts = nil
	golden(r, e, file, false)
	if len(r.texts) == 0 || !strings.HasPrefix(r.texts[0], "fatal: asltest: an execution in real time") {
		t.Errorf("an execution in real time is reported as %q", r.texts)
	}
}

func TestTheTimelineShowsTheAttemptsOfAMapByThemselves(t *testing.T) {
	e, r := runWith(t, `"StartAt":"M","States":{"M":{"Type":"Map","Retry":[{"ErrorEquals":["Busy"],"IntervalSeconds":1}],"End":true,
		"ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"`+fnARN+`","End":true}}}}}`,
		Machine{}, `[7]`, Tasks{"f": Sequence(Fail("Busy", ""), Return(1))})
	want := `+0s        M [7]
             [0]
+0s            A 7
                 call 7
                 failed Busy
             error Busy; Retry[0] waits 1s
             [0]
+1s            A 7
                 call 7
                 result 1
                 End 1
             End [1]
SUCCEEDED after 1s [1]
`
	if diff := cmp.Diff(want, e.Timeline()); diff != "" || r.texts != nil {
		t.Errorf("timeline (-want +got):\n%s\nreports %q", diff, r.texts)
	}
	e.t = t
	e.WantStates("M", "A", "A")
	e.WantRetries("M", 1)
	e.WantCalls("f", 7, 7)
}

func TestADistributedMapIsAPartOfTheTimeline(t *testing.T) {
	e, _ := runWith(t, `"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
		"StartAt":"A","States":{"A":{"Type":"Task","Resource":"`+fnARN+`","End":true}}}}}`, Machine{}, `[7,8]`, Tasks{"f": Return(1)})
	e.t = t
	e.WantOutput(`[1, 1]`)
	e.WantStates("M", "A", "A")
	e.WantCalls("f", 7, 8)
}
