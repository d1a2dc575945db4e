package states

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/herald-progress/herald/lib/asl"
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
	return ExecutionListItem{
		ExecutionArn: x.arn, StateMachineArn: x.machine.arn, Name: x.name, Status: x.status,
		StateMachineVersionArn: x.versionARN, StateMachineAliasArn: x.aliasARN,
		StartDate: Timestamp{x.start}, StopDate: Timestamp{x.stop},
		RedriveCount: x.redrives.count, RedriveDate: Timestamp{x.redrives.newest},
	}
}

// ListExecutions lists a page of a state machine's executions, the newest first.
func (s *StepFunctions) ListExecutions(_ context.Context, in ListExecutionsInput) (ListExecutionsOutput, error) {
	before, size, err := in.parse() // before is the sequence of the previous page's last execution.
	if err != nil {
		return ListExecutionsOutput{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	of, err := s.target(in.StateMachineArn)
	if err != nil {
		return ListExecutionsOutput{}, err
	}
	if of.machine.kind == typeExpress {
		return ListExecutionsOutput{}, errWrongType
	}

	found := slices.SortedFunc(maps.Values(s.executions), func(a, b *execution) int {
		return cmp.Compare(b.sequence, a.sequence)
	})
	found = slices.DeleteFunc(found, func(x *execution) bool {
		otherStatus := in.StatusFilter != "" && x.status != in.StatusFilter
		onEarlierPage := before > 0 && x.sequence >= before
		otherTarget := of.aliasARN != "" && x.aliasARN != of.aliasARN || of.aliasARN == "" && of.version != nil && x.versionARN != of.versionARN
		return x.machine != of.machine || otherTarget || otherStatus || onEarlierPage
	})

	out := ListExecutionsOutput{Executions: []ExecutionListItem{}}
	for i, x := range found {
		if i == size {
			out.NextToken = pageToken(found[i-1].sequence)
			break
		}
		out.Executions = append(out.Executions, x.listItem())
	}

	return out, nil
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
	for i, event := range events {
		if i == size {
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
func withoutData(details map[string]any) map[string]any {
	stripped := map[string]any{}
	for name, value := range details {
		var fields map[string]any
		text, err := json.Marshal(value)
		if err != nil || json.Unmarshal(text, &fields) != nil {
			continue
		}
		delete(fields, "input")
		delete(fields, "output")
		stripped[name] = fields
	}
	return stripped
}
