package objects

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/rclone/gofakes3"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// exchange is one request and its response, as far as the endpoint and the disk below gofakes3 must know of each other. It travels in
// the request's context.
type exchange struct {
	// match and noneMatch are the headers If-Match and If-None-Match of a write, without quotes; empty means no condition.
	match, noneMatch string
	// claim is the checksum that the request declares for its body.
	claim claim
	// md5 is the MD5 that the request declares for its body, in base64; empty if it declares none.
	md5 string
	// body is the decoded body; nil if the request copies an object.
	body io.Reader
	// chunks is the decoded body if the body is aws-chunked, otherwise nil.
	chunks *chunkReader
	// multipart is the checksum that CreateMultipartUpload declares for the whole object.
	multipart checksumKind
	// restored is the id of an upload that gofakes3 must know again after a restart; empty for every other request.
	restored gofakes3.UploadID
	// headOnly says that nobody reads the content of the object that is found.
	headOnly bool

	// found is the object that a read found.
	found *blob
	// stored is the object that a write created, or the part.
	stored *blob
	// created describes the new object for the event; nil if the request created none.
	created *created
	// failure is the error with which S3 answers. It replaces the response of gofakes3, which does not know all errors of S3.
	failure *s3Error
}

// created describes a new object.
type created struct {
	bucket, key string
	// reason is the request that created the object, as in the event.
	reason string
}

// The reasons of events, https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
const (
	reasonPut      = "PutObject"
	reasonForm     = "POST Object"
	reasonCopy     = "CopyObject"
	reasonComplete = "CompleteMultipartUpload"
)

// hasChecksumHeaders reports whether the response has the checksum in headers. Otherwise it is in the body, as far as there is one.
func (x *exchange) hasChecksumHeaders() bool {
	return x.stored != nil && (x.created == nil || x.created.reason == reasonPut || x.created.reason == reasonForm)
}

type exchangeKey struct{}

// exchangeOf returns the exchange of a context, or an empty one.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{}
}

// fail records the error for the response and returns it.
func (x *exchange) fail(err *s3Error) error {
	x.failure = err
	return err
}

// watchedBody is the body of a request. If it cannot be read, that is the failure of its exchange.
type watchedBody struct {
	io.ReadCloser

	exchange *exchange
}

// Read reads from the body.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, b.exchange.readError(err)
}

// s3Error is an error as S3 returns it, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
type s3Error struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Details   []detail
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`

	status int
}

// detail is a further element of an error.
type detail struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// newError returns an error. details are names and values in turn.
func newError(status int, code, message string, details ...string) *s3Error {
	err := &s3Error{Code: code, Message: message, status: status}
	for i := 0; i+1 < len(details); i += 2 {
		err.Details = append(err.Details, detail{XMLName: xml.Name{Local: details[i]}, Value: details[i+1]})
	}
	return err
}

// internalError returns the error for what is not the client's fault.
func internalError() *s3Error {
	return newError(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
}

// Error returns the code and the message.
func (e *s3Error) Error() string { return e.Code + ": " + e.Message }

// ErrorCode returns the code, for gofakes3.
func (e *s3Error) ErrorCode() gofakes3.ErrorCode { return gofakes3.ErrorCode(e.Code) }

// responseWriter sends the response of an exchange. It completes what gofakes3 answers.
type responseWriter struct {
	http.ResponseWriter

	exchange *exchange
	method   string
	settle   func() error // Is called before a success is sent: it sends the event and waits until all is stored.
	wrote    bool         // The status has been sent.
	replaced bool         // The response of gofakes3 is dropped, because the exchange has failed.
}

// WriteHeader sends the status and the headers.
func (w *responseWriter) WriteHeader(status int) {
	if w.wrote {
		return
	}

	w.wrote = true
	if failure := w.exchange.failure; failure != nil && status >= http.StatusBadRequest {
		w.replaced = true
		w.send(failure)
		return
	}

	w.complete(status)
	if status < http.StatusBadRequest && w.settle() != nil {
		w.replaced = true
		w.send(internalError())
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// complete sets the headers that gofakes3 does not set as S3 does.
func (w *responseWriter) complete(status int) {
	header := w.Header()
	setCORS(header)
	header.Del("X-Amz-Delete-Marker") // Only buckets with versions have delete markers.
	if header.Get("X-Amz-Request-Id") == "" {
		header.Set("X-Amz-Request-Id", newRequestID())
	}

	x := w.exchange
	isRead := w.method == http.MethodGet || w.method == http.MethodHead
	if isRead && x.found != nil && header.Get("ETag") != "" {
		header.Set("ETag", x.found.quotedETag())
	}
	if x.hasChecksumHeaders() && status < http.StatusBadRequest {
		for name, value := range x.stored.checksum.headers() {
			header.Set(name, value)
		}
	}
}

// Write sends a part of the body.
func (w *responseWriter) Write(p []byte) (int, error) {
	if !w.wrote && w.Header().Get("Content-Type") == "" && bytes.HasPrefix(p, []byte("<?xml")) {
		w.Header().Set("Content-Type", "application/xml") // gofakes3 sets it too late
	}
	w.WriteHeader(http.StatusOK)
	if w.replaced {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom sends the bytes of a reader as a part of the body. The system sends those of a file itself.
func (w *responseWriter) ReadFrom(source io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	target := io.Writer(w.ResponseWriter)
	if w.replaced {
		target = io.Discard
	}
	return io.Copy(target, source)
}

// fail answers with an error, unless the status has been sent.
func (w *responseWriter) fail(err *s3Error) {
	if !w.wrote {
		w.wrote, w.replaced = true, true
		w.send(err)
	}
}

func (w *responseWriter) send(err *s3Error) {
	w.complete(err.status)
	header := w.Header()
	err.RequestID, err.HostID = header.Get("X-Amz-Request-Id"), header.Get("X-Amz-Id-2")
	header.Del("Content-Length")
	w.sendXML(err.status, err)
}

// sendXML sends the status and a value as XML.
func (w *responseWriter) sendXML(status int, value any) {
	body, err := xml.Marshal(value)
	if err != nil {
		body = nil
	}
	w.Header().Set("Content-Type", "application/xml")
	w.ResponseWriter.WriteHeader(status)
	_, _ = w.ResponseWriter.Write([]byte(xml.Header + string(body))) // It fails only if the client has disconnected.
}

// respond sends a status with a value as XML.
func (w *responseWriter) respond(status int, value any) {
	if !w.wrote {
		w.wrote = true
		w.complete(status)
		if w.settle() != nil {
			w.send(internalError())
			return
		}
		w.sendXML(status, value)
	}
}

// Unwrap returns the underlying writer, for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// setCORS sets the CORS headers of a bucket that pages of every origin may use.
func setCORS(header http.Header) {
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Expose-Headers", "ETag, Location, x-amz-request-id, x-amz-version-id")
}

// newRequestID returns 16 hexadecimal digits.
func newRequestID() string {
	const digits = 16
	return strings.ToUpper(strings.ReplaceAll(awswire.NewUUID(), "-", "")[:digits])
}
