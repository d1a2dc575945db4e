package stepfn_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/stepfn"
)

// TestStatusOfADurableExecution answers as the API's documentation says. No emulator runs durable functions.
func TestStatusOfADurableExecution(t *testing.T) {
	const durable = "arn:aws:lambda:us-east-1:123456789012:function:agent:$LATEST/durable-execution/run-1/0a2b3c4d"
	for _, test := range []struct {
		status int
		kind   string
		body   string
		want   string
		err    error
	}{
		{http.StatusOK, "", `{"DurableExecutionArn":"a","Status":"STOPPED","StartTimestamp":1.7638e9,"EndTimestamp":1.7639e9}`, "STOPPED", nil},
		{http.StatusOK, "", `{"Status":"RUNNING"}`, "RUNNING", nil},
		{http.StatusNotFound, "ResourceNotFoundException", `{}`, "", notify.ErrNoWorkflow},
		{http.StatusForbidden, "AccessDeniedException", `{}`, "", notify.ErrNotDescribed},
		{http.StatusBadRequest, "InvalidParameterValueException", `{}`, "", notify.ErrNotDescribed},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if path, _ := url.PathUnescape(r.URL.EscapedPath()); r.Method != http.MethodGet || path != "/2025-12-01/durable-executions/"+durable {
				t.Errorf("the request is %s %s", r.Method, path)
			}
			w.Header().Set("X-Amzn-Errortype", test.kind)
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		}))
		w := &stepfn.Workflows{Lambda: lambda.New(lambda.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
		})}
		if got, err := w.Status(t.Context(), durable); got.Status != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %+v, error %v", test.kind, got, err)
		}
		server.Close()
	}
	if _, err := (&stepfn.Workflows{}).Status(t.Context(), durable); !errors.Is(err, notify.ErrNotDescribed) {
		t.Errorf("without a client: error %v", err)
	}
}
