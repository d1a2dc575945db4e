package s3store_test

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/s3store"
	"github.com/herald-progress/herald/lib/upload"
	"github.com/herald-progress/herald/lib/upload/uploadtest"
)

// TestUploadsMeetTheContractOnMoto tests presigned URLs, parts and joins with another implementation of S3 than the twin's. Moto does not
// check signatures.
func TestUploadsMeetTheContractOnMoto(t *testing.T) {
	uploadtest.RunObjects(t, func(t *testing.T) uploadtest.Bucket {
		t.Helper()
		endpoint := os.Getenv("MOTO_ENDPOINT")
		if endpoint == "" {
			t.Skip("set MOTO_ENDPOINT to the URL of a moto server")
		}
		client, name := newClient(endpoint), "test-"+strings.ToLower(rand.Text())
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
			t.Fatal(err)
		}
		return uploadtest.Bucket{
			Objects: &s3store.Uploads{Client: client, Bucket: name}, Client: http.DefaultClient,
			Content: func(t *testing.T, key string) []byte {
				t.Helper()
				out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &name, Key: &key})
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(out.Body)
				if err != nil {
					t.Fatal(err)
				}
				return content
			},
		}
	})
}

// keys are credentials that expire at a time, or never if the time is zero.
type keys struct{ expires time.Time }

func (k keys) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "token", CanExpire: !k.expires.IsZero(), Expires: k.expires}, nil
}

// TestPresignedURLsNameSizeTypeAndCondition checks which headers the signature of a URL covers. Amazon S3 refuses a request in which one
// of these headers has another value.
func TestPresignedURLsNameSizeTypeAndCondition(t *testing.T) {
	u := &s3store.Uploads{Bucket: bucket, Client: s3.New(s3.Options{Region: "eu-west-1", Credentials: keys{}})}
	for want, target := range map[string]upload.Target{
		"content-length;content-type;host;if-none-match": {Key: "k", Size: 5, ContentType: "text/csv", Life: 5 * time.Minute},
		"content-length;host":                            {Key: "k", Size: 5, MultipartID: "m", Number: 7, Life: 5 * time.Minute},
	} {
		signed, err := u.Sign(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := url.Parse(signed.URL)
		if err != nil {
			t.Fatal(err)
		}
		query := parsed.Query()
		if got := query.Get("X-Amz-SignedHeaders"); got != want {
			t.Errorf("signed headers are %s, want %s", got, want)
		}
		if got := query.Get("X-Amz-Expires"); got != "300" {
			t.Errorf("expires after %s s, want 300", got)
		}
		for name := range query {
			if strings.Contains(strings.ToLower(name), "checksum") {
				t.Errorf("the URL asks for a checksum that a browser does not send: %s", name)
			}
		}
	}
}

func TestURLsExpireWithTheKeysThatSignedThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for life, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, time.Hour: 10 * time.Minute} {
			u := &s3store.Uploads{Bucket: bucket, Client: s3.New(s3.Options{Region: "eu-west-1", Credentials: keys{time.Now().Add(10 * time.Minute)}})}
			signed, err := u.Sign(t.Context(), upload.Target{Key: "k", Size: 5, ContentType: "text/csv", Life: life})
			if got := time.Until(signed.ExpiresAt); err != nil || got != want {
				t.Errorf("a URL for %v expires after %v, want %v (%v)", life, got, want, err)
			}
		}
	})
}
