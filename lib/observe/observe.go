// Package observe publishes the progress of Step Functions executions whose definitions do not call Herald.
//
// Its input is of two kinds, each an event of one function:
//
//   - the status change of an execution to RUNNING, by EventBridge: it opens the job;
//   - a batch of log lines of the state machine, by a subscription filter of CloudWatch Logs: it moves the job.
//
// Whichever comes first opens the job. The user, the id and the title of the job are values in the execution's input. A job of a Standard
// workflow ends with the log, or by the sweeper of package notify, whichever is first. The end of an Express workflow is in its log only.
//
// Between two batches, a row for each execution stores its trace, see package trace. If two writers of a row overlap, the later one repeats
// its work.
package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/trace"
)

const (
	// maxConcurrent is how many executions of a batch are handled at once.
	maxConcurrent = 8
	// maxTries is how often the row of an execution is written when other writers change it meanwhile. There are as many writers as log
	// streams of the same execution, and retries.
	maxTries = 10
	// conflictPause is the mean pause before another try.
	conflictPause = 20 * time.Millisecond
	// definitionLife is how long a process uses a definition and the averages before it reads them again.
	definitionLife = time.Minute
)

// ErrUnknown means that Step Functions does not have the execution or the definition, or does not show it. A retry is useless.
var ErrUnknown = errors.New("observe: not described")

// errContention means that other writers changed the row of an execution before each try.
var errContention = errors.New("observe: too many concurrent batches of the same execution")

// Execution is what DescribeExecution returns about an execution.
type Execution struct {
	Input string // JSON text
	Start time.Time
}

// Workflows describes executions and their definitions. The errors of its methods wrap [ErrUnknown] if a retry is useless.
type Workflows interface {
	// Execution describes an execution of a Standard workflow.
	Execution(ctx context.Context, arn string) (Execution, error)
	// Definition returns the definition of the state machine of an execution.
	Definition(ctx context.Context, execution message.Execution, arn string) (string, error)
}

// Publisher publishes messages, as a notify.Notifier does. An error that wraps [message.ErrRefused] means that a retry is useless.
type Publisher interface {
	Publish(ctx context.Context, r message.Request) error
}

// Observer publishes the progress of executions. Its Handle may be called concurrently.
type Observer struct {
	Machines  []Machine
	Store     trace.Store
	Workflows Workflows
	Publisher Publisher
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu      sync.Mutex
	machine map[string]knowledge // by ARN of the state machine
}

// knowledge is what a process knows about a state machine.
type knowledge struct {
	plan     *trace.Plan // nil if there is none
	averages *trace.Averages
	until    time.Time
}

