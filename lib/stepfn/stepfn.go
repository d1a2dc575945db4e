// Package stepfn asks Step Functions how workflows stand.
package stepfn

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/notify"
)

// Workflows is a [notify.Workflows] on Step Functions.
type Workflows struct{ Client *sfn.Client }

// Status returns how the execution of an ARN stands. Its error is notify.ErrNoWorkflow where there is none, or none any
// more, and notify.ErrNotDescribed where the ARN is refused, or asking for it. Throttling is the client's to retry.
func (w *Workflows) Status(ctx context.Context, arn string) (notify.Workflow, error) {
	out, err := w.Client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{
		ExecutionArn: aws.String(arn), IncludedData: types.IncludedDataMetadataOnly,
	})
	var refusal smithy.APIError
	if errors.As(err, &refusal) {
		switch refusal.ErrorCode() {
		case (*types.ExecutionDoesNotExist)(nil).ErrorCode():
			return notify.Workflow{}, notify.ErrNoWorkflow
		case (*types.InvalidArn)(nil).ErrorCode(), "ValidationException", "AccessDeniedException", "AccessDenied":
			return notify.Workflow{}, fmt.Errorf("%w: %s", notify.ErrNotDescribed, refusal.ErrorCode())
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

// superseded reports whether the output of an execution says that it was superseded. It needs a request of its own: to read
// the output of a workflow that is encrypted with a key of its owner takes that key's permission. An output that may not be
// read says nothing.
func (w *Workflows) superseded(ctx context.Context, arn string) (bool, error) {
	out, err := w.Client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{
		ExecutionArn: aws.String(arn), IncludedData: types.IncludedDataAllData,
	})
	var refusal smithy.APIError
	if errors.As(err, &refusal) {
		switch refusal.ErrorCode() {
		case (*types.KmsAccessDeniedException)(nil).ErrorCode(), (*types.KmsInvalidStateException)(nil).ErrorCode():
			return false, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("describe execution with its output: %w", err)
	}

	return notify.Superseded(aws.ToString(out.Output)), nil
}
