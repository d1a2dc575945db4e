// Package apigw posts frames to connections by API Gateway's @connections endpoint.
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
	// signingName is the service that signatures are for
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html).
	signingName = "execute-api"
	dialTimeout = 2 * time.Second
	idleTimeout = 90 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes, so that its socket can be used again.
	maxAnswer = 64 << 10
)

// errEndpoint says that an endpoint cannot be posted to.
var errEndpoint = errors.New("apigw: the endpoint must be an http or https URL")

// Sender posts to connections, as a [broadcast.Sender], and closes them, at the @connections endpoint of one stage.
//
// It signs and posts by itself: a post is one path, one body and four headers, and the generated client's middleware
// would cost more processor time than all the rest of it.
type Sender struct {
	endpoint    *url.URL
	region      string
	credentials aws.CredentialsProvider
	signer      *v4.Signer
	client      *awshttp.BuildableClient
}

// New returns a sender for endpoint, the https URL of the stage. It is meant to live as long as the process: it keeps as
// many idle sockets as a broadcast has posts in flight.
func New(config aws.Config, endpoint string) (*Sender, error) {
	u, err := url.Parse(strings.TrimSuffix(endpoint, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errEndpoint
	}
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = broadcast.InFlight
			t.MaxIdleConnsPerHost = broadcast.InFlight
			t.IdleConnTimeout = idleTimeout
			t.DisableCompression = true // answers are empty
		})
	return &Sender{endpoint: u, region: config.Region, credentials: config.Credentials, signer: v4.NewSigner(), client: client}, nil
}

// Send posts one frame. A failure is broadcast.ErrGone (410), ErrThrottled (429), ErrUnavailable (5xx, or no answer),
// or final. Of the frame it says nothing.
func (s *Sender) Send(ctx context.Context, connectionID string, frame []byte) error {
	return s.do(ctx, http.MethodPost, connectionID, frame)
}

// Close closes a connection: the browser sees code 1000. That it is gone already is no error; failures are those of Send.
func (s *Sender) Close(ctx context.Context, connectionID string) error {
	err := s.do(ctx, http.MethodDelete, connectionID, nil)
	if errors.Is(err, broadcast.ErrGone) {
		return nil
	}
	return err
}

// do sends one request to @connections, and says what its answer's status means.
func (s *Sender) do(ctx context.Context, method, connectionID string, frame []byte) error {
	request, err := s.request(ctx, method, connectionID, frame)
	if err != nil {
		return fmt.Errorf("%s connection: %w", method, err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", broadcast.ErrUnavailable, err)
	}
	defer response.Body.Close() //nolint:errcheck // what counts has been read
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	switch status := response.StatusCode; {
	case status < http.StatusMultipleChoices:
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

// request returns the signed request (AWS Signature Version 4,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
func (s *Sender) request(ctx context.Context, method, connectionID string, frame []byte) (*http.Request, error) {
	credentials, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	u := *s.endpoint
	u.Path = s.endpoint.Path + "/@connections/" + connectionID
	u.RawPath = s.endpoint.EscapedPath() + "/@connections/" + escape(connectionID)
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

// escape encodes every byte that is not unreserved (RFC 3986 section 2.3), as SigV4 demands of a path's segment.
func escape(segment string) string {
	return strings.ReplaceAll(url.QueryEscape(segment), "+", "%20")
}
