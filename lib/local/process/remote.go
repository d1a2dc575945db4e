package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/loopback"
)

// emulatorPath is the path of a function in Lambda's Runtime Interface Emulator.
const emulatorPath = "/2015-03-31/functions/function/invocations"

// Remote is a function under a URL, such as one in a container with Lambda's Runtime Interface Emulator. It is an invoke.Runner.
type Remote struct {
	url    string
	client *http.Client
}

// IsURL reports whether text is the URL of a function and not a command.
func IsURL(text string) bool {
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}

// NewRemote returns the function under a URL of this machine. Without a path it has the path of Lambda's Runtime Interface Emulator.
func NewRemote(text string) (*Remote, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("process: the URL cannot be read") // The error of url.Parse has the URL, which may have a password.
	}
	if !loopback.IsLocal(u.Host) {
		return nil, errors.New("process: the URL must be of this machine, such as http://127.0.0.1:9000")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = emulatorPath
	}
	return &Remote{url: u.String(), client: &http.Client{
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Run posts the payload to the URL and returns the response. The function has failed if the response has the header
// X-Amz-Function-Error, or is an object with the fields errorType and errorMessage.
func (r *Remote) Run(ctx context.Context, call invoke.Call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, call.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(call.Payload))
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return nil, r.failure(ctx, call, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	switch {
	case err != nil:
		return nil, r.failure(ctx, call, err)
	case response.Header.Get("X-Amz-Function-Error") != "" || isFunctionError(body):
		return nil, invoke.ParseFunctionError(body)
	case response.StatusCode != http.StatusOK:
		return nil, invoke.NewFunctionError("Runtime.Unreachable", "The function's URL answers "+response.Status)
	default:
		return body, nil
	}
}

// failure returns the error of a function that did not answer.
func (r *Remote) failure(ctx context.Context, call invoke.Call, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return invoke.NewTimeout(call.RequestID, call.Timeout)
	}
	var urlErr *url.Error // Its text has the URL.
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	return invoke.NewFunctionError("Runtime.Unreachable", "The function's URL does not answer: "+err.Error())
}

// isFunctionError reports whether a response is the error of a function: the emulator has no other sign of it.
func isFunctionError(body []byte) bool {
	var fields struct {
		Type    *string `json:"errorType"`
		Message *string `json:"errorMessage"`
	}
	return json.Unmarshal(body, &fields) == nil && fields.Type != nil && fields.Message != nil
}
