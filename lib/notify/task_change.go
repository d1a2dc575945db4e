package notify

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/herald-progress/herald/lib/message"
)

// taskChange is an event about a task: a task of ECS, or a job of Batch or MediaConvert. A task is the execution of a job if its states
// name the ARN of the task.
type taskChange struct {
	arn string
	// end is the end of the task. Its status is empty if the task has not ended.
	end jobEnd
}

// statusChange returns the change as that of an execution that cannot be redriven: it is about every run of its jobs.
func (c taskChange) statusChange() statusChange {
	return statusChange{ExecutionARN: c.arn, RedriveCount: math.MaxInt}
}

// taskDetails decode the detail of an event about a task, by its detail-type.
var taskDetails = map[string]func(event taskEvent) (taskChange, error){
	"ECS Task State Change":         decodeECSTask,
	"Batch Job State Change":        decodeBatchJob,
	"MediaConvert Job State Change": decodeMediaConvertJob,
}

// taskEvent is what events of EventBridge have in common.
type taskEvent struct {
	DetailType string          `json:"detail-type"`
	Region     string          `json:"region"`
	Account    string          `json:"account"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// decodeTaskChange decodes an event, and ignores unknown fields. isTask is false if the event is not about a task.
func decodeTaskChange(raw []byte) (change taskChange, isTask bool, err error) {
	var event taskEvent
	if json.Unmarshal(raw, &event) != nil || taskDetails[event.DetailType] == nil {
		return taskChange{}, false, nil //nolint:nilerr // any other event is not about a task
	}
	change, err = taskDetails[event.DetailType](event)
	if x, _ := message.ParseExecution(change.arn); err != nil || !x.Task {
		return taskChange{}, true, errNoExecution
	}

	return change, true, nil
}

// The exit codes of a container that a signal stopped: SIGKILL and SIGTERM.
const (
	exitKilled     = 137
	exitTerminated = 143
)

// decodeECSTask decodes the detail of a task of ECS
// (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html). A task succeeded if a container has exited with 0,
// and no other one has failed. ECS stops the other containers of a task when an essential one has exited: their signals are no failures.
func decodeECSTask(event taskEvent) (taskChange, error) {
	var detail struct {
		TaskARN       string         `json:"taskArn"`
		LastStatus    string         `json:"lastStatus"`
		StopCode      string         `json:"stopCode"`
		StoppedReason string         `json:"stoppedReason"`
		Containers    []ecsContainer `json:"containers"`
	}
	if err := json.Unmarshal(event.Detail, &detail); err != nil {
		return taskChange{}, fmt.Errorf("detail: %w", err)
	}
	change := taskChange{arn: detail.TaskARN}
	if detail.LastStatus != "STOPPED" {
		return change, nil
	}
	succeeded, reasons := false, []string{detail.StoppedReason}
	for _, c := range detail.Containers {
		succeeded = succeeded || c.ExitCode != nil && *c.ExitCode == 0
		reasons = append(reasons, c.failure())
	}
	exited := detail.StopCode == "" || detail.StopCode == "EssentialContainerExited"
	failures := strings.Join(reasons[1:], "")
	switch {
	case exited && succeeded && failures == "":
		change.end = terminalStatuses["SUCCEEDED"]
	case detail.StopCode == "UserInitiated":
		change.end = endWithReason(message.StatusCancelled, "The task was stopped", reasons[0])
	default:
		change.end = endWithReason(message.StatusFailed, "The task failed", reasons...)
	}

	return change, nil
}

// ecsContainer is a container of a task of ECS.
type ecsContainer struct {
	Name     string `json:"name"`
	ExitCode *int   `json:"exitCode"`
	Reason   string `json:"reason"`
}

// failure says why the container failed. It is empty if the container did not fail.
func (c ecsContainer) failure() string {
	switch {
	case c.Reason != "":
		return c.Name + ": " + c.Reason
	case c.ExitCode == nil || *c.ExitCode == 0 || *c.ExitCode == exitKilled || *c.ExitCode == exitTerminated:
		return ""
	default:
		return fmt.Sprintf("%s: exit code %d", c.Name, *c.ExitCode)
	}
}

// decodeBatchJob decodes the detail of a job of Batch (https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html).
func decodeBatchJob(event taskEvent) (taskChange, error) {
	var detail struct {
		JobARN       string `json:"jobArn"`
		Status       string `json:"status"`
		StatusReason string `json:"statusReason"`
		IsCancelled  bool   `json:"isCancelled"`
		IsTerminated bool   `json:"isTerminated"`
	}
	if err := json.Unmarshal(event.Detail, &detail); err != nil {
		return taskChange{}, fmt.Errorf("detail: %w", err)
	}
	change := taskChange{arn: detail.JobARN}
	if change.arn == "" && len(event.Resources) > 0 { // Older events have the ARN only there.
		change.arn = event.Resources[0]
	}
	switch stopped := detail.IsCancelled || detail.IsTerminated; {
	case detail.Status == "SUCCEEDED":
		change.end = terminalStatuses["SUCCEEDED"]
	case detail.Status == "FAILED" && stopped:
		change.end = endWithReason(message.StatusCancelled, "The job was stopped", detail.StatusReason)
	case detail.Status == "FAILED":
		change.end = endWithReason(message.StatusFailed, "The job failed", detail.StatusReason)
	}

	return change, nil
}

// decodeMediaConvertJob decodes the detail of a job of MediaConvert
// (https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_event_list.html). The detail has the id of the job, and the ARN of
// its queue, but not that of the job.
func decodeMediaConvertJob(event taskEvent) (taskChange, error) {
	var detail struct {
		JobID        string `json:"jobId"`
		Queue        string `json:"queue"`
		Status       string `json:"status"`
		ErrorMessage string `json:"errorMessage"`
	}
	if err := json.Unmarshal(event.Detail, &detail); err != nil {
		return taskChange{}, fmt.Errorf("detail: %w", err)
	}
	if detail.JobID == "" {
		return taskChange{}, errNoExecution
	}
	partition := "aws"
	if fields := strings.Split(detail.Queue, ":"); len(fields) > 1 {
		partition = fields[1]
	}
	change := taskChange{arn: strings.Join([]string{"arn", partition, "mediaconvert", event.Region, event.Account, "jobs/" + detail.JobID}, ":")}
	switch detail.Status {
	case "COMPLETE":
		change.end = terminalStatuses["SUCCEEDED"]
	case "ERROR":
		change.end = endWithReason(message.StatusFailed, "The job failed", detail.ErrorMessage)
	case "CANCELED":
		change.end = jobEnd{message.StatusCancelled, "The job was stopped"}
	}

	return change, nil
}

// endWithReason returns an end whose text is what happened, and the reasons that are not empty.
func endWithReason(status message.Status, text string, reasons ...string) jobEnd {
	separator := ": "
	for _, reason := range reasons {
		if reason != "" {
			text += separator + reason
			separator = "; "
		}
	}

	return jobEnd{status, text}
}
