// Package apigw sends frames to WebSocket connections through API Gateway's @connections endpoint.
//
// # HTTP/2
//
// A sender offers HTTP/2, and uses HTTP/1.1 if the server does not choose it. API Gateway is believed to choose HTTP/2. The first
// broadcast of a process then needs one TLS handshake, where HTTP/1.1 needs one for each post in flight. At a seventh of a processor
// and 100 connections that saves as much time as the cheaper posts of HTTP/1.1 save in the next forty broadcasts. The page of package cloud has the
// figures.
package apigw

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"

	"github.com/herald-progress/herald/lib/broadcast"
)

const (
	// signingName is the service name in signatures
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html).
	signingName = "execute-api"
	plainScheme = "http"
	dialTimeout = 2 * time.Second
	// pingAfter and pingTimeout are for HTTP/2 sockets, which carry many posts each: a socket on which nothing arrives for so long gets
	// a ping, and is closed without an answer to it. Both end within broadcast.PostTimeout, so that its posts are tried again in time.
	pingAfter   = time.Second
	pingTimeout = 1500 * time.Millisecond
	// maxAnswer is how many bytes are read of an answer. A socket carries more requests only if the answer was shorter.
	maxAnswer = 64 << 10
)

// errInvalidEndpoint is the error of New for an endpoint that is not the URL of a stage.
var errInvalidEndpoint = errors.New("apigw: the endpoint must be an http or https URL without user, query and fragment")

// Sender sends frames to the connections of one stage and closes them. It implements [broadcast.Sender] and is safe for
// concurrent use. It has at most broadcast.InFlight sockets. If the environment names a proxy, net/http's transport has its sockets.
//
// Send does not use the SDK's generated client: the client's middleware takes more processor time than signing and sending the
// request. Close uses it.
type Sender struct {
	endpoint        *url.URL
	host            string // the header Host
	connectionsPath string // the escaped path of the resource @connections, with a slash at its end
	credentials     aws.CredentialsProvider
	signer          signer
	transport       http.RoundTripper
	toProxy         string // the beginning of the URI of a request that goes to an HTTP proxy without TLS, otherwise empty

	config         aws.Config
	managementOnce sync.Once
	management     *apigatewaymanagementapi.Client
}

// New returns a sender for endpoint, the https URL of the stage. Use one sender for the life of the process: it keeps its sockets
// for reuse. If config.HTTPClient is an [*awshttp.BuildableClient], the sender takes over the
// settings of its transport, such as trusted certificates.
func New(config aws.Config, endpoint string) (*Sender, error) {
	u, err := url.Parse(strings.TrimSuffix(endpoint, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != plainScheme || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errInvalidEndpoint
	}
	s := &Sender{
		endpoint: u, host: hostHeader(u), connectionsPath: u.EscapedPath() + "/@connections/", credentials: config.Credentials, config: config,
		signer: signer{service: signingName, region: config.Region},
	}
	transport := newTransport(config.HTTPClient)
	switch {
	case !proxied(transport, u):
		s.transport = newPool(transport, u)
	case u.Scheme == plainScheme:
		s.transport, s.toProxy = transport, "//"+u.Host // net/http puts the scheme before the slashes
	default:
		s.transport = transport
	}

	return s, nil
}

// newTransport returns the transport of a sender, with the settings of the SDK's client.
func newTransport(client aws.HTTPClient) *http.Transport {
	buildable, ok := client.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}

	return buildable.
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = broadcast.InFlight
			t.MaxIdleConnsPerHost = broadcast.InFlight
			t.IdleConnTimeout = idleTimeout
			t.DisableCompression = true // Responses are empty.
			if t.HTTP2 == nil {
				t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
			}
			if t.TLSClientConfig == nil {
				t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
			}
			// A socket that resumes the session of an earlier one needs no certificates.
			t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(broadcast.InFlight)
		}).
		GetTransport()
}

