package notify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// Executions beside arn, which is in us-east-1 in the account 123456789012.
const (
	childARN   = "arn:aws:states:us-east-1:123456789012:execution:m/Label:5f0c0a2b-0e6e-4c5b-8a3e-5c1b1f3a9d11"
	expressARN = "arn:aws:states:us-east-1:123456789012:express:m:x:5f0c0a2b-0e6e-4c5b-8a3e-5c1b1f3a9d11"
	abroadARN  = "arn:aws:states:eu-west-1:123456789012:execution:m:x"
	foreignARN = "arn:aws:states:us-east-1:210987654321:execution:m:x"
)

// TestRequestsOfUnfollowedExecutionsAreAccepted: the messages of an execution that is not followed are stored and delivered. Its job
// expires as early as a job without an execution.
func TestRequestsOfUnfollowedExecutionsAreAccepted(t *testing.T) {
	for _, tt := range []struct {
		execution, account, region string // account and region are the notifier's
		followed                   bool
	}{
		{arn, "123456789012", "us-east-1", true},
		{childARN, "123456789012", "us-east-1", true},
		{arn, "", "", true},
		{abroadARN, "", "", true},
		{foreignARN, "", "us-east-1", true},
		{abroadARN, "123456789012", "", true},
		{expressARN, "123456789012", "us-east-1", false},
		{expressARN, "", "", false},
		{abroadARN, "123456789012", "us-east-1", false},
		{foreignARN, "123456789012", "us-east-1", false},
		{foreignARN, "123456789012", "", false},
	} {
		t.Run(fmt.Sprint(tt.execution, " at home in ", tt.account, tt.region), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				n := newNotifier(t, memory, to)
				n.Account, n.Region = tt.account, tt.region
				out, err := n.Handle(t.Context(), json.RawMessage(fmt.Sprintf(`{"userId":"u1","epoch":%q,"execution":%q,%s}`, epoch, tt.execution, progressMessage)))
				if err != nil || out.Followed == nil || *out.Followed != tt.followed || !out.Stored || out.Delivered != 2 {
					t.Fatalf("%+v, %v; want it stored, delivered, followed: %v", out, err, tt.followed)
				}
				row, err := memory.Job(t.Context(), feed.User("u1"), "u-42")
				if err != nil {
					t.Fatal(err)
				}
				ttl, pointers := feed.JobTTL, 0
				if tt.followed {
					ttl, pointers = feed.PointerTTL, 1
				}
				if got := row.ExpiresAt().Sub(row.UpdatedAt.Truncate(time.Second)); got != ttl {
					t.Errorf("the job expires after %v, want %v", got, ttl)
				}
				if got := countPointers(t, memory); got != pointers {
					t.Errorf("%d pointers, want %d", got, pointers)
				}
			})
		})
	}
}

// countPointers returns how many pointers a feed has.
func countPointers(t *testing.T, f feed.Pointers) int {
	t.Helper()
	count := 0
	for _, err := range f.AllPointers(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}

	return count
}

// TestOnlyTheStateOfAStoredJobIsFollowed: a note, a message to a connection and a message without a feed do not end with their
// execution. The output has no "followed" if the request names no execution.
func TestOnlyTheStateOfAStoredJobIsFollowed(t *testing.T) {
	const note = `"message":{"type":"error","data":{"code":"C","message":"m"}}`
	execution := `"execution":"` + arn + `",`
	for _, tt := range []struct {
		input string
		feed  notify.Feed
		want  string // the output's "followed"; empty if it is absent
	}{
		{`{"userId":"u1",` + execution + note + `}`, &feed.Memory{}, "false"},
		{`{"connectionId":"c1",` + execution + progressMessage + `}`, &feed.Memory{}, "false"},
		{`{"userId":"u1",` + execution + progressMessage + `}`, nil, "false"},
		{`{"userId":"u1",` + execution + progressMessage + `}`, &feed.Memory{}, "true"},
		{`{"userId":"u1",` + progressMessage + `}`, &feed.Memory{}, ""},
	} {
		n := newNotifier(t, &feed.Memory{}, newTabs())
		n.Feed = tt.feed
		out, err := n.Handle(t.Context(), json.RawMessage(tt.input))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Followed json.RawMessage `json:"followed"`
		}
		if err := json.Unmarshal(raw, &got); err != nil || string(got.Followed) != tt.want {
			t.Errorf("%s: output is %s, want followed: %q", tt.input, raw, tt.want)
		}
	}
}

// TestAskingAboutAnExecutionEnds sweeps every five minutes for two days. A job whose execution no longer exists ends with the first
// sweep that finds it silent. A job whose execution cannot be described ends once it was silent for JobTTL. The sweeper then asks
// Step Functions no more about the execution.
func TestAskingAboutAnExecutionEnds(t *testing.T) {
	for _, tt := range []struct {
		name      string
		execution string
		fail      error         // the error of each request about the execution
		ends      time.Duration // how long after its last state the job ends; 0: it does not end
		// asks is how often the sweeper asks Step Functions. There are 576 sweeps, 288 a day. At the first one the job is not yet silent.
		asks int
	}{
		{"the execution no longer exists", arn, notify.ErrNoWorkflow, notify.Silence, 1},
		{"it cannot be described", arn, fmt.Errorf("describe: %w", notify.ErrNotDescribed), feed.JobTTL, 288},
		{"an Express workflow", expressARN, nil, feed.JobTTL, 0},
		{"another Region", abroadARN, nil, feed.JobTTL, 0},
		{"another account", foreignARN, nil, feed.JobTTL, 0},
		{"Step Functions does not answer", arn, errors.New("503"), 0, 575},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := &feed.Memory{}
				state, _ := message.AsUploadProgress(stateAt(42).Message)
				// The notifier stores no pointer to an execution that is not followed. But an earlier version may have stored one.
				u := feed.Update{State: state, Epoch: epoch, Execution: tt.execution, ID: "1", At: time.Now()}
				if _, _, err := memory.Apply(t.Context(), feed.User("u1"), u); err != nil {
					t.Fatal(err)
				}
				w := &workflows{fail: map[string]error{arn: tt.fail}}
				n := newNotifier(t, memory, newTabs())
				n.Account, n.Region = "123456789012", "us-east-1"
				s := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: w}
				start, ended, last := time.Now(), time.Duration(0), feed.Row{}
				for time.Since(start) < 48*time.Hour {
					time.Sleep(5 * time.Minute)
					if err := s.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
						t.Fatal(err)
					}
					if r, err := memory.Job(t.Context(), feed.User("u1"), "j"); err == nil {
						last = r
					}
					if last.State.Status.Terminal() && ended == 0 {
						ended = time.Since(start)
					}
				}
				if ended < tt.ends || ended > tt.ends+10*time.Minute || len(w.asked) != tt.asks {
					t.Errorf("ended after %v, with %d asks; want after %v, with %d", ended, len(w.asked), tt.ends, tt.asks)
				}
				if tt.ends == 0 {
					return
				}
				left := countPointers(t, memory)
				if got := last.State; left != 0 || got.Status != message.StatusFailed || got.Message != "The workflow is not known any more" || got.Progress != 42 {
					t.Errorf("%d pointers, the job is %+v", left, got)
				}
			})
		})
	}
}
