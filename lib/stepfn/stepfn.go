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

	return notify.Workflow{Status: string(out.Status), RedriveCount: int(aws.ToInt32(out.RedriveCount))}, nil
}
