package states

// CreateActivityInput is the input of CreateActivity.
type CreateActivityInput struct {
	Name string `json:"name"`
	Tags []Tag  `json:"tags"`
}

// CreateActivityOutput is the output of CreateActivity.
type CreateActivityOutput struct {
	ActivityArn  string    `json:"activityArn"`
	CreationDate Timestamp `json:"creationDate"`
}

// ActivityInput is the input of DescribeActivity and DeleteActivity.
type ActivityInput struct {
	ActivityArn string `json:"activityArn"`
}

// ListActivitiesInput is the input of ListActivities.
type ListActivitiesInput struct {
	Page
}

// ListActivitiesOutput is the output of ListActivities, in the order of names.
type ListActivitiesOutput struct {
	Activities []ActivityListItem `json:"activities"`
	NextToken  string             `json:"nextToken,omitempty"`
}

// ActivityListItem is an activity in a list, and the output of DescribeActivity.
type ActivityListItem struct {
	ActivityArn  string    `json:"activityArn"`
	Name         string    `json:"name"`
	CreationDate Timestamp `json:"creationDate"`
}

// GetActivityTaskInput is the input of GetActivityTask. The name of the worker has no effect.
type GetActivityTaskInput struct {
	ActivityArn string `json:"activityArn"`
	WorkerName  string `json:"workerName"`
}

// ActivityTask is the output of GetActivityTask. It is empty if there is no task.
type ActivityTask struct {
	TaskToken string `json:"taskToken,omitempty"`
	Input     string `json:"input,omitempty"`
}
