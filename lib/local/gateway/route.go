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

// The messages of API Gateway's errors.
const (
	internalServerError = "Internal server error"
	endpointTimedOut    = "Endpoint request timed out"
	forbidden           = "Forbidden"
)

var (
	errIntegrationTimeout = errors.New("gateway: function timed out")
	errFunctionFailed     = errors.New("gateway: function failed")
	errMalformedResponse  = errors.New("gateway: function's response has no valid statusCode")
)

// proxyResponse is the response of a route's function (Lambda proxy integration).
type proxyResponse struct {
	StatusCode        int                 `json:"statusCode"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// header returns the first value of a header, ignoring the name's case, or "".
func (r proxyResponse) header(name string) string {
	for key, value := range r.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}

	for key, values := range r.MultiValueHeaders {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// decodedBody returns the body to send to the client.
func (r proxyResponse) decodedBody() string {
	if r.IsBase64Encoded {
		if decoded, err := base64.StdEncoding.DecodeString(r.Body); err == nil {
			return string(decoded)
		}
	}
	return r.Body
}

// errorBody is the frame or the HTTP body that API Gateway sends when a request fails.
type errorBody struct {
	Message      string `json:"message"`
	ConnectionID string `json:"connectionId,omitempty"`
	RequestID    string `json:"requestId,omitempty"`
}

func newErrorBody(message string, event *proxyEvent) errorBody {
	return errorBody{
		Message:      message,
		ConnectionID: event.RequestContext.ConnectionID,
		RequestID:    event.RequestContext.RequestID,
	}
}

// selectRoute returns the route key of a message: its "action" if there is such a route, otherwise $default, or "" if there is
// no $default route. A message cannot select $connect or $disconnect.
func (g *Gateway) selectRoute(message []byte) string {
	for _, key := range []string{messageAction(message), routeDefault} {
		if key == "" || key == routeConnect || key == routeDisconnect {
			continue
		}
		if g.cfg.Mocks[key] != nil || g.cfg.Routes[key] != nil {
			return key
		}
	}
	return ""
}

// messageAction evaluates the route selection expression $request.body.action. It returns "" if the message is not a JSON
// object with a string, number or boolean in "action".
func messageAction(message []byte) string {
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

// handleMessage invokes the route of a message. It sends a frame to the browser only if there is no route, the function fails,
// or the route is a mock. A function's response is dropped because no route has a route response.
func (s *socket) handleMessage(message []byte) {
	key := s.gateway.selectRoute(message)
	event := s.newMessageEvent(key, string(message))
	var reply []byte
	switch mock := s.gateway.cfg.Mocks[key]; {
	case key == "":
		reply = encode(newErrorBody(forbidden, event))
	case mock != nil:
		reply = []byte(mock(time.UnixMilli(event.RequestContext.RequestTimeEpoch)))
	default:
		_, err := s.gateway.invoke(s.gateway.cfg.Routes[key], event)
		switch {
		case err == nil:
			return
		case errors.Is(err, errIntegrationTimeout):
			reply = encode(newErrorBody(endpointTimedOut, event))
		default:
			reply = encode(newErrorBody(internalServerError, event))
		}
	}

	if err := s.sendText(s.gateway.ctx, reply); err != nil {
		s.gateway.cfg.Log.DebugContext(s.gateway.ctx, "send reply", slog.String("connectionId", s.id), slog.Any("err", err))
	}
}

// invokeDisconnect invokes $disconnect and ignores its response.
func (s *socket) invokeDisconnect(status closeStatus) {
	if function := s.gateway.cfg.Routes[routeDisconnect]; function != nil {
		_, _ = s.gateway.invoke(function, s.newDisconnectEvent(status)) // invoke logs the error.
	}
}

// invoke calls a function with an event and waits for its response, at most IntegrationTimeout. It logs errors.
func (g *Gateway) invoke(function Function, event *proxyEvent) (proxyResponse, error) {
	type callResult struct {
		response proxyResponse
		err      error
	}

	results := make(chan callResult, 1)
	g.running.Go(func() {
		response, err := callFunction(g.ctx, function, event)
		results <- callResult{response, err}
	})

	timeout := time.NewTimer(g.cfg.IntegrationTimeout)
	defer timeout.Stop()
	var result callResult
	select {
	case result = <-results:
	case <-timeout.C:
		result.err = errIntegrationTimeout
	}

	if result.err != nil {
		g.cfg.Log.WarnContext(g.ctx, "route failed",
			slog.String("route", event.RequestContext.RouteKey),
			slog.String("connectionId", event.RequestContext.ConnectionID),
			slog.Any("err", result.err))
	}
	return result.response, result.err
}

// callFunction calls a function and decodes its response. It returns an error if the function returns one, panics, or returns a
// response without a valid status. The error contains the type of the function's error but not its text, which may be secret.
func callFunction(ctx context.Context, function Function, event *proxyEvent) (response proxyResponse, err error) {
	defer func() {
		if panicValue := recover(); panicValue != nil {
			err = fmt.Errorf("%w: %T", errFunctionFailed, panicValue)
		}
	}()

	payload, err := json.Marshal(event)
	if err != nil {
		return proxyResponse{}, fmt.Errorf("encode event: %w", err)
	}
	encoded, err := function.Invoke(ctx, payload)
	if err != nil {
		return proxyResponse{}, fmt.Errorf("%w: %T", errFunctionFailed, err)
	}

	const maxStatus = 599
	if json.Unmarshal(encoded, &response) != nil || response.StatusCode < http.StatusOK || response.StatusCode > maxStatus {
		return proxyResponse{}, errMalformedResponse
	}
	return response, nil
}

// encode returns the JSON of value, or that of an internal server error if value has none.
func encode(value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		return []byte(`{"message":"` + internalServerError + `"}`)
	}
	return encoded
}
