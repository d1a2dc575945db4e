package notify

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/message"
)

// statusChangeType is the detail-type of an event about an execution's status.
const statusChangeType = "Step Functions Execution Status Change"

// errNoExecution means that a status change names no execution or no status.
var errNoExecution = errors.New("notify: the event names no execution")

// statusChange is the detail of such an event.
type statusChange struct {
	ExecutionARN string `json:"executionArn"`
	Status       string `json:"status"`
	RedriveCount int    `json:"redriveCount"`
	// Output is that of a success, as JSON text; null if the event does not include it.
	Output string `json:"output"`
}

// jobEnd is the end of a job as its user sees it.
type jobEnd struct {
	status message.Status
	text   string
}

// terminalStatuses are the statuses in which an execution has ended. In all others it runs, or may be redriven.
var terminalStatuses = map[string]jobEnd{
	"SUCCEEDED": {message.StatusSucceeded, "Done"},
	"FAILED":    {message.StatusFailed, "The workflow failed"},
	"TIMED_OUT": {message.StatusFailed, "The workflow took too long"},
	"ABORTED":   {message.StatusCancelled, "The workflow was stopped"},
}

// unknownEnd ends a job whose execution can no longer be described.
var unknownEnd = jobEnd{message.StatusFailed, "The workflow is not known any more"}

// supersededEnd ends a job whose execution was superseded, if the execution that replaced it was never heard of.
var supersededEnd = jobEnd{message.StatusFailed, "The workflow that replaced this one never reported"}

// Superseded reports whether the output of an execution, as JSON text, says that another execution goes on with its jobs:
// {"superseded": true}. Then its success is not the end of these jobs.
func Superseded(output string) bool {
	var out struct {
		Superseded bool `json:"superseded"`
	}

	return json.Unmarshal([]byte(output), &out) == nil && out.Superseded
}

// decodeStatusChange decodes an event as AWS sends it, with fields that are not known here. It reports whether the event is
// a status change at all.
func decodeStatusChange(raw []byte) (change statusChange, ok bool, err error) {
	var event struct {
		DetailType string          `json:"detail-type"`
		Detail     json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(raw, &event) != nil || event.DetailType != statusChangeType {
		return statusChange{}, false, nil //nolint:nilerr // any other event is no status change
	}
	if json.Unmarshal(event.Detail, &change) != nil || change.ExecutionARN == "" || change.Status == "" {
		return statusChange{}, true, errNoExecution
	}

	return change, true, nil
}

// redriveCount returns the redrive count of an epoch; 0 without one.
func redriveCount(epoch string) int {
	_, count, _ := strings.Cut(epoch, "#")
	n, _ := strconv.Atoi(count)

	return n
}
