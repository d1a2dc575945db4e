// Package stepfn reads the status of Step Functions executions.
package stepfn

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// Codes of errors that every service may answer, and that the SDK has no types for. Repeating the request does not help.
const (
	invalidRequest    = "ValidationException"
	accessDenied      = "AccessDeniedException"
	accessDeniedShort = "AccessDenied"
)

// Workflows is a [notify.Workflows] on Step Functions, and on Lambda for durable executions.
type Workflows struct {
	Client *sfn.Client
	// Lambda describes durable executions. If it is nil, they cannot be described.
	Lambda *lambda.Client
}

// Status returns the status of an execution. The error is notify.ErrNoWorkflow if the execution does not exist, or no longer exists.
// The error is notify.ErrNotDescribed if the ARN is invalid or access is denied, because a retry would not help. The SDK's client
// retries throttled requests itself.
func (w *Workflows) Status(ctx context.Context, arn string) (notify.Workflow, error) {
	if x, ok := message.ParseExecution(arn); ok && x.Durable {
		return w.durableStatus(ctx, arn)
	}
	out, err := w.Client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{
		ExecutionArn: aws.String(arn), IncludedData: types.IncludedDataMetadataOnly,
	})
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		switch apiErr.ErrorCode() {
		case (*types.ExecutionDoesNotExist)(nil).ErrorCode():
			return notify.Workflow{}, notify.ErrNoWorkflow
		case (*types.InvalidArn)(nil).ErrorCode(), invalidRequest, accessDenied, accessDeniedShort:
			return notify.Workflow{}, fmt.Errorf("%w: %s", notify.ErrNotDescribed, apiErr.ErrorCode())
		}
	}
	if err != nil {
		return notify.Workflow{}, fmt.Errorf("describe execution: %w", err)
	}
	workflow := notify.Workflow{Status: string(out.Status), RedriveCount: int(aws.ToInt32(out.RedriveCount))}
	if out.Status == types.ExecutionStatusSucceeded {
		workflow.Superseded, err = w.superseded(ctx, arn)
	}
	return workflow, err
}

// superseded reports whether the output of an execution says that a newer execution superseded it. It makes a request of its own: if
// the owner of the state machine encrypts the data with a KMS key, only a caller with a permission for that key may read the output.
// Without the permission, superseded returns false.
func (w *Workflows) superseded(ctx context.Context, arn string) (bool, error) {
	out, err := w.Client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{
		ExecutionArn: aws.String(arn), IncludedData: types.IncludedDataAllData,
	})
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		switch apiErr.ErrorCode() {
		case (*types.KmsAccessDeniedException)(nil).ErrorCode(), (*types.KmsInvalidStateException)(nil).ErrorCode():
			return false, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("describe execution with its output: %w", err)
	}
	return notify.Superseded(aws.ToString(out.Output)), nil
}
