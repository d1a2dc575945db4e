package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/herald-progress/herald/lib/csvimport"
)

// abortTimeout is the timeout of aborting a multipart upload. The caller's context cannot limit it, because it may have ended.
const abortTimeout = 5 * time.Second

// errWriterClosed is the error of a writer that is used after Close or Abort.
var errWriterClosed = errors.New("s3store: writer is closed")

// writer writes one object. It buffers at most one part.
type writer struct {
	ctx    context.Context
	config Config
	key    string
	mode   csvimport.Mode

	buffer   buffer
	uploadID *string // the id of the multipart upload; nil if there is none yet
	parts    []types.CompletedPart
	closed   bool // by Close or Abort
}

// Write implements [csvimport.Writer].
func (w *writer) Write(p []byte) (int, error) {
	if w.closed {
		return 0, errWriterClosed
	}
	written := 0
	for w.buffer.size+len(p)-written > w.config.PartBytes {
		room := w.config.PartBytes - w.buffer.size
		w.buffer.append(p[written : written+room])
		if err := w.uploadPart(); err != nil {
			return written, err
		}
		written += room
	}
	w.buffer.append(p[written:])
	return len(p), nil
}

// uploadPart uploads the buffer as the next part of the multipart upload, which it creates before the first part. Only the last part
// may be smaller than PartBytes.
func (w *writer) uploadPart() error {
	if w.uploadID == nil {
		out, err := w.config.Client.CreateMultipartUpload(w.ctx, &s3.CreateMultipartUploadInput{
			Bucket: &w.config.Bucket, Key: &w.key, ContentType: aws.String(csvimport.ContentType(w.key)),
		})
		if err != nil {
			return fmt.Errorf("create multipart upload: %w", err)
		}
		w.uploadID = out.UploadId
	}
	number := aws.Int32(int32(len(w.parts) + 1)) // Amazon S3 refuses parts beyond 10,000
	out, err := w.config.Client.UploadPart(w.ctx, &s3.UploadPartInput{
		Bucket: &w.config.Bucket, Key: &w.key, UploadId: w.uploadID, PartNumber: number, Body: w.buffer.reader(),
	})
	if err != nil {
		return fmt.Errorf("upload part: %w", err)
	}
	w.parts = append(w.parts, types.CompletedPart{
		ETag: out.ETag, PartNumber: number,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
	})
	w.buffer.reset()
	return nil
}

// Close implements [csvimport.Writer].
func (w *writer) Close() error {
	if w.closed {
		return errWriterClosed
	}
	var ifNoneMatch, ifMatch *string
	if w.mode == csvimport.IfAbsent {
		ifNoneMatch = aws.String("*")
	}
	if etag := w.mode.ETag(); etag != "" {
		ifMatch = aws.String(quoteETag(etag))
	}
	if w.uploadID == nil {
		w.closed = true
		_, err := w.config.Client.PutObject(w.ctx, &s3.PutObjectInput{
			Bucket: &w.config.Bucket, Key: &w.key, Body: w.buffer.reader(), ContentType: aws.String(csvimport.ContentType(w.key)),
			IfNoneMatch: ifNoneMatch, IfMatch: ifMatch,
		})
		if err == nil {
			w.buffer.reset()
		}
		return w.conditionError("put object", err)
	}
	if err := w.uploadPart(); err != nil {
		return err
	}
	_, err := w.config.Client.CompleteMultipartUpload(w.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &w.config.Bucket, Key: &w.key, UploadId: w.uploadID, IfNoneMatch: ifNoneMatch, IfMatch: ifMatch,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: w.parts},
	})
	w.closed = err == nil // After an error, Abort must still abort the multipart upload.
	return w.conditionError("complete multipart upload", err)
}

// Abort implements [csvimport.Writer].
func (w *writer) Abort() {
	if w.closed {
		return
	}
	w.closed = true
	if w.uploadID == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTimeout)
	defer cancel()
	// If this fails, the bucket's lifecycle rule aborts the upload later.
	_, _ = w.config.Client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &w.config.Bucket, Key: &w.key, UploadId: w.uploadID,
	})
}

// conditionError returns csvimport.ErrExists or csvimport.ErrReplaced if err says that the condition of the write was not met.
// Otherwise it returns err with the operation op.
//
// If the condition is not met, Amazon S3 answers 412. For If-Match, it also answers 404 if there is no object, and 409 if another
// write of the key is in progress (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). For a multipart
// upload, 404 and 409 may have other reasons.
func (w *writer) conditionError(op string, err error) error {
	ifMatch := w.mode.ETag() != ""
	code := status(err)
	// 404 or 409, which mean a failed If-Match only for a PutObject.
	noMatch := w.uploadID == nil && (code == http.StatusNotFound || code == http.StatusConflict)
	switch {
	case err == nil:
		return nil
	case code == http.StatusPreconditionFailed && w.mode == csvimport.IfAbsent:
		return csvimport.ErrExists
	case ifMatch && (code == http.StatusPreconditionFailed || noMatch):
		return csvimport.ErrReplaced
	default:
		return fmt.Errorf("%s: %w", op, err)
	}
}
