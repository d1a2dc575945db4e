// Package session answers the routes of the WebSocket API.
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

// Subprotocol is [message.Subprotocol].
const Subprotocol = message.Subprotocol

const protocolHeader = "Sec-WebSocket-Protocol"

// Verifier tells whom a token stands for. Its errors are those of package auth.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Claims, error)
}

// Request is an event of the WebSocket API.
type Request = events.APIGatewayWebsocketProxyRequest

// Response is what a route answers. But for $connect, API Gateway drops everything except that it is one.
type Response = events.APIGatewayProxyResponse

func ok(text string) Response { return Response{StatusCode: http.StatusOK, Body: text} }

// refusal answers with a stable code and a short message; what lies behind them is only logged.
func refusal(status int, message string) Response {
	codes := map[int]string{
		http.StatusUnauthorized:        "UNAUTHORIZED",
		http.StatusForbidden:           "FORBIDDEN",
		http.StatusTooManyRequests:     CodeRateLimited,
		http.StatusInternalServerError: "INTERNAL_ERROR",
	}
	body, err := json.Marshal(map[string]string{"error": codes[status], "message": message})
	if err != nil {
		body = nil // cannot be: a map of texts
	}

	return Response{StatusCode: status, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(body)}
}

// header returns the values of a header, whatever its case: events keep the client's.
func header(r *Request, name string) []string {
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

// token returns the token of a $connect request and the subprotocol to answer with. The token that follows "herald"
// among the subprotocols wins over that of the query.
func token(r *Request) (token, protocol string) {
	var offered []string
	for _, value := range header(r, protocolHeader) {
		for part := range strings.SplitSeq(value, ",") {
			offered = append(offered, strings.TrimSpace(part))
		}
	}
	i := slices.Index(offered, Subprotocol)
	if i >= 0 {
		protocol = Subprotocol
		if i+1 < len(offered) {
			return offered[i+1], protocol
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
