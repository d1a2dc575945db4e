package message_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

// decodeWithSteps decodes a state of each type whose steps are the JSON text.
func decodeWithSteps(t *testing.T, steps string) (message.UploadProgress, error) {
	t.Helper()
	upload, err := message.Decode([]byte(`{"type":"upload_progress","data":{"uploadId":"j","fileName":"f","message":"m","progress":1,"steps":` + steps + `}}`))
	job, jobErr := message.Decode([]byte(`{"type":"job_progress","data":{"jobId":"j","title":"f","message":"m","progress":1,"steps":` + steps + `}}`))
	if fmt.Sprint(err) != fmt.Sprint(jobErr) {
		t.Errorf("a file says %v, another job %v", err, jobErr)
	}
	state, _ := message.AsUploadProgress(upload)
	jobState, _ := message.AsUploadProgress(job)
	if state != jobState {
		t.Errorf("the state of a file is %+v, that of another job %+v", state, jobState)
	}
	return state, err
}

func TestAStateListsTheStepsOfItsJob(t *testing.T) {
	at := message.Time{Time: time.Date(2026, 11, 22, 10, 0, 0, 123e6, time.UTC)}
	many := strings.Repeat(`{"name":"s"},`, message.MaxListedSteps)
	for in, want := range map[string][]message.Step{
		`null`:                 nil,
		`[]`:                   nil,
		`[{"name":"a"}]`:       {{Name: "a"}},
		`[ { "name" : "a" } ]`: {{Name: "a"}},
		`[{"title":null,"name":"a\u003cb","status":"running","at":"2026-11-22T11:00:00.123999+01:00"}]`: {{Name: "a<b", At: at, Status: message.StepRunning}},
		`[{"name":"a","at":"2026-11-22T10:00:00.123Z","status":"succeeded","title":"Copy"},{"name":"a","status":"failed"}]`: {
			{Name: "a", At: at, Status: message.StepSucceeded, Title: "Copy"}, {Name: "a", Status: message.StepFailed},
		},
		"[" + strings.TrimSuffix(many, ",") + "]": make([]message.Step, message.MaxListedSteps),
	} {
		state, err := decodeWithSteps(t, in)
		got := state.Steps.List()
		if len(want) == message.MaxListedSteps {
			for i := range want {
				want[i].Name = "s"
			}
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" || state.Steps != message.NewSteps(want...) {
			t.Errorf("%.80s is %v, %v (-want +got):\n%s", in, state.Steps, err, diff)
		}
		frame, err := message.New(state, "id", at.Time).Encode()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := message.Parse(frame)
		if err != nil || parsed.Data != message.Data(state) || strings.Contains(string(frame), `"steps"`) != (want != nil) {
			t.Errorf("%.80s is sent as %s, and read as %+v, %v", in, frame, parsed.Data, err)
		}
	}
}

func TestAWrongStepIsNamed(t *testing.T) {
	long := strings.Repeat("x", message.MaxStepName+1)
	for in, want := range map[string]string{
		`"s"`:                                   "data.steps must be an array",
		`{"name":"s"}`:                          "data.steps must be an array",
		`7`:                                     "data.steps must be an array",
		`["s"]`:                                 "data.steps[0] must be a JSON object",
		`[null]`:                                "data.steps[0] must be a JSON object",
		`[{"name":"s"},{}]`:                     "data.steps[1].name is required",
		`[{"name":""}]`:                         "data.steps[0].name must not be empty",
		`[{"name":7}]`:                          "data.steps[0].name must be a string",
		`[{"Name":"s","name":"s"}]`:             "data.steps[0].Name is not a known field",
		`[{"name":"` + long + `"}]`:             "data.steps[0].name must be at most 320 bytes",
		`[{"name":"s","title":"` + long + `"}]`: "data.steps[0].title must be at most 320 bytes",
		`[{"name":"s","status":"queued"}]`:      "data.steps[0].status must be one of running, succeeded, failed",
		`[{"name":"s","at":"10:00"}]`:           "data.steps[0].at must be an RFC 3339 time, such as 2026-11-22T10:00:00.123Z",
		`[{"name":"s","at":7}]`:                 "data.steps[0].at must be a string",
		`[{"name":"s","at":"9999-12-31T23:59:59-01:00"}]`:                               "data.steps[0].at must be an RFC 3339 time, such as 2026-11-22T10:00:00.123Z",
		"[" + strings.Repeat(`{"name":"s"},`, message.MaxListedSteps) + `{"name":"s"}]`: "data.steps must be at most 32 steps",
	} {
		if _, err := decodeWithSteps(t, in); err == nil || err.Error() != want {
			t.Errorf("%.80s: %v, want %q", in, err, want)
		}
	}
	state := message.UploadProgress{UploadID: "j", FileName: "f", Message: "m", Steps: "no JSON"}
	if err := state.Validate(); err == nil || err.Error() != "data.steps must be an array" {
		t.Errorf("steps that are not JSON: %v", err)
	}
	_ = state.Truncated() // Does not panic.
}

