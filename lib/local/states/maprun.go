package states

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// typeMapRun is the resource type in the ARN of a Map run.
const typeMapRun = "mapRun"

// The statuses of a Map run.
const (
	mapRunSucceeded = "SUCCEEDED"
	mapRunFailed    = "FAILED"
	mapRunAborted   = "ABORTED"
)

// A mapRun is a Map run: the child executions of a Distributed Map state. StepFunctions.mu guards the fields below execution.
type mapRun struct {
	sequence  int64
	arn       string
	execution *execution // The execution with the Map state.

	status     string
	start      time.Time
	stop       time.Time
	limits     asl.MapRunLimits
	setLimits  func(asl.MapRunLimits)
	executions MapRunCounts
	items      MapRunCounts
	express    bool               // The child executions are Express workflows.
	redrives   redrives           // Without tokens.
	children   map[int]*execution // By index: those that have started and are stored.
	incomplete bool               // Not all children that have started are stored.
	dataset    json.RawMessage    // What the ItemReader has read: until the Map run succeeds, and nil if it is too large.
}

// machineARN returns the ARN of the state machine with the label of the Map state.
func (r *mapRun) machineARN() string {
	label, _, _ := strings.Cut(r.arn[strings.LastIndexByte(r.arn, '/')+1:], ":")
	return r.execution.machine.arn + "/" + label
}

