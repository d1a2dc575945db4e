package asl

import (
	"context"
	"encoding/json"
	"time"
)

// Execution describes one run of a Machine.
type Execution struct {
	// ID is the execution's ARN, $states.context.Execution.Id. One with :express: in it is an Express execution, whose
	// context object has no RedriveCount.
	ID string
	// Name is the execution's name.
	Name string
	// RoleARN is the role under which the execution runs.
	RoleARN string
	// StateMachineID is the state machine's ARN.
	StateMachineID string
	// StateMachineName is the state machine's name.
	StateMachineName string
	// Start is when the execution started; the zero value means now.
	Start time.Time
	// RedriveCount counts the redrives of this execution.
	RedriveCount int
	// RedriveTime is when the execution was last redriven; used only when RedriveCount is not zero.
	RedriveTime time.Time
	// Input is the execution's input as JSON text; empty means {}.
	Input json.RawMessage
	// Tasks runs the Task states. A nil Tasks fails each task with States.Runtime.
	Tasks Tasks
	// Record, when not nil, receives the history's events, one at a time and in order. It must not block for long.
	Record func(Event)
}

// Status is the status of an execution, as DescribeExecution shows it.
type Status string

// The statuses in which an execution ends.
const (
	StatusSucceeded Status = "SUCCEEDED"
	StatusFailed    Status = "FAILED"
	StatusTimedOut  Status = "TIMED_OUT"
	StatusAborted   Status = "ABORTED"
)

// Result is how an execution ended.
type Result struct {
	// Status is the execution's final status.
	Status Status
	// Output is the output as JSON text, set when the execution succeeded.
	Output json.RawMessage
	// Error is the reason, set when the execution did not succeed; its fields may be empty.
	Error *Error
}

// Tasks runs what Task states call: Lambda functions, other executions, services. RunTask is called from many
// goroutines at once. It must return soon after ctx is done, which happens when the state times out, when a sibling
// branch has failed, or when the execution is stopped.
//
// An error that is, or wraps, an *Error fails the task with that name and cause; any other error is States.TaskFailed
// with the error's text as its cause.
type Tasks interface {
	RunTask(ctx context.Context, t Task) (json.RawMessage, error)
}

// Task is one attempt at a Task state's work.
type Task struct {
	// State is the state's name.
	State string
	// Resource is the state's Resource, including a suffix such as .sync:2 or .waitForTaskToken.
	Resource string
	// Arguments is the JSON text given to the resource: Arguments in JSONata, Parameters in JSONPath, else the state's input.
	Arguments json.RawMessage
	// Token is the attempt's task token, unique; empty unless the resource ends in .waitForTaskToken, .sync or .sync:2.
	// With .waitForTaskToken RunTask returns when SendTaskSuccess or SendTaskFailure was called with that token.
	Token string
	// Timeout is the state's TimeoutSeconds; zero means none was given. The interpreter enforces it through ctx.
	Timeout time.Duration
	// HeartbeatTimeout is the state's HeartbeatSeconds; zero means none was given.
	HeartbeatTimeout time.Duration
	// Heartbeat tells the interpreter that the task is alive, as SendTaskHeartbeat does. It never blocks.
	Heartbeat func()
	// Submitted tells the interpreter that the task was submitted, with the service's answer as JSON text, for the history
	// of .sync and .waitForTaskToken tasks (TaskSubmitted). Calling it is optional. It never blocks.
	Submitted func(output json.RawMessage)
	// Credentials is the JSON text of the state's Credentials, or empty.
	Credentials json.RawMessage
}
