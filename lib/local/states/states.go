// Package states runs state machines in this process and serves the API of AWS Step Functions.
package states

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/mock"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/background"
	"github.com/herald-progress/herald/lib/local/durable"
	"github.com/herald-progress/herald/lib/local/invoke"
)

// The defaults of Config.
const (
	defaultMaxRunning       = 10_000
	defaultMaxEnded         = 1000
	defaultMaxEndedChildren = 10_000
	defaultMaxDataset       = 16 << 20
)

// StatusRunning is the status of an execution that has not ended.
const StatusRunning asl.Status = "RUNNING"

// Config configures a StepFunctions.
type Config struct {
	// Machines maps the names of state machines, such as csv_import, to their definitions.
	Machines map[string][]byte
	// Lambda runs the functions that tasks call.
	Lambda *invoke.Lambda
	// StatusChanged, if not nil, is called when an execution has started and when it has ended. The calls for one execution
	// come in order; the execution continues when the call has returned.
	StatusChanged func(ctx context.Context, execution ExecutionDescription)
	// EventRecorded, if not nil, is called with each event of an execution's history, with the ARN of the execution and its redrive count. The
	// calls for one execution come in order. It must not block, nor call methods of the StepFunctions.
	EventRecorded func(execution string, redrives int, event asl.Event)
	// MaxRunning is how many executions may run at once; StartExecution refuses more. Zero means 10,000. On AWS it is a million.
	MaxRunning int
	// MaxEnded is how many ended executions are stored; the oldest are removed first. Zero means 1,000.
	MaxEnded int
	// MaxEndedChildren is how many ended child executions of Distributed Maps are stored, of all Map runs together; the oldest are
	// removed first. Zero means 10,000.
	MaxEndedChildren int
	// MaxDataset is how many bytes of JSON the items may have that the ItemReader of a Map run has read, to be stored until the Map run
	// succeeds. Without them, a Map run of which a child execution never started cannot be redriven. Zero means 16 MiB.
	MaxDataset int
	// MaxStored is how many bytes the ended executions and their histories take in Store, or in memory if there is none; the oldest are
	// removed first. Zero means 256 MiB.
	MaxStored int64
	// Store stores state machines that were created over the API, activities and executions, so that the next process has them. If it
	// is nil, all of it ends with the process.
	Store *durable.Store
	// Objects reads and writes Amazon S3 for Distributed Maps. If it is nil, ItemReader and ResultWriter fail.
	Objects asl.Objects
	// Log receives a line for each execution that did not succeed, without its data. Nil disables logging.
	Log *slog.Logger
}

// StepFunctions runs Standard workflows in this process and behaves like AWS Step Functions. It is an http.Handler that serves
// the API; the operations are also methods, whose errors are smithy.APIErrors with the API's codes. Its methods are safe for
// concurrent use.
type StepFunctions struct {
	cfg        Config
	background *background.Group
	closing    chan struct{} // Closed by Close.
	close      sync.Once

	mu            sync.Mutex
	machines      map[string]*stateMachine // By ARN.
	activities    map[string]*activity     // By ARN.
	open          int                      // How many executions run, without child executions.
	started       int64                    // The sequence of the newest execution or Map run.
	executions    map[string]*execution    // By ARN, with the child executions of Distributed Maps.
	ended         []*execution             // In the order of their ends, without child executions.
	endedChildren []*execution             // Child executions in the order of their ends.
	running       map[*execution]struct{}  // Without child executions and those of Express workflows.
	mapRuns       map[string]*mapRun       // By ARN.
	interrupted   []*execution             // They ran when the process before this one ended.
	saved         saved
	pendingTasks  map[string]*pendingTask // By task token.
	mocks         *mock.File              // Nil if there is none.
}

// An execution is one execution. StepFunctions.mu guards done and the fields below.
type execution struct {
	sequence int64
	arn      string
	name     string
	input    string
	machine  *stateMachine
	revision *revision
	// versionARN and aliasARN are set if the execution was started with the ARN of a version or an alias.
	versionARN string
	aliasARN   string
	testCase   string    // The name of the test case with which the execution was started, if it has mocks.
	tasks      asl.Tasks // They count the mocked invocations, also over redrives.
	start      time.Time

	mapRun *mapRun // The Map run of a child execution; nil for any other.
	items  int     // The number of items of a child execution.
	index  int     // Its place among the children of its Map run, from 0.

	mapRuns []*mapRun // The execution's own Map runs.

	done     chan struct{} // Closed when the execution has ended. A redrive makes a new one.
	redrives redrives
	cancel   context.CancelCauseFunc // Nil before run.
	aborted  *asl.Error              // The error of the first call of abort.
	status   asl.Status
	stop     time.Time
	result   asl.Result
	events   []asl.Event
	saved    savedExecution
}

