package stepfn

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/observe"
)

// Definitions is an [observe.Workflows] on Step Functions.
type Definitions struct{ Client *sfn.Client }

var _ observe.Workflows = (*Definitions)(nil)

// Execution describes an execution of a Standard workflow, with its input.
func (d *Definitions) Execution(ctx context.Context, arn string) (observe.Execution, error) {
	out, err := d.Client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: aws.String(arn), IncludedData: types.IncludedDataAllData})
	if err != nil {
		return observe.Execution{}, classify("describe execution", err)
	}
	return observe.Execution{Input: aws.ToString(out.Input), Start: aws.ToTime(out.StartDate)}, nil
}

// Definition returns the definition of an execution's state machine: of a Standard workflow, the one with which the execution began, and
// of an Express workflow the newest.
func (d *Definitions) Definition(ctx context.Context, x message.Execution, arn string) (string, error) {
	if !x.Express {
		out, err := d.Client.DescribeStateMachineForExecution(ctx, &sfn.DescribeStateMachineForExecutionInput{
			ExecutionArn: aws.String(arn), IncludedData: types.IncludedDataAllData,
		})
		if err != nil {
			return "", classify("describe state machine", err)
		}
		return aws.ToString(out.Definition), nil
	}
	const kind, name = 5, 6
	fields := strings.Split(arn, ":")
	fields[kind] = "stateMachine"
	out, err := d.Client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{
		StateMachineArn: aws.String(strings.Join(fields[:name+1], ":")), IncludedData: types.IncludedDataAllData,
	})
	if err != nil {
		return "", classify("describe state machine", err)
	}
	return aws.ToString(out.Definition), nil
}

// classify returns an error that wraps [observe.ErrUnknown] if another request would not help. Without a permission for the KMS key with
// which a state machine is encrypted, for instance, nobody reads it.
func classify(request string, err error) error {
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		switch apiErr.ErrorCode() {
		case (*types.ExecutionDoesNotExist)(nil).ErrorCode(), (*types.StateMachineDoesNotExist)(nil).ErrorCode(), (*types.InvalidArn)(nil).ErrorCode(),
			(*types.KmsAccessDeniedException)(nil).ErrorCode(), (*types.KmsInvalidStateException)(nil).ErrorCode(),
			invalidRequest, accessDenied, accessDeniedShort:
			return fmt.Errorf("%w: %s", observe.ErrUnknown, apiErr.ErrorCode())
		}
	}
	return fmt.Errorf("%s: %w", request, err)
}