// proxied reports whether requests to u go through a proxy.
func proxied(t *http.Transport, u *url.URL) bool {
	if t.Proxy == nil {
		return false
	}
	proxy, err := t.Proxy(&http.Request{URL: u})

	return proxy != nil || err != nil
}

// Send sends one frame. Its errors are [broadcast.ErrGone] (status 410), [broadcast.ErrThrottled] (429),
// [broadcast.ErrUnavailable] (5xx or no response), and other errors that are final. No error contains the frame.
func (s *Sender) Send(ctx context.Context, connectionID string, frame []byte) error {
	request, err := s.newPost(ctx, connectionID, frame)
	if err != nil {
		return fmt.Errorf("post to connection: %w", err)
	}
	// A RoundTrip costs less than Client.Do, which also follows redirects: a signed request must not.
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("%w: %w", broadcast.ErrUnavailable, err)
	}
	if response.ContentLength != 0 {
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	}
	_ = response.Body.Close()
	if err := statusError(response.StatusCode); err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("post to connection: status %d %s", response.StatusCode, response.Header.Get("X-Amzn-Errortype"))
	}

	return nil
}

// statusError returns the error of package broadcast that a status of @connections means. It returns nil if there is none.
func statusError(status int) error {
	switch {
	case status == http.StatusGone:
		return broadcast.ErrGone
	case status == http.StatusTooManyRequests:
		return broadcast.ErrThrottled
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("%w: status %d", broadcast.ErrUnavailable, status)
	default:
		return nil
	}
}

// newPost returns a signed request that posts a frame. Over HTTP it is the request that the SDK's client sends, without the
// headers that describe the SDK and its retries.
func (s *Sender) newPost(ctx context.Context, connectionID string, frame []byte) (*http.Request, error) {
	credentials, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	path, at := s.connectionsPath+escape(connectionID), signingTime(time.Now())
	var fixed [5]signedHeader // enough for all headers
	signed := fixed[:0]
	if len(frame) > 0 {
		signed = append(signed, signedHeader{"content-length", strconv.Itoa(len(frame))})
	}
	signed = append(signed, signedHeader{"content-type", contentType}, signedHeader{"host", s.host}, signedHeader{"x-amz-date", at})
	if credentials.SessionToken != "" {
		signed = append(signed, signedHeader{"x-amz-security-token", credentials.SessionToken})
	}
	authorization := s.signer.authorization(signable{method: http.MethodPost, path: path, headers: signed, body: frame}, credentials, at)

	values := []string{contentType, at, authorization, credentials.SessionToken} // one allocation for all headers
	header := http.Header{"Content-Type": values[0:1:1], "X-Amz-Date": values[1:2:2], "Authorization": values[2:3:3]}
	if credentials.SessionToken != "" {
		header["X-Amz-Security-Token"] = values[3:4:4]
	}
	request := (&http.Request{
		Method: http.MethodPost, Host: s.host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL:  &url.URL{Scheme: s.endpoint.Scheme, Host: s.endpoint.Host, Opaque: s.toProxy + path}, // net/http sends Opaque as it is
		Body: http.NoBody,
	}).WithContext(ctx)
	if len(frame) > 0 {
		request.ContentLength = int64(len(frame))
		request.Body = newBody(frame)
		// The transport needs a second body to try again if the server closed an idle socket.
		request.GetBody = func() (io.ReadCloser, error) { return newBody(frame), nil }
	}

	return request, nil
}

// contentType is the content type of posts.
const contentType = "application/octet-stream"

// newBody returns a body. net/http knows its type, and so sends the headers and the body in one write.
func newBody(frame []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(frame)) }

// hostHeader returns the host of an endpoint as it is sent and signed: without the default port of its scheme.
func hostHeader(endpoint *url.URL) string {
	defaultPort := ":443"
	if endpoint.Scheme == plainScheme {
		defaultPort = ":80"
	}

	return strings.TrimSuffix(endpoint.Host, defaultPort)
}
