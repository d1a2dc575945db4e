// Package awswire is what the twin's AWS services share: account, coded errors, ids, work that outlives its request.
package awswire

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"github.com/aws/smithy-go"
)

// The account and the Region that every ARN of the twin names.
const (
	Account = "000000000000"
	Region  = "us-east-1"
)

// ErrClosing is what is asked of a service that is being closed.
var ErrClosing error = NewError("ServiceUnavailableException", "The local twin is closing")

// NewError returns an error of the client's with the code and the message that an AWS client shows.
func NewError(code, message string) *smithy.GenericAPIError {
	return &smithy.GenericAPIError{Code: code, Message: message, Fault: smithy.FaultClient}
}

// WriteError writes an error as the AWS protocols on JSON carry it: its code in a header, the message in the body.
func WriteError(w http.ResponseWriter, contentType string, status int, code string, body map[string]string) {
	text, _ := json.Marshal(body) //nolint:errchkjson // It is made of text only.
	w.Header().Set("X-Amzn-Errortype", code)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(text) // The client has gone when this fails.
}

// NewUUID returns a random UUID (RFC 9562, section 5.4), the form of AWS's request ids.
func NewUUID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // It never fails.
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
