package apigw

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/herald-progress/herald/lib/broadcast"
)

// Close closes a connection with code 1000. It returns nil if the connection is already gone. Otherwise its errors are those of
// Send.
func (s *Sender) Close(ctx context.Context, connectionID string) error {
	_, err := s.client().DeleteConnection(ctx, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &connectionID})
	if err == nil {
		return nil
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		mapped := statusError(response.HTTPStatusCode())
		switch {
		case errors.Is(mapped, broadcast.ErrGone):
			return nil
		case mapped != nil:
			return mapped
		}
	}
	var notSent *smithyhttp.RequestSendError
	if errors.As(err, &notSent) {
		return fmt.Errorf("%w: %w", broadcast.ErrUnavailable, err)
	}

	return fmt.Errorf("close connection: %w", err)
}

// client returns the SDK's client, which makes every call but the posts. The first call makes it: most functions only post.
func (s *Sender) client() *apigatewaymanagementapi.Client {
	s.managementOnce.Do(func() {
		s.management = apigatewaymanagementapi.NewFromConfig(s.config, func(o *apigatewaymanagementapi.Options) {
			o.BaseEndpoint = aws.String(s.endpoint.String())
			o.Retryer = aws.NopRetryer{} // A Sender does not retry.
			o.HTTPClient = &http.Client{
				Transport:     s.transport, // the client shares the sockets of the posts
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
		})
	})

	return s.management
}
