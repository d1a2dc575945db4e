package notify

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/message"
)

// statusChange is the detail-type of an event that tells of an execution's status.
const statusChange = "Step Functions Execution Status Change"

// errChange says that a status change does not say of what.
var errChange = errors.New("notify: the event names no execution")

// change is what a status change tells.
type change struct {
	ExecutionARN string `json:"executionArn"`
	Status       string `json:"status"`
	RedriveCount int    `json:"redriveCount"`
}

// ended is what the user reads of a workflow's end.
type ended struct {
	status message.Status
	text   string
}

// ends are the statuses in which an execution has ended; in all others it runs, or may be made to.
var ends = map[string]ended{
	"SUCCEEDED": {message.StatusSucceeded, "Done"},
	"FAILED":    {message.StatusFailed, "The workflow failed"},
	"TIMED_OUT": {message.StatusFailed, "The workflow took too long"},
	"ABORTED":   {message.StatusCancelled, "The workflow was stopped"},
}

// unknown ends a job whose workflow nobody can say anything of any more.
var unknown = ended{message.StatusFailed, "The workflow is not known any more"}

// decodeChange reads an event as AWS sends it, with fields that are not known here, and reports whether it is a status
// change.
func decodeChange(raw []byte) (change, bool, error) {
	var event struct {
		DetailType string          `json:"detail-type"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(raw, &event); err != nil || event.DetailType != statusChange {
		return change{}, false, nil //nolint:nilerr // whatever it is, it is no status change
	}
	var c change
	if err := json.Unmarshal(event.Detail, &c); err != nil || c.ExecutionARN == "" || c.Status == "" {
		return change{}, true, errChange
	}

	return c, true, nil
}

// redrives returns the redrive count of an epoch.
func redrives(epoch string) int {
	_, count, _ := strings.Cut(epoch, "#")
	n, _ := strconv.Atoi(count) // no epoch, no redrives

	return n
}
