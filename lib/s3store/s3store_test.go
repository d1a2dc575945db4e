package s3store_test

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/csvimport/storetest"
	"github.com/herald-progress/herald/lib/local/objects"
	"github.com/herald-progress/herald/lib/s3store"
)

const bucket = "uploads"

// open returns a store on a bucket of the local twin, to which it sends HTTP requests. Its parts are small.
func open(tb testing.TB) *s3store.Store {
	tb.Helper()
	return s3store.New(s3store.Config{Bucket: bucket, Client: newTwinClient(tb), PartBytes: s3store.MinPartBytes})
}

// newTwinClient returns a client of the local twin's S3, which has the bucket.
func newTwinClient(tb testing.TB) *s3.Client {
	tb.Helper()
	endpoint, err := objects.New(objects.Config{Bucket: bucket, Dir: tb.TempDir()})
	if err != nil {
		tb.Fatalf("create bucket: %v", err)
	}
	server := httptest.NewServer(endpoint)
	tb.Cleanup(server.Close)
	return newClient(server.URL)
}

// newClient returns a client of an S3 server, which does not retry.
func newClient(endpoint string) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true,
		Credentials:      credentials.NewStaticCredentialsProvider("id", "secret", ""),
		RetryMaxAttempts: 1,
	})
}

func TestStoreMeetsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) csvimport.Store { t.Helper(); return open(t) })
}

// openOnMoto returns a store on a bucket of its own on the moto server. It skips the test if there is none.
func openOnMoto(t *testing.T) csvimport.Store {
	t.Helper()
	endpoint := os.Getenv("MOTO_ENDPOINT")
	if endpoint == "" {
		t.Skip("set MOTO_ENDPOINT to the URL of a moto server")
	}
	client, name := newClient(endpoint), "test-"+strings.ToLower(rand.Text())
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return s3store.New(s3store.Config{Bucket: name, Client: client, PartBytes: s3store.MinPartBytes})
}

// TestStoreMeetsTheContractOnMoto tests the store with another implementation of S3.
func TestStoreMeetsTheContractOnMoto(t *testing.T) { storetest.Run(t, openOnMoto) }

// TestResultsAreThoseOfTheNewestVersionInOrdersOnMoto runs some orders of concurrent imports on moto, which is slow.
func TestResultsAreThoseOfTheNewestVersionInOrdersOnMoto(t *testing.T) {
	const perCase = 5
	storetest.Few(perCase).Run(t, openOnMoto)
}

// TestReadsAVersionAfterItWasReplacedOrDeleted runs on moto, because the twin has no versions of objects.
func TestReadsAVersionAfterItWasReplacedOrDeleted(t *testing.T) {
	endpoint := os.Getenv("MOTO_ENDPOINT")
	if endpoint == "" {
		t.Skip("set MOTO_ENDPOINT to the URL of a moto server")
	}
	client, name, key := newClient(endpoint), "test-"+strings.ToLower(rand.Text()), "k"
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
	_, err2 := client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	old, err3 := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: &key, Body: strings.NewReader("old")})
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	store := s3store.New(s3store.Config{Bucket: name, Client: client})
	version := csvimport.Object{Key: key, Version: *old.VersionId, ETag: strings.Trim(*old.ETag, `"`)}
	// read requires that Get of the version returns the content want, or the error wantErr.
	read := func(what, want string, wantErr error) {
		t.Helper()
		body, err := store.Get(t.Context(), version, 0, -1)
		if !errors.Is(err, wantErr) {
			t.Fatalf("%s: Get says %v, want %v", what, err, wantErr)
		}
		if err != nil {
			return
		}
		content, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil || string(content) != want {
			t.Errorf("%s: the version is %q, %v, want %q", what, content, err, want)
		}
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: &key, Body: strings.NewReader("new")}); err != nil {
		t.Fatal(err)
	}
	read("replaced", "old", nil)
	if err := store.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	read("deleted", "old", nil)
	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &name, Key: &key, VersionId: old.VersionId})
	if err != nil {
		t.Fatal(err)
	}
	read("the version was deleted", "", csvimport.ErrNotFound)
}

// TestObjectsHaveTheirMediaType writes an object in one request, one in parts, and copies both.
func TestObjectsHaveTheirMediaType(t *testing.T) {
	wantMediaTypes(t, newTwinClient(t), bucket)
}

func TestObjectsHaveTheirMediaTypeOnMoto(t *testing.T) {
	endpoint := os.Getenv("MOTO_ENDPOINT")
	if endpoint == "" {
		t.Skip("set MOTO_ENDPOINT to the URL of a moto server")
	}
	client, name := newClient(endpoint), "test-"+strings.ToLower(rand.Text())
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	wantMediaTypes(t, client, name)
}

// wantMediaTypes writes objects of each kind to the bucket, copies them and checks their media types.
func wantMediaTypes(t *testing.T, client *s3.Client, bucket string) {
	t.Helper()
	store := s3store.New(s3store.Config{Bucket: bucket, Client: client, PartBytes: s3store.MinPartBytes})
	for suffix, want := range map[string]string{
		"rejected.csv": "text/csv; charset=utf-8", "summary.json": "application/json", "part-00000.jsonl": "application/x-ndjson",
		"0-c0ffee": "application/json",
	} {
		for _, size := range []int{1, s3store.MinPartBytes + 1} {
			w := store.Create(t.Context(), "from/"+suffix, csvimport.Replace)
			_, err := w.Write(make([]byte, size))
			if err := errors.Join(err, w.Close(), store.Copy(t.Context(), "to/"+suffix, "from/"+suffix)); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"from/" + suffix, "to/" + suffix} {
				object, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
				if err != nil || object.ContentType == nil || *object.ContentType != want {
					t.Errorf("%s of %d bytes: %+v, error %v, want %s", key, size, object, err, want)
				}
			}
		}
	}
}
