package states

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// DescribeExecution describes an execution.
func (s *StepFunctions) DescribeExecution(_ context.Context, in DescribeExecutionInput) (ExecutionDescription, error) {
	x, err := s.execution(in.ExecutionArn)
	if err != nil {
		return ExecutionDescription{}, err
	}

	if err := validateIncludedData(in.IncludedData); err != nil {
		return ExecutionDescription{}, err
	}

	description := s.describe(x)
	if in.IncludedData == metadataOnly {
		description.Input, description.Output = "", ""
		description.InputDetails, description.OutputDetails = nil, nil
	}
	return description, nil
}

// describe returns the description of an execution.
func (s *StepFunctions) describe(x *execution) ExecutionDescription {
	s.mu.Lock()
	defer s.mu.Unlock()
	description := ExecutionDescription{
		ExecutionListItem: x.listItem(),
		ExecutionData:     ExecutionData{Input: x.input, InputDetails: &DataDetails{Included: true}},
		RedriveStatus:     "REDRIVABLE",
	}
	if x.mapRun != nil {
		description.MapRunArn, description.RedriveStatus = x.mapRun.arn, "REDRIVABLE_BY_MAP_RUN"
	}

	if reason := x.notRedrivable(); reason != "" {
		description.RedriveStatus, description.RedriveStatusReason = "NOT_REDRIVABLE", reason
	}

	if x.status == asl.StatusSucceeded {
		description.Output, description.OutputDetails = string(x.result.Output), &DataDetails{Included: true}
	}
	if x.result.Error != nil {
		description.Error, description.Cause = x.result.Error.Name, x.result.Error.Cause
	}
	return description
}

// listItem returns an execution as ListExecutions does. The caller holds the lock.
func (x *execution) listItem() ExecutionListItem {
	machineARN := x.machine.arn
	if x.mapRun != nil {
		machineARN = x.mapRun.machineARN()
	}
	return ExecutionListItem{
		ExecutionArn: x.arn, StateMachineArn: machineARN, Name: x.name, Status: x.status,
		StateMachineVersionArn: x.versionARN, StateMachineAliasArn: x.aliasARN,
		StartDate: Timestamp{x.start}, StopDate: Timestamp{x.stop},
		RedriveCount: x.redrives.count, RedriveDate: Timestamp{x.redrives.newest},
	}
}

// ListExecutions lists a page of the executions of a state machine, or of the child executions of a Map run, the newest first.
func (s *StepFunctions) ListExecutions(_ context.Context, in ListExecutionsInput) (ListExecutionsOutput, error) {
	before, size, err := in.parse() // before is the sequence of the previous page's last execution.
	if err != nil {
		return ListExecutionsOutput{}, err
	}

	if err := in.validate(); err != nil {
		return ListExecutionsOutput{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	belongs, err := s.selected(in)
	if err != nil {
		return ListExecutionsOutput{}, err
	}

	found := slices.SortedFunc(maps.Values(s.executions), func(a, b *execution) int {
		return cmp.Compare(b.sequence, a.sequence)
	})
	found = slices.DeleteFunc(found, func(x *execution) bool {
		otherStatus := in.StatusFilter != "" && x.status != in.StatusFilter
		onEarlierPage := before > 0 && x.sequence >= before
		otherRedrives := in.RedriveFilter != "" && (x.redrives.count > 0) != (in.RedriveFilter == redriven)
		return !belongs(x) || otherStatus || otherRedrives || onEarlierPage
	})

	out := ListExecutionsOutput{Executions: []ExecutionListItem{}}
	for i, x := range found {
		if i == size {
			out.NextToken = pageToken(found[i-1].sequence)
			break
		}
		item := x.listItem()
		if x.mapRun != nil {
			item.MapRunArn, item.ItemCount = x.mapRun.arn, &x.items
		}
		out.Executions = append(out.Executions, item)
	}

	return out, nil
}

// Values of the filters of ListExecutions.
const (
	redriven    = "REDRIVEN"
	notRedriven = "NOT_REDRIVEN"
)

// validate checks the filters, and that the input names either a state machine or a Map run.
func (in ListExecutionsInput) validate() error {
	switch {
	case in.StateMachineArn != "" && in.MapRunArn != "":
		return awswire.NewError("ValidationException", "Only one of stateMachineArn and mapRunArn can be specified")
	case in.MapRunArn == "" && in.StatusFilter == pendingRedrive:
		return awswire.NewError("ValidationException", "The status filter PENDING_REDRIVE needs a mapRunArn")
	}
	if err := validateChoice("redriveFilter", in.RedriveFilter, redriven, notRedriven); err != nil {
		return err
	}
	return validateChoice("statusFilter", string(in.StatusFilter), string(StatusRunning), string(asl.StatusSucceeded),
		string(asl.StatusFailed), string(asl.StatusTimedOut), string(asl.StatusAborted), string(pendingRedrive))
}

// selected returns a function that reports whether an execution is one of the state machine or the Map run that the input names. The
// caller holds the lock.
func (s *StepFunctions) selected(in ListExecutionsInput) (func(*execution) bool, error) {
	if in.MapRunArn != "" {
		r, err := s.findMapRun(in.MapRunArn)
		return func(x *execution) bool { return x.mapRun == r }, err
	}
	of, err := s.target(in.StateMachineArn)
	if err != nil {
		return nil, err
	}
	if of.machine.kind == typeExpress {
		return nil, errWrongType
	}
	return func(x *execution) bool {
		otherTarget := of.aliasARN != "" && x.aliasARN != of.aliasARN || of.aliasARN == "" && of.version != nil && x.versionARN != of.versionARN
		return x.machine == of.machine && x.mapRun == nil && !otherTarget
	}, nil
}

// GetExecutionHistory returns a page of an execution's events.
func (s *StepFunctions) GetExecutionHistory(
	_ context.Context, in GetExecutionHistoryInput,
) (GetExecutionHistoryOutput, error) {
	x, err := s.execution(in.ExecutionArn)
	if err != nil {
		return GetExecutionHistoryOutput{}, err
	}

	// last is the ID of the previous page's last event. IDs are 1, 2, 3 and so on, so last is also the index of the next event.
	last, size, err := in.parse()
	if err != nil {
		return GetExecutionHistoryOutput{}, err
	}

	s.mu.Lock()
	events := x.events // Events are appended, never changed.
	s.mu.Unlock()

	if in.ReverseOrder {
		if last > 0 {
			events = events[:min(last-1, int64(len(events)))]
		}
		// One event more than the page shows that there is a next page.
		events = slices.Clone(events[max(0, len(events)-size-1):])
		slices.Reverse(events)
	} else {
		events = events[min(last, int64(len(events))):]
	}

	out := GetExecutionHistoryOutput{Events: []HistoryEvent{}}
	bytes := 0
	for i, event := range events {
		bytes += event.Details.Size()
		if i == size || i > 0 && bytes > maxPageBytes {
			out.NextToken = pageToken(events[i-1].ID)
			break
		}
		if in.IncludeExecutionData != nil && !*in.IncludeExecutionData {
			event.Details = withoutData(event.Details)
		}
		out.Events = append(out.Events, HistoryEvent{event})
	}

	return out, nil
}

// withoutData returns the details of an event without input and output.
func withoutData(details *asl.Details) *asl.Details {
	for name, value := range details.Map() { // There is one at most.
		var fields map[string]any
		text, err := json.Marshal(value)
		if err != nil || json.Unmarshal(text, &fields) != nil {
			continue
		}
		delete(fields, "input")
		delete(fields, "output")
		return asl.NewDetails(name, fields)
	}
	return nil
}
