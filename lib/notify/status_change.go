package notify

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/message"
)

// statusChangeType is the detail-type of the EventBridge event that Step Functions sends when the status of an execution changes.
const statusChangeType = "Step Functions Execution Status Change"

// durableChangeType is the detail-type of the event that Lambda sends when the status of a durable execution changes
// (https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html).
const durableChangeType = "Durable Execution Status Change"

// errNoExecution means that a status change names no execution or no status.
var errNoExecution = errors.New("notify: the event names no execution")

// statusChange is the detail of an event of statusChangeType. That of an event of durableChangeType has DurableARN and Status only.
type statusChange struct {
	ExecutionARN string `json:"executionArn"`
	DurableARN   string `json:"durableExecutionArn"`
	Status       string `json:"status"`
	RedriveCount int    `json:"redriveCount"`
	// Output is the output of an execution that succeeded, as JSON text. It is empty if the event does not include the output.
	Output string `json:"output"`
}

// jobEnd is the end of a job as its user sees it.
type jobEnd struct {
	status message.Status
	text   string // the message of the job's last state
}

// terminalStatuses are the statuses of an execution that has ended. In every other status the execution runs, or waits for a
// redrive.
var terminalStatuses = map[string]jobEnd{
	"SUCCEEDED": {message.StatusSucceeded, "Done"},
	"FAILED":    {message.StatusFailed, "The workflow failed"},
	"TIMED_OUT": {message.StatusFailed, "The workflow took too long"},
	"ABORTED":   {message.StatusCancelled, "The workflow was stopped"},
	"STOPPED":   {message.StatusCancelled, "The workflow was stopped"}, // of a durable execution
}

// EndOf returns the status and the message of a job whose execution ended with a status of DescribeExecution. The status is empty if the
// execution has not ended.
func EndOf(executionStatus string) (message.Status, string) {
	end := terminalStatuses[executionStatus]

	return end.status, end.text
}

// unknownEnd ends a job whose execution does not exist or cannot be described.
var unknownEnd = jobEnd{message.StatusFailed, "The workflow is not known any more"}

// supersededEnd ends a job whose execution was superseded, if the execution that replaced it never published a state of the job.
var supersededEnd = jobEnd{message.StatusFailed, "The workflow that replaced this one never reported"}

// hasEvent reports whether e is the end of an execution for which EventBridge sends an event to the sweeper.
func (e jobEnd) hasEvent() bool { return e != unknownEnd && e != supersededEnd }

// Superseded reports whether the output of an execution, as JSON text, says that another execution continues the jobs of this
// one: {"superseded": true}. Then the success of the execution is not the end of its jobs.
func Superseded(output string) bool {
	var out struct {
		Superseded bool `json:"superseded"`
	}

	return json.Unmarshal([]byte(output), &out) == nil && out.Superseded
}

// decodeStatusChange decodes an event, and ignores unknown fields. isChange is false if the event is not a status change.
func decodeStatusChange(raw []byte) (change statusChange, isChange bool, err error) {
	var event struct {
		DetailType string          `json:"detail-type"`
		Detail     json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(raw, &event) != nil || event.DetailType != statusChangeType && event.DetailType != durableChangeType {
		return statusChange{}, false, nil //nolint:nilerr // any other event is no status change
	}
	err = json.Unmarshal(event.Detail, &change)
	if event.DetailType == durableChangeType {
		change.ExecutionARN = change.DurableARN
	}
	if err != nil || change.ExecutionARN == "" || change.Status == "" {
		return statusChange{}, true, errNoExecution
	}

	return change, true, nil
}

// redriveCount returns the redrive count of a normalized epoch, or 0 for no epoch.
func redriveCount(epoch string) int {
	_, count, _ := strings.Cut(epoch, "#")
	n, _ := strconv.Atoi(count) // fails only for no epoch

	return n
}
