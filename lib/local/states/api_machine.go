package states

import "slices"

// CreateStateMachineInput is the input of CreateStateMachine.
type CreateStateMachineInput struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	RoleArn    string `json:"roleArn"`
	// Type is STANDARD, EXPRESS or empty, which means STANDARD.
	Type                 string               `json:"type"`
	LoggingConfiguration LoggingConfiguration `json:"loggingConfiguration"`
	TracingConfiguration TracingConfiguration `json:"tracingConfiguration"`
	Tags                 []Tag                `json:"tags"`
	Publish              bool                 `json:"publish"`
	VersionDescription   string               `json:"versionDescription"`
}

// CreateStateMachineOutput is the output of CreateStateMachine.
type CreateStateMachineOutput struct {
	StateMachineArn        string    `json:"stateMachineArn"`
	CreationDate           Timestamp `json:"creationDate"`
	StateMachineVersionArn string    `json:"stateMachineVersionArn,omitempty"`
}

// UpdateStateMachineInput is the input of UpdateStateMachine. An empty or nil field changes nothing.
type UpdateStateMachineInput struct {
	StateMachineArn      string                `json:"stateMachineArn"`
	Definition           string                `json:"definition"`
	RoleArn              string                `json:"roleArn"`
	LoggingConfiguration *LoggingConfiguration `json:"loggingConfiguration"`
	TracingConfiguration *TracingConfiguration `json:"tracingConfiguration"`
	Publish              bool                  `json:"publish"`
	VersionDescription   string                `json:"versionDescription"`
}

// UpdateStateMachineOutput is the output of UpdateStateMachine.
type UpdateStateMachineOutput struct {
	UpdateDate             Timestamp `json:"updateDate"`
	RevisionID             string    `json:"revisionId"`
	StateMachineVersionArn string    `json:"stateMachineVersionArn,omitempty"`
}

// DeleteStateMachineInput is the input of DeleteStateMachine.
type DeleteStateMachineInput struct {
	StateMachineArn string `json:"stateMachineArn"`
}

// EmptyOutput is the output of operations that return nothing.
type EmptyOutput struct{}

// LoggingConfiguration is stored and returned. The twin writes no logs of executions.
type LoggingConfiguration struct {
	Level                string           `json:"level,omitempty"`
	IncludeExecutionData bool             `json:"includeExecutionData"`
	Destinations         []LogDestination `json:"destinations,omitempty"`
}

// LogDestination is where AWS writes the logs of executions.
type LogDestination struct {
	CloudWatchLogsLogGroup struct {
		LogGroupArn string `json:"logGroupArn"`
	} `json:"cloudWatchLogsLogGroup"`
}

// equal reports whether two logging configurations are the same. No level means OFF.
func (c LoggingConfiguration) equal(other LoggingConfiguration) bool {
	off := func(c LoggingConfiguration) bool { return c.Level == "" || c.Level == "OFF" }
	return (c.Level == other.Level || off(c) && off(other)) && c.IncludeExecutionData == other.IncludeExecutionData &&
		slices.Equal(c.Destinations, other.Destinations)
}

// TracingConfiguration is stored and returned. The twin traces nothing.
type TracingConfiguration struct {
	Enabled bool `json:"enabled"`
}

// ListStateMachinesInput is the input of ListStateMachines.
type ListStateMachinesInput struct {
	Page
}

// ListStateMachinesOutput is the output of ListStateMachines, in the order of names.
type ListStateMachinesOutput struct {
	StateMachines []StateMachineListItem `json:"stateMachines"`
	NextToken     string                 `json:"nextToken,omitempty"`
}

// StateMachineListItem is a state machine in a list.
type StateMachineListItem struct {
	StateMachineArn string    `json:"stateMachineArn"`
	Name            string    `json:"name"`
	Type            string    `json:"type"`
	CreationDate    Timestamp `json:"creationDate"`
}

// DescribeStateMachineInput is the input of DescribeStateMachine.
type DescribeStateMachineInput struct {
	StateMachineArn string `json:"stateMachineArn"`
	// IncludedData is ALL_DATA, METADATA_ONLY or empty, which means ALL_DATA.
	IncludedData string `json:"includedData"`
}

