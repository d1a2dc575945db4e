// Package session handles the routes of the WebSocket API.
package session

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/message"
)

// Subprotocol is the subprotocol that $connect accepts.
const Subprotocol = message.Subprotocol

const protocolHeader = "Sec-WebSocket-Protocol"

// Verifier verifies tokens. Its errors are those of package auth.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Claims, error)
}

// Request is an event of the WebSocket API.
type Request = events.APIGatewayWebsocketProxyRequest

// Response is the result of a route. Except for $connect, API Gateway ignores its content.
type Response = events.APIGatewayProxyResponse

func okResponse(text string) Response { return Response{StatusCode: http.StatusOK, Body: text} }

// errorResponse returns a response with a stable code and a short message for the browser. Details belong in the log only.
func errorResponse(status int, message string) Response {
	codes := map[int]string{
		http.StatusUnauthorized:        "UNAUTHORIZED",
		http.StatusForbidden:           "FORBIDDEN",
		http.StatusTooManyRequests:     CodeRateLimited,
		http.StatusInternalServerError: "INTERNAL_ERROR",
	}
	body, err := json.Marshal(map[string]string{"error": codes[status], "message": message})
	if err != nil {
		body = nil // impossible: a map of strings can be encoded
	}

	return Response{StatusCode: status, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(body)}
}

// headerValues returns the values of a header in any letter case, because events have the client's spelling.
func headerValues(r *Request, name string) []string {
	for key, values := range r.MultiValueHeaders {
		if strings.EqualFold(key, name) {
			return values
		}
	}
	for key, value := range r.Headers {
		if strings.EqualFold(key, name) {
			return []string{value}
		}
	}

	return nil
}

// requestToken returns the token of a $connect request and the subprotocol to accept. A token that follows "herald" in the list
// of subprotocols takes precedence over the query's token.
func requestToken(r *Request) (token, protocol string) {
	var protocols []string
	for _, value := range headerValues(r, protocolHeader) {
		for part := range strings.SplitSeq(value, ",") {
			protocols = append(protocols, strings.TrimSpace(part))
		}
	}
	i := slices.Index(protocols, Subprotocol)
	if i >= 0 {
		protocol = Subprotocol
		if i+1 < len(protocols) {
			return protocols[i+1], protocol
		}
	}

	return r.QueryStringParameters["token"], protocol
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

func clock(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}
