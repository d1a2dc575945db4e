package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/session"
)

var connectedAt = time.Date(2026, 11, 22, 10, 0, 0, 123e6, time.UTC)

// verifier is a verifier of four tokens, whose names say what they are. Every other token is invalid.
type verifier struct{}

func (verifier) Verify(_ context.Context, token string) (auth.Claims, error) {
	switch token {
	case "good-token":
		return auth.Claims{Subject: "u1", ExpiresAt: connectedAt.Add(time.Hour).Truncate(time.Second)}, nil
	case "expired-token":
		return auth.Claims{}, auth.ErrExpired
	case "unverifiable-token":
		return auth.Claims{}, fmt.Errorf("%w: connection refused", auth.ErrUnavailable)
	default:
		return auth.Claims{}, fmt.Errorf("%w: signature", auth.ErrInvalid)
	}
}

// failingStore is a store whose Put and Delete fail.
type failingStore struct{ *connection.Memory }

var errStore = errors.New("ProvisionedThroughputExceededException: table websocket_connections")

func (failingStore) Put(context.Context, connection.Connection) error { return errStore }
func (failingStore) Delete(context.Context, string) error             { return errStore }

// connect returns a $connect request with a token in the query, or without a token if token is empty.
func connect(token string) session.Request {
	r := session.Request{Headers: map[string]string{"Host": "x", "Origin": "https://app.example.com"}}
	r.RequestContext.ConnectionID = "L0SM9cOFvHcCIhw="
	r.RequestContext.ConnectedAt = connectedAt.UnixMilli()
	if token != "" {
		r.QueryStringParameters = map[string]string{"token": token}
	}
	return r
}

