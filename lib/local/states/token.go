package states

import (
	"context"
	"encoding/json"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// errInvalidToken is the error for an unknown token of a page or a task.
var errInvalidToken = awswire.NewError("InvalidToken", "Invalid Token: 'Invalid token'")

// A pendingTask is a task with a task token. It is kept after its end, with closed set, so that its token is still recognized.
type pendingTask struct {
	executionARN string
	heartbeat    func()
	result       chan taskResult // Of capacity 1, so that endTask does not block. Only one result is sent, because endTask sets closed.
	closed       bool            // The task has ended. Guarded by StepFunctions.mu.
}

// A taskResult is the result of a task.
type taskResult struct {
	output json.RawMessage
	err    error
}

// waitForToken returns a taskFunc that runs call and waits until the task token is sent back. The token may be sent back
// before call has returned. If call fails, the task fails.
func waitForToken(call taskFunc) taskFunc {
	return func(r *taskRunner, ctx context.Context, t asl.Task) (json.RawMessage, error) {
		task := r.states.addPendingTask(r.executionARN, t)
		defer r.states.closePendingTask(task)
		called := make(chan taskResult, 1)
		ok := r.states.background.Go(func(context.Context) {
			output, err := call(r, ctx, t)
			called <- taskResult{output, err}
		})
		if !ok {
			return nil, awswire.ErrClosing
		}

		for {
			select {
			case result := <-task.result:
				return result.output, result.err
			case result := <-called:
				if result.err != nil {
					return nil, result.err
				}
				recordSubmitted(t, result.output)
				called = nil // From now on, wait only for the token.
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	}
}

// addPendingTask makes the task's token valid.
func (s *StepFunctions) addPendingTask(executionARN string, t asl.Task) *pendingTask {
	task := &pendingTask{executionARN: executionARN, heartbeat: t.Heartbeat, result: make(chan taskResult, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pendingTasks[t.Token] = task
	return task
}

// closePendingTask makes the task's token invalid.
func (s *StepFunctions) closePendingTask(task *pendingTask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	task.closed = true
}

// SendTaskSuccess ends the task with the given token successfully.
func (s *StepFunctions) SendTaskSuccess(_ context.Context, in SendTaskSuccessInput) (EmptyOutput, error) {
	if len(in.Output) > maxExecutionInput || !utf8.ValidString(in.Output) || !json.Valid([]byte(in.Output)) {
		return EmptyOutput{}, awswire.NewError("InvalidOutput", "Invalid Output: 'not JSON, or over 262144 bytes'")
	}
	return s.endTask(in.TaskToken, taskResult{output: json.RawMessage(in.Output)})
}

// SendTaskFailure ends the task with the given token with an error.
func (s *StepFunctions) SendTaskFailure(_ context.Context, in SendTaskFailureInput) (EmptyOutput, error) {
	return s.endTask(in.TaskToken, taskResult{err: &asl.Error{Name: in.Error, Cause: in.Cause}})
}

// SendTaskHeartbeat restarts the heartbeat timeout of the task with the given token.
func (s *StepFunctions) SendTaskHeartbeat(_ context.Context, in SendTaskHeartbeatInput) (EmptyOutput, error) {
	s.mu.Lock()
	task, err := s.pendingTask(in.TaskToken)
	s.mu.Unlock()
	if err != nil {
		return EmptyOutput{}, err
	}

	if task.heartbeat != nil {
		task.heartbeat()
	}
	return EmptyOutput{}, nil
}

// endTask ends the task with the given token.
func (s *StepFunctions) endTask(token string, result taskResult) (EmptyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	task, err := s.pendingTask(token)
	if err != nil {
		return EmptyOutput{}, err
	}

	task.closed = true
	task.result <- result
	return EmptyOutput{}, nil
}

// pendingTask returns the task with the given token, or an error if there is none or it has ended. The caller holds the lock.
func (s *StepFunctions) pendingTask(token string) (*pendingTask, error) {
	task, ok := s.pendingTasks[token]
	switch {
	case !ok:
		return nil, errInvalidToken
	case task.closed:
		return nil, awswire.NewError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
	default:
		return task, nil
	}
}
