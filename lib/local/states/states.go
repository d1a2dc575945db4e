// Package states runs state machines in this process behind the API of AWS Step Functions.
package states

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/invoke"
)

// defaultMaxEnded is how many ended executions are kept.
const defaultMaxEnded = 1000

// statusRunning is the status of an execution that has not ended.
const statusRunning asl.Status = "RUNNING"

// Config says which state machines a StepFunctions has.
type Config struct {
	// Machines holds the definitions by the state machine's name, such as csv_import.
	Machines map[string][]byte
	// Lambda runs the functions that tasks call.
	Lambda *invoke.Lambda
	// StatusChanged is called when an execution has started and when it has ended, one execution's calls in order. It holds
	// the execution up until it returns. Nil is called never.
	StatusChanged func(ctx context.Context, execution ExecutionDescription)
	// MaxEnded is how many ended executions are kept, the newest; zero means 1,000.
	MaxEnded int
	// Log takes a line for each execution that did not succeed, without its data. Nil is silent.
	Log *slog.Logger
}

// StepFunctions runs Standard workflows in this process and answers as AWS Step Functions does. It is an http.Handler that
// answers the API's JSON protocol; the operations are also methods, whose errors are smithy.APIErrors with the API's
// codes. All methods may be called from many goroutines at once.
type StepFunctions struct {
	cfg      Config
	machines map[string]*stateMachine
	work     *awswire.Work

	mu         sync.Mutex
	started    int64
	executions map[string]*execution // By ARN.
	ended      []*execution          // By the time of their end.
	callbacks  map[string]*callback  // By task token.
}

// stateMachine is a state machine that executions run on.
type stateMachine struct {
	name       string
	arn        string
	definition []byte
	created    time.Time
	parsed     interface {
		Run(ctx context.Context, x asl.Execution) asl.Result
	}
}

// execution is one execution. The fields below done are guarded by StepFunctions.mu.
type execution struct {
	sequence int64
	arn      string
	name     string
	input    string
	machine  *stateMachine
	start    time.Time
	cancel   context.CancelCauseFunc
	done     chan struct{} // Closed when it has ended.

	status asl.Status
	stop   time.Time
	result asl.Result
	events []asl.Event
}

// New returns a StepFunctions with the given state machines. The error says what in which definition is invalid or cannot
// be run here. Close it after use.
func New(cfg Config) (*StepFunctions, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}

	cfg.MaxEnded = cmp.Or(cfg.MaxEnded, defaultMaxEnded)
	s := &StepFunctions{
		cfg: cfg, work: awswire.NewWork(),
		machines: map[string]*stateMachine{}, executions: map[string]*execution{}, callbacks: map[string]*callback{},
	}
	for name, definition := range cfg.Machines {
		parsed, err := asl.Parse(definition)
		if err != nil {
			return nil, fmt.Errorf("state machine %s: %w", name, err)
		}

		err = CheckResources(definition)
		if err != nil {
			return nil, fmt.Errorf("state machine %s: %w", name, err)
		}

		arn := StateMachineARN(name)
		s.machines[arn] = &stateMachine{
			name: name, arn: arn, definition: slices.Clone(definition), created: time.Now(), parsed: parsed,
		}
	}

	return s, nil
}

// StateMachineARN returns the ARN of the state machine with the given name.
func StateMachineARN(name string) string {
	return "arn:aws:states:" + awswire.Region + ":" + awswire.Account + ":stateMachine:" + name
}

// ExecutionARN returns the ARN of an execution.
func ExecutionARN(machine, name string) string {
	return "arn:aws:states:" + awswire.Region + ":" + awswire.Account + ":execution:" + machine + ":" + name
}

// Close aborts what runs and waits until it has ended, or until ctx ends.
func (s *StepFunctions) Close(ctx context.Context) error {
	if err := s.work.Close(ctx); err != nil {
		return fmt.Errorf("close step functions: %w", err)
	}
	return nil
}

