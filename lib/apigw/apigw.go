// Package apigw sends frames to WebSocket connections through API Gateway's @connections endpoint.
package apigw

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/herald-progress/herald/lib/broadcast"
)

const (
	// signingName is the service name in signatures
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html).
	signingName     = "execute-api"
	dialTimeout     = 2 * time.Second
	idleConnTimeout = 90 * time.Second
	// maxResponseSize is the maximum number of bytes that are read of a response's body. A body that is read to its end lets
	// the client reuse the socket.
	maxResponseSize = 64 << 10
)

// errInvalidEndpoint is the error of New for an endpoint that is not an http or https URL.
var errInvalidEndpoint = errors.New("apigw: the endpoint must be an http or https URL")

// Sender sends frames to the connections of one stage and closes them. It implements [broadcast.Sender] and is safe for
// concurrent use.
//
// It does not use the SDK's generated client: the client's middleware takes more processor time than signing and sending the
// request.
type Sender struct {
	endpoint    *url.URL
	region      string
	credentials aws.CredentialsProvider
	signer      *v4.Signer
	client      *awshttp.BuildableClient
}

// New returns a sender for endpoint, the https URL of the stage. Use one sender for the life of the process: it keeps up to
// broadcast.InFlight idle sockets for reuse.
func New(config aws.Config, endpoint string) (*Sender, error) {
	u, err := url.Parse(strings.TrimSuffix(endpoint, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errInvalidEndpoint
	}
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = broadcast.InFlight
			t.MaxIdleConnsPerHost = broadcast.InFlight
			t.IdleConnTimeout = idleConnTimeout
			t.DisableCompression = true // Responses are empty.
		})
	return &Sender{endpoint: u, region: config.Region, credentials: config.Credentials, signer: v4.NewSigner(), client: client}, nil
}

// Send sends one frame. Its errors are [broadcast.ErrGone] (status 410), [broadcast.ErrThrottled] (429),
// [broadcast.ErrUnavailable] (5xx or no response), and other errors that are final. No error contains the frame.
func (s *Sender) Send(ctx context.Context, connectionID string, frame []byte) error {
	return s.do(ctx, http.MethodPost, connectionID, frame)
}

// Close closes a connection with code 1000. It returns nil if the connection is already gone. Otherwise its errors are those of
// Send.
func (s *Sender) Close(ctx context.Context, connectionID string) error {
	err := s.do(ctx, http.MethodDelete, connectionID, nil)
	if errors.Is(err, broadcast.ErrGone) {
		return nil
	}
	return err
}

// do sends one request to @connections and maps the status of the response to an error.
func (s *Sender) do(ctx context.Context, method, connectionID string, frame []byte) error {
	request, err := s.newRequest(ctx, method, connectionID, frame)
	if err != nil {
		return fmt.Errorf("%s connection: %w", method, err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", broadcast.ErrUnavailable, err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxResponseSize))
	switch status := response.StatusCode; {
	case status < http.StatusMultipleChoices: // 1xx and 2xx
		return nil
	case status == http.StatusGone:
		return broadcast.ErrGone
	case status == http.StatusTooManyRequests:
		return broadcast.ErrThrottled
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("%w: status %d", broadcast.ErrUnavailable, status)
	default:
		return fmt.Errorf("%s connection: status %d %s", method, status, response.Header.Get("X-Amzn-Errortype"))
	}
}

// newRequest returns a signed request (AWS Signature Version 4,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
func (s *Sender) newRequest(ctx context.Context, method, connectionID string, frame []byte) (*http.Request, error) {
	credentials, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	u := *s.endpoint
	u.Path = s.endpoint.Path + "/@connections/" + connectionID
	// RawPath is Path with the id escaped as SigV4 needs it.
	u.RawPath = s.endpoint.EscapedPath() + "/@connections/" + escapePathSegment(connectionID)
	request, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(frame))
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	digest := sha256.Sum256(frame)
	if err := s.signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(digest[:]), signingName, s.region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}

	return request, nil
}

// escapePathSegment percent-encodes every byte that is not unreserved (RFC 3986, section 2.3), as SigV4 requires.
func escapePathSegment(segment string) string {
	return strings.ReplaceAll(url.QueryEscape(segment), "+", "%20")
}
