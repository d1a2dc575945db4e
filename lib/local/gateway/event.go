package gateway

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// idSize is the number of bytes in API Gateway's ids, which are encoded as 16 characters of URL-safe base64.
	idSize = 11
	// traceIDSize is the number of random bytes in an X-Ray trace id.
	traceIDSize = 12
	// commonLogTimeLayout is the time format of requestTime: that of the Common Log Format.
	commonLogTimeLayout = "02/Jan/2006:15:04:05 -0700"
)

// The event types and the predefined routes of a WebSocket API.
const (
	eventConnect    = "CONNECT"
	eventMessage    = "MESSAGE"
	eventDisconnect = "DISCONNECT"

	routeConnect    = "$connect"
	routeDisconnect = "$disconnect"
	routeDefault    = "$default"
)

// proxyEvent is the event that a route's function receives. Its fields are those recorded on AWS. The event type of
// aws-lambda-go is not used because it adds empty fields of REST APIs.
type proxyEvent struct {
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Query             map[string]string   `json:"queryStringParameters,omitempty"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	RequestContext    requestContext      `json:"requestContext"`
	Body              *string             `json:"body,omitempty"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

type requestContext struct {
	RouteKey             string   `json:"routeKey"`
	DisconnectStatusCode *int     `json:"disconnectStatusCode,omitempty"`
	MessageID            string   `json:"messageId,omitempty"`
	EventType            string   `json:"eventType"`
	ExtendedRequestID    string   `json:"extendedRequestId"`
	RequestTime          string   `json:"requestTime"`
	MessageDirection     string   `json:"messageDirection"`
	DisconnectReason     *string  `json:"disconnectReason,omitempty"`
	Stage                string   `json:"stage"`
	ConnectedAt          int64    `json:"connectedAt"`
	RequestTimeEpoch     int64    `json:"requestTimeEpoch"`
	Identity             identity `json:"identity"`
	RequestID            string   `json:"requestId"`
	DomainName           string   `json:"domainName"`
	ConnectionID         string   `json:"connectionId"`
	APIID                string   `json:"apiId"`
}

type identity struct {
	UserAgent string `json:"userAgent,omitempty"`
	SourceIP  string `json:"sourceIp"`
}

// newEvent returns an event with the fields that all events of the socket share.
func (s *socket) newEvent(eventType, routeKey string) *proxyEvent {
	now := time.Now().UTC()
	requestID := newID()
	return &proxyEvent{RequestContext: requestContext{
		RouteKey:          routeKey,
		EventType:         eventType,
		ExtendedRequestID: requestID,
		RequestTime:       now.Format(commonLogTimeLayout),
		MessageDirection:  "IN",
		Stage:             s.gateway.cfg.Stage,
		ConnectedAt:       s.connectedAt.UnixMilli(),
		RequestTimeEpoch:  now.UnixMilli(),
		Identity:          s.identity,
		RequestID:         requestID,
		DomainName:        s.domainName,
		ConnectionID:      s.id,
		APIID:             s.gateway.cfg.APIID,
	}}
}

// newConnectEvent returns the CONNECT event of a handshake.
func (s *socket) newConnectEvent(r *http.Request) *proxyEvent {
	event := s.newEvent(eventConnect, routeConnect)
	event.MultiValueHeaders = eventHeaders(r, s.identity.SourceIP)
	event.Headers = lastValues(event.MultiValueHeaders)
	if query := r.URL.Query(); len(query) > 0 {
		event.MultiValueQuery = query
		event.Query = lastValues(query)
	}
	return event
}

// newMessageEvent returns the MESSAGE event of a text message. It has no headers.
func (s *socket) newMessageEvent(routeKey, body string) *proxyEvent {
	event := s.newEvent(eventMessage, routeKey)
	event.RequestContext.MessageID = newID()
	event.Body = &body
	return event
}

// newDisconnectEvent returns the DISCONNECT event of a closed connection.
func (s *socket) newDisconnectEvent(status closeStatus) *proxyEvent {
	event := s.newEvent(eventDisconnect, routeDisconnect)
	code := int(status.code)
	event.RequestContext.DisconnectStatusCode = &code
	event.RequestContext.DisconnectReason = &status.reason
	event.MultiValueHeaders = map[string][]string{
		"Host":            {s.domainName},
		"x-api-key":       {""},
		"X-Forwarded-For": {""},
		"x-restapi":       {""},
	}
	event.Headers = lastValues(event.MultiValueHeaders)
	return event
}

// eventHeaders returns the headers of a CONNECT event: the headers of the handshake without Connection and Upgrade, and the headers that
// API Gateway's proxies add. net/http changes the spelling of Sec-WebSocket- to Sec-Websocket-; eventHeaders undoes that.
func eventHeaders(r *http.Request, sourceIP string) map[string][]string {
	headers := make(map[string][]string, len(r.Header))
	for name, values := range r.Header {
		switch name {
		case "Connection", "Upgrade":
		default:
			headers[strings.Replace(name, "Sec-Websocket-", "Sec-WebSocket-", 1)] = values
		}
	}

	port, proto := "80", "http"
	if r.TLS != nil {
		port, proto = "443", "https"
	}
	if _, hostPort, err := net.SplitHostPort(r.Host); err == nil {
		port = hostPort
	}

	forwarded := append(slices.Clone(headers["X-Forwarded-For"]), sourceIP)
	headers["Host"] = []string{r.Host}
	headers["X-Amzn-Trace-Id"] = []string{newTraceID()}
	headers["X-Forwarded-For"] = []string{strings.Join(forwarded, ", ")}
	headers["X-Forwarded-Port"] = []string{port}
	headers["X-Forwarded-Proto"] = []string{proto}
	return headers
}

// lastValues returns the last value of each key, as API Gateway does for its fields with one value per key.
func lastValues[M ~map[string][]string](values M) map[string]string {
	last := make(map[string]string, len(values))
	for name, list := range values {
		if len(list) > 0 {
			last[name] = list[len(list)-1]
		}
	}
	return last
}

// newID returns a random id in the format of API Gateway's connection, request and message ids, for example
// "L0SM9cOFvHcCIhw=".
func newID() string {
	return base64.URLEncoding.EncodeToString(randomBytes(idSize))
}

// validConnectionID reports whether id has the format of a connection id.
func validConnectionID(id string) bool {
	decoded, err := base64.URLEncoding.DecodeString(id)
	return err == nil && len(decoded) == idSize
}

// newTraceID returns an X-Amzn-Trace-Id value.
func newTraceID() string {
	seconds := strconv.FormatInt(time.Now().Unix(), 16)
	return "Root=1-" + seconds + "-" + hex.EncodeToString(randomBytes(traceIDSize))
}

func randomBytes(n int) []byte {
	random := make([]byte, n)
	_, _ = rand.Read(random) // Never fails.
	return random
}