// StartExecution starts an execution. The same name and input as those of a running execution return that one.
func (s *StepFunctions) StartExecution(_ context.Context, in StartExecutionInput) (StartExecutionOutput, error) {
	x, err := s.startExecution(in) //nolint:contextcheck // An execution outlives its caller.
	if err != nil {
		return StartExecutionOutput{}, err
	}
	return StartExecutionOutput{ExecutionArn: x.arn, StartDate: Timestamp{x.start}}, nil
}

func (s *StepFunctions) startExecution(in StartExecutionInput) (*execution, error) {
	machine, err := s.machine(in.StateMachineArn)
	if err != nil {
		return nil, err
	}

	name := cmp.Or(in.Name, awswire.NewUUID())
	input := cmp.Or(in.Input, "{}")
	err = checkStart(name, input)
	if err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	arn := ExecutionARN(machine.name, name)
	if old, ok := s.executions[arn]; ok {
		if old.status == statusRunning && old.input == input {
			return old, nil
		}
		return nil, awswire.NewError("ExecutionAlreadyExists", "Execution Already Exists: '"+arn+"'")
	}

	ctx, cancel := context.WithCancelCause(s.work.Context())
	s.started++

	x := &execution{
		sequence: s.started, arn: arn, name: name, input: input, machine: machine, status: statusRunning,
		start: time.Now().Truncate(time.Millisecond), cancel: cancel, done: make(chan struct{}),
	}
	if !s.work.Start(func(context.Context) { s.run(ctx, x) }) {
		cancel(nil)
		return nil, awswire.ErrClosing
	}

	s.executions[arn] = x
	return x, nil
}

// run runs the execution to its end.
func (s *StepFunctions) run(ctx context.Context, x *execution) {
	defer x.cancel(nil)
	s.statusChanged(ctx, x)

	result := x.machine.parsed.Run(ctx, asl.Execution{
		ID: x.arn, Name: x.name, Start: x.start, Input: json.RawMessage(x.input),
		StateMachineID: x.machine.arn, StateMachineName: x.machine.name,
		RoleARN: roleARN,
		Tasks:   &taskRunner{states: s, execution: x.arn},
		Record: func(event asl.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			x.events = append(x.events, event)
		},
	})

	s.mu.Lock()
	x.status, x.result = result.Status, result
	x.stop = time.Now().Truncate(time.Millisecond)
	if len(x.events) > 0 {
		x.stop = x.events[len(x.events)-1].Time
	}

	s.ended = append(s.ended, x)
	for len(s.ended) > s.cfg.MaxEnded {
		s.drop(s.ended[0])
		s.ended = s.ended[1:]
	}
	s.mu.Unlock()

	if result.Status != asl.StatusSucceeded {
		name := ""
		if result.Error != nil {
			name = result.Error.Name
		}
		s.cfg.Log.WarnContext(ctx, "execution ended", "execution", x.arn, "status", result.Status, "error", name)
	}

	s.statusChanged(context.WithoutCancel(ctx), x)
	close(x.done)
}

// drop forgets an ended execution. The lock is held.
func (s *StepFunctions) drop(x *execution) {
	delete(s.executions, x.arn)
	for token, waiting := range s.callbacks {
		if waiting.execution == x.arn {
			delete(s.callbacks, token)
		}
	}
}

func (s *StepFunctions) statusChanged(ctx context.Context, x *execution) {
	if s.cfg.StatusChanged != nil {
		s.cfg.StatusChanged(ctx, s.describe(x))
	}
}

// StopExecution aborts an execution and returns when it has ended. One that had ended stays as it is.
func (s *StepFunctions) StopExecution(ctx context.Context, in StopExecutionInput) (StopExecutionOutput, error) {
	x, err := s.execution(in.ExecutionArn)
	if err != nil {
		return StopExecutionOutput{}, err
	}

	x.cancel(&asl.Error{Name: in.Error, Cause: in.Cause})
	select {
	case <-x.done:
	case <-ctx.Done():
		return StopExecutionOutput{}, fmt.Errorf("stop execution: %w", ctx.Err())
	}
	return StopExecutionOutput{StopDate: s.describe(x).StopDate}, nil
}
