package objects_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/durable"
	"github.com/herald-progress/herald/lib/local/objects"
)

// TestNoObjectIsAcknowledgedThatIsNotStored closes the store, whose commits then fail.
func TestNoObjectIsAcknowledgedThatIsNotStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := durable.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	service, err := objects.New(objects.Config{Bucket: "uploads", Dir: filepath.Join(dir, "objects"), Store: store})
	if err != nil {
		t.Fatal(err)
	}
	client := s3.NewFromConfig(wiretest.Config(t, service), func(o *s3.Options) { o.UsePathStyle = true })
	put := func(key string) error {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("uploads"), Key: &key, Body: strings.NewReader("x")})
		return err
	}
	if err := put("stored"); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	wiretest.WantCode(t, "PutObject", put("lost"), "InternalError")
	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("uploads"), Key: aws.String("stored")})
	wiretest.WantCode(t, "DeleteObject", err, "InternalError")
	if err := service.Close(); err == nil {
		t.Error("Close does not say that something is not stored")
	}
}
