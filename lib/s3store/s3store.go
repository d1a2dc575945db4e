// Package s3store is the store of package csvimport on Amazon S3.
package s3store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/herald-progress/herald/lib/csvimport"
)

const (
	// MinPartBytes is the smallest size of a part that Amazon S3 accepts, in bytes
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
	MinPartBytes = 5 << 20
	// DefaultPartBytes is the default of [Config].PartBytes. The rows of a range of most imports take less, so that they are sent in one
	// request in place of six.
	DefaultPartBytes = 32 << 20
	// maxDelete is the maximum number of objects of one DeleteObjects request
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
	maxDelete = 1000
)

// Config configures a Store. Client and Bucket are required.
//
// The client needs the permission s3:ListBucket on the bucket. Without it, Amazon S3 answers 403 instead of 404 for a missing object.
type Config struct {
	Client *s3.Client
	Bucket string
	// PartBytes is the size of a multipart upload's parts, and the largest size of a writer's buffer: at least [MinPartBytes]. Zero means
	// [DefaultPartBytes]. S3 allows 10,000 parts, so objects can have up to 335 GB with parts of the default size.
	PartBytes int
}

// Store is a [csvimport.Store] on Amazon S3. It is safe for concurrent use.
type Store struct{ config Config }

var _ csvimport.Store = (*Store)(nil)

// New returns the store of a bucket.
func New(c Config) *Store {
	c.PartBytes = cmp.Or(c.PartBytes, DefaultPartBytes)
	return &Store{config: c}
}

// Get implements [csvimport.Store].
func (s *Store) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &s.config.Bucket, Key: &from.Key}
	if from.Version != "" {
		in.VersionId = &from.Version
	}
	if from.ETag != "" {
		in.IfMatch = aws.String(quoteETag(from.ETag))
	}
	switch {
	case length > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case length < 0 && offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	// The option: the SDK would otherwise log each response that has no checksum to check.
	out, err := s.config.Client.GetObject(ctx, in, func(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true })
	if status(err) == http.StatusRequestedRangeNotSatisfiable { // The object ends before offset.
		return http.NoBody, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get object: %w", asSentinel(err))
	}
	if from.ETag != "" && unquoteETag(out.ETag) != from.ETag { // The endpoint does not implement If-Match.
		return nil, errors.Join(csvimport.ErrReplaced, out.Body.Close())
	}
	if length == 0 { // No Range stands for zero bytes, so the request had none.
		if err := out.Body.Close(); err != nil {
			return nil, fmt.Errorf("close object: %w", err)
		}
		return http.NoBody, nil
	}
	return out.Body, nil
}

// Read implements [csvimport.Store].
func (s *Store) Read(ctx context.Context, key string) ([]byte, string, error) {
	out, err := s.config.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.config.Bucket, Key: &key},
		func(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true })
	if err != nil {
		return nil, "", fmt.Errorf("get object: %w", asSentinel(err))
	}
	content, err := io.ReadAll(out.Body)
	if err := errors.Join(err, out.Body.Close()); err != nil {
		return nil, "", fmt.Errorf("read object: %w", err)
	}
	return content, unquoteETag(out.ETag), nil
}

// List implements [csvimport.Store].
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &s.config.Bucket, Prefix: &prefix, MaxKeys: aws.Int32(int32(limit)), // at most 1,000
	}
	if after != "" {
		in.StartAfter = &after
	}
	out, err := s.config.Client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("list objects: %w", err)
	}
	keys := make([]string, len(out.Contents))
	for i, object := range out.Contents {
		keys[i] = aws.ToString(object.Key)
	}
	return keys, nil
}

// Create implements [csvimport.Store]. Close sends an object of at most one part in one request. A larger object is a multipart
// upload, whose parts Write sends. A lifecycle rule of the bucket should abort incomplete multipart uploads after a day.
func (s *Store) Create(ctx context.Context, key string, mode csvimport.Mode) csvimport.Writer {
	return &writer{ctx: ctx, config: s.config, key: key, mode: mode}
}

// Copy implements [csvimport.Store].
func (s *Store) Copy(ctx context.Context, dst, src string) error {
	_, err := s.config.Client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &s.config.Bucket, Key: &dst, CopySource: aws.String(escapeCopySource(s.config.Bucket + "/" + src)),
	})
	if err != nil {
		return fmt.Errorf("copy object: %w", asSentinel(err))
	}
	return nil
}

// Delete implements [csvimport.Store].
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	for batch := range slices.Chunk(keys, maxDelete) {
		objects := make([]types.ObjectIdentifier, len(batch))
		for i := range batch {
			objects[i].Key = &batch[i]
		}
		out, err := s.config.Client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &s.config.Bucket, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return fmt.Errorf("delete objects: %w", err)
		}
		if len(out.Errors) > 0 {
			return fmt.Errorf("delete objects: %d of %d failed, one with %s", len(out.Errors), len(batch), aws.ToString(out.Errors[0].Code))
		}
	}
	return nil
}

// escapeCopySource returns bucket/key in the form of CopySource: URL-encoded except for the slashes.
func escapeCopySource(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.ReplaceAll(strings.Join(parts, "/"), "+", "%2B") // PathEscape leaves +, which S3 would decode as a blank.
}

// status returns the HTTP status of the response that err is about, or 0 if there is none.
func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// asSentinel returns csvimport.ErrNotFound if err is about a response with status 404, and csvimport.ErrReplaced if the status is 412.
// It returns any other error unchanged.
func asSentinel(err error) error {
	switch status(err) {
	case http.StatusNotFound:
		return csvimport.ErrNotFound
	case http.StatusPreconditionFailed:
		return csvimport.ErrReplaced
	default:
		return err
	}
}

// quoteETag returns an ETag with quotes, as HTTP headers have it.
func quoteETag(etag string) string { return `"` + etag + `"` }

// unquoteETag returns the ETag of a response without its quotes.
func unquoteETag(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }
