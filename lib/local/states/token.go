package states

import (
	"context"
	"encoding/json"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// errToken refuses the token of a page or of a task.
var errToken = awswire.NewError("InvalidToken", "Invalid Token: 'Invalid token'")

// callback is a task that waits for its token to come back, or has waited.
type callback struct {
	execution string // Its ARN.
	heartbeat func()
	answer    chan taskAnswer // Of capacity 1.
	over      bool            // Answered or given up. Guarded by StepFunctions.mu.
}

// taskAnswer is what came back with a token.
type taskAnswer struct {
	output json.RawMessage
	err    error
}

// awaitToken returns a task that runs call, and then waits for the task token. The token may come back before call has
// returned; when call fails, no one waits.
func awaitToken(call task) task {
	return func(r *taskRunner, ctx context.Context, t asl.Task) (json.RawMessage, error) {
		waiting := r.states.expect(r.execution, t)
		defer r.states.giveUp(waiting)
		called := make(chan taskAnswer, 1)
		running := r.states.work.Start(func(context.Context) {
			output, err := call(r, ctx, t)
			called <- taskAnswer{output, err}
		})
		if !running {
			return nil, awswire.ErrClosing
		}

		for {
			select {
			case answer := <-waiting.answer:
				return answer.output, answer.err
			case answer := <-called:
				if answer.err != nil {
					return nil, answer.err
				}
				submit(t, answer.output)
				called = nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	}
}

// expect makes the task's token known.
func (s *StepFunctions) expect(executionARN string, t asl.Task) *callback {
	waiting := &callback{execution: executionARN, heartbeat: t.Heartbeat, answer: make(chan taskAnswer, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callbacks[t.Token] = waiting
	return waiting
}

// giveUp refuses the token from now on.
func (s *StepFunctions) giveUp(waiting *callback) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting.over = true
}

// SendTaskSuccess ends the task that waits for the token.
func (s *StepFunctions) SendTaskSuccess(_ context.Context, in SendTaskSuccessInput) (SendTaskOutput, error) {
	if len(in.Output) > maxExecutionInput || !utf8.ValidString(in.Output) || !json.Valid([]byte(in.Output)) {
		return SendTaskOutput{}, awswire.NewError("InvalidOutput", "Invalid Output: 'not JSON, or over 262144 bytes'")
	}
	return s.answer(in.TaskToken, taskAnswer{output: json.RawMessage(in.Output)})
}

// SendTaskFailure fails the task that waits for the token.
func (s *StepFunctions) SendTaskFailure(_ context.Context, in SendTaskFailureInput) (SendTaskOutput, error) {
	return s.answer(in.TaskToken, taskAnswer{err: &asl.Error{Name: in.Error, Cause: in.Cause}})
}

// SendTaskHeartbeat says that the task which waits for the token is alive.
func (s *StepFunctions) SendTaskHeartbeat(_ context.Context, in SendTaskHeartbeatInput) (SendTaskOutput, error) {
	s.mu.Lock()
	waiting, err := s.callback(in.TaskToken)
	s.mu.Unlock()

	if err != nil {
		return SendTaskOutput{}, err
	}
	if waiting.heartbeat != nil {
		waiting.heartbeat()
	}
	return SendTaskOutput{}, nil
}

// answer hands what came back to the task that waits for the token.
func (s *StepFunctions) answer(token string, answer taskAnswer) (SendTaskOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, err := s.callback(token)
	if err != nil {
		return SendTaskOutput{}, err
	}

	waiting.over = true
	waiting.answer <- answer
	return SendTaskOutput{}, nil
}

// callback returns the task that waits for the token. The lock is held.
func (s *StepFunctions) callback(token string) (*callback, error) {
	waiting, ok := s.callbacks[token]
	switch {
	case !ok:
		return nil, errToken
	case waiting.over:
		return nil, awswire.NewError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
	default:
		return waiting, nil
	}
}
