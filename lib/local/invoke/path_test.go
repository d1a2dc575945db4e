package invoke_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/invoke"
)

func TestTheQualifierOfANameAndOfTheQueryMustBeTheSame(t *testing.T) {
	t.Parallel()
	client := awslambda.NewFromConfig(wiretest.Config(t, newLambda(t, map[string]invoke.Function{"echo": {Handler: echo}})))
	for _, tt := range []struct{ function, qualifier, code string }{
		{"echo", "", ""},
		{"echo", "$LATEST", ""},
		{"echo:$LATEST", "$LATEST", ""},
		{invoke.FunctionARN("echo"), "$LATEST", ""},
		{invoke.FunctionARN("echo") + ":$LATEST", "", ""},
		{invoke.FunctionARN("echo") + ":$LATEST", "$LATEST", ""},
		{"000000000000:function:echo:$LATEST", "$LATEST", ""},
		{"echo", "1", "ResourceNotFoundException"},
		{"echo:1", "1", "ResourceNotFoundException"},
		{"echo:$LATEST", "1", "InvalidParameterValueException"},
		{invoke.FunctionARN("echo") + ":live", "$LATEST", "InvalidParameterValueException"},
	} {
		in := &awslambda.InvokeInput{FunctionName: &tt.function}
		if tt.qualifier != "" {
			in.Qualifier = aws.String(tt.qualifier)
		}
		_, err := client.Invoke(t.Context(), in)
		if tt.code != "" {
			wiretest.WantCode(t, tt.function+" "+tt.qualifier, err, tt.code)
		} else if err != nil {
			t.Errorf("%s, qualifier %q: %v", tt.function, tt.qualifier, err)
		}
	}
}

func TestOtherOperationsGetLambdasError(t *testing.T) {
	t.Parallel()
	lambda := newLambda(t, map[string]invoke.Function{"echo": {Handler: echo}})
	for _, path := range []string{
		"/2014-11-13/functions/echo/invoke-async/", "/2021-10-31/functions/echo/url", "/2021-11-15/functions/echo/response-streaming-invocations",
		"/2015-03-31/functions/", "/2015-03-31/event-source-mappings/", "/2018-10-31/layers", "/2035-01-01/",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
		if !invoke.Serves(r) {
			t.Errorf("%s is not served", path)
		}
		w := httptest.NewRecorder()
		lambda.ServeHTTP(w, r)
		var body struct{ Type, Message string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Message == "" || w.Code != http.StatusNotFound ||
			w.Header().Get("X-Amzn-Errortype") != "UnknownOperationException" {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
}

func TestABucketWithTheNameOfADateIsNotLambdas(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{"/2026-01-01/a": true, "/2026-01-01": false, "/2026-1-01/a": false, "/a/2015-03-31/b": false} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, path, nil)
		if got := invoke.Serves(r); got != want {
			t.Errorf("%s: %t, want %t", path, got, want)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/2026-01-01/a", nil)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
	if invoke.Serves(r) {
		t.Error("a request that is signed for S3 is served")
	}
	r = httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/2026-01-01/a?X-Amz-Credential=x%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", nil)
	if invoke.Serves(r) {
		t.Error("a request that is presigned for S3 is served")
	}
}
