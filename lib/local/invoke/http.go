package invoke

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// The paths of the Invoke API, https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
const (
	pathPrefix = "/2015-03-31/functions/"
	pathSuffix = "/invocations"
)

// statusClientClosed is the status of a response to a client that has disconnected.
const statusClientClosed = 499

// httpStatuses maps error codes of the Invoke API to their HTTP status. The status of other codes is 400.
var httpStatuses = map[string]int{
	"ResourceNotFoundException":      http.StatusNotFound,
	"UnknownOperationException":      http.StatusNotFound,
	"RequestEntityTooLargeException": http.StatusRequestEntityTooLarge,
}

// HTTPStatus returns the HTTP status of an error code of the Invoke API.
func HTTPStatus(code string) int { return cmp.Or(httpStatuses[code], http.StatusBadRequest) }

// apiVersion matches the first segment of Lambda's paths: each operation has the date of its version of the API.
var apiVersion = regexp.MustCompile(`^/[0-9]{4}-[0-9]{2}-[0-9]{2}/`)

// Serves reports whether a request is for Lambda: its path begins with the date of a version of the API. A request that is signed for
// S3 is for a bucket of such a name.
func Serves(r *http.Request) bool {
	return apiVersion.MatchString(r.URL.Path) && !strings.Contains(r.Header.Get("Authorization"), "/s3/aws4_request") &&
		!strings.HasSuffix(r.URL.Query().Get("X-Amz-Credential"), "/s3/aws4_request")
}

// ServeHTTP serves POST /2015-03-31/functions/{name or ARN}/invocations with the invocation types RequestResponse, Event and
// DryRun. It does not check signatures. It accepts X-Amz-Log-Type but returns no log.
func (l *Lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", awswire.NewUUID())
	err := l.serveInvoke(w, r)
	if err == nil {
		return
	}

	var apiErr smithy.APIError
	if !errors.As(err, &apiErr) {
		w.WriteHeader(statusClientClosed)
		return
	}

	awswire.WriteError(w, "application/json", HTTPStatus(apiErr.ErrorCode()), apiErr.ErrorCode(),
		map[string]string{"Type": "User", "Message": apiErr.ErrorMessage()})
}

// serveInvoke serves an Invoke request. If it returns an error, it has not written the response, or the client has disconnected.
func (l *Lambda) serveInvoke(w http.ResponseWriter, r *http.Request) error {
	function, ok := invokedFunction(r.URL)
	if !ok || r.Method != http.MethodPost {
		return awswire.NewError("UnknownOperationException",
			"The local twin serves only the operation Invoke: POST "+pathPrefix+"{name or ARN}"+pathSuffix)
	}

	function, err := withQualifier(function, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
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
		w.Header().Set("X-Amz-Executed-Version", latestVersion)
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		return awswire.NewError("InvalidParameterValueException", "Unknown invocation type")
	}
}

// serveResult runs the function and writes its result.
func (l *Lambda) serveResult(w http.ResponseWriter, r *http.Request, function string, payload []byte) error {
	result, err := l.Invoke(r.Context(), function, payload)
	if err != nil {
		return err
	}

	w.Header().Set("X-Amzn-Requestid", result.RequestID)
	w.Header().Set("X-Amz-Executed-Version", latestVersion)
	w.Header().Set("Content-Type", "application/json")
	if result.Error != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	}

	_, err = w.Write(result.Payload)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// invokedFunction returns the function in the path of an Invoke request; ok is false if the path is another one.
func invokedFunction(u *url.URL) (function string, ok bool) {
	path, found := strings.CutPrefix(u.Path, pathPrefix)
	if !found {
		return "", false
	}
	name, found := strings.CutSuffix(path, pathSuffix)
	return name, found && name != "" && !strings.Contains(name, "/")
}

// withQualifier returns the function with the qualifier of the query, which may be "". A qualifier of the function itself must be the same.
func withQualifier(function, qualifier string) (string, error) {
	switch _, own := splitFunction(function); {
	case qualifier == "" || own == qualifier:
		return function, nil
	case own != "":
		return "", awswire.NewError("InvalidParameterValueException",
			"The derived qualifier from the function name does not match the specified qualifier.")
	default:
		return function + ":" + qualifier, nil
	}
}
