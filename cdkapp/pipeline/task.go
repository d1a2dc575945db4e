package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
// The error says which rule of messages Data breaks. Values of expressions are known in the execution only.
func (p *Pipeline) NotifyTask(scope constructs.Construct, id string, props NotifyProps) (awsstepfunctions.Chain, error) {
	if err := checkMessage(props.Type, props.Data); err != nil {
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

// samples are values of which one is valid in each field of a message. They stand for the values of expressions.
var samples = []any{
	"x", 1, message.MinExpectEvery, message.MaxEndAfter, "https://example.com", string(message.StatusSucceeded), string(message.SeverityInfo),
	[]any{}, map[string]any{},
}

// checkMessage decodes a message as the notifier does, with samples in the place of expressions. It returns the error for which no
// sample is to blame.
func checkMessage(kind message.Type, data map[string]any) error {
	tried, sampled := map[string]int{}, maps.Clone(data)
	for field, value := range data {
		if _, ok := expression(value); ok {
			tried[field], sampled[field] = 0, samples[0]
		}
	}
	for {
		raw, err := json.Marshal(map[string]any{"type": kind, "data": sampled})
		if err != nil {
			return fmt.Errorf("encode data: %w", err)
		}
		_, err = message.Decode(raw)
		var invalid *message.Invalid
		if !errors.As(err, &invalid) {
			return err
		}
		field, ok := blamed(invalid, tried)
		if !ok {
			return withoutSamples(invalid, tried)
		}
		tried[field]++
		sampled[field] = samples[tried[field]]
	}
}

// withoutSamples returns the problems that are not about the value of a sample, or nil: only the execution knows the value of an
// expression. A field that does not exist has no sample.
func withoutSamples(invalid *message.Invalid, tried map[string]int) error {
	var left []message.Problem
	for _, problem := range invalid.Problems {
		if _, isSample := tried[strings.TrimPrefix(problem.Field, "data.")]; !isSample || problem.Rule == message.RuleKnownField {
			left = append(left, problem)
		}
	}
	if len(left) == 0 {
		return nil
	}

	return &message.Invalid{Problems: left}
}

// blamed returns a field of a problem that has a sample after which there are others. It returns false if there is none.
func blamed(invalid *message.Invalid, tried map[string]int) (string, bool) {
	for _, problem := range invalid.Problems {
		field := strings.TrimPrefix(problem.Field, "data.")
		if n, isSample := tried[field]; isSample && n+1 < len(samples) {
			return field, true
		}
	}
	return "", false
}
