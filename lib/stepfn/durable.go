package stepfn

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/notify"
)

// durableStatus returns the status of a durable execution
// (https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecution.html). Its errors are those of Status.
func (w *Workflows) durableStatus(ctx context.Context, arn string) (notify.Workflow, error) {
	if w.Lambda == nil {
		return notify.Workflow{}, fmt.Errorf("%w: no client of Lambda", notify.ErrNotDescribed)
	}
	out, err := w.Lambda.GetDurableExecution(ctx, &lambda.GetDurableExecutionInput{DurableExecutionArn: aws.String(arn)})
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		switch apiErr.ErrorCode() {
		case (*types.ResourceNotFoundException)(nil).ErrorCode():
			return notify.Workflow{}, notify.ErrNoWorkflow
		case (*types.InvalidParameterValueException)(nil).ErrorCode(), invalidRequest, accessDenied, accessDeniedShort:
			return notify.Workflow{}, fmt.Errorf("%w: %s", notify.ErrNotDescribed, apiErr.ErrorCode())
		}
	}
	if err != nil {
		return notify.Workflow{}, fmt.Errorf("get durable execution: %w", err)
	}
	return notify.Workflow{Status: string(out.Status)}, nil
}