// New returns a StepFunctions. The error names the definition that is invalid or not supported, and why. Close it after use.
func New(cfg Config) (*StepFunctions, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}

	cfg.MaxRunning = cmp.Or(cfg.MaxRunning, defaultMaxRunning)
	cfg.MaxEnded = cmp.Or(cfg.MaxEnded, defaultMaxEnded)
	cfg.MaxStored = cmp.Or(cfg.MaxStored, defaultMaxStored)
	cfg.MaxEndedChildren = cmp.Or(cfg.MaxEndedChildren, defaultMaxEndedChildren)
	cfg.MaxDataset = cmp.Or(cfg.MaxDataset, defaultMaxDataset)
	s := &StepFunctions{
		cfg: cfg, background: background.NewGroup(),
		machines: map[string]*stateMachine{}, executions: map[string]*execution{}, pendingTasks: map[string]*pendingTask{},
		activities: map[string]*activity{}, mapRuns: map[string]*mapRun{}, running: map[*execution]struct{}{}, closing: make(chan struct{}),
	}
	if err := s.restore(); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	for name, definition := range cfg.Machines {
		if err := s.SetMachine(name, definition); err != nil {
			return nil, err
		}
	}
	if cfg.Store != nil {
		s.background.Go(s.saveHistories)
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

// Close aborts all running executions and waits until they have ended, or until ctx ends.
func (s *StepFunctions) Close(ctx context.Context) error {
	s.close.Do(func() { close(s.closing) })
	if err := s.background.Close(ctx); err != nil {
		return fmt.Errorf("close step functions: %w", err)
	}
	return nil
}

// StartExecution starts an execution. If a Standard execution with the same name and input is running, it returns that one.
func (s *StepFunctions) StartExecution(ctx context.Context, in StartExecutionInput) (StartExecutionOutput, error) {
	x, err := s.startExecution(in, "")
	if err != nil {
		return StartExecutionOutput{}, err
	}
	if err := s.flush(ctx); err != nil {
		return StartExecutionOutput{}, err
	}
	return StartExecutionOutput{ExecutionArn: x.arn, StartDate: Timestamp{x.start}}, nil
}

// startExecution starts an execution of a state machine of the type kind. Empty means any type.
func (s *StepFunctions) startExecution(in StartExecutionInput, kind string) (*execution, error) {
	name, input := cmp.Or(in.Name, awswire.NewUUID()), cmp.Or(in.Input, "{}")

	s.mu.Lock()
	defer s.mu.Unlock()
	of, err := s.startTarget(in.StateMachineArn)
	if err != nil {
		return nil, err
	}
	machine := of.machine
	if machine.deleting {
		return nil, awswire.NewError("StateMachineDeleting", "State Machine is deleting: '"+machine.arn+"'")
	}
	if kind != "" && machine.kind != kind {
		return nil, errWrongType
	}
	if err := validateStart(name, input); err != nil {
		return nil, err
	}

	if machine.kind == typeExpress {
		if s.open >= s.cfg.MaxRunning {
			return nil, errTooManyRun
		}
		x := s.newExpress(of, name, input)
		return x, s.launch(x, s.runExpress)
	}

	arn := ExecutionARN(machine.name, name)
	if old, ok := s.executions[arn]; ok && old.machine == machine {
		if old.status == StatusRunning && old.input == input && old.testCase == of.testCase {
			return old, nil
		}
		return nil, awswire.NewError("ExecutionAlreadyExists", "Execution Already Exists: '"+arn+"'")
	}

	if s.open >= s.cfg.MaxRunning {
		return nil, errTooManyRun
	}
	x := s.newExecution(of, arn, name, input)
	if err := s.launch(x, s.run); err != nil {
		return nil, err
	}
	s.executions[arn], s.running[x] = x, struct{}{}
	s.saveExecution(x)
	return x, nil
}

// errTooManyRun is the answer to StartExecution while Config.MaxRunning executions run.
var errTooManyRun = awswire.NewError("ExecutionLimitExceeded", "The maximum number of running executions has been reached. Running executions must end or be "+
	"stopped before a new execution can be started.")

// newExecution returns an execution that is not yet running.
func (s *StepFunctions) newExecution(of target, arn, name, input string) *execution {
	return &execution{
		testCase: of.testCase, tasks: of.tasks(&taskRunner{states: s, executionARN: arn}),
		arn: arn, name: name, input: input, machine: of.machine, revision: of.revision, versionARN: of.versionARN, aliasARN: of.aliasARN,
		status: StatusRunning,
		start:  now(), done: make(chan struct{}),
	}
}

// now returns the time as the API has it, in milliseconds.
func now() time.Time { return time.Now().Truncate(time.Millisecond) }

// launch calls run in a goroutine. The caller holds the lock.
func (s *StepFunctions) launch(x *execution, run func(context.Context, *execution)) error {
	if x.sequence == 0 { // A redrive keeps its place and its records.
		s.started++
		x.sequence = s.started
	}
	s.open++
	x.machine.running++
	if !s.background.Go(func(ctx context.Context) { run(ctx, x) }) {
		s.open--
		x.machine.running--
		return awswire.ErrClosing
	}
	return nil
}

// run runs an execution until it has ended.
func (s *StepFunctions) run(ctx context.Context, x *execution) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.mu.Lock()
	done := x.done // A redrive may follow before this one is closed.
	x.cancel = cancel
	if x.aborted != nil { // before run was called
		cancel(x.aborted)
	}
	s.mu.Unlock()

	s.notifyStatusChanged(ctx, x)

	result := s.runMachine(ctx, x)

	s.mu.Lock()
	x.end(result)
	s.executionEnded(x.machine)
	s.ended = append(s.ended, x)
	delete(s.running, x)
	s.saveExecution(x)
	s.removeOldest()
	s.mu.Unlock()

	_ = s.flush(ctx) // It logs the error.
	s.logEnd(ctx, x)
	s.notifyStatusChanged(context.WithoutCancel(ctx), x)
	close(done)
}