// StateMachineDescription is the output of DescribeStateMachine.
type StateMachineDescription struct {
	StateMachineListItem
	RevisionDescription

	Status string `json:"status"`
	// Description is that of a version.
	Description string `json:"description,omitempty"`
}

// RevisionDescription is what UpdateStateMachine may change of a state machine.
type RevisionDescription struct {
	Definition string `json:"definition"`
	RoleArn    string `json:"roleArn"`
	// RevisionID is empty until the state machine is updated.
	RevisionID           string               `json:"revisionId,omitempty"`
	LoggingConfiguration LoggingConfiguration `json:"loggingConfiguration"`
	TracingConfiguration TracingConfiguration `json:"tracingConfiguration"`
}

// DescribeStateMachineForExecutionInput is the input of DescribeStateMachineForExecution.
type DescribeStateMachineForExecutionInput struct {
	ExecutionArn string `json:"executionArn"`
	// IncludedData is ALL_DATA, METADATA_ONLY or empty, which means ALL_DATA.
	IncludedData string `json:"includedData"`
}

// StateMachineForExecution is the output of DescribeStateMachineForExecution.
type StateMachineForExecution struct {
	RevisionDescription

	StateMachineArn string    `json:"stateMachineArn"`
	Name            string    `json:"name"`
	UpdateDate      Timestamp `json:"updateDate"`
	// MapRunArn and Label are those of the Map state, if the execution is a child execution.
	MapRunArn string `json:"mapRunArn,omitempty"`
	Label     string `json:"label,omitempty"`
}

// ValidateDefinitionInput is the input of ValidateStateMachineDefinition.
type ValidateDefinitionInput struct {
	Definition string `json:"definition"`
	// Type is STANDARD, EXPRESS or empty, which means STANDARD.
	Type string `json:"type"`
	// Severity is ERROR, WARNING or empty. The twin finds no warnings.
	Severity string `json:"severity"`
	// MaxResults is the greatest number of diagnostics, at most 100; zero means 100.
	MaxResults int `json:"maxResults"`
}

// ValidateDefinitionOutput is the output of ValidateStateMachineDefinition.
type ValidateDefinitionOutput struct {
	// Result is OK or FAIL.
	Result      string       `json:"result"`
	Diagnostics []Diagnostic `json:"diagnostics"`
	Truncated   bool         `json:"truncated"`
}

// Diagnostic is one thing that is wrong with a definition.
type Diagnostic struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Location string `json:"location,omitempty"`
}

// StartSyncExecutionInput is the input of StartSyncExecution.
type StartSyncExecutionInput struct {
	StateMachineArn string `json:"stateMachineArn"`
	Name            string `json:"name"`
	Input           string `json:"input"`
	TraceHeader     string `json:"traceHeader"`
	// IncludedData is ALL_DATA, METADATA_ONLY or empty, which means ALL_DATA.
	IncludedData string `json:"includedData"`
}

// SyncExecution is the output of StartSyncExecution.
type SyncExecution struct {
	ExecutionListItem
	ExecutionData

	TraceHeader    string         `json:"traceHeader,omitempty"`
	BillingDetails BillingDetails `json:"billingDetails"`
}

// BillingDetails is what AWS would charge for an Express execution, at least.
type BillingDetails struct {
	BilledDurationInMilliseconds int64 `json:"billedDurationInMilliseconds"`
	BilledMemoryUsedInMB         int64 `json:"billedMemoryUsedInMB"`
}

// Tag is a tag of a state machine.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// TagResourceInput is the input of TagResource.
type TagResourceInput struct {
	ResourceArn string `json:"resourceArn"`
	Tags        []Tag  `json:"tags"`
}

// UntagResourceInput is the input of UntagResource.
type UntagResourceInput struct {
	ResourceArn string   `json:"resourceArn"`
	TagKeys     []string `json:"tagKeys"`
}

// ListTagsInput is the input of ListTagsForResource.
type ListTagsInput struct {
	ResourceArn string `json:"resourceArn"`
}

// ListTagsOutput is the output of ListTagsForResource.
type ListTagsOutput struct {
	Tags []Tag `json:"tags"`
}
