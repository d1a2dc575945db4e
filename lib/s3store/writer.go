package s3store

import (
	"bytes"
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

// abortTimeout bounds giving up a multipart upload, which may happen after the caller's context has ended.
const abortTimeout = 5 * time.Second

// errAborted is the error of a writer that is used after Close or Abort.
var errAborted = errors.New("s3store: writer is closed")

// writer is one object being written. It holds at most one part.
type writer struct {
	ctx    context.Context //nolint:containedctx // io.Writer has no place for it
	config Config
	key    string
	mode   csvimport.Mode

	part   []byte
	upload *string // the multipart upload's id, nil before the first part is full
	parts  []types.CompletedPart
	ended  bool
}

// Write implements [csvimport.Writer].
func (w *writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, errAborted
	}
	n := len(p)
	for len(w.part)+len(p) > w.config.PartBytes {
		room := w.config.PartBytes - len(w.part)
		w.part = append(w.part, p[:room]...)
		p = p[room:]
		if err := w.send(); err != nil {
			return n - len(p) - room, err
		}
	}
	w.part = append(w.part, p...)
	return n, nil
}

// send uploads the part, which must not be the last one unless it is full.
func (w *writer) send() error {
	if w.upload == nil {
		out, err := w.config.Client.CreateMultipartUpload(w.ctx, &s3.CreateMultipartUploadInput{Bucket: &w.config.Bucket, Key: &w.key})
		if err != nil {
			return fmt.Errorf("create multipart upload: %w", err)
		}
		w.upload = out.UploadId
	}
	number := aws.Int32(int32(len(w.parts) + 1)) //nolint:gosec // Amazon S3 refuses parts beyond 10,000
	out, err := w.config.Client.UploadPart(w.ctx, &s3.UploadPartInput{
		Bucket: &w.config.Bucket, Key: &w.key, UploadId: w.upload, PartNumber: number, Body: bytes.NewReader(w.part),
	})
	if err != nil {
		return fmt.Errorf("upload part: %w", err)
	}
	w.parts = append(w.parts, types.CompletedPart{
		ETag: out.ETag, PartNumber: number,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
	})
	w.part = w.part[:0]
	return nil
}

// Close implements [csvimport.Writer].
func (w *writer) Close() error {
	if w.ended {
		return errAborted
	}
	var absent, match *string
	if w.mode == csvimport.IfAbsent {
		absent = aws.String("*")
	}
	if etag := w.mode.ETag(); etag != "" {
		match = aws.String(quoted(etag))
	}
	if w.upload == nil {
		w.ended = true
		_, err := w.config.Client.PutObject(w.ctx, &s3.PutObjectInput{
			Bucket: &w.config.Bucket, Key: &w.key, Body: bytes.NewReader(w.part), IfNoneMatch: absent, IfMatch: match,
		})
		return w.unmet("put object", err)
	}
	if err := w.send(); err != nil {
		return err
	}
	_, err := w.config.Client.CompleteMultipartUpload(w.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &w.config.Bucket, Key: &w.key, UploadId: w.upload, IfNoneMatch: absent, IfMatch: match,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: w.parts},
	})
	w.ended = err == nil
	return w.unmet("complete multipart upload", err)
}

// Abort implements [csvimport.Writer].
func (w *writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	if w.upload == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTimeout)
	defer cancel()
	// What fails here is removed by the bucket's rule for incomplete uploads.
	_, _ = w.config.Client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &w.config.Bucket, Key: &w.key, UploadId: w.upload,
	})
}

// unmet returns csvimport.ErrExists or csvimport.ErrReplaced for the answer to a condition that was not met. Amazon S3
// answers If-Match by 404 where there is no object, and by 409 where another write of the key is under way
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
func (w *writer) unmet(op string, err error) error {
	match := w.mode.ETag() != ""
	switch code := status(err); {
	case err == nil:
		return nil
	case code == http.StatusPreconditionFailed && w.mode == csvimport.IfAbsent:
		return csvimport.ErrExists
	case match && w.upload == nil && (code == http.StatusPreconditionFailed || code == http.StatusNotFound || code == http.StatusConflict),
		match && code == http.StatusPreconditionFailed:
		return csvimport.ErrReplaced
	default:
		return fmt.Errorf("%s: %w", op, err)
	}
}
