package local_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/observe"
)

// watched are the workflows in testdata/watched: the input of each without the user, and the status of its end.
var watched = map[string]struct {
	input string
	want  message.Status
}{
	"transcode": {``, message.StatusSucceeded}, "thumbnails": {`,"files":[1,2,3,4,5,6,7,8,9,10,11,12]`, message.StatusSucceeded},
	"analyse": {``, message.StatusSucceeded}, "order": {`,"amount":2000`, message.StatusSucceeded}, "flaky": {``, message.StatusSucceeded},
	"poller": {``, message.StatusSucceeded}, "approval": {``, message.StatusSucceeded}, "express": {``, message.StatusSucceeded},
	"nested": {``, message.StatusSucceeded}, "saga": {``, message.StatusFailed}, "render": {`,"scenes":[1,2,3,4]`, message.StatusSucceeded},
}

// jobHistory has each stored state of each job.
type jobHistory struct {
	mu   sync.Mutex
	rows map[string][]feed.Row
}

func (h *jobHistory) changed(_ string, r *feed.Record) {
	if r == nil || r.Job == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	id := r.Job.State.UploadID
	h.rows[id] = append(h.rows[id], *r.Job)
}

// of returns the states of a job.
func (h *jobHistory) of(job string) []feed.Row {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.rows[job])
}

// TestWatchedWorkflowsEndRight runs each workflow three times, without a change of it, and with log lines that come late, in another order
// and repeatedly.
func TestWatchedWorkflowsEndRight(t *testing.T) {
	for name, faults := range map[string]local.LogFaults{"in order": {}, "late and shuffled": {Delay: 1500 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runWatched(t, faults)
		})
	}
}

func runWatched(t *testing.T, faults local.LogFaults) {
	t.Helper()
	history := &jobHistory{rows: map[string][]feed.Row{}}
	config := local.Config{
		Feed: &feed.Memory{Changed: history.changed}, LogFaults: faults, MockFile: "../../testdata/watched/mocks.json",
		StateMachines: map[string]string{"child": `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"End":true}}}`},
	}
	for name := range watched {
		text, err := os.ReadFile("../../testdata/watched/" + name + ".asl.json")
		if err != nil {
			t.Fatal(err)
		}
		if name != "express" {
			config.StateMachines[name] = string(text)
		}
		config.Watched = append(config.Watched, observe.Machine{ARN: states.StateMachineARN(name), User: "$.userId", Job: "$.jobId"})
	}
	twin, err := local.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = twin.Close(t.Context()) }()
	client := sfn.NewFromConfig(twin.AWSConfig())
	text, err := os.ReadFile("../../testdata/watched/express.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("express"), Definition: aws.String(string(text)), RoleArn: aws.String("arn:aws:iam::000000000000:role/r"), Type: sfntypes.StateMachineTypeExpress,
	}); err != nil {
		t.Fatal(err)
	}
	for run := range 3 {
		var group sync.WaitGroup
		for _, name := range slices.Sorted(maps.Keys(watched)) {
			group.Go(func() {
				w := watched[name]
				arn := states.StateMachineARN(name)
				if !slices.Contains([]string{"express", "nested", "render"}, name) {
					arn += "#Watched"
				}
				job := fmt.Sprint(name, "-", run)
				_, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{
					StateMachineArn: aws.String(arn), Input: aws.String(fmt.Sprintf(`{"userId":"ann","jobId":%q%s}`, job, w.input)),
				})
				if err != nil {
					t.Error(err)
					return
				}
				history.check(t, job, w.want)
			})
		}
		group.Wait()
	}
}

// check waits for the end of a job, and checks all its states.
func (h *jobHistory) check(t *testing.T, job string, want message.Status) {
	t.Helper()
	var rows []feed.Row
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if rows = h.of(job); len(rows) > 0 && rows[len(rows)-1].Terminal() {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("%s does not end: %d states", job, len(rows))
			return
		}
	}
	progress, text := 0.0, []string{}
	for _, r := range rows {
		s := r.State
		text = append(text, fmt.Sprintf("%.0f %% %s", s.Progress, s.Message))
		if s.Progress < progress || s.Progress == 100 && s.Status != message.StatusSucceeded || r.Type != message.TypeJobProgress {
			t.Errorf("%s: after %v %%, the state is %+v", job, progress, s)
		}
		progress = s.Progress
	}
	last := rows[len(rows)-1]
	if last.State.Status != want || last.Owner != feed.User("ann") {
		t.Errorf("%s: the end is %+v after %d states", job, last.State, len(rows))
	}
	for _, s := range last.State.Steps.List() { // the end of a failure may overtake all log lines, so there may be none
		if s.Status == message.StepRunning {
			t.Errorf("%s: the step %s runs after the end", job, s.Name)
		}
	}
	t.Logf("%s: %s", job, strings.Join(text, " | "))
}
