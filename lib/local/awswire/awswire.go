// Package awswire holds the parts of the AWS wire formats that the local services share.
package awswire

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"github.com/aws/smithy-go"
)

// The account and the Region in every ARN of the local services.
const (
	Account = "000000000000"
	Region  = "us-east-1"
)

// ErrClosing is the answer to a request to a service that is being closed.
var ErrClosing error = NewError("ServiceUnavailableException", "The local twin is closing")

// NewError returns a client error with the given code and message.
func NewError(code, message string) *smithy.GenericAPIError {
	return &smithy.GenericAPIError{Code: code, Message: message, Fault: smithy.FaultClient}
}

// WriteError writes an error response of the AWS JSON protocols: the code in a header, the message in the body.
func WriteError(w http.ResponseWriter, contentType string, status int, code string, body map[string]string) {
	text, err := json.Marshal(body)
	if err != nil {
		text = []byte("{}")
	}
	w.Header().Set("X-Amzn-Errortype", code)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(text) // It fails only if the client has disconnected.
}

// NewUUID returns a random UUID (RFC 9562, section 5.4), such as AWS uses for request ids.
func NewUUID() string {
	var id [16]byte
	_, _ = rand.Read(id[:])   // Never fails.
	id[6] = id[6]&0x0f | 0x40 // the version, 4
	id[8] = id[8]&0x3f | 0x80 // the variant
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
