package stepfn_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/stepfn"
)

var _ notify.Workflows = &stepfn.Workflows{}

const arn = "arn:aws:states:us-east-1:123456789012:execution:m:x"

// answer is a response of Step Functions in the AWS JSON 1.0 protocol.
type answer struct {
	status int
	body   string
	// included is the includedData that the request must have. Empty means METADATA_ONLY.
	included string
}

// newTestWorkflows returns Workflows whose client calls a test server. The server sends one answer after the other, and then the last
// answer again and again. newTestWorkflows also returns where the server counts the requests.
func newTestWorkflows(t *testing.T, answers ...answer) (*stepfn.Workflows, *int) {
	t.Helper()
	requests := new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target := r.Header.Get("X-Amz-Target"); target != "AWSStepFunctions.DescribeExecution" {
			t.Errorf("target is %q", target)
		}
		var in map[string]string
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &in); err != nil || in["executionArn"] != arn || in["includedData"] == "" {
			t.Errorf("request is %s, %v", body, err)
		}
		if want := answers[min(*requests, len(answers)-1)].included; in["includedData"] != cmp.Or(want, "METADATA_ONLY") {
			t.Errorf("request %d asks for %s", *requests, in["includedData"])
		}
		a := answers[min(*requests, len(answers)-1)]
		*requests++
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	client := sfn.New(sfn.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL),
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
		Retryer:     retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond }),
	})
	return &stepfn.Workflows{Client: client}, requests
}

func TestStatusReturnsTheStatusOrErrNoWorkflow(t *testing.T) {
	throttled := answer{http.StatusBadRequest, `{"__type":"com.amazon.coral.availability#ThrottlingException","message":"Rate exceeded"}`, ""}
	failed := answer{http.StatusOK, `{"executionArn":"` + arn + `","status":"FAILED","redriveCount":2,"startDate":1.7638e9,"stopDate":1.7639e9}`, ""}
	succeeded := answer{http.StatusOK, `{"status":"SUCCEEDED","redriveCount":0}`, ""}
	superseded := answer{http.StatusOK, `{"status":"SUCCEEDED","output":"{\"superseded\":true}"}`, "ALL_DATA"}
	withOutput := answer{http.StatusOK, `{"status":"SUCCEEDED","output":"{\"rows\":2}"}`, "ALL_DATA"}
	kmsDenied := answer{http.StatusBadRequest, `{"__type":"com.amazonaws.swf.service.v2.model#KmsAccessDeniedException","message":"denied"}`, "ALL_DATA"}
	for _, tt := range []struct {
		name     string
		answers  []answer
		want     notify.Workflow
		err      error
		requests int
	}{
		{"failed", []answer{failed}, notify.Workflow{Status: "FAILED", RedriveCount: 2}, nil, 1},
		{"running", []answer{{http.StatusOK, `{"status":"RUNNING","startDate":1.7638e9}`, ""}}, notify.Workflow{Status: "RUNNING"}, nil, 1},
		{"throttled for a moment", []answer{throttled, throttled, failed}, notify.Workflow{Status: "FAILED", RedriveCount: 2}, nil, 3},
		{"succeeded", []answer{succeeded, withOutput}, notify.Workflow{Status: "SUCCEEDED"}, nil, 2},
		{"superseded", []answer{succeeded, superseded}, notify.Workflow{Status: "SUCCEEDED", Superseded: true}, nil, 2},
		{"succeeded, and its output may not be read", []answer{succeeded, kmsDenied}, notify.Workflow{Status: "SUCCEEDED"}, nil, 2},
		{
			"does not exist", []answer{{http.StatusBadRequest, `{"__type":"com.amazonaws.swf.service.v2.model#ExecutionDoesNotExist","message":"Execution Does Not Exist"}`, ""}},
			notify.Workflow{}, notify.ErrNoWorkflow, 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, requests := newTestWorkflows(t, tt.answers...)
			got, err := w.Status(t.Context(), arn)
			if got != tt.want || !errors.Is(err, tt.err) || *requests != tt.requests {
				t.Errorf("%+v, %v, after %d requests; want %+v, %v, after %d", got, err, *requests, tt.want, tt.err, tt.requests)
			}
		})
	}
}

// TestFinalErrorsAreErrNotDescribed checks that an error is ErrNotDescribed if a retry does not help, and only then.
func TestFinalErrorsAreErrNotDescribed(t *testing.T) {
	for _, tt := range []struct {
		answer answer
		final  bool // A retry does not help.
	}{
		{answer{http.StatusBadRequest, `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"not authorized"}`, ""}, true},
		{answer{http.StatusBadRequest, `{"__type":"com.amazonaws.swf.service.v2.model#InvalidArn","message":"Invalid Arn"}`, ""}, true},
		{answer{http.StatusBadRequest, `{"__type":"com.amazon.coral.validate#ValidationException","message":"1 validation error"}`, ""}, true},
		{answer{http.StatusBadRequest, `{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"expired"}`, ""}, false},
		{answer{http.StatusInternalServerError, `{}`, ""}, false},
	} {
		w, _ := newTestWorkflows(t, tt.answer)
		got, err := w.Status(t.Context(), arn)
		if err == nil || errors.Is(err, notify.ErrNoWorkflow) || errors.Is(err, notify.ErrNotDescribed) != tt.final {
			t.Errorf("%s: %+v, %v; want ErrNotDescribed: %v", tt.answer.body, got, err, tt.final)
		}
	}
}
