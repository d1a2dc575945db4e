package objects_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
)

func TestReadsReturnRangesOfOneVersion(t *testing.T) {
	t.Parallel()
	client, endpoint := newS3(t, nil)
	key := aws.String("in/a")
	etag := put(t, client, *key, "0123456789")
	for asked, want := range map[string]string{
		"bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89", "bytes=8-100": "89", "bytes=0-0": "0",
	} {
		body, out, err := get(t, client, s3.GetObjectInput{Key: key, Range: aws.String(asked), IfMatch: &etag})
		if err != nil || body != want || !strings.HasSuffix(aws.ToString(out.ContentRange), "/10") {
			t.Errorf("%s: got %q, error %v", asked, body, err)
		}
	}

	_, _, err := get(t, client, s3.GetObjectInput{Key: key, Range: aws.String("bytes=10-")})
	wiretest.WantCode(t, "a range behind the end", err, "InvalidRange")
	_, _, err = get(t, client, s3.GetObjectInput{Key: aws.String("in/nothing")})
	wiretest.WantCode(t, "no key", err, "NoSuchKey")

	// A reader keeps the content that it began with.
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("uploads"), Key: key})
	if err != nil {
		t.Fatal(err)
	}

	put(t, client, *key, "something else")
	body, err := io.ReadAll(out.Body)
	if err != nil || string(body) != "0123456789" {
		t.Errorf("read %q, error %v", body, err)
	}

	_, _, err = get(t, client, s3.GetObjectInput{Key: key, IfMatch: &etag})
	wiretest.WantCode(t, "changed", err, "PreconditionFailed")

	answer := send(t, http.MethodOptions, endpoint+"/uploads/in/a", "", http.Header{
		"Origin": {"http://x"}, "Access-Control-Request-Method": {"PUT"},
		"Access-Control-Request-Headers": {"content-type,x-amz-meta-a"},
	})
	if answer.StatusCode != http.StatusOK || !strings.Contains(answer.Header.Get("Access-Control-Allow-Methods"), "PUT") ||
		answer.Header.Get("Access-Control-Allow-Headers") != "content-type,x-amz-meta-a" {
		t.Errorf("preflight: %s, %v", answer.Status, answer.Header)
	}
}

func TestObjectsKeepTheirHeadersButNoCredentials(t *testing.T) {
	t.Parallel()
	client, endpoint := newS3(t, nil)
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("uploads"), Key: aws.String("in/a"), Body: strings.NewReader("a"),
		ContentType: aws.String("text/csv"), Metadata: map[string]string{"name": "value"},
	})
	if err != nil {
		t.Fatal(err)
	}

	_, out, err := get(t, client, s3.GetObjectInput{Key: aws.String("in/a"), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil || aws.ToString(out.ContentType) != "text/csv" || out.Metadata["name"] != "value" ||
		aws.ToString(out.ChecksumCRC32) == "" {
		t.Errorf("got %v, %v, %v, error %v", out.ContentType, out.Metadata, out.ChecksumCRC32, err)
	}

	send(t, http.MethodPut, endpoint+"/uploads/in/a", "b", http.Header{"X-Amz-Security-Token": {"secret"}})
	answer := send(t, http.MethodGet, endpoint+"/uploads/in/a", "", nil)
	if answer.Header.Get("X-Amz-Security-Token") != "" || answer.Header.Get("Content-Type") != "binary/octet-stream" {
		t.Errorf("answered %v", answer.Header)
	}
}

func TestListReturnsKeysAndPrefixesInPages(t *testing.T) {
	t.Parallel()
	client, _ := newS3(t, nil)
	for _, key := range []string{"a", "b/1", "b/2", "b/3", "c", "d/1"} {
		put(t, client, key, key)
	}

	list := func(in s3.ListObjectsV2Input) []string {
		var seen []string
		in.Bucket = aws.String("uploads")
		pages := s3.NewListObjectsV2Paginator(client, &in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}

			for _, object := range page.Contents {
				seen = append(seen, aws.ToString(object.Key))
			}
			for _, prefix := range page.CommonPrefixes {
				seen = append(seen, aws.ToString(prefix.Prefix))
			}
		}

		return seen
	}

	for _, size := range []int32{1, 2, 100} {
		in := s3.ListObjectsV2Input{MaxKeys: aws.Int32(size)}
		if diff := cmp.Diff([]string{"a", "b/1", "b/2", "b/3", "c", "d/1"}, list(in)); diff != "" {
			t.Errorf("pages of %d: %s", size, diff)
		}
		in.Prefix = aws.String("b/")
		if diff := cmp.Diff([]string{"b/1", "b/2", "b/3"}, list(in)); diff != "" {
			t.Errorf("pages of %d: %s", size, diff)
		}
	}

	got := list(s3.ListObjectsV2Input{MaxKeys: aws.Int32(1), Delimiter: aws.String("/")})
	if diff := cmp.Diff([]string{"a", "b/", "c", "d/"}, got); diff != "" {
		t.Errorf("with a delimiter (-want +got):\n%s", diff)
	}

	_, err := client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String("uploads"),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("a")}, {Key: aws.String("no")}}},
	})
	if err != nil {
		t.Fatal(err)
	}

	if got := list(s3.ListObjectsV2Input{}); len(got) != 5 {
		t.Errorf("after deleting one: %v", got)
	}
}
