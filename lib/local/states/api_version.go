package states

// PublishVersionInput is the input of PublishStateMachineVersion.
type PublishVersionInput struct {
	StateMachineArn string `json:"stateMachineArn"`
	Description     string `json:"description"`
	// RevisionID, if not empty, must be the id of the newest revision, or INITIAL for the first one.
	RevisionID string `json:"revisionId"`
}

// VersionListItem is a version in a list, and the output of PublishStateMachineVersion.
type VersionListItem struct {
	StateMachineVersionArn string    `json:"stateMachineVersionArn"`
	CreationDate           Timestamp `json:"creationDate"`
}

// ListVersionsInput is the input of ListStateMachineVersions and ListStateMachineAliases.
type ListVersionsInput struct {
	Page

	StateMachineArn string `json:"stateMachineArn"`
}

// ListVersionsOutput is the output of ListStateMachineVersions.
type ListVersionsOutput struct {
	Versions  []VersionListItem `json:"stateMachineVersions"`
	NextToken string            `json:"nextToken,omitempty"`
}

// DeleteVersionInput is the input of DeleteStateMachineVersion.
type DeleteVersionInput struct {
	StateMachineVersionArn string `json:"stateMachineVersionArn"`
}

// Route is a version of an alias. Weight is the share of the executions that run it, in percent.
type Route struct {
	StateMachineVersionArn string `json:"stateMachineVersionArn"`
	Weight                 int    `json:"weight"`
}

// CreateAliasInput is the input of CreateStateMachineAlias.
type CreateAliasInput struct {
	Name                 string  `json:"name"`
	Description          string  `json:"description"`
	RoutingConfiguration []Route `json:"routingConfiguration"`
}

// UpdateAliasInput is the input of UpdateStateMachineAlias. A nil field changes nothing.
type UpdateAliasInput struct {
	StateMachineAliasArn string  `json:"stateMachineAliasArn"`
	Description          *string `json:"description"`
	RoutingConfiguration []Route `json:"routingConfiguration"`
}

// UpdateAliasOutput is the output of UpdateStateMachineAlias.
type UpdateAliasOutput struct {
	UpdateDate Timestamp `json:"updateDate"`
}

// AliasInput is the input of DescribeStateMachineAlias and DeleteStateMachineAlias.
type AliasInput struct {
	StateMachineAliasArn string `json:"stateMachineAliasArn"`
}

// AliasListItem is an alias in a list, and the output of CreateStateMachineAlias.
type AliasListItem struct {
	StateMachineAliasArn string    `json:"stateMachineAliasArn"`
	CreationDate         Timestamp `json:"creationDate"`
}

// AliasDescription is the output of DescribeStateMachineAlias.
type AliasDescription struct {
	AliasListItem

	Name                 string    `json:"name"`
	Description          string    `json:"description,omitempty"`
	RoutingConfiguration []Route   `json:"routingConfiguration"`
	UpdateDate           Timestamp `json:"updateDate"`
}

// ListAliasesOutput is the output of ListStateMachineAliases.
type ListAliasesOutput struct {
	Aliases   []AliasListItem `json:"stateMachineAliases"`
	NextToken string          `json:"nextToken,omitempty"`
}
