package invoke_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/invoke"
)

type brokenError struct{ Reason string }

func (e brokenError) Error() string { return e.Reason }

type pointerError struct{}

func (*pointerError) Error() string { return "by pointer" }

// A rawFunction is a lambda.Handler.
type rawFunction func(ctx context.Context, payload []byte) ([]byte, error)

func (f rawFunction) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return f(ctx, payload)
}

func failing(err error) invoke.Function {
	return invoke.Function{Handler: func() error { return err }}
}

func echo(_ context.Context, payload json.RawMessage) (json.RawMessage, error) { return payload, nil }

func newLambda(t *testing.T, functions map[string]invoke.Function) *invoke.Lambda {
	t.Helper()
	lambda := invoke.New(invoke.Config{Functions: functions})
	t.Cleanup(func() {
		err := lambda.Close(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return lambda
}

func TestSDKClientInvokesFunctions(t *testing.T) {
	t.Parallel()

	lambda := newLambda(t, map[string]invoke.Function{
		"echo":    {Handler: echo},
		"value":   failing(brokenError{"went wrong"}),
		"pointer": failing(&pointerError{}),
		"plain":   failing(errors.New("plain")),
		"wrapped": failing(fmt.Errorf("wrap: %w", brokenError{"inside"})),
		"named":   failing(messages.InvokeResponse_Error{Type: "My.Name", Message: "as given"}),
		"timeout": {Timeout: 20 * time.Millisecond, Handler: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		"large": {Handler: rawFunction(func(context.Context, []byte) ([]byte, error) {
			return make([]byte, 6<<20+101), nil // One byte more than the limit.
		})},
	})
	client := awslambda.NewFromConfig(wiretest.Config(t, lambda))
	for _, tt := range []struct {
		function  string
		payload   string
		want      string // The payload; a * at its end stands for the rest.
		wantError bool
	}{
		{function: "echo", payload: `{"a":"<&>"}`, want: `{"a":"<&>"}`},
		{function: "echo", want: `{}`},
		{function: "arn:aws:lambda:us-east-1:000000000000:function:echo", payload: `1`, want: `1`},
		{function: "arn:aws:lambda:us-east-1:000000000000:function:echo:$LATEST", payload: `2`, want: `2`},
		{function: "000000000000:function:echo", payload: `3`, want: `3`},
		{function: "value", want: `{"errorMessage":"went wrong","errorType":"brokenError"}`, wantError: true},
		{function: "pointer", want: `{"errorMessage":"by pointer","errorType":"pointerError"}`, wantError: true},
		{function: "plain", want: `{"errorMessage":"plain","errorType":"errorString"}`, wantError: true},
		{function: "wrapped", want: `{"errorMessage":"wrap: inside","errorType":"wrapError"}`, wantError: true},
		{function: "named", want: `{"errorMessage":"as given","errorType":"My.Name"}`, wantError: true},
		{
			function: "large", wantError: true,
			want: `{"errorMessage":"Response payload size (6291557 bytes) exceeded maximum allowed payload size ` +
				`(6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}`,
		},
	} {
		out, err := client.Invoke(t.Context(), &awslambda.InvokeInput{
			FunctionName: aws.String(tt.function),
			Payload:      []byte(tt.payload),
			LogType:      types.LogTypeTail,
		})
		if err != nil {
			t.Errorf("Invoke %s: %v", tt.function, err)
			continue
		}

		if string(out.Payload) != tt.want {
			t.Errorf("Invoke %s answered %s, want %s", tt.function, out.Payload, tt.want)
		}
		if got := aws.ToString(out.FunctionError) == "Unhandled"; got != tt.wantError {
			t.Errorf("Invoke %s: function error %v, want %v", tt.function, got, tt.wantError)
		}
		if out.StatusCode != http.StatusOK || aws.ToString(out.ExecutedVersion) != "$LATEST" {
			t.Errorf("Invoke %s: status %d, version %s", tt.function, out.StatusCode, aws.ToString(out.ExecutedVersion))
		}
	}

	out, err := client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("timeout")})
	if err != nil {
		t.Fatal(err)
	}

	var failure struct{ ErrorMessage, ErrorType string }
	err = json.Unmarshal(out.Payload, &failure)
	if err != nil || failure.ErrorType != "Sandbox.Timedout" ||
		!strings.HasSuffix(failure.ErrorMessage, "Task timed out after 0.02 seconds") {
		t.Errorf("timeout answered %s", out.Payload)
	}
}

func TestInvokeRejectsInvalidRequests(t *testing.T) {
	t.Parallel()
	lambda := newLambda(t, map[string]invoke.Function{"echo": {Handler: echo}})
	client := awslambda.NewFromConfig(wiretest.Config(t, lambda))
	large := append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, 6<<20)...), '"')
	for _, tt := range []struct {
		name       string
		in         awslambda.InvokeInput
		code       string
		wantStatus int
	}{
		{
			"unknown", awslambda.InvokeInput{FunctionName: aws.String("unknown")},
			"ResourceNotFoundException", http.StatusNotFound,
		},
		{
			"unknown event", awslambda.InvokeInput{FunctionName: aws.String("unknown"), InvocationType: types.InvocationTypeEvent},
			"ResourceNotFoundException", http.StatusNotFound,
		},
		{
			"unknown dry run", awslambda.InvokeInput{FunctionName: aws.String("unknown"), InvocationType: types.InvocationTypeDryRun},
			"ResourceNotFoundException", http.StatusNotFound,
		},
		{
			"version", awslambda.InvokeInput{FunctionName: aws.String("echo"), Qualifier: aws.String("7")},
			"ResourceNotFoundException", http.StatusNotFound,
		},
		{
			"not JSON", awslambda.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte("{")},
			"InvalidRequestContentException", http.StatusBadRequest,
		},
		{
			"too large", awslambda.InvokeInput{FunctionName: aws.String("echo"), Payload: large},
			"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge,
		},
		{
			"too large an event",
			awslambda.InvokeInput{FunctionName: aws.String("echo"), Payload: large, InvocationType: types.InvocationTypeEvent},
			"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge,
		},
	} {
		_, err := client.Invoke(t.Context(), &tt.in)
		var apiErr smithy.APIError
		if !errors.As(err, &apiErr) || apiErr.ErrorCode() != tt.code {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.code)
		}

		var response interface{ HTTPStatusCode() int }
		if !errors.As(err, &response) || response.HTTPStatusCode() != tt.wantStatus {
			t.Errorf("%s: got %v, want status %d", tt.name, err, tt.wantStatus)
		}
	}

	var notFound *types.ResourceNotFoundException
	_, err := client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("unknown")})
	if !errors.As(err, &notFound) ||
		notFound.ErrorMessage() != "Function not found: arn:aws:lambda:us-east-1:000000000000:function:unknown" ||
		aws.ToString(notFound.Type) != "User" {
		t.Errorf("got %#v", err)
	}
}

