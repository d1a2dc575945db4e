package states

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/local/awswire"
)

const (
	contentType  = "application/x-amz-json-1.0"
	targetPrefix = "AWSStepFunctions."

	// maxRequest bounds a request's body, in bytes: a text of 262,144 bytes may be escaped six to one.
	maxRequest = 2 << 20
)

// operation decodes the input of an operation and runs it.
type operation func(s *StepFunctions, ctx context.Context, body []byte) (any, error)

// operations are the operations that are served.
var operations = map[string]operation{
	"StartExecution":       decoding((*StepFunctions).StartExecution),
	"StopExecution":        decoding((*StepFunctions).StopExecution),
	"DescribeExecution":    decoding((*StepFunctions).DescribeExecution),
	"ListExecutions":       decoding((*StepFunctions).ListExecutions),
	"GetExecutionHistory":  decoding((*StepFunctions).GetExecutionHistory),
	"ListStateMachines":    decoding((*StepFunctions).ListStateMachines),
	"DescribeStateMachine": decoding((*StepFunctions).DescribeStateMachine),
	"SendTaskSuccess":      decoding((*StepFunctions).SendTaskSuccess),
	"SendTaskFailure":      decoding((*StepFunctions).SendTaskFailure),
	"SendTaskHeartbeat":    decoding((*StepFunctions).SendTaskHeartbeat),
}

// decoding returns the operation that call runs.
func decoding[In, Out any](call func(*StepFunctions, context.Context, In) (Out, error)) operation {
	return func(s *StepFunctions, ctx context.Context, body []byte) (any, error) {
		var in In
		err := json.Unmarshal(body, &in)
		if err != nil {
			return nil, awswire.NewError("SerializationException", "The request cannot be decoded")
		}
		return call(s, ctx, in)
	}
}

// ServeHTTP answers the operations of Step Functions, named by X-Amz-Target. Signatures are not checked.
func (s *StepFunctions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", awswire.NewUUID())
	out, err := s.serve(r)
	if err == nil {
		var body []byte
		body, err = json.Marshal(out)
		if err == nil {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(body) // The client has gone when this fails.
			return
		}
	}

	var refused smithy.APIError
	if !errors.As(err, &refused) {
		s.cfg.Log.WarnContext(r.Context(), "step functions request failed", "err", err)
		awswire.WriteError(w, contentType, http.StatusInternalServerError, "InternalFailure",
			map[string]string{"__type": "InternalFailure", "message": "Internal failure"})
		return
	}

	awswire.WriteError(w, contentType, http.StatusBadRequest, refused.ErrorCode(),
		map[string]string{"__type": refused.ErrorCode(), "message": refused.ErrorMessage()})
}

func (s *StepFunctions) serve(r *http.Request) (any, error) {
	name, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	call, ok := operations[name]
	if !ok || r.Method != http.MethodPost {
		return nil, awswire.NewError("UnknownOperationException", "The operation is not served by the local twin")
	}

	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	if len(body) > maxRequest {
		return nil, awswire.NewError("ValidationException", "The request is too large")
	}

	return call(s, r.Context(), body)
}
