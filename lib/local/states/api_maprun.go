package states

// DescribeMapRunInput is the input of DescribeMapRun.
type DescribeMapRunInput struct {
	MapRunArn string `json:"mapRunArn"`
}

// MapRunDescription is the output of DescribeMapRun.
type MapRunDescription struct {
	MapRunArn    string `json:"mapRunArn"`
	ExecutionArn string `json:"executionArn"`
	// Status is RUNNING, SUCCEEDED, FAILED or ABORTED.
	Status    string    `json:"status"`
	StartDate Timestamp `json:"startDate"`
	StopDate  Timestamp `json:"stopDate,omitzero"`
	// MaxConcurrency is 0 if there is no limit but that of all Distributed Maps.
	MaxConcurrency             int     `json:"maxConcurrency"`
	ToleratedFailureCount      int64   `json:"toleratedFailureCount"`
	ToleratedFailurePercentage float64 `json:"toleratedFailurePercentage"`
	// ExecutionCounts counts child executions, ItemCounts their items.
	ExecutionCounts MapRunCounts `json:"executionCounts"`
	ItemCounts      MapRunCounts `json:"itemCounts"`
	// RedriveCount counts the redrives, and RedriveDate is when the newest one began.
	RedriveCount int       `json:"redriveCount"`
	RedriveDate  Timestamp `json:"redriveDate,omitzero"`
}

// MapRunCounts are how many child executions of a Map run, or items of them, have which status.
type MapRunCounts struct {
	Pending   int64 `json:"pending"`
	Running   int64 `json:"running"`
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	TimedOut  int64 `json:"timedOut"`
	Aborted   int64 `json:"aborted"`
	Total     int64 `json:"total"`
	// ResultsWritten is the number of those that succeeded, as soon as the whole Map run has succeeded.
	ResultsWritten int64 `json:"resultsWritten"`
	// FailuresNotRedrivable is the number of those that did not succeed and that a redrive would not run again.
	FailuresNotRedrivable int64 `json:"failuresNotRedrivable"`
	// PendingRedrive is the number of those that a redrive will run again. It is 0 after the redrive.
	PendingRedrive int64 `json:"pendingRedrive"`
}

// ListMapRunsInput is the input of ListMapRuns.
type ListMapRunsInput struct {
	Page

	ExecutionArn string `json:"executionArn"`
}

// ListMapRunsOutput is the output of ListMapRuns: the newest Map run first.
type ListMapRunsOutput struct {
	MapRuns   []MapRunListItem `json:"mapRuns"`
	NextToken string           `json:"nextToken,omitempty"`
}

// MapRunListItem is a Map run in a list.
type MapRunListItem struct {
	ExecutionArn string `json:"executionArn"`
	MapRunArn    string `json:"mapRunArn"`
	// StateMachineArn ends in the label of the Map state.
	StateMachineArn string    `json:"stateMachineArn"`
	StartDate       Timestamp `json:"startDate"`
	StopDate        Timestamp `json:"stopDate,omitzero"`
}

// UpdateMapRunInput is the input of UpdateMapRun. A nil field changes nothing.
type UpdateMapRunInput struct {
	MapRunArn                  string   `json:"mapRunArn"`
	MaxConcurrency             *int     `json:"maxConcurrency"`
	ToleratedFailureCount      *int64   `json:"toleratedFailureCount"`
	ToleratedFailurePercentage *float64 `json:"toleratedFailurePercentage"`
}
