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
	// idBytes is the size of API Gateway's ids, which it shows as 16 characters of URL-safe base64.
	idBytes = 11
	// traceBytes is the size of the random part of an X-Ray trace id.
	traceBytes = 12
	// commonLogTime is the Common Log Format's time, as in requestTime.
	commonLogTime = "02/Jan/2006:15:04:05 -0700"
)

// The event types of a WebSocket API, each with the routes that carry it.
const (
	eventConnect    = "CONNECT"
	eventMessage    = "MESSAGE"
	eventDisconnect = "DISCONNECT"

	routeConnect    = "$connect"
	routeDisconnect = "$disconnect"
	routeDefault    = "$default"
)

// proxyEvent is what a WebSocket route's function is invoked with, field for field as recorded on AWS. The type of
// aws-lambda-go's events package adds the empty fields of REST APIs, hence this one.
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

// event returns what all events of the socket have in common.
func (s *socket) event(eventType, routeKey string) *proxyEvent {
	now := time.Now().UTC()
	requestID := newID()
	return &proxyEvent{RequestContext: requestContext{
		RouteKey:          routeKey,
		EventType:         eventType,
		ExtendedRequestID: requestID,
		RequestTime:       now.Format(commonLogTime),
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

// connectEvent returns the CONNECT event of a handshake.
func (s *socket) connectEvent(r *http.Request) *proxyEvent {
	event := s.event(eventConnect, routeConnect)
	event.MultiValueHeaders = eventHeaders(r, s.identity.SourceIP)
	event.Headers = lastValues(event.MultiValueHeaders)
	if query := r.URL.Query(); len(query) > 0 {
		event.MultiValueQuery = query
		event.Query = lastValues(query)
	}
	return event
}

// messageEvent returns the MESSAGE event of a text message, which carries no headers.
func (s *socket) messageEvent(routeKey, body string) *proxyEvent {
	event := s.event(eventMessage, routeKey)
	event.RequestContext.MessageID = newID()
	event.Body = &body
	return event
}

// disconnectEvent returns the DISCONNECT event of a connection that has ended.
func (s *socket) disconnectEvent(end ending) *proxyEvent {
	event := s.event(eventDisconnect, routeDisconnect)
	code := int(end.code)
	event.RequestContext.DisconnectStatusCode = &code
	event.RequestContext.DisconnectReason = &end.reason
	event.MultiValueHeaders = map[string][]string{
		"Host":            {s.domainName},
		"x-api-key":       {""},
		"X-Forwarded-For": {""},
		"x-restapi":       {""},
	}
	event.Headers = lastValues(event.MultiValueHeaders)
	return event
}

// eventHeaders returns the headers of a handshake as API Gateway passes them on: those of the connection itself are
// gone, those of its proxies are added, and WebSocket is spelt as in RFC 6455 where net/http respells it.
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

// lastValues returns the map of single values that goes with a map of many: API Gateway keeps the last.
func lastValues[M ~map[string][]string](many M) map[string]string {
	single := make(map[string]string, len(many))
	for name, values := range many {
		if len(values) > 0 {
			single[name] = values[len(values)-1]
		}
	}
	return single
}

// newID returns an id in the form of API Gateway's connection, request and message ids: "L0SM9cOFvHcCIhw=".
func newID() string {
	return base64.URLEncoding.EncodeToString(randomBytes(idBytes))
}

// validConnectionID reports whether id has the form of a connection id, alive or not.
func validConnectionID(id string) bool {
	decoded, err := base64.URLEncoding.DecodeString(id)
	return err == nil && len(decoded) == idBytes
}

// newTraceID returns an X-Amzn-Trace-Id value.
func newTraceID() string {
	seconds := strconv.FormatInt(time.Now().Unix(), 16)
	return "Root=1-" + seconds + "-" + hex.EncodeToString(randomBytes(traceBytes))
}

func randomBytes(n int) []byte {
	random := make([]byte, n)
	_, _ = rand.Read(random) // It never fails.
	return random
}
