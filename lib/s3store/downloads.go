package s3store

import (
	"context"
	"fmt"
	"mime"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// SignDownload returns the URL of a GET that downloads an object as a file with a name, and when the URL expires: after life, or with
// the credentials that signed it. The client needs s3:GetObject on the object. A browser saves the object, and never shows it as a page.
func (u *Uploads) SignDownload(ctx context.Context, key, fileName string, life time.Duration) (url string, expiresAt time.Time, err error) {
	expiresAt = u.expiry(ctx, life)
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": fileName})
	if disposition == "" {
		disposition = "attachment"
	}
	client := s3.NewPresignClient(u.Client, s3.WithPresignExpires(life))
	request, err := client.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &u.Bucket, Key: &key,
		ResponseContentDisposition: &disposition, ResponseContentType: aws.String("application/octet-stream"),
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("presign: %w", err)
	}

	return request.URL, expiresAt, nil
}

// expiry returns when a URL with a life expires: with the credentials that sign it, if they expire before.
func (u *Uploads) expiry(ctx context.Context, life time.Duration) time.Time {
	expiresAt := time.Now().Add(life)
	if keys, err := u.Client.Options().Credentials.Retrieve(ctx); err == nil && keys.CanExpire && keys.Expires.Before(expiresAt) {
		return keys.Expires
	}

	return expiresAt
}
