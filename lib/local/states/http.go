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

	// maxRequest is the greatest size of a request's body in bytes. JSON escapes can make a definition of 1,048,576 bytes six
	// times as long.
	maxRequest = 7 << 20
)

// An operation decodes the input of an operation of the API and runs it.
type operation func(s *StepFunctions, ctx context.Context, body []byte) (any, error)

// operations maps the names of the operations that are served to their implementations.
var operations = map[string]operation{
	"CreateStateMachine":               operationOf((*StepFunctions).CreateStateMachine),
	"UpdateStateMachine":               operationOf((*StepFunctions).UpdateStateMachine),
	"DeleteStateMachine":               operationOf((*StepFunctions).DeleteStateMachine),
	"DescribeStateMachine":             operationOf((*StepFunctions).DescribeStateMachine),
	"DescribeStateMachineForExecution": operationOf((*StepFunctions).DescribeStateMachineForExecution),
	"ListStateMachines":                operationOf((*StepFunctions).ListStateMachines),
	"ValidateStateMachineDefinition":   operationOf((*StepFunctions).ValidateStateMachineDefinition),
	"StartExecution":                   operationOf((*StepFunctions).StartExecution),
	"StartSyncExecution":               operationOf((*StepFunctions).StartSyncExecution),
	"StopExecution":                    operationOf((*StepFunctions).StopExecution),
	"RedriveExecution":                 operationOf((*StepFunctions).RedriveExecution),
	"DescribeExecution":                operationOf((*StepFunctions).DescribeExecution),
	"ListExecutions":                   operationOf((*StepFunctions).ListExecutions),
	"DescribeMapRun":                   operationOf((*StepFunctions).DescribeMapRun),
	"ListMapRuns":                      operationOf((*StepFunctions).ListMapRuns),
	"UpdateMapRun":                     operationOf((*StepFunctions).UpdateMapRun),
	"GetExecutionHistory":              operationOf((*StepFunctions).GetExecutionHistory),
	"SendTaskSuccess":                  operationOf((*StepFunctions).SendTaskSuccess),
	"SendTaskFailure":                  operationOf((*StepFunctions).SendTaskFailure),
	"SendTaskHeartbeat":                operationOf((*StepFunctions).SendTaskHeartbeat),
	"PublishStateMachineVersion":       operationOf((*StepFunctions).PublishStateMachineVersion),
	"ListStateMachineVersions":         operationOf((*StepFunctions).ListStateMachineVersions),
	"DeleteStateMachineVersion":        operationOf((*StepFunctions).DeleteStateMachineVersion),
	"CreateStateMachineAlias":          operationOf((*StepFunctions).CreateStateMachineAlias),
	"UpdateStateMachineAlias":          operationOf((*StepFunctions).UpdateStateMachineAlias),
	"DeleteStateMachineAlias":          operationOf((*StepFunctions).DeleteStateMachineAlias),
	"DescribeStateMachineAlias":        operationOf((*StepFunctions).DescribeStateMachineAlias),
	"ListStateMachineAliases":          operationOf((*StepFunctions).ListStateMachineAliases),
	"CreateActivity":                   operationOf((*StepFunctions).CreateActivity),
	"DeleteActivity":                   operationOf((*StepFunctions).DeleteActivity),
	"DescribeActivity":                 operationOf((*StepFunctions).DescribeActivity),
	"ListActivities":                   operationOf((*StepFunctions).ListActivities),
	"GetActivityTask":                  operationOf((*StepFunctions).GetActivityTask),
	"TestState":                        operationOf((*StepFunctions).TestState),
	"TagResource":                      operationOf((*StepFunctions).TagResource),
	"UntagResource":                    operationOf((*StepFunctions).UntagResource),
	"ListTagsForResource":              operationOf((*StepFunctions).ListTagsForResource),
}

// operationOf returns the operation that decodes its input and calls the method.
func operationOf[In, Out any](method func(*StepFunctions, context.Context, In) (Out, error)) operation {
	return func(s *StepFunctions, ctx context.Context, body []byte) (any, error) {
		var in In
		err := json.Unmarshal(body, &in)
		if err != nil {
			return nil, awswire.NewError("SerializationException", "The request cannot be decoded")
		}
		return method(s, ctx, in)
	}
}

// ServeHTTP serves the operations of Step Functions in the AWS JSON protocol. It does not check signatures.
func (s *StepFunctions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", awswire.NewUUID())
	out, err := s.serve(r)
	if err == nil {
		var body []byte
		body, err = json.Marshal(out)
		if err == nil {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(body) // It fails only if the client has disconnected.
			return
		}
	}

	var apiErr smithy.APIError
	if !errors.As(err, &apiErr) {
		s.cfg.Log.WarnContext(r.Context(), "step functions request failed", "err", err)
		awswire.WriteError(w, contentType, http.StatusInternalServerError, "InternalFailure",
			map[string]string{"__type": "InternalFailure", "message": "Internal failure"})
		return
	}

	awswire.WriteError(w, contentType, http.StatusBadRequest, apiErr.ErrorCode(),
		map[string]string{"__type": apiErr.ErrorCode(), "message": apiErr.ErrorMessage()})
}

// serve runs the operation that X-Amz-Target names and returns its output.
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

	out, err := call(s, r.Context(), body)
	if err == nil {
		err = s.flush(r.Context()) // What a client has seen is there after a restart.
	}
	return out, err
}
