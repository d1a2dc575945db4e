package observe

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/trace"
)

// maxRunning is the progress above which a job is not shown before its end, in percent.
const maxRunning = 99

// executionStatuses are the statuses of DescribeExecution.
var executionStatuses = map[trace.Status]string{
	trace.Succeeded: "SUCCEEDED", trace.Failed: "FAILED", trace.Aborted: "ABORTED", trace.TimedOut: "TIMED_OUT",
}

// state returns the state of a job. ended is the end to publish, or empty.
func state(row trace.Row, v trace.View, ended trace.Status, now time.Time) message.Data {
	s := message.UploadProgress{
		UploadID: row.Job, FileName: row.Title, Progress: min(v.Progress, maxRunning), Status: message.StatusRunning, Message: "Started",
	}
	if v.Stage != nil {
		s.Phase = message.Truncate(v.Stage.Title, message.MaxPhase)
	}
	switch {
	case v.Stage != nil && v.Stage.Total > 0 && v.Stage.Status == trace.Running:
		s.Message = v.Stage.Text() // the items of a Map say more than the state that one of them is in
	case v.Current != nil:
		s.Message = v.Current.Text()
	}
	switch {
	case v.Waiting:
		s.Status = message.StatusWaiting
	case v.Retrying:
		s.Status = message.StatusRetrying
	}
	if left := v.Ends.Sub(now); !v.Ends.IsZero() && left > 0 {
		s.ETAMillis = left.Milliseconds()
	}
	if ended != "" {
		s.Status, s.Message = notify.EndOf(executionStatuses[ended])
		s.Progress, s.ETAMillis = v.Progress, 0
	}
	s = s.Truncated()
	s.Steps = listed(v.Steps, message.MaxState-size(s))
	return message.AsType(message.TypeJobProgress, s)
}

// size returns how many bytes of JSON a state takes, with an empty list of steps.
func size(s message.UploadProgress) int {
	s.Steps = message.Steps("[]")
	text, err := json.Marshal(message.AsType(message.TypeJobProgress, s))
	if err != nil { // a number is infinite: the publisher refuses it
		return 0
	}
	return len(text)
}

// listed returns at most [message.MaxListedSteps] steps that take at most room bytes more than an empty list: those that run, and the
// newest of the others.
func listed(steps []trace.Step, room int) message.Steps {
	all := make([]message.Step, 0, len(steps))
	for _, s := range steps {
		step := message.Step{
			Name: message.Truncate(s.Name, message.MaxStepName), At: message.Time{Time: s.At}, Status: message.StepStatus(s.Status),
		}
		if s.Text() != s.Name {
			step.Title = message.Truncate(s.Text(), message.MaxStepName)
		}
		all = append(all, step)
	}
	for len(all) > 0 {
		list := message.NewSteps(all...)
		if len(all) <= message.MaxListedSteps && len(list)-len("[]") <= room {
			return list
		}
		oldest := slices.IndexFunc(all, func(s message.Step) bool { return s.Status != message.StepRunning })
		all = slices.Delete(all, max(oldest, 0), max(oldest, 0)+1)
	}
	return ""
}
