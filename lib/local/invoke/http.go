package invoke

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// The paths of the Invoke API, https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
const (
	pathPrefix = "/2015-03-31/functions/"
	pathSuffix = "/invocations"
)

// statusClientClosed is what a log shows when the client has gone; no one reads it.
const statusClientClosed = 499

// statuses holds the HTTP status of each error code of the Invoke API; others are 400.
var statuses = map[string]int{
	"ResourceNotFoundException":      http.StatusNotFound,
	"UnknownOperationException":      http.StatusNotFound,
	"RequestEntityTooLargeException": http.StatusRequestEntityTooLarge,
}

// HTTPStatus returns the HTTP status with which the Invoke API answers an error code.
func HTTPStatus(code string) int { return cmp.Or(statuses[code], http.StatusBadRequest) }

// ServeHTTP answers POST /2015-03-31/functions/{name or ARN}/invocations with the invocation types RequestResponse, Event
// and DryRun. Signatures are not checked; X-Amz-Log-Type is accepted and no log is returned.
func (l *Lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", awswire.NewUUID())
	err := l.serveInvoke(w, r)
	if err == nil {
		return
	}

	var refused smithy.APIError
	if !errors.As(err, &refused) {
		w.WriteHeader(statusClientClosed)
		return
	}

	awswire.WriteError(w, "application/json", HTTPStatus(refused.ErrorCode()), refused.ErrorCode(),
		map[string]string{"Type": "User", "Message": refused.ErrorMessage()})
}

// serveInvoke answers an Invoke request, or returns why it cannot.
func (l *Lambda) serveInvoke(w http.ResponseWriter, r *http.Request) error {
	function, ok := invokedFunction(r.URL)
	if !ok || r.Method != http.MethodPost {
		return awswire.NewError("UnknownOperationException", "Only Invoke is served here")
	}

	if qualifier := r.URL.Query().Get("Qualifier"); qualifier != "" {
		function += ":" + qualifier
	}

	payload, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	if err != nil {
		return fmt.Errorf("read payload: %w", err)
	}
	if len(payload) > maxPayload {
		return awswire.NewError("RequestEntityTooLargeException",
			fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", maxPayload))
	}

	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
		return l.serveResult(w, r, function, payload)
	case "Event":
		requestID, err := l.InvokeEvent(function, payload)
		if err != nil {
			return err
		}
		w.Header().Set("X-Amzn-Requestid", requestID)
		w.WriteHeader(http.StatusAccepted)
		return nil
	case "DryRun":
		_, err := l.prepare(function, payload, maxPayload)
		if err != nil {
			return err
		}
		w.Header().Set("X-Amz-Executed-Version", latest)
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		return awswire.NewError("InvalidParameterValueException", "Unknown invocation type")
	}
}

// serveResult runs the function and writes its answer.
func (l *Lambda) serveResult(w http.ResponseWriter, r *http.Request, function string, payload []byte) error {
	result, err := l.Invoke(r.Context(), function, payload)
	if err != nil {
		return err
	}

	w.Header().Set("X-Amzn-Requestid", result.RequestID)
	w.Header().Set("X-Amz-Executed-Version", latest)
	w.Header().Set("Content-Type", "application/json")

	if result.Error != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}

	_, err = w.Write(result.Payload)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// invokedFunction returns the function that the path of an Invoke request names.
func invokedFunction(u *url.URL) (string, bool) {
	path, found := strings.CutPrefix(u.Path, pathPrefix)
	if !found {
		return "", false
	}
	name, found := strings.CutSuffix(path, pathSuffix)
	return name, found && name != "" && !strings.Contains(name, "/")
}