// end records the result of an execution. The caller holds the lock.
func (x *execution) end(result asl.Result) {
	x.status, x.result, x.stop = result.Status, result, now()
	if len(x.events) > 0 { // The history and the description have the same time.
		x.stop = x.events[len(x.events)-1].Time
	}
}

// runMachine runs the definition of an execution, or the rest of it after a redrive.
func (s *StepFunctions) runMachine(ctx context.Context, x *execution) asl.Result {
	s.mu.Lock()
	redriven, events := x.redrives, x.events
	s.mu.Unlock()
	run := asl.Execution{
		ID: x.arn, Name: x.name, Start: x.start, Input: json.RawMessage(x.input),
		StateMachineID: x.machine.arn, StateMachineName: x.machine.name,
		RoleARN: x.revision.roleARN, RedriveCount: redriven.count, RedriveTime: redriven.newest,
		Tasks:   x.tasks,
		Objects: s.cfg.Objects, StartMapRun: s.startMapRun(x), RedriveMapRun: s.redriveMapRun, StartChild: s.startChild(x),
		Record: func(event asl.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			x.events = append(x.events, event)
			if s.cfg.EventRecorded != nil {
				s.cfg.EventRecorded(x.arn, redriven.count, event)
			}
		},
	}
	if redriven.count > 0 && len(events) > 0 {
		return x.revision.parsed.Redrive(ctx, run, x.revision.parsed.RedrivePoint(events))
	}
	return x.revision.parsed.Run(ctx, run)
}

// doneOf returns the channel that is closed when the execution has ended.
func (s *StepFunctions) doneOf(x *execution) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return x.done
}

// removeExecution removes an ended execution with its Map runs and its task tokens. The caller holds the lock.
func (s *StepFunctions) removeExecution(x *execution) {
	if s.executions[x.arn] == x { // Otherwise the name is that of a newer execution: the state machine was deleted and created again.
		delete(s.executions, x.arn)
	}
	for _, r := range x.mapRuns {
		delete(s.mapRuns, r.arn)
	}
	s.removeSaved(x)
	if x.mapRun != nil {
		s.removeChild(x)
		return // Its tasks have the ARN of the execution with the Map run.
	}
	for token, task := range s.pendingTasks {
		if task.executionARN == x.arn {
			delete(s.pendingTasks, token)
		}
	}
}

func (s *StepFunctions) notifyStatusChanged(ctx context.Context, x *execution) {
	if s.cfg.StatusChanged != nil {
		s.cfg.StatusChanged(ctx, s.describe(x))
	}
}

// abort cancels an execution, which then ends with the given error. If abort is called several times, the first error is used. It may be
// called before run.
func (s *StepFunctions) abort(x *execution, err *asl.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.aborted = cmp.Or(x.aborted, err)
	if x.cancel != nil {
		x.cancel(err)
	}
}

// StopExecution aborts an execution and waits until it has ended. It does not change an execution that has already ended.
func (s *StepFunctions) StopExecution(ctx context.Context, in StopExecutionInput) (StopExecutionOutput, error) {
	x, err := s.execution(in.ExecutionArn)
	if err != nil {
		return StopExecutionOutput{}, err
	}

	s.abort(x, &asl.Error{Name: in.Error, Cause: in.Cause})
	select {
	case <-s.doneOf(x):
	case <-ctx.Done():
		return StopExecutionOutput{}, fmt.Errorf("stop execution: %w", ctx.Err())
	}
	return StopExecutionOutput{StopDate: s.describe(x).StopDate}, nil
}