// Handle handles one event. It returns an error if a retry may help: a store failed, or Step Functions or the publisher did. It logs and
// drops an event that no retry can make right. It writes one log line for each event.
func (o *Observer) Handle(ctx context.Context, raw json.RawMessage) error {
	var event struct {
		DetailType string          `json:"detail-type"`
		Detail     json.RawMessage `json:"detail"`
		Logs       *struct {
			Data string `json:"data"`
		} `json:"awslogs"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		o.log().ErrorContext(ctx, "event dropped", "reason", "it is not JSON")
		return nil //nolint:nilerr // a retry would not help
	}
	switch {
	case event.Logs != nil:
		batch, err := trace.DecodeBatch([]byte(event.Logs.Data))
		if err != nil {
			o.log().ErrorContext(ctx, "batch of log lines dropped", "err", err)
			return nil
		}
		return o.handleBatch(ctx, batch)
	case event.DetailType == statusChangeType:
		return o.handleStatusChange(ctx, event.Detail)
	default:
		o.log().WarnContext(ctx, "event dropped", "reason", "it is neither a batch of log lines nor a status change")
		return nil
	}
}

// counts has the numbers of executions of a batch by what happened to them.
type counts struct {
	mu                          sync.Mutex
	published, ignored, foreign int
}

func (c *counts) add(counter *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*counter++
}

// handleBatch handles the events of a batch, those of each execution together.
func (o *Observer) handleBatch(ctx context.Context, batch trace.Batch) error {
	byExecution := map[string][]trace.Event{}
	for _, e := range batch.Events {
		byExecution[e.Execution] = append(byExecution[e.Execution], e)
	}
	var c counts
	var group errgroup.Group
	group.SetLimit(maxConcurrent)
	for arn, events := range byExecution {
		machine, x, ok := o.machineOf(arn)
		if !ok {
			c.add(&c.foreign)
			continue
		}
		group.Go(func() error {
			t := &task{Observer: o, machine: machine, arn: arn, execution: x, counts: &c}
			err := t.observe(ctx, events)
			if err != nil {
				o.log().ErrorContext(ctx, "execution not observed", "execution", arn, "err", err)
			}
			return err
		})
	}
	err := group.Wait()
	o.log().InfoContext(ctx, "log lines observed", "events", len(batch.Events), "others", batch.Others, "executions", len(byExecution),
		"published", c.published, "ignored", c.ignored, "notWatched", c.foreign)
	return err
}

// statusChangeType is the type of the event that EventBridge sends when the status of an execution changes.
const statusChangeType = "Step Functions Execution Status Change"

// handleStatusChange opens the job of an execution that runs. It ignores all other statuses: the sweeper handles the ends.
func (o *Observer) handleStatusChange(ctx context.Context, raw json.RawMessage) error {
	var change struct {
		Execution    string  `json:"executionArn"`
		Status       string  `json:"status"`
		Start        int64   `json:"startDate"`
		RedriveCount int64   `json:"redriveCount"`
		Input        *string `json:"input"`
	}
	if err := json.Unmarshal(raw, &change); err != nil || change.Execution == "" {
		o.log().ErrorContext(ctx, "status change dropped", "reason", "it names no execution")
		return nil //nolint:nilerr // as above
	}
	machine, x, ok := o.machineOf(change.Execution)
	if change.Status != "RUNNING" || !ok {
		return nil
	}
	var c counts
	t := &task{Observer: o, machine: machine, arn: change.Execution, execution: x, counts: &c, redrives: change.RedriveCount}
	if change.Input != nil && change.Start > 0 {
		t.described = &Execution{Input: *change.Input, Start: time.UnixMilli(change.Start).UTC()}
	}
	err := t.observe(ctx, nil)
	o.log().InfoContext(ctx, "execution started", "execution", change.Execution, "published", c.published, "ignored", c.ignored, "err", err)
	return err
}

// machineOf returns the watched state machine of an execution. It returns false for any other execution, and for the child executions of
// a Distributed Map, which count as one state of their parent.
func (o *Observer) machineOf(arn string) (Machine, message.Execution, bool) {
	x, ok := message.ParseExecution(arn)
	if !ok {
		return Machine{}, x, false
	}
	name := StateMachineOf(arn)
	i := slices.IndexFunc(o.Machines, func(m Machine) bool { return m.ARN == name })
	if i < 0 {
		return Machine{}, x, false
	}
	return o.Machines[i], x, true
}

// knowledgeOf returns the plan and the averages of a state machine. If Step Functions does not show the definition, there is no plan.
func (o *Observer) knowledgeOf(ctx context.Context, machine string, x message.Execution, execution string) (knowledge, error) {
	o.mu.Lock()
	known, ok := o.machine[machine]
	o.mu.Unlock()
	if ok && o.now().Before(known.until) {
		return known, nil
	}
	known = knowledge{until: o.now().Add(definitionLife)}
	definition, err := o.Workflows.Definition(ctx, x, execution)
	if err == nil {
		known.plan, err = trace.NewPlan([]byte(definition))
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUnknown, err)
		}
	}
	if errors.Is(err, ErrUnknown) {
		o.log().WarnContext(ctx, "no definition: steps have no titles, and there is no progress", "stateMachine", machine, "err", err)
		err = nil
	}
	if err != nil {
		return knowledge{}, fmt.Errorf("read definition: %w", err)
	}
	averages, _, err := o.loadAverages(ctx, machine)
	if err != nil {
		return knowledge{}, err
	}
	known.averages = averages
	o.remember(machine, known)
	return known, nil
}

// remember stores what the process knows about a state machine.
func (o *Observer) remember(machine string, known knowledge) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.machine == nil {
		o.machine = map[string]knowledge{}
	}
	o.machine[machine] = known
}

// loadAverages reads the averages of a state machine. Those that cannot be decoded count as none.
func (o *Observer) loadAverages(ctx context.Context, machine string) (*trace.Averages, int64, error) {
	data, version, err := o.Store.Averages(ctx, machine)
	if err != nil {
		return nil, 0, fmt.Errorf("read averages: %w", err)
	}
	if version == 0 {
		return &trace.Averages{}, 0, nil
	}
	averages, err := trace.UnmarshalAverages(data)
	if err != nil {
		o.log().WarnContext(ctx, "averages not readable, so they start again", "stateMachine", machine, "err", err)
		averages = &trace.Averages{}
	}
	return averages, version, nil
}

// learn adds an execution to the averages of its state machine.
func (o *Observer) learn(ctx context.Context, machine string, known knowledge, t *trace.Trace) error {
	for range maxTries {
		averages, version, err := o.loadAverages(ctx, machine)
		if err != nil || !averages.Learn(known.plan, t) {
			return err
		}
		data, err := averages.Marshal()
		if err != nil {
			return err
		}
		err = o.Store.PutAverages(ctx, machine, data, version, o.now())
		if errors.Is(err, trace.ErrConflict) {
			pause(ctx)
			continue
		}
		if err != nil {
			return fmt.Errorf("store averages: %w", err)
		}
		known.averages = averages
		o.remember(machine, known)
		return nil
	}
	return errContention
}

// pause waits a random time.
func pause(ctx context.Context) {
	select {
	case <-time.After(rand.N(2 * conflictPause)):
	case <-ctx.Done():
	}
}

func (o *Observer) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

func (o *Observer) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}
