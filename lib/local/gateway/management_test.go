package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// transport has the sockets of the tests' requests. An httptest.Server that closes in another test closes those of http.DefaultTransport.
var transport = new(http.Transport)

// callManagement sends one request to @connections and returns the status and body of its response.
func callManagement(t *testing.T, method, fullURL, body string) (int, string) {
	t.Helper()
	status, _, responseBody := callManagementFull(t, method, fullURL, body)
	return status, responseBody
}

func callManagementFull(t *testing.T, method, fullURL, body string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, fullURL, strings.NewReader(body))
	if err != nil {
		t.Errorf("%s: %v", method, err)
		return 0, nil, ""
	}

	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Errorf("%s: %v", method, err)
		return 0, nil, ""
	}
	defer response.Body.Close()
	responseBody, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("read response: %v", err)
	}

	return response.StatusCode, response.Header, string(responseBody)
}

// dialWithID starts a gateway and connects to it. It returns the connection, the server's URL and the connection id.
func dialWithID(t *testing.T) (*websocket.Conn, string, string) {
	t.Helper()
	connect, events := functionRecording()
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": connect}})
	conn := dial(t, serverURL, &websocket.DialOptions{HTTPHeader: http.Header{"User-Agent": {"test"}}})
	return conn, serverURL, nextEvent(t, events).RequestContext.ConnectionID
}

func managementClient(serverURL string) *apigatewaymanagementapi.Client {
	return apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(serverURL + "/prod"),
		Credentials:  credentials.NewStaticCredentialsProvider("id", "secret", ""),
		Retryer:      aws.NopRetryer{},
	})
}

func TestSDKClientPostsGetsAndDeletesConnections(t *testing.T) {
	t.Parallel()
	conn, serverURL, id := dialWithID(t)
	client := managementClient(serverURL)
	if _, err := client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: &id, Data: []byte(`{"type":"welcome"}`),
	}); err != nil {
		t.Fatalf("post: %v", err)
	}

	if got := readText(t, conn); got != `{"type":"welcome"}` {
		t.Errorf("read %q", got)
	}

	status, err := client.GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
	if err != nil {
		t.Fatalf("get: %v", err)
	}

	if diff := cmp.Diff([]string{"127.0.0.1", "test"}, []string{*status.Identity.SourceIp, *status.Identity.UserAgent}); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if status.LastActiveAt.Before(*status.ConnectedAt) || time.Since(*status.ConnectedAt) > time.Minute {
		t.Errorf("connected at %v, last active at %v", status.ConnectedAt, status.LastActiveAt)
	}

	if _, err := client.DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id}); err != nil {
		t.Fatalf("delete: %v", err)
	}

	_, postErr := client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
	_, getErr := client.GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
	_, deleteErr := client.DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id})
	for name, err := range map[string]error{"post": postErr, "get": getErr, "delete": deleteErr} {
		var gone *types.GoneException
		if !errors.As(err, &gone) {
			t.Errorf("%s after delete: %v, want GoneException", name, err)
		}
	}

	_, _, err = conn.Read(t.Context())
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != websocket.StatusNormalClosure || closed.Reason != "Connection Closed Normally" {
		t.Errorf("the browser got %v, want close code 1000", err)
	}
}

