package objects_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rclone/gofakes3"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/objects"
	"github.com/herald-progress/herald/lib/s3store"
	"github.com/herald-progress/herald/lib/upload"
	"github.com/herald-progress/herald/lib/upload/uploadtest"
)

// openBucket returns a bucket that checks signatures: the keys are those of wiretest.
func openBucket(t *testing.T) uploadtest.Bucket {
	t.Helper()
	endpoint, err := objects.New(objects.Config{Bucket: "uploads", Dir: t.TempDir(), SecretKeys: map[string]string{"x": "y"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = endpoint.Close() })
	client := s3.NewFromConfig(wiretest.Config(t, endpoint), func(o *s3.Options) { o.UsePathStyle = true })
	return uploadtest.Bucket{
		Objects: &s3store.Uploads{Client: client, Bucket: "uploads"}, Client: http.DefaultClient,
		Content: func(t *testing.T, key string) []byte {
			t.Helper()
			out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("uploads"), Key: &key})
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
}

func TestUploadsMeetTheContract(t *testing.T) {
	uploadtest.RunObjects(t, openBucket)
	uploadtest.RunStrict(t, openBucket)
}

// TestPresignedURLsCannotBeChanged changes presigned URLs, for instance to another object or a longer life. No changed URL is accepted.
func TestPresignedURLsCannotBeChanged(t *testing.T) {
	b := openBucket(t)
	id, err := b.Begin(t.Context(), "in/a", "text/csv")
	if err != nil {
		t.Fatal(err)
	}
	object := upload.Target{Key: "in/a", Size: 3, ContentType: "text/csv", Life: time.Minute}
	part := upload.Target{Key: "in/a", Size: 3, MultipartID: id, Number: 1, Life: time.Minute}
	for _, tt := range []struct {
		target   upload.Target
		old, new string
	}{
		{object, "in/a", "in/b"},
		{object, "in/a", "a"},
		{object, "X-Amz-Expires=60", "X-Amz-Expires=600"},
		{object, "?", "?uploadId=" + id + "&partNumber=1&"},
		{object, "us-east-1", "eu-west-1"},
		{part, "partNumber=1", "partNumber=2"},
		{part, "uploadId=" + id, "uploadId=other"},
		{part, "&partNumber=1&uploadId=" + id, ""},
	} {
		signed, err := b.Sign(t.Context(), tt.target)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(signed.URL, tt.old, tt.new, 1)
		if changed == signed.URL {
			t.Errorf("the URL has no %s", tt.old)
		}
		header := http.Header{}
		for name, value := range signed.Headers {
			header.Set(name, value)
		}
		if got := send(t, http.MethodPut, changed, "one", header); got.StatusCode != http.StatusForbidden {
			t.Errorf("with %s in place of %s the PUT is answered %s, want 403", tt.new, tt.old, got.Status)
		}
	}
}

// TestMultipartUploadsAreAbortedAfterADay tests that the twin does what the lifecycle rule of the stack's bucket does.
func TestMultipartUploadsAreAbortedAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := objects.NewDisk(t.TempDir())
		if err := disk.CreateBucket(t.Context(), "uploads"); err != nil {
			t.Fatal(err)
		}
		id, err := disk.CreateMultipartUpload(t.Context(), "uploads", "in/a", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			wait time.Duration
			gone bool
		}{{24*time.Hour - time.Second, false}, {time.Second, true}} {
			time.Sleep(tt.wait)
			if err := disk.FindUpload("uploads", "in/a", id); gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchUpload) != tt.gone {
				t.Errorf("the upload's error is %v, want it to be gone: %t", err, tt.gone)
			}
		}
	})
}

// TestACutPutLeavesNothing ends the connection before the end of a body. Neither an object nor a part is stored.
func TestACutPutLeavesNothing(t *testing.T) {
	b := openBucket(t)
	id, err := b.Begin(t.Context(), "in/a", "text/csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []upload.Target{
		{Key: "in/a", Size: 100, ContentType: "text/csv", Life: time.Minute},
		{Key: "in/a", Size: 100, MultipartID: id, Number: 1, Life: time.Minute},
	} {
		signed, err := b.Sign(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := url.Parse(signed.URL)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", parsed.Host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n", parsed.RequestURI(), parsed.Host)
		for name, value := range signed.Headers {
			fmt.Fprintf(conn, "%s: %s\r\n", name, value)
		}
		fmt.Fprint(conn, "\r\nfifty bytes of the hundred that were promised.....")
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn) // until the endpoint has given up
		_ = conn.Close()
	}
	if size, err := b.Size(t.Context(), "in/a"); !errors.Is(err, upload.ErrNoObject) {
		t.Errorf("an object of %d bytes is stored (%v)", size, err)
	}
	if parts, err := b.Parts(t.Context(), "in/a", id); err != nil || len(parts) > 0 {
		t.Errorf("the parts are %+v (%v)", parts, err)
	}
}
