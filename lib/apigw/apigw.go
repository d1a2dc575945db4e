// Package apigw posts frames to connections by API Gateway's @connections endpoint.
package apigw

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"

	"github.com/herald-progress/herald/lib/broadcast"
)

const (
	dialTimeout = 2 * time.Second
	idleTimeout = 90 * time.Second
)

// Sender is a [broadcast.Sender] on the @connections endpoint of one stage.
type Sender struct {
	client *apigatewaymanagementapi.Client
}

// New returns a sender for endpoint, the https URL of the stage. It is meant to live as long as the process: it keeps as
// many idle sockets as a broadcast has posts in flight, where the SDK by itself keeps ten.
func New(config aws.Config, endpoint string) *Sender {
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = broadcast.InFlight
			t.MaxIdleConnsPerHost = broadcast.InFlight
			t.IdleConnTimeout = idleTimeout
		})

	return &Sender{client: apigatewaymanagementapi.NewFromConfig(config, func(o *apigatewaymanagementapi.Options) {
		o.BaseEndpoint = aws.String(endpoint)
		o.HTTPClient = client
		o.Retryer = aws.NopRetryer{} // package broadcast retries, within its budget
	})}
}

// Send posts one frame. A failure is broadcast.ErrGone (410), ErrThrottled (429), ErrUnavailable (5xx, or no answer),
// or final.
func (s *Sender) Send(ctx context.Context, connectionID string, frame []byte) error {
	_, err := s.client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &connectionID, Data: frame})
	if err == nil {
		return nil
	}
	// What the SDK says holds the URL, and so the connection, never the frame.
	gone, limit := (*types.GoneException)(nil), (*types.LimitExceededException)(nil)
	status := 0
	if response := (*awshttp.ResponseError)(nil); errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	switch {
	case errors.As(err, &gone) || status == http.StatusGone:
		return broadcast.ErrGone
	case errors.As(err, &limit) || status == http.StatusTooManyRequests:
		return broadcast.ErrThrottled
	case status == 0 || status >= http.StatusInternalServerError:
		return fmt.Errorf("%w: %w", broadcast.ErrUnavailable, err)
	default:
		return fmt.Errorf("post to connection: %w", err)
	}
}
