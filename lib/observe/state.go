package observe

import (
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
	if v.Current != nil {
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
	return message.AsType(message.TypeJobProgress, s.Truncated())
}