// label returns the label of the Map state.
func (r *mapRun) label() string {
	arn := r.machineARN()
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// newCounts returns the counts of a Map run of which nothing has started.
func newCounts(total int64) MapRunCounts { return MapRunCounts{Pending: total, Total: total} }

// startMapRun returns what is called when a Map run of the execution starts or is redriven.
func (s *StepFunctions) startMapRun(x *execution) func(asl.MapRun) func(*asl.Error) {
	return func(m asl.MapRun) func(*asl.Error) {
		var dataset json.RawMessage
		if m.Dataset != nil {
			dataset = m.Dataset(s.cfg.MaxDataset)
		}

		s.mu.Lock()
		r := s.mapRuns[m.ARN]
		if r == nil {
			s.started++
			r = &mapRun{
				sequence: s.started, arn: m.ARN, execution: x, status: string(StatusRunning), start: now(), limits: m.MapRunLimits,
				express: m.Express, children: map[int]*execution{},
			}
			s.mapRuns[r.arn] = r
			x.mapRuns = append(x.mapRuns, r)
		}
		r.setLimits = m.SetLimits
		if r.executions.Total == 0 { // A redrive can be the first that reads the items.
			r.executions, r.items = newCounts(int64(m.Children)), newCounts(int64(m.Items))
		}
		s.saveEvents(x) // If this process is killed, a redrive finds the Map run in the history.
		s.setDataset(r, dataset)
		s.saveMapRun(r)
		limits := r.limits
		s.mu.Unlock()
		if limits != m.MapRunLimits { // UpdateMapRun came after redriveMapRun.
			m.SetLimits(limits)
		}
		return func(err *asl.Error) { s.endMapRun(r, err) }
	}
}

// endMapRun records the end of a Map run.
func (s *StepFunctions) endMapRun(r *mapRun, err *asl.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.stop = now()
	s.endPendingRedrives(r)
	switch {
	case err == nil:
		r.status = mapRunSucceeded
		s.setDataset(r, nil)
		r.executions.ResultsWritten, r.items.ResultsWritten = r.executions.Succeeded, r.items.Succeeded
	case err.Name == "": // The state was aborted.
		r.status = mapRunAborted
	default:
		r.status = mapRunFailed
	}
	s.saveMapRun(r)
}

// startChild returns what is called when a child execution of the execution starts or is redriven.
func (s *StepFunctions) startChild(parent *execution) func(asl.Child) (func(asl.Event), func(asl.Result)) {
	return func(c asl.Child) (func(asl.Event), func(asl.Result)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		r := s.mapRuns[c.MapRunARN]
		x := r.children[c.Index]
		if c.Redriven {
			s.redriveChild(x, c)
		} else {
			x = s.newExecution(target{machine: parent.machine, revision: parent.revision}, c.ID, c.Name, string(c.Input))
			x.mapRun, x.items, x.index, x.start = r, c.Items, c.Index, c.Start.Truncate(time.Millisecond)
			s.started++
			x.sequence = s.started
			s.executions[x.arn] = x
			r.addChild(x)
			r.move(x, pending, StatusRunning)
		}
		x.cancel = func(cause error) {
			var err *asl.Error
			if errors.As(cause, &err) {
				c.Abort(err)
			}
		}
		record := func(event asl.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			x.events = append(x.events, event)
		}
		return record, func(result asl.Result) { s.endChild(x, result) }
	}
}

// endChild records the end of a child execution. The oldest ones are removed when there are too many.
func (s *StepFunctions) endChild(x *execution, result asl.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.end(result)
	x.mapRun.move(x, StatusRunning, x.status)
	s.endedChildren = append(s.endedChildren, x)
	s.saveExecution(x)
	s.removeOldest()
	close(x.done)
}

// pending stands for the status of a child execution that has not started.
const pending asl.Status = "PENDING"

// move counts a child execution, and its items, with another status than before.
func (r *mapRun) move(x *execution, from, to asl.Status) {
	for _, c := range []struct {
		counts *MapRunCounts
		n      int64
	}{{&r.executions, 1}, {&r.items, int64(x.items)}} {
		*c.counts.of(from) -= c.n
		*c.counts.of(to) += c.n
	}
}

// of returns the counter of a status.
func (c *MapRunCounts) of(status asl.Status) *int64 {
	switch status {
	case pending:
		return &c.Pending
	case pendingRedrive:
		return &c.PendingRedrive
	case asl.StatusSucceeded:
		return &c.Succeeded
	case asl.StatusFailed:
		return &c.Failed
	case asl.StatusTimedOut:
		return &c.TimedOut
	case asl.StatusAborted:
		return &c.Aborted
	default:
		return &c.Running
	}
}

// findMapRun returns the Map run with the given ARN. The caller holds the lock.
func (s *StepFunctions) findMapRun(arn string) (*mapRun, error) {
	if err := validateARN(arn, typeMapRun); err != nil {
		return nil, err
	}
	r, ok := s.mapRuns[arn]
	if !ok {
		return nil, awswire.NewError("ResourceNotFound", "Resource not found: '"+arn+"'")
	}
	return r, nil
}

// DescribeMapRun describes a Map run.
func (s *StepFunctions) DescribeMapRun(_ context.Context, in DescribeMapRunInput) (MapRunDescription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.findMapRun(in.MapRunArn)
	if err != nil {
		return MapRunDescription{}, err
	}
	d := MapRunDescription{
		MapRunArn: r.arn, ExecutionArn: r.execution.arn, Status: r.status, StartDate: Timestamp{r.start}, StopDate: Timestamp{r.stop},
		MaxConcurrency: r.limits.MaxConcurrency, ExecutionCounts: r.executions, ItemCounts: r.items,
		RedriveCount: r.redrives.count, RedriveDate: Timestamp{r.redrives.newest},
	}
	d.ExecutionCounts.FailuresNotRedrivable, d.ItemCounts.FailuresNotRedrivable = r.failuresNotRedrivable()
	if r.limits.ToleratedFailureCount != nil {
		d.ToleratedFailureCount = *r.limits.ToleratedFailureCount
	}
	if r.limits.ToleratedFailurePercentage != nil {
		d.ToleratedFailurePercentage = *r.limits.ToleratedFailurePercentage
	}
	return d, nil
}

// ListMapRuns lists a page of an execution's Map runs, the newest first.
func (s *StepFunctions) ListMapRuns(_ context.Context, in ListMapRunsInput) (ListMapRunsOutput, error) {
	x, err := s.execution(in.ExecutionArn)
	if err != nil {
		return ListMapRunsOutput{}, err
	}
	before, size, err := in.parse() // before is the sequence of the previous page's last Map run.
	if err != nil {
		return ListMapRunsOutput{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	out := ListMapRunsOutput{MapRuns: []MapRunListItem{}}
	last := before
	for i := len(x.mapRuns) - 1; i >= 0; i-- {
		r := x.mapRuns[i]
		if before > 0 && r.sequence >= before {
			continue
		}
		if len(out.MapRuns) == size {
			out.NextToken = pageToken(last)
			break
		}
		last = r.sequence
		out.MapRuns = append(out.MapRuns, MapRunListItem{
			ExecutionArn: x.arn, MapRunArn: r.arn, StateMachineArn: r.machineARN(), StartDate: Timestamp{r.start}, StopDate: Timestamp{r.stop},
		})
	}
	return out, nil
}

// UpdateMapRun changes the limits of a Map run that is running.
func (s *StepFunctions) UpdateMapRun(_ context.Context, in UpdateMapRunInput) (EmptyOutput, error) {
	if err := in.validate(); err != nil {
		return EmptyOutput{}, err
	}
	s.mu.Lock()
	r, err := s.findMapRun(in.MapRunArn)
	if err == nil && r.status != string(StatusRunning) {
		err = awswire.NewError("ValidationException", "Map Run is not running: '"+r.arn+"'")
	}
	if err != nil {
		s.mu.Unlock()
		return EmptyOutput{}, err
	}
	if in.MaxConcurrency != nil {
		r.limits.MaxConcurrency = *in.MaxConcurrency
	}
	if in.ToleratedFailureCount != nil {
		r.limits.ToleratedFailureCount = in.ToleratedFailureCount
	}
	if in.ToleratedFailurePercentage != nil {
		r.limits.ToleratedFailurePercentage = in.ToleratedFailurePercentage
	}
	limits := r.limits
	s.saveMapRun(r)
	s.mu.Unlock()
	r.setLimits(limits) // It may wait for the Map run, which may wait for the lock.
	return EmptyOutput{}, nil
}

// validate checks the limits.
func (in UpdateMapRunInput) validate() error {
	switch {
	case in.MaxConcurrency == nil && in.ToleratedFailureCount == nil && in.ToleratedFailurePercentage == nil:
		return awswire.NewError("ValidationException",
			"At least one of maxConcurrency, toleratedFailureCount and toleratedFailurePercentage must be specified")
	case in.MaxConcurrency != nil && *in.MaxConcurrency < 0:
		return errInvalid("maxConcurrency", "Member must have value greater than or equal to 0")
	case in.ToleratedFailureCount != nil && *in.ToleratedFailureCount < 0:
		return errInvalid("toleratedFailureCount", "Member must have value greater than or equal to 0")
	case in.ToleratedFailurePercentage != nil && *in.ToleratedFailurePercentage < 0:
		return errInvalid("toleratedFailurePercentage", "Member must have value greater than or equal to 0")
	case in.ToleratedFailurePercentage != nil && *in.ToleratedFailurePercentage > 100:
		return errInvalid("toleratedFailurePercentage", "Member must have value less than or equal to 100")
	default:
		return nil
	}
}
