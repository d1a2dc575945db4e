package pipeline

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctionstasks"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lib/message"
)

// NotifyProps says what a notify state publishes. A text, also one in Data or Part, may be a JSONata expression, such as
// "{% $states.input.userId %}".
type NotifyProps struct {
	// UserID is the user whose browsers get the message. Empty is "{% $states.input.userId %}".
	UserID string
	// Type is the type of the message, such as message.TypeJobProgress. Required.
	Type message.Type
	// Data is the data of the message. Required.
	Data map[string]any
	// Execution is the ARN of the execution whose end is the job's end. Empty is the state's own execution. A child workflow names
	// its parent's.
	Execution string
	// OuterIndex distinguishes the tasks of nested Map states: an expression with the index of the outer ones. Empty means that
	// there are none.
	OuterIndex string
	// Part makes the state that of one of several parts of a job: id, done and total, and optionally failed, from and to.
	Part map[string]any
}

// What the notify state of statemachines/README.md computes in the execution.
const (
	taskUser      = "{% $states.input.userId %}"
	taskEpoch     = "{% $states.context.Execution.(StartTime & '#' & (RedriveCount ? RedriveCount : 0)) %}"
	taskKey       = "$states.context.(Execution.Id & '/' & State.Name & '/' & State.EnteredTime & '/' & Map.Item.Index)"
	taskExecution = "{% $states.context.Execution.Id %}"
	taskOutput    = "{% $states.input %}"
)

// The timeout and the retries of that state.
const (
	taskTimeoutSeconds = 5
	taskRetries        = 2
	taskBackoff        = 2
)

// NotifyTask returns a state that publishes a message, for a chain of the CDK: the notify state of statemachines/README.md, with its
// timeout and retries. It passes its input on, also if the notifier fails: then a second state, "<id> failed", comes after it, which
// does nothing else. In the good case the workflow makes one transition. The role of the state machine may invoke the notifier.
//
// The error says which rule of requests to the notifier the props break. Values of expressions are known in the execution only.
func (p *Pipeline) NotifyTask(scope constructs.Construct, id string, props NotifyProps) (awsstepfunctions.Chain, error) {
	if err := props.check(); err != nil {
		return nil, fmt.Errorf("pipeline: notify task %s: %w", id, err)
	}
	task := awsstepfunctionstasks.LambdaInvoke_Jsonata(scope, jsii.String(id), &awsstepfunctionstasks.LambdaInvokeJsonataProps{
		QueryLanguage:            awsstepfunctions.QueryLanguage_JSONATA,
		LambdaFunction:           p.NotifierTarget,
		Payload:                  awsstepfunctions.TaskInput_FromObject(new(props.payload())),
		TaskTimeout:              awsstepfunctions.Timeout_Duration(awscdk.Duration_Seconds(jsii.Number(taskTimeoutSeconds))),
		Outputs:                  taskOutput,
		RetryOnServiceExceptions: jsii.Bool(false), // States.ALL below has them
	})
	task.AddRetry(&awsstepfunctions.RetryProps{Errors: jsii.Strings("InvalidMessage", "PayloadTooLarge"), MaxAttempts: jsii.Number(0)})
	task.AddRetry(&awsstepfunctions.RetryProps{
		Errors: jsii.Strings("States.ALL"), Interval: awscdk.Duration_Seconds(jsii.Number(1)), BackoffRate: jsii.Number(taskBackoff),
		MaxAttempts: jsii.Number(taskRetries), JitterStrategy: awsstepfunctions.JitterType_FULL,
	})
	failed := awsstepfunctions.Pass_Jsonata(scope, jsii.String(id+" failed"), &awsstepfunctions.PassJsonataProps{
		QueryLanguage: awsstepfunctions.QueryLanguage_JSONATA,
	})
	task.AddCatch(failed, &awsstepfunctions.CatchProps{Errors: jsii.Strings("States.ALL"), Outputs: taskOutput})

	return awsstepfunctions.Chain_Custom(task, &[]awsstepfunctions.INextable{task, failed}, task), nil
}

// payload returns the request to the notifier.
func (props NotifyProps) payload() map[string]any {
	payload := map[string]any{
		"userId": taskUser, "epoch": taskEpoch, "key": "{% " + taskKey + " %}", "execution": taskExecution,
		"message": map[string]any{"type": string(props.Type), "data": props.Data},
	}
	if props.UserID != "" {
		payload["userId"] = props.UserID
	}
	if props.Execution != "" {
		payload["execution"] = props.Execution
	}
	if inner, isExpression := expression(props.OuterIndex); isExpression {
		payload["key"] = "{% " + taskKey + " & '/' & (" + inner + ") %}"
	}
	if props.Part != nil {
		payload["part"] = props.Part
	}

	return payload
}

// expression returns the JSONata expression in a value of a definition. It returns false if the value is not one.
func expression(value any) (string, bool) {
	text, _ := value.(string)
	inner, opened := strings.CutPrefix(text, "{%")
	inner, closed := strings.CutSuffix(inner, "%}")

	return strings.TrimSpace(inner), opened && closed
}
