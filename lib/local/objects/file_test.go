package objects_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
)

// read returns a range of an object.
func read(t *testing.T, client *s3.Client, key, byteRange string) string {
	t.Helper()
	in := &s3.GetObjectInput{Bucket: aws.String("uploads"), Key: &key}
	if byteRange != "" {
		in.Range = &byteRange
	}
	out, err := client.GetObject(t.Context(), in)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return string(content)
}

// TestRangesOfAnObjectWithParts reads every range of an object whose content is in several files.
func TestRangesOfAnObjectWithParts(t *testing.T) {
	t.Parallel()
	client, _ := newS3(t, nil)
	multipart(t, client, "k", "abc", "d", "", "efgh")
	const content = "abcdefgh"
	for from := range len(content) {
		for to := from; to < len(content); to++ {
			if got := read(t, client, "k", fmt.Sprintf("bytes=%d-%d", from, to)); got != content[from:to+1] {
				t.Errorf("bytes %d to %d are %q, want %q", from, to, got, content[from:to+1])
			}
		}
	}
	if got := read(t, client, "k", ""); got != content {
		t.Errorf("the content is %q, want %q", got, content)
	}
}

// TestACopyStaysWhenItsSourceGoes copies an object with parts and one without, and replaces and deletes the sources.
func TestACopyStaysWhenItsSourceGoes(t *testing.T) {
	t.Parallel()
	client, _ := newS3(t, nil)
	put(t, client, "one", "content")
	multipart(t, client, "parts", "con", "tent")
	sum := md5.Sum([]byte("content"))
	for _, source := range []string{"one", "parts"} {
		copied, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{
			Bucket: aws.String("uploads"), Key: aws.String("copy of " + source), CopySource: aws.String("uploads/" + source),
		})
		if want := `"` + hex.EncodeToString(sum[:]) + `"`; err != nil || *copied.CopyObjectResult.ETag != want {
			t.Fatalf("the copy of %s is %+v, error %v, want the ETag %s", source, copied, err, want)
		}
	}
	put(t, client, "one", "other")
	_, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("uploads"), Key: aws.String("parts")})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"copy of one", "copy of parts"} {
		if got := read(t, client, key, ""); got != "content" {
			t.Errorf("%s is %q", key, got)
		}
	}
}

// TestAReaderEndsThoughItsObjectIsDeleted deletes an object between two reads of a response.
func TestAReaderEndsThoughItsObjectIsDeleted(t *testing.T) {
	t.Parallel()
	client, _ := newS3(t, nil)
	first, second := strings.Repeat("a", 8<<20), strings.Repeat("b", 8<<20) // more than the buffers of the connection
	multipart(t, client, "k", first, second)
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("uploads"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("uploads"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(out.Body)
	if err != nil || string(content) != first+second {
		t.Errorf("%d bytes, error %v, want %d", len(content), err, len(first)+len(second))
	}
}

// TestAWrongMD5IsRefused declares the MD5 of a body, for an object and for a part.
func TestAWrongMD5IsRefused(t *testing.T) {
	t.Parallel()
	client, _ := newS3(t, nil)
	begun, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("uploads"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	for body, code := range map[string]string{"content": "", "contents": "BadDigest"} {
		sum := md5.Sum([]byte("content"))
		declared := base64.StdEncoding.EncodeToString(sum[:])
		_, putErr := client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("uploads"), Key: aws.String("k"), Body: strings.NewReader(body), ContentMD5: &declared,
		})
		_, partErr := client.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: aws.String("uploads"), Key: aws.String("k"), UploadId: begun.UploadId, PartNumber: aws.Int32(1),
			Body: strings.NewReader(body), ContentMD5: &declared,
		})
		for what, err := range map[string]error{"PutObject": putErr, "UploadPart": partErr} {
			if code != "" {
				wiretest.WantCode(t, what, err, code)
			} else if err != nil {
				t.Errorf("%s with its MD5: %v", what, err)
			}
		}
	}
}
