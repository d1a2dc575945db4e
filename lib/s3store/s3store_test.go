package s3store_test

import (
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/csvimport/storetest"
	"github.com/herald-progress/herald/lib/s3store"
)

const bucket = "uploads"

// open returns a store on an S3 server of its own, over HTTP.
func open(tb testing.TB) *s3store.Store {
	tb.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		tb.Fatalf("create bucket: %v", err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	tb.Cleanup(server.Close)

	return s3store.New(s3store.Config{Bucket: bucket, Client: s3.New(s3.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true,
		Credentials:      credentials.NewStaticCredentialsProvider("id", "secret", ""),
		RetryMaxAttempts: 1,
	})})
}

func TestStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) csvimport.Store { t.Helper(); return open(t) })
}
