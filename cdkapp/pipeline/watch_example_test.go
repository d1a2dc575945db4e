package pipeline_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// watchOrders shows the executions of a state machine whose log, at level ALL, goes to the log group.
func watchOrders(herald *pipeline.Pipeline, machine awsstepfunctions.IStateMachine, logs awslogs.ILogGroup) error {
	return herald.Watch(machine, pipeline.WatchProps{
		LogGroup: logs, UserPath: "$.detail.userId", JobPath: "$.orderId", TitlePath: "$.title",
	})
}
