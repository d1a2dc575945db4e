package asl

import (
	"context"
	"encoding/json"
	"time"
)

// Execution describes one run of a Machine.
type Execution struct {
	// ID is the execution's ARN: $states.context.Execution.Id. An ID that contains ":express:" is that of an Express execution,
	// whose context object has no RedriveCount.
	ID string
	// Name is the execution's name.
	Name string
	// RoleARN is the ARN of the execution's role.
	RoleARN string
	// StateMachineID is the state machine's ARN.
	StateMachineID string
	// StateMachineName is the state machine's name.
	StateMachineName string
	// Start is when the execution started; the zero value means now.
	Start time.Time
	// RedriveCount counts the redrives of this execution.
	RedriveCount int
	// RedriveTime is when the execution was last redriven. It is ignored if RedriveCount is zero.
	RedriveTime time.Time
	// Input is the execution's input as JSON text; empty means {}.
	Input json.RawMessage
	// Tasks runs the Task states. If Tasks is nil, each task fails with the error of NotServed.
	Tasks Tasks
	// Objects reads and writes Amazon S3 for Distributed Map states. If it is nil, ItemReader and ResultWriter fail.
	Objects Objects
	// StartMapRun is called when the child executions of a Distributed Map start or are redriven, or when its items could not be read. The
	// function that it returns is called once at the end of the Map run, with the error if it did not succeed. The name of the error is
	// empty if the Map run was aborted. StartMapRun may be nil.
	StartMapRun func(MapRun) (finish func(*Error))
	// RedriveMapRun is called when a redriven execution, or a redriven child execution, goes on with the Map run that has the ARN and did not
	// succeed. It returns what the Map run has done, or nil to start a new Map run instead. An error fails the Map state with
	// States.Runtime. StartMapRun follows. RedriveMapRun may be nil: then each redrive starts new Map runs.
	RedriveMapRun func(arn string) (*RedrivenMapRun, error)
	// StartChild is called when a child execution of a Distributed Map starts or is redriven, for several children at once. It returns what
	// is called with each event of the child's history, as Record, and what is called once with its result. StartChild may be nil: then no
	// child records a history.
	StartChild func(Child) (record func(Event), finish func(Result))
	// Record is called with each event of the history, in order, one call at a time. It must not block for long. It may be nil.
	Record func(Event)
	// Trace is called with each step of the execution and of its child executions, from several goroutines at once. The steps of one
	// Step.Thread come in order. It must not block for long. It may be nil.
	Trace func(Step)
	// Jitter returns the wait of a retrier whose JitterStrategy is FULL; longest is the wait without jitter. Nil means a random
	// duration from 0 to longest.
	Jitter func(longest time.Duration) time.Duration

	thread string // Of a child execution: the value of Step.Thread in it.
}

// Status is the status of an execution, as DescribeExecution shows it.
type Status string

// The final statuses of an execution.
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
	// Error is set when the execution did not succeed; its fields may be empty.
	Error *Error
}

// Tasks runs the resources of Task states: Lambda functions, other executions, services. RunTask is called concurrently. It must
// return soon after ctx is done. ctx is done when the state has timed out, a sibling branch has failed, or the execution was stopped.
//
// An error that is, or wraps, an *Error fails the task with the *Error's name and cause. Any other error fails it with
// States.TaskFailed and the error's text as the cause.
type Tasks interface {
	RunTask(ctx context.Context, t Task) (json.RawMessage, error)
}

// ErrorNotServed is the name of the error of a task whose resource nobody serves.
const ErrorNotServed = "ResourceNotServed"

// NotServed returns the error of a task with a resource that nobody serves here. Parse accepts every resource that Step Functions has, so
// implementations of Tasks return NotServed for those that they do not have.
func NotServed(resource string) *Error {
	return &Error{Name: ErrorNotServed, Cause: "Nobody serves the resource " + resource + " here."}
}

// Task is one attempt of a Task state.
type Task struct {
	// State is the state's name.
	State string
	// Resource is the state's Resource, including a suffix such as .sync:2 or .waitForTaskToken.
	Resource string
	// Arguments is the JSON text for the resource: the value of Arguments in JSONata, or of Parameters in JSONPath. Without that
	// field it is the state's input.
	Arguments json.RawMessage
	// Token is the attempt's unique task token; empty unless the resource ends in .waitForTaskToken, .sync or .sync:2.
	// With .waitForTaskToken, RunTask must return only after SendTaskSuccess or SendTaskFailure with that token.
	Token string
	// Timeout is the state's TimeoutSeconds; zero means no timeout. Machine.Run enforces it through ctx.
	Timeout time.Duration
	// HeartbeatTimeout is the state's HeartbeatSeconds; zero means no timeout. Machine.Run enforces it through ctx.
	HeartbeatTimeout time.Duration
	// Heartbeat restarts the heartbeat timeout, as SendTaskHeartbeat does. It never blocks.
	Heartbeat func()
	// Submitted records the event TaskSubmitted of a .sync or .waitForTaskToken task; output is the service's answer as JSON
	// text, or nil if there is none. Calling it is optional. It never blocks.
	Submitted func(output json.RawMessage)
	// Credentials is the JSON text of the state's Credentials, or empty.
	Credentials json.RawMessage
}