// TestStepsOfANewerVersionReachClients: fields and statuses that this version does not know stay in a stored state and in a frame.
func TestStepsOfANewerVersionReachClients(t *testing.T) {
	for _, steps := range []string{`[{"name":"a","shape":"<round>"}]`, `[{"name":"a","status":"skipped"}]`, `[["a"]]`, `{"a":1}`} {
		var state message.UploadProgress
		if err := json.Unmarshal([]byte(`{"uploadId":"j","steps":`+steps+`}`), &state); err != nil {
			t.Fatal(err)
		}
		frame, err := message.New(state, "id", time.Now()).Encode()
		if err != nil || !strings.Contains(string(frame), `"steps":`+steps) {
			t.Errorf("%s is sent as %s, %v", steps, frame, err)
		}
		isList := strings.HasPrefix(steps, `[{`)
		if list := state.Steps.List(); isList != (len(list) == 1 && list[0].Name == "a") {
			t.Errorf("%s is the list %+v", steps, list)
		}
	}
}

// TestTheNewestStepsStay: WithSteps and Truncated drop the oldest steps of a state that would be too large.
func TestTheNewestStepsStay(t *testing.T) {
	var all []message.Step
	for n := range message.MaxListedSteps {
		all = append(all, message.Step{Name: fmt.Sprintf("%02d", n), Title: strings.Repeat(`"`, 50), Status: message.StepSucceeded})
	}
	size := func(p message.UploadProgress) int {
		data, err := message.New(p, "", time.Now()).Encode()
		empty, emptyErr := message.New(message.Unknown{Name: p.Type(), JSON: []byte("{}")}, "", time.Now()).Encode()
		if err != nil || emptyErr != nil {
			t.Fatal(err, emptyErr)
		}
		return len(data) - len(empty) + len("{}") - len(`,"job":"j"`)
	}
	state := message.UploadProgress{UploadID: "j", FileName: "f", Message: strings.Repeat("m", 1000), Status: message.StatusFailed}
	for what, got := range map[string]message.UploadProgress{
		"WithSteps": state.WithSteps(message.NewSteps(all...)),
		"Truncated": func() message.UploadProgress {
			p := state
			p.Steps = message.NewSteps(all...)
			return p.Truncated()
		}(),
	} {
		list := got.Steps.List()
		if len(list) == 0 || list[len(list)-1] != all[len(all)-1] || list[0] != all[len(all)-len(list)] {
			t.Errorf("%s leaves %+v", what, list)
		}
		if bytes := size(got); bytes > message.MaxState || bytes < message.MaxState-200 {
			t.Errorf("%s leaves %d bytes", what, bytes)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	few := message.NewSteps(all[:2]...)
	if got := state.WithSteps(few); got.Steps != few {
		t.Errorf("few steps become %s", got.Steps)
	}
	state.Steps = few
	if got := state.Truncated(); got != state {
		t.Errorf("a state that fits becomes %+v", got)
	}
	state.Result = "https://e.com/" + strings.Repeat("x", message.MaxState)
	if got := state.Truncated(); got.Steps != few || got.Result != "" || got.Message != state.Message {
		t.Errorf("a result that does not fit leaves %+v", got)
	}
	state.Result = "https://e.com/" + strings.Repeat("x", message.MaxState-1000)
	if got := state.Truncated(); got.Steps != few || got.Result != state.Result || size(got) > message.MaxState {
		t.Errorf("a long result leaves %+v", got)
	}
}
