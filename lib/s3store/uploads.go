package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/upload"
)

// Uploads is the [upload.Objects] of a bucket. Both fields are required. It is safe for concurrent use.
//
// The client needs s3:PutObject, s3:AbortMultipartUpload, s3:ListMultipartUploadParts and s3:GetObject on the objects. It also needs
// s3:ListBucket on the bucket, because without this permission Amazon S3 answers 403 instead of 404 for a missing object. A lifecycle
// rule of the bucket should abort incomplete multipart uploads after a day.
type Uploads struct {
	Client *s3.Client
	Bucket string
}

var _ upload.Objects = (*Uploads)(nil)

// onlyIfAbsent is the value of If-None-Match for a write that must not replace an object.
const onlyIfAbsent = "*"

// Sign implements [upload.Objects].
func (u *Uploads) Sign(ctx context.Context, t upload.Target) (upload.Signed, error) {
	expiresAt := u.expiry(ctx, t.Life)
	request, headers, err := u.presign(ctx, t)
	if err != nil {
		return upload.Signed{}, fmt.Errorf("presign: %w", err)
	}
	return upload.Signed{URL: request.URL, Headers: headers, ExpiresAt: expiresAt}, nil
}

// presign returns the request and the headers that a page must set. The browser itself sets Host and Content-Length. The request uploads
// part t.Number of a multipart upload, or a whole object if t.Number is 0.
func (u *Uploads) presign(ctx context.Context, t upload.Target) (*v4.PresignedHTTPRequest, map[string]string, error) {
	client := s3.NewPresignClient(u.Client, s3.WithPresignExpires(t.Life))
	if t.Number > 0 {
		request, err := client.PresignUploadPart(ctx, &s3.UploadPartInput{
			Bucket: &u.Bucket, Key: &t.Key, UploadId: &t.MultipartID, PartNumber: partNumber(t.Number), ContentLength: &t.Size,
		})
		return request, nil, err //nolint:wrapcheck // the caller does
	}
	request, err := client.PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket: &u.Bucket, Key: &t.Key, ContentType: &t.ContentType, ContentLength: &t.Size, IfNoneMatch: aws.String(onlyIfAbsent),
	})
	return request, map[string]string{"Content-Type": t.ContentType, "If-None-Match": onlyIfAbsent}, err //nolint:wrapcheck // the caller does
}

// Size implements [upload.Objects].
func (u *Uploads) Size(ctx context.Context, key string) (int64, error) {
	out, err := u.Client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &u.Bucket, Key: &key})
	if status(err) == http.StatusNotFound {
		return 0, upload.ErrNoObject
	}
	if err != nil {
		return 0, fmt.Errorf("head object: %w", err)
	}
	return aws.ToInt64(out.ContentLength), nil
}

// Begin implements [upload.Multiparts].
func (u *Uploads) Begin(ctx context.Context, key, contentType string) (string, error) {
	out, err := u.Client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &u.Bucket, Key: &key, ContentType: &contentType})
	if err != nil {
		return "", fmt.Errorf("create multipart upload: %w", err)
	}
	return aws.ToString(out.UploadId), nil
}

// Parts implements [upload.Multiparts].
func (u *Uploads) Parts(ctx context.Context, key, id string) ([]upload.Part, error) {
	var parts []upload.Part
	pages := s3.NewListPartsPaginator(u.Client, &s3.ListPartsInput{Bucket: &u.Bucket, Key: &key, UploadId: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list parts: %w", asNoMultipart(err))
		}
		for _, p := range page.Parts {
			parts = append(parts, upload.Part{Number: int(aws.ToInt32(p.PartNumber)), Size: aws.ToInt64(p.Size), ETag: unquoteETag(p.ETag)})
		}
	}

	return parts, nil
}

// Join implements [upload.Multiparts].
func (u *Uploads) Join(ctx context.Context, key, id string, parts []upload.Part) error {
	completed := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		completed[i] = types.CompletedPart{PartNumber: partNumber(p.Number), ETag: aws.String(quoteETag(p.ETag))}
	}
	_, err := u.Client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.Bucket, Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
	})
	if err != nil {
		return fmt.Errorf("complete multipart upload: %w", asNoMultipart(err))
	}
	return nil
}

// Abort implements [upload.Multiparts].
func (u *Uploads) Abort(ctx context.Context, key, id string) error {
	_, err := u.Client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.Bucket, Key: &key, UploadId: &id})
	if err != nil {
		return fmt.Errorf("abort multipart upload: %w", asNoMultipart(err))
	}
	return nil
}

// asNoMultipart returns upload.ErrNoMultipart for the error code NoSuchUpload, and any other error as it is.
func asNoMultipart(err error) error {
	var answer smithy.APIError
	if errors.As(err, &answer) && answer.ErrorCode() == "NoSuchUpload" {
		return upload.ErrNoMultipart
	}
	return err
}

// partNumber converts the number of a part to the SDK's type. A part has at most the number 10,000, so the conversion cannot overflow.
func partNumber(n int) *int32 { return aws.Int32(int32(n)) }