func TestManagementAPIReturnsTheStatusesOfAWS(t *testing.T) {
	t.Parallel()
	conn, serverURL, id := dialWithID(t)
	big := strings.Repeat("x", 128<<10)

	const (
		gone     = "/prod/@connections/AAAAAAAAAAAAAAA="
		wrong    = "/prod/@connections/WDGT8fY4joECJrQ=test"
		tooLarge = "PayloadTooLargeException"
	)
	tests := map[string]struct {
		method, path, body  string
		status              int
		errorType, wantBody string
		wantFrame           string
	}{
		"post":           {"POST", "/prod/@connections/" + id, "hi", 200, "", "", "hi"},
		"escaped at":     {"POST", "/prod/%40connections/" + id, "hi", 200, "", "", "hi"},
		"escaped equals": {"POST", "/prod/@connections/" + url.QueryEscape(id), "hi", 200, "", "", "hi"},
		"empty":          {"POST", "/prod/@connections/" + id, "", 200, "", "", ""},
		"not UTF-8":      {"POST", "/prod/@connections/" + id, "a\xffb", 200, "", "", "a\uFFFDb"},
		"largest":        {"POST", "/prod/@connections/" + id, big, 200, "", "", big},
		"too large":      {"POST", "/prod/@connections/" + id, big + "x", 413, tooLarge, `{"message":"Message too long"}`, ""},
		"gone":           {"POST", gone, "hi", 410, "GoneException", "", ""},
		"gone get":       {"GET", gone, "", 410, "GoneException", "", ""},
		"gone delete":    {"DELETE", gone, "", 410, "GoneException", "", ""},
		"malformed id": {
			"POST", wrong, "hi", 400, "BadRequestException", `{"message":"Invalid connectionId: WDGT8fY4joECJrQ=test"}`, "",
		},
		"malformed delete": {"DELETE", "/prod/@connections/x%2Fy", "", 400, "BadRequestException", `{"message":"Invalid connectionId: x/y"}`, ""},
		"short id":         {"GET", "/prod/@connections/AAAA", "", 400, "BadRequestException", `{"message":"Invalid connectionId: AAAA"}`, ""},
		"wrong stage":      {"POST", "/dev/@connections/" + id, "hi", 403, "ForbiddenException", `{"message":"Forbidden"}`, ""},
		"no id":            {"POST", "/prod/@connections/", "hi", 403, "ForbiddenException", `{"message":"Forbidden"}`, ""},
		"another path":     {"POST", "/prod/connections/" + id, "hi", 403, "ForbiddenException", `{"message":"Forbidden"}`, ""},
		"another method":   {"PUT", "/prod/@connections/" + id, "hi", 403, "ForbiddenException", `{"message":"Forbidden"}`, ""},
	}
	conn.SetReadLimit(int64(len(big)))

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status, header, body := callManagementFull(t, test.method, serverURL+test.path, test.body)
			if status != test.status || body != test.wantBody || header.Get("X-Amzn-Errortype") != test.errorType {
				t.Errorf("returned %d %q %q, want %d %q %q",
					status, header.Get("X-Amzn-Errortype"), body, test.status, test.errorType, test.wantBody)
			}
			if got := header.Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}

			if status == http.StatusOK {
				if got := readText(t, conn); got != test.wantFrame {
					t.Errorf("read %.20q, want %.20q", got, test.wantFrame)
				}
			}
		})
	}
}

func TestGetConnectionReturnsIdentityAndTimes(t *testing.T) {
	t.Parallel()
	_, serverURL, id := dialWithID(t)
	status, body := callManagement(t, http.MethodGet, serverURL+"/prod/@connections/"+id, "")
	response := decodeJSON[map[string]any](t, []byte(body))
	for _, name := range []string{"connectedAt", "lastActiveAt"} {
		at, _ := response[name].(string)
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", at); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(response, name)
	}

	want := map[string]any{"identity": map[string]any{"sourceIp": "127.0.0.1", "userAgent": "test"}}
	if diff := cmp.Diff(want, response); diff != "" || status != http.StatusOK {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
}

// A post returns 410 while $connect runs, and succeeds once the browser has received the handshake's response.
func TestPostIsGoneUntilConnectSucceeds(t *testing.T) {
	t.Parallel()
	ids, release := make(chan string), make(chan struct{})
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{
		"$connect": functionFunc(func(_ context.Context, event []byte) ([]byte, error) {
			ids <- decodeJSON[eventFields](t, event).RequestContext.ConnectionID
			<-release
			return []byte(acceptedResponse), nil
		}),
	}})
	posted := make(chan int, 1)
	var id string

	go func() {
		id = <-ids
		status, _ := callManagement(t, http.MethodPost, serverURL+"/prod/@connections/"+id, "early")
		posted <- status
		close(release)
	}()

	conn := dial(t, serverURL, nil)
	if status := <-posted; status != http.StatusGone {
		t.Errorf("a post during $connect returned %d, want 410", status)
	}
	if status, _ := callManagement(t, http.MethodPost, serverURL+"/prod/@connections/"+id, "later"); status != http.StatusOK {
		t.Errorf("a post after the handshake returned %d, want 200", status)
	}
	if got := readText(t, conn); got != "later" {
		t.Errorf("read %q", got)
	}
}
