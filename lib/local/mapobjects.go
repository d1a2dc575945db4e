package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/asl"
)

// mapObjects are the objects of the twin's S3 for Distributed Maps. It implements asl.Objects. Like functions, it calls the twin's
// endpoint, so that what a ResultWriter writes causes events.
type mapObjects struct{ client *s3.Client }

// GetObject returns the content of an object.
func (o mapObjects) GetObject(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	out, err := o.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, s3Error(err)
	}
	return out.Body, nil
}

// ListObjects returns the objects whose key begins with prefix, page by page.
func (o mapObjects) ListObjects(ctx context.Context, bucket, prefix string) iter.Seq2[asl.Object, error] {
	return func(yield func(asl.Object, error) bool) {
		pages := s3.NewListObjectsV2Paginator(o.client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(asl.Object{}, s3Error(err))
				return
			}
			for _, found := range page.Contents {
				object := asl.Object{
					Key: aws.ToString(found.Key), ETag: aws.ToString(found.ETag), LastModified: aws.ToTime(found.LastModified),
					Size: aws.ToInt64(found.Size), StorageClass: string(found.StorageClass),
				}
				if !yield(object, nil) {
					return
				}
			}
		}
	}
}

// PutObject writes an object.
func (o mapObjects) PutObject(ctx context.Context, bucket, key string, content []byte) error {
	_, err := o.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader(content), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return s3Error(err)
	}
	return nil
}

// s3Error returns an error of S3 with the words that Step Functions has for it as a cause. Other errors are returned as they are.
func s3Error(err error) error {
	var apiErr smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &apiErr) || !errors.As(err, &response) {
		return err
	}
	return fmt.Errorf("%s (Service: Amazon S3; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)",
		apiErr.ErrorMessage(), response.HTTPStatusCode(), apiErr.ErrorCode(), response.ServiceRequestID())
}
