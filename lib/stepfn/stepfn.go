// Package stepfn asks Step Functions how workflows stand.
package stepfn

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/herald-progress/herald/lib/notify"
)

// Workflows is a [notify.Workflows] on Step Functions.
type Workflows struct{ Client *sfn.Client }

// Status returns how the execution of an ARN stands, or notify.ErrNoWorkflow. Throttling is the client's to retry.
func (w *Workflows) Status(ctx context.Context, arn string) (notify.Workflow, error) {
	out, err := w.Client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{
		ExecutionArn: aws.String(arn), IncludedData: types.IncludedDataMetadataOnly,
	})
	if missing := (*types.ExecutionDoesNotExist)(nil); errors.As(err, &missing) {
		return notify.Workflow{}, notify.ErrNoWorkflow
	}
	if err != nil {
		return notify.Workflow{}, fmt.Errorf("describe execution: %w", err)
	}

	return notify.Workflow{Status: string(out.Status), RedriveCount: int(aws.ToInt32(out.RedriveCount))}, nil
}
