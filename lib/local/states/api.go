package states

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// roleARN is the role of all state machines. It has no effect.
const roleARN = "arn:aws:iam::" + awswire.Account + ":role/local"

// Timestamp is a time that is encoded as in the AWS JSON protocols.
type Timestamp struct{ time.Time }

// MarshalJSON returns the seconds since 1970, with milliseconds, as a number.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/float64(time.Second/time.Millisecond), 'f', 3, 64), nil
}

// The inputs and outputs below are those of the API's operations,
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html.

// StartExecutionInput is the input of StartExecution.
type StartExecutionInput struct {
	StateMachineArn string `json:"stateMachineArn"`
	// Name is the execution's name; empty means a new UUID.
	Name string `json:"name"`
	// Input is the input as JSON text; empty means {}.
	Input       string `json:"input"`
	TraceHeader string `json:"traceHeader"`
}

// StartExecutionOutput is the output of StartExecution.
type StartExecutionOutput struct {
	ExecutionArn string    `json:"executionArn"`
	StartDate    Timestamp `json:"startDate"`
}

// StopExecutionInput is the input of StopExecution.
type StopExecutionInput struct {
	ExecutionArn string `json:"executionArn"`
	Error        string `json:"error"`
	Cause        string `json:"cause"`
}

// StopExecutionOutput is the output of StopExecution.
type StopExecutionOutput struct {
	StopDate Timestamp `json:"stopDate"`
}

// DescribeExecutionInput is the input of DescribeExecution.
type DescribeExecutionInput struct {
	ExecutionArn string `json:"executionArn"`
	// IncludedData is ALL_DATA, METADATA_ONLY or empty, which means ALL_DATA.
	IncludedData string `json:"includedData"`
}

// ExecutionData is what an execution was given, and what came of it.
type ExecutionData struct {
	Input         string       `json:"input,omitempty"`
	InputDetails  *DataDetails `json:"inputDetails,omitempty"`
	Output        string       `json:"output,omitempty"`
	OutputDetails *DataDetails `json:"outputDetails,omitempty"`
	Error         string       `json:"error,omitempty"`
	Cause         string       `json:"cause,omitempty"`
}

// ExecutionDescription is the output of DescribeExecution.
type ExecutionDescription struct {
	ExecutionListItem
	ExecutionData

	RedriveStatus       string `json:"redriveStatus"`
	RedriveStatusReason string `json:"redriveStatusReason,omitempty"`
}

// DataDetails reports whether the output of DescribeExecution contains the execution's input or output.
type DataDetails struct {
	Included bool `json:"included"`
}

// ListExecutionsInput is the input of ListExecutions.
type ListExecutionsInput struct {
	Page

	// StateMachineArn is the ARN of a state machine, a version or an alias. It is empty if MapRunArn is set.
	StateMachineArn string `json:"stateMachineArn"`
	// MapRunArn is the ARN of a Map run, whose child executions are listed.
	MapRunArn    string     `json:"mapRunArn"`
	StatusFilter asl.Status `json:"statusFilter"`
	// RedriveFilter is REDRIVEN, NOT_REDRIVEN or empty, which means both.
	RedriveFilter string `json:"redriveFilter"`
}

// ListExecutionsOutput is the output of ListExecutions: the newest execution first.
type ListExecutionsOutput struct {
	Executions []ExecutionListItem `json:"executions"`
	NextToken  string              `json:"nextToken,omitempty"`
}

// ExecutionListItem is an execution in a list.
type ExecutionListItem struct {
	ExecutionArn    string `json:"executionArn"`
	StateMachineArn string `json:"stateMachineArn"`
	// StateMachineVersionArn and StateMachineAliasArn are set if the execution was started with the ARN of a version or an alias.
	StateMachineVersionArn string `json:"stateMachineVersionArn,omitempty"`
	StateMachineAliasArn   string `json:"stateMachineAliasArn,omitempty"`

	Name         string     `json:"name"`
	Status       asl.Status `json:"status"`
	StartDate    Timestamp  `json:"startDate"`
	StopDate     Timestamp  `json:"stopDate,omitzero"`
	RedriveCount int        `json:"redriveCount"`
	// RedriveDate is when the execution was last redriven; zero if it was not.
	RedriveDate Timestamp `json:"redriveDate,omitzero"`
	// MapRunArn is that of a child execution. ListExecutions returns it and the number of items, if it lists a Map run.
	MapRunArn string `json:"mapRunArn,omitempty"`
	ItemCount *int   `json:"itemCount,omitempty"`
}

// GetExecutionHistoryInput is the input of GetExecutionHistory.
type GetExecutionHistoryInput struct {
	Page

	ExecutionArn string `json:"executionArn"`
	ReverseOrder bool   `json:"reverseOrder"`
	// IncludeExecutionData reports whether the events contain inputs and outputs; nil means true.
	IncludeExecutionData *bool `json:"includeExecutionData"`
}

// GetExecutionHistoryOutput is the output of GetExecutionHistory.
type GetExecutionHistoryOutput struct {
	Events    []HistoryEvent `json:"events"`
	NextToken string         `json:"nextToken,omitempty"`
}

// HistoryEvent is an event of an execution's history.
type HistoryEvent struct {
	asl.Event
}

// MarshalJSON returns the event as GetExecutionHistory does: its details are a field among the others.
func (e HistoryEvent) MarshalJSON() ([]byte, error) {
	fields := map[string]any{
		"id": e.ID, "previousEventId": e.PreviousID, "timestamp": Timestamp{e.Time}, "type": e.Type,
	}
	maps.Copy(fields, e.Details.Map())

	body, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return body, nil
}

// SendTaskSuccessInput is the input of SendTaskSuccess.
type SendTaskSuccessInput struct {
	TaskToken string `json:"taskToken"`
	Output    string `json:"output"`
}

// SendTaskFailureInput is the input of SendTaskFailure.
type SendTaskFailureInput struct {
	TaskToken string `json:"taskToken"`
	Error     string `json:"error"`
	Cause     string `json:"cause"`
}

// SendTaskHeartbeatInput is the input of SendTaskHeartbeat.
type SendTaskHeartbeatInput struct {
	TaskToken string `json:"taskToken"`
}
