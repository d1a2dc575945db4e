package local_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

func TestEveryTypeOfMessageArrives(t *testing.T) {
	twin, _ := startTwin(t)
	ann := openTab(t, twin, "ann")
	client := lambda.NewFromConfig(twin.AWSConfig())
	for _, want := range []message.Data{
		message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Progress: 42.5, Message: "Parsing row 4250", CurrentRow: 4250, TotalRows: 10000},
		message.Notification{Title: "Done", Message: "All parts are in", Severity: message.SeveritySuccess, ActionURL: "/mocs/42"},
		message.Error{Code: "PARSE_FAILED", Message: "Line 7 has no quantity", Details: json.RawMessage(`{"line":7}`)},
	} {
		request, err := json.Marshal(map[string]any{"userId": "ann", "message": map[string]any{"type": want.Type(), "data": want}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(local.NotifierName), Payload: request})
		if err != nil || out.FunctionError != nil {
			t.Fatalf("%v, %s", err, out.Payload)
		}
		got := until(t, ann, func(message.Envelope) bool { return true })[0]
		if got.Type != want.Type() || got.ID == "" || got.Timestamp.IsZero() {
			t.Errorf("envelope is %+v", got)
		}
		if diff := cmp.Diff(want, got.Data); diff != "" {
			t.Errorf("data (-want +got):\n%s", diff)
		}
	}
}

func TestClosedTabLeavesNoConnection(t *testing.T) {
	connections := &connection.Memory{}
	twin, err := local.Start(t.Context(), local.Config{Connections: connections})
	if err != nil {
		t.Fatal(err)
	}
	defer twin.Close(t.Context())
	count := func() (n int) {
		for range connections.ByUser(t.Context(), "ann") {
			n++
		}
		return n
	}
	ann := openTab(t, twin, "ann")
	if n := count(); n != 1 {
		t.Fatalf("%d connections for one tab, want 1", n)
	}
	if err := ann.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); count() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the connection is still stored a minute after it was closed")
		}
	}
}

func TestAnotherStageIsForbidden(t *testing.T) {
	twin, _ := startTwin(t)
	for method, path := range map[string]string{http.MethodPost: "/dev/@connections/AAAAAAAAAAAAAAA=", http.MethodGet: "/dev/%40connections/AAAAAAAAAAAAAAA%3D"} {
		request, err := http.NewRequestWithContext(t.Context(), method, twin.Endpoint()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if kind := response.Header.Get("X-Amzn-Errortype"); response.StatusCode != http.StatusForbidden || kind != "ForbiddenException" {
			t.Errorf("%s %s is answered %s %s, want 403 ForbiddenException", method, path, response.Status, kind)
		}
	}
	otherStageURL := strings.TrimSuffix(twin.WebSocketURL(), local.Stage) + "dev"
	if _, err := client.Dial(t.Context(), otherStageURL, "token"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("connecting to another stage: %v, want 403", err)
	}
}
