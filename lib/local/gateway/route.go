package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// What API Gateway tells a browser whose message was not handled.
const (
	internalServerError = "Internal server error"
	endpointTimedOut    = "Endpoint request timed out"
	routeForbidden      = "Forbidden"
)

var (
	errIntegrationTimeout = errors.New("gateway: function did not answer in time")
	errFunctionThrew      = errors.New("gateway: function threw")
	errMalformedAnswer    = errors.New("gateway: function's answer has no valid statusCode")
)

// proxyAnswer is what a Lambda proxy integration answers.
type proxyAnswer struct {
	StatusCode        int                 `json:"statusCode"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// header returns the named header, in whatever case the function has written it, or "".
func (a proxyAnswer) header(name string) string {
	for key, value := range a.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}

	for key, values := range a.MultiValueHeaders {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// body returns the body as it goes to the client.
func (a proxyAnswer) body() string {
	if a.IsBase64Encoded {
		if decoded, err := base64.StdEncoding.DecodeString(a.Body); err == nil {
			return string(decoded)
		}
	}
	return a.Body
}

// failure is the frame that API Gateway sends, or the body that it answers, when a route fails.
type failure struct {
	Message      string `json:"message"`
	ConnectionID string `json:"connectionId,omitempty"`
	RequestID    string `json:"requestId,omitempty"`
}

func newFailure(message string, event *proxyEvent) failure {
	return failure{
		Message:      message,
		ConnectionID: event.RequestContext.ConnectionID,
		RequestID:    event.RequestContext.RequestID,
	}
}

// routeKey returns the route of a message: the one that its "action" names, else $default, else "" for none. The routes
// of connecting and disconnecting cannot be called.
func (g *Gateway) routeKey(message []byte) string {
	for _, key := range []string{action(message), routeDefault} {
		if key == "" || key == routeConnect || key == routeDisconnect {
			continue
		}
		if g.cfg.Mocks[key] != nil || g.cfg.Routes[key] != nil {
			return key
		}
	}
	return ""
}

// action evaluates $request.body.action: the text of that member of a JSON object, or "".
func action(message []byte) string {
	var body map[string]json.RawMessage
	if json.Unmarshal(message, &body) != nil {
		return ""
	}

	var value any
	if json.Unmarshal(body["action"], &value) != nil {
		return ""
	}

	switch value := value.(type) {
	case string:
		return value
	case float64, bool:
		return string(body["action"])
	default:
		return ""
	}
}

// handle takes a message to its route. The browser hears of it only if there is no route, or the route fails: a
// function's answer is dropped, since no route has a route response.
func (s *socket) handle(message []byte) {
	key := s.gateway.routeKey(message)
	event := s.messageEvent(key, string(message))
	var reply []byte
	switch mock := s.gateway.cfg.Mocks[key]; {
	case key == "":
		reply = encode(newFailure(routeForbidden, event))
	case mock != nil:
		reply = []byte(mock(time.UnixMilli(event.RequestContext.RequestTimeEpoch)))
	default:
		_, err := s.gateway.invoke(s.gateway.cfg.Routes[key], event)
		switch {
		case err == nil:
			return
		case errors.Is(err, errIntegrationTimeout):
			reply = encode(newFailure(endpointTimedOut, event))
		default:
			reply = encode(newFailure(internalServerError, event))
		}
	}

	if err := s.send(s.gateway.base, reply); err != nil {
		s.gateway.cfg.Log.DebugContext(s.gateway.base, "send reply", slog.String("connectionId", s.id), slog.Any("err", err))
	}
}

// disconnect runs $disconnect, whose answer means nothing.
func (s *socket) disconnect(end ending) {
	if function := s.gateway.cfg.Routes[routeDisconnect]; function != nil {
		_, _ = s.gateway.invoke(function, s.disconnectEvent(end)) // invoke has logged it
	}
}

// invoke has a function handle an event, and waits for as long as an integration may take.
func (g *Gateway) invoke(function Function, event *proxyEvent) (proxyAnswer, error) {
	type outcome struct {
		answer proxyAnswer
		err    error
	}

	outcomes := make(chan outcome, 1)
	g.work.Go(func() {
		answer, err := callRoute(g.base, function, encode(event))
		outcomes <- outcome{answer, err}
	})

	timeout := time.NewTimer(g.cfg.IntegrationTimeout)
	defer timeout.Stop()
	var result outcome
	select {
	case result = <-outcomes:
	case <-timeout.C:
		result.err = errIntegrationTimeout
	}

	if result.err != nil {
		g.cfg.Log.WarnContext(g.base, "route failed",
			slog.String("route", event.RequestContext.RouteKey),
			slog.String("connectionId", event.RequestContext.ConnectionID),
			slog.Any("err", result.err))
	}
	return result.answer, result.err
}

// callRoute returns a function's answer. A panic is an error, as it is of a Lambda; so is an answer without a status.
// The error tells the type of the function's own, never its text.
func callRoute(
	ctx context.Context, function Function, payload []byte,
) (answer proxyAnswer, err error) { //nolint:nonamedreturns // Set after a panic.
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %T", errFunctionThrew, cause)
		}
	}()

	encoded, err := function.Invoke(ctx, payload)
	if err != nil {
		return proxyAnswer{}, fmt.Errorf("%w: %T", errFunctionThrew, err)
	}

	const highest = 599
	if json.Unmarshal(encoded, &answer) != nil || answer.StatusCode < http.StatusOK || answer.StatusCode > highest {
		return proxyAnswer{}, errMalformedAnswer
	}
	return answer, nil
}

// encode returns the JSON of one of the gateway's own structs, which always have one.
func encode(value any) []byte {
	encoded, _ := json.Marshal(value) //nolint:errchkjson // strings, numbers, and maps of strings
	return encoded
}