func TestEventRunsTheFunctionAndDryRunDoesNot(t *testing.T) {
	t.Parallel()
	called := make(chan string, 2)
	lambda := newLambda(t, map[string]invoke.Function{
		"seen": {Handler: func(_ context.Context, text string) { called <- text }},
	})
	client := awslambda.NewFromConfig(wiretest.Config(t, lambda))
	for kind, status := range map[types.InvocationType]int32{
		types.InvocationTypeEvent: http.StatusAccepted, types.InvocationTypeDryRun: http.StatusNoContent,
	} {
		out, err := client.Invoke(t.Context(), &awslambda.InvokeInput{
			FunctionName: aws.String("seen"), InvocationType: kind, Payload: []byte(`"` + string(kind) + `"`),
		})
		if err != nil || out.StatusCode != status || len(out.Payload) != 0 {
			t.Errorf("%s: status %d, payload %q, error %v", kind, out.StatusCode, out.Payload, err)
		}
	}

	if got := <-called; got != "Event" {
		t.Errorf("the function was called with %q", got)
	}

	err := lambda.Close(t.Context())
	if err != nil || len(called) != 0 {
		t.Errorf("after Close: %d more calls, error %v", len(called), err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("/2015-03-31/functions/echo/invocations", "RequestResponse", []byte(`{}`))
	f.Add("/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A0%3Afunction%3Aecho/invocations", "Event", []byte(`1`))
	f.Add("/2015-03-31/functions//invocations", "DryRun", []byte(`{`))
	f.Add("/", "", []byte(nil))

	lambda := invoke.New(invoke.Config{Functions: map[string]invoke.Function{
		"echo": {Handler: echo},
	}})
	f.Fuzz(func(t *testing.T, path, kind string, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		r.URL.Path = path
		r.Header.Set("X-Amz-Invocation-Type", kind)
		w := httptest.NewRecorder()
		lambda.ServeHTTP(w, r)

		switch w.Code {
		case http.StatusOK:
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("answered %q", w.Body)
			}
		case http.StatusAccepted, http.StatusNoContent:
			if w.Body.Len() != 0 {
				t.Errorf("answered %q", w.Body)
			}
		default:
			if w.Header().Get("X-Amzn-Errortype") == "" || !json.Valid(w.Body.Bytes()) {
				t.Errorf("status %d without an error: %q", w.Code, w.Body)
			}
		}
	})
}
