package cloud

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/metrics"
)

// Measured is the handler of a function that writes its metrics at the end of each event.
type Measured[In, Out any] struct {
	handle  func(context.Context, In) (Out, error)
	metrics *metrics.Writer
}

// Measure returns a handler that calls handle, and then writes what c has collected.
func Measure[In, Out any](c Clients, handle func(context.Context, In) (Out, error)) *Measured[In, Out] {
	return &Measured[In, Out]{handle, c.Metrics}
}

// Handle handles one event. Its result is that of the handler.
func (m *Measured[In, Out]) Handle(ctx context.Context, in In) (Out, error) {
	defer m.metrics.Flush()
	return m.handle(ctx, in)
}

// Trace returns the id of the trace that the invocation of ctx belongs to, or an empty string. Step Functions, API Gateway and Lambda's
// other callers hand on the trace of their request, so all functions of an execution have the same.
func Trace(ctx context.Context) string {
	header, _ := ctx.Value("x-amzn-trace-id").(string) // where aws-lambda-go puts it
	return message.TraceID(header)
}

// throttleCounter is a retryer that counts the attempts that were throttled.
type throttleCounter struct {
	aws.RetryerV2

	metrics *metrics.Writer
	checks  retry.IsErrorThrottles
}

// countThrottles returns a retryer that does the same as r, and counts throttled attempts. It returns r itself if the function writes no
// metrics.
func countThrottles(r aws.Retryer, m *metrics.Writer) aws.Retryer {
	v2, ok := r.(aws.RetryerV2)
	if m == nil || !ok {
		return r
	}
	return &throttleCounter{v2, m, retry.DefaultThrottles}
}

// IsErrorRetryable reports whether an attempt that failed with err may be repeated. The SDK asks once for each failed attempt.
func (c *throttleCounter) IsErrorRetryable(err error) bool {
	if c.checks.IsErrorThrottle(err) == aws.TrueTernary {
		c.metrics.Count(metrics.DynamoDBThrottles, 1)
	}
	return c.RetryerV2.IsErrorRetryable(err)
}
