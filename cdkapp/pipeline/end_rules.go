package pipeline

import (
	"fmt"
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/jsii-runtime-go"
)

// TaskService is a service whose tasks may be the execution of a job: the states of the job name the ARN of the task as execution.
type TaskService string

// The services of tasks.
const (
	ECS          TaskService = "ECS"
	Batch        TaskService = "Batch"
	MediaConvert TaskService = "MediaConvert"
)

// taskEnds are the events of the ends of tasks, by their service.
var taskEnds = map[TaskService]struct {
	source, detailType string
	detail             map[string]any
}{
	ECS:          {"aws.ecs", "ECS Task State Change", map[string]any{"lastStatus": []any{"STOPPED"}}},
	Batch:        {"aws.batch", "Batch Job State Change", map[string]any{"status": []any{"SUCCEEDED", "FAILED"}}},
	MediaConvert: {"aws.mediaconvert", "MediaConvert Job State Change", map[string]any{"status": []any{"COMPLETE", "ERROR", "CANCELED"}}},
}

// EndRule creates the rule that ends jobs when their tasks end. filter narrows the rule to some tasks: it is the pattern of further fields
// of the events' detail, such as {"clusterArn": ["arn:…"]}. Nil means all tasks of the service in the account and Region. Each event that
// matches costs an invocation of the sweeper and one read of DynamoDB.
func (p *Pipeline) EndRule(service TaskService, filter map[string]any) (awsevents.Rule, error) {
	ends, ok := taskEnds[service]
	if !ok {
		return nil, fmt.Errorf("pipeline: %q is not a service of tasks: it must be ECS, Batch or MediaConvert", service)
	}
	detail := maps.Clone(filter)
	if detail == nil {
		detail = map[string]any{}
	}
	maps.Copy(detail, ends.detail)
	return p.addSweeperRule(string(service)+"EndRule", "Herald: the tasks of "+string(service)+" that ended", &awsevents.EventPattern{
		Source: jsii.Strings(ends.source), DetailType: jsii.Strings(ends.detailType), Detail: &detail,
	}), nil
}