func TestConnectResponses(t *testing.T) {
	offering := func(token, protocols string) session.Request {
		r := connect(token)
		r.Headers["sec-websocket-protocol"] = protocols
		return r
	}
	for _, tt := range []struct {
		name     string
		request  session.Request
		broken   bool // the store fails
		origins  []string
		status   int
		body     string
		protocol string
	}{
		{name: "good token", request: connect("good-token"), status: 200, body: "Connected"},
		{name: "no token", request: connect(""), status: 401, body: `{"error":"UNAUTHORIZED","message":"Missing token"}`},
		{name: "bad token", request: connect("forged-token"), status: 401, body: `{"error":"UNAUTHORIZED","message":"Invalid token"}`},
		{name: "expired token", request: connect("expired-token"), status: 401, body: `{"error":"UNAUTHORIZED","message":"Token expired"}`},
		{name: "key server down", request: connect("unverifiable-token"), status: 500, body: `{"error":"INTERNAL_ERROR","message":"Internal server error"}`},
		{name: "store down", request: connect("good-token"), broken: true, status: 500, body: `{"error":"INTERNAL_ERROR","message":"Internal server error"}`},
		{name: "subprotocol", request: offering("", "herald, good-token"), status: 200, body: "Connected", protocol: "herald"},
		{name: "subprotocol wins over the query", request: offering("good-token", "herald, forged-token"), status: 401, body: `{"error":"UNAUTHORIZED","message":"Invalid token"}`},
		{name: "subprotocol beside the query", request: offering("good-token", "herald"), status: 200, body: "Connected", protocol: "herald"},
		{name: "another subprotocol", request: offering("good-token", "chat, forged-token"), status: 200, body: "Connected"},
		{name: "accepted origin", request: connect("good-token"), origins: []string{"https://app.example.com"}, status: 200, body: "Connected"},
		{name: "other origin", request: connect("good-token"), origins: []string{"https://example.com"}, status: 403, body: `{"error":"FORBIDDEN","message":"Origin not allowed"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			memory, log := &connection.Memory{}, &bytes.Buffer{}
			h := &session.Connect{Verifier: verifier{}, Store: memory, Origins: tt.origins, Log: slog.New(slog.NewJSONHandler(log, nil))}
			if tt.broken {
				h.Store = failingStore{memory}
			}
			got, err := h.Handle(t.Context(), tt.request)
			if err != nil {
				t.Fatal(err)
			}
			if got.StatusCode != tt.status || got.Body != tt.body || got.Headers["Sec-WebSocket-Protocol"] != tt.protocol {
				t.Errorf("answer is %d %q %v, want %d %q, protocol %q", got.StatusCode, got.Body, got.Headers, tt.status, tt.body, tt.protocol)
			}
			_, err = memory.Get(t.Context(), "L0SM9cOFvHcCIhw=")
			if stored, want := err == nil, tt.status == 200; stored != want {
				t.Errorf("stored: %v, want %v", stored, want)
			}
			if strings.Contains(log.String(), "-token") {
				t.Errorf("the log has the token: %s", log)
			}
		})
	}
}

func TestConnectStoresUserAndTimes(t *testing.T) {
	store := &connection.Memory{}
	h := &session.Connect{Verifier: verifier{}, Store: store}
	if _, err := h.Handle(t.Context(), connect("good-token")); err != nil {
		t.Fatal(err)
	}
	got, err := store.Get(t.Context(), "L0SM9cOFvHcCIhw=")
	if err != nil {
		t.Fatal(err)
	}
	want := connection.Connection{
		ID: "L0SM9cOFvHcCIhw=", UserID: "u1", ConnectedAt: connectedAt, TokenExpiresAt: connectedAt.Add(time.Hour).Truncate(time.Second),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

func TestDisconnectDeletesTheConnection(t *testing.T) {
	store := &connection.Memory{}
	if _, err := (&session.Connect{Verifier: verifier{}, Store: store}).Handle(t.Context(), connect("good-token")); err != nil {
		t.Fatal(err)
	}
	h := &session.Disconnect{Store: store}
	for range 2 { // API Gateway may repeat itself
		got, err := h.Handle(t.Context(), connect(""))
		if err != nil || got.StatusCode != 200 {
			t.Fatalf("%d, %v; want 200", got.StatusCode, err)
		}
	}
	if _, err := store.Get(t.Context(), "L0SM9cOFvHcCIhw="); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("the row is still there (%v)", err)
	}
	got, err := (&session.Disconnect{Store: failingStore{}}).Handle(t.Context(), connect(""))
	if want := `{"error":"INTERNAL_ERROR","message":"Internal server error"}`; err != nil || got.StatusCode != 500 || got.Body != want {
		t.Errorf("store down: %d %s, %v; want 500 %s", got.StatusCode, got.Body, err, want)
	}
}

// FuzzEvents checks that each route responds to any event as documented, and that a connection is stored exactly if $connect
// responds with 200.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"headers":{"Host":"x"},"queryStringParameters":{"token":"good-token"},"requestContext":{"connectionId":"c","connectedAt":1602279896599}}`))
	f.Add([]byte(`{"multiValueHeaders":{"Sec-WebSocket-Protocol":["herald, forged-token"]},"requestContext":{"connectionId":"c"}}`))
	f.Add([]byte(`{"requestContext":{"connectionId":"c","disconnectStatusCode":1005,"disconnectReason":"Client-side close frame status not set"}}`))
	f.Add([]byte(`{"requestContext":{"messageId":null,"connectionId":"c"},"body":"{\"action\":\"sync\"}","isBase64Encoded":false}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r session.Request
		if json.Unmarshal(raw, &r) != nil {
			return
		}
		ctx, store := context.Background(), &connection.Memory{}
		connected, err := (&session.Connect{Verifier: verifier{}, Store: store}).Handle(ctx, r)
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		_, missing := store.Get(ctx, r.RequestContext.ConnectionID)
		switch connected.StatusCode {
		case 200:
			if missing != nil {
				t.Error("connected without a row")
			}
		case 401, 500:
			if missing == nil {
				t.Error("refused, and stored")
			}
		default:
			t.Errorf("connect answers %d", connected.StatusCode)
		}
		if answer, err := (&session.Disconnect{Store: store}).Handle(ctx, r); err != nil || answer.StatusCode != 200 {
			t.Errorf("disconnect answers %d, %v", answer.StatusCode, err)
		}
		tabs := &gateway{}
		h := &session.Default{Gateway: tabs, Connections: store, Feed: &feed.Memory{}, Verifier: verifier{}}
		if answer, err := h.Handle(ctx, r); err != nil || answer.StatusCode != 200 || len(tabs.sent[r.RequestContext.ConnectionID]) != 1 {
			t.Errorf("default answers %d, %v, by %v", answer.StatusCode, err, tabs.sent)
		}
	})
}
