package gateway_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// lifecycleEvents connects, sends a message and disconnects. It returns the three events.
func lifecycleEvents(t *testing.T) [3][]byte {
	t.Helper()
	function, events := functionRecording()
	_, serverURL := startGateway(t, gateway.Config{
		APIID: "gy415nuibc", DomainName: "gateway.test",
		Routes: map[string]gateway.Function{"$connect": function, "$default": function, "$disconnect": function},
	})
	conn := dial(t, serverURL, &websocket.DialOptions{HTTPHeader: http.Header{
		"User-Agent": {"test"}, "Origin": {"https://herald.test"}, "X-Forwarded-For": {"10.1.1.1"}, "Cookie": {"a=b"},
	}, Subprotocols: []string{"herald"}})
	connected := nextEventJSON(t, events)
	writeText(t, conn, `{"a": "<é>"}`)
	message := nextEventJSON(t, events)

	_ = conn.Close(websocket.StatusGoingAway, "")
	return [3][]byte{connected, message, nextEventJSON(t, events)}
}

// variableFields are the values that differ between runs, with a replacement for each. CLF is a time in the Common Log Format.
var variableFields = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`"[\w-]{15}="`), `"ID"`},
	{regexp.MustCompile(`\b1\d{12}\b`), `"EPOCH"`},
	{regexp.MustCompile(`"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000"`), `"CLF"`},
	{regexp.MustCompile(`"[\w+/]{22}=="`), `"KEY"`},
	{regexp.MustCompile(`"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"`), `"TRACE"`},
	{regexp.MustCompile(`\b\d{4,5}"`), `PORT"`},
}

func TestEventsHaveTheFieldsOfAWS(t *testing.T) {
	t.Parallel()

	const common = `"stage":"prod","connectedAt":"EPOCH","requestTimeEpoch":"EPOCH",
		"identity":{"userAgent":"test","sourceIp":"127.0.0.1"},"extendedRequestId":"ID","requestId":"ID","requestTime":"CLF",
		"messageDirection":"IN","domainName":"gateway.test","connectionId":"ID","apiId":"gy415nuibc"`
	want := [3]string{
		`{"headers":{
			"Accept-Encoding":"gzip","Cookie":"a=b","Host":"127.0.0.1:PORT","Origin":"https://herald.test",
			"Sec-WebSocket-Key":"KEY","Sec-WebSocket-Protocol":"herald","Sec-WebSocket-Version":"13","User-Agent":"test",
			"X-Amzn-Trace-Id":"TRACE","X-Forwarded-For":"10.1.1.1, 127.0.0.1","X-Forwarded-Port":"PORT","X-Forwarded-Proto":"http"},
		"multiValueHeaders":{
			"Accept-Encoding":["gzip"],"Cookie":["a=b"],"Host":["127.0.0.1:PORT"],"Origin":["https://herald.test"],
			"Sec-WebSocket-Key":["KEY"],"Sec-WebSocket-Protocol":["herald"],"Sec-WebSocket-Version":["13"],"User-Agent":["test"],
			"X-Amzn-Trace-Id":["TRACE"],"X-Forwarded-For":["10.1.1.1, 127.0.0.1"],"X-Forwarded-Port":["PORT"],"X-Forwarded-Proto":["http"]},
		"requestContext":{"routeKey":"$connect","eventType":"CONNECT",` + common + `},"isBase64Encoded":false}`,

		`{"requestContext":{"routeKey":"$default","messageId":"ID","eventType":"MESSAGE",` + common + `},
		"body":"{\"a\": \"<é>\"}","isBase64Encoded":false}`,

		`{"headers":{"Host":"gateway.test","x-api-key":"","X-Forwarded-For":"","x-restapi":""},
		"multiValueHeaders":{"Host":["gateway.test"],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},
		"requestContext":{"routeKey":"$disconnect","disconnectStatusCode":1001,"eventType":"DISCONNECT","disconnectReason":"",` +
			common + `},"isBase64Encoded":false}`,
	}

	for i, event := range lifecycleEvents(t) {
		masked := string(event)
		for _, m := range variableFields {
			masked = m.pattern.ReplaceAllString(masked, m.replacement)
		}
		if diff := cmp.Diff(decodeJSON[any](t, []byte(want[i])), decodeJSON[any](t, []byte(masked))); diff != "" {
			t.Errorf("event %d (-want +got):\n%s", i, diff)
		}
		if ids := decodeJSON[eventFields](t, event).RequestContext; ids.RequestID != ids.ExtendedRequestID {
			t.Errorf("event %d: requestId %q, extendedRequestId %q, want the same", i, ids.RequestID, ids.ExtendedRequestID)
		}
	}
}

// The events of this gateway have the fields of the events that were recorded on AWS, with the same types. Headers that depend
// on the browser are not compared.
func TestEventsHaveTheShapeOfEventsRecordedOnAWS(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set")
	}

	for i, name := range []string{
		"bref-2020-connect.json",
		"aws-lambda-go-apigw-websocket-request-send-message.json",
		"aws-lambda-go-apigw-websocket-request-disconnect.json",
	} {
		recorded, err := os.ReadFile(filepath.Join(dir, "apigw", name))
		if err != nil {
			t.Fatal(err)
		}
		want, got := jsonShape(decodeJSON[any](t, recorded)), jsonShape(decodeJSON[any](t, lifecycleEvents(t)[i]))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-recorded +ours):\n%s", name, diff)
		}
	}
}

// jsonShape returns a JSON value in which each string and number is replaced by its type. Nulls and headers that depend on the
// browser are omitted.
func jsonShape(value any) any {
	switch value := value.(type) {
	case map[string]any:
		shapes := map[string]any{}
		for name, member := range value {
			switch name {
			case "Accept-Encoding", "Accept-Language", "Cache-Control", "Origin", "Pragma", "Cookie",
				"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol":
			default:
				if member != nil {
					shapes[name] = jsonShape(member)
				}
			}
		}

		return shapes
	case []any:
		shapes := make([]any, len(value))
		for i, element := range value {
			shapes[i] = jsonShape(element)
		}
		return shapes
	case string:
		return "string"
	case float64:
		return "number"
	default:
		return value
	}
}

func TestConnectEventHoldsTheQueryParameters(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		query  string
		single map[string]string
		many   map[string][]string
	}{
		"none":     {"", nil, nil},
		"one":      {"?token=a.b-c_d", map[string]string{"token": "a.b-c_d"}, map[string][]string{"token": {"a.b-c_d"}}},
		"repeated": {"?a=1&a=2", map[string]string{"a": "2"}, map[string][]string{"a": {"1", "2"}}},
		"escaped":  {"?a=%3D%26&b", map[string]string{"a": "=&", "b": ""}, map[string][]string{"a": {"=&"}, "b": {""}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connect, events := functionRecording()
			_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": connect}})
			dialURL(t, serverURL+"/prod"+test.query, nil)

			event := decodeJSON[struct {
				Single map[string]string   `json:"queryStringParameters"`
				Many   map[string][]string `json:"multiValueQueryStringParameters"`
			}](t, nextEventJSON(t, events))
			if diff := cmp.Diff(test.single, event.Single); diff != "" {
				t.Errorf("queryStringParameters (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.many, event.Many); diff != "" {
				t.Errorf("multiValueQueryStringParameters (-want +got):\n%s", diff)
			}
		})
	}
}
