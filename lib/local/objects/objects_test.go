package objects_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/csvimport/storetest"
	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/objects"
	"github.com/herald-progress/herald/lib/s3store"
)

// newS3 returns a client of a new endpoint with the bucket "uploads", and the endpoint's URL. created receives the events of uploads whose
// keys begin with "in/"; nil means no events.
func newS3(t *testing.T, created func(context.Context, json.RawMessage)) (*s3.Client, string) {
	t.Helper()
	endpoint, err := objects.New(objects.Config{Bucket: "uploads", Dir: t.TempDir(), Prefix: "in/", Created: created})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		err := endpoint.Close()
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	})

	cfg := wiretest.Config(t, endpoint)
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), *cfg.BaseEndpoint
}

// put stores an object in the bucket "uploads" and returns its ETag, with quotes.
func put(t *testing.T, client *s3.Client, key, body string) string {
	t.Helper()
	out, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("uploads"), Key: aws.String(key), Body: strings.NewReader(body),
	})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return aws.ToString(out.ETag)
}

// get returns the content of an object in the bucket "uploads", and the output of GetObject.
func get(t *testing.T, client *s3.Client, in s3.GetObjectInput) (string, *s3.GetObjectOutput, error) {
	t.Helper()
	in.Bucket = aws.String("uploads")
	out, err := client.GetObject(t.Context(), &in)
	if err != nil {
		return "", nil, err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	return string(body), out, err
}

func TestEachWayToUploadSendsAnEvent(t *testing.T) {
	t.Parallel()
	var events eventLog
	client, endpoint := newS3(t, events.add)

	// A browser uploads to a presigned URL.
	signed, err := s3.NewPresignClient(client).PresignPutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("uploads"), Key: aws.String("in/signed.csv"), ContentType: aws.String("text/csv"),
	})
	if err != nil {
		t.Fatal(err)
	}

	answer := send(t, http.MethodPut, signed.URL, "signed", http.Header{
		"Content-Type": {"text/csv"}, "Origin": {"http://127.0.0.1:3000"},
	})
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(answer.Header.Get("Access-Control-Expose-Headers"), "ETag") {
		t.Errorf("presigned PUT: %s, %v", answer.Status, answer.Header)
	}

	copied, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: aws.String("uploads"), Key: aws.String("in/copy.csv"), CopySource: aws.String("uploads/in/signed.csv"),
	})
	if err != nil {
		t.Fatal(err)
	}

	joined := multipart(t, client, "in/parts.csv", "one,", "two,", "three")

	// The event's ETag and size are those that a reader sees.
	for i, want := range []struct{ key, reason, body, etag string }{
		{"in/signed.csv", "PutObject", "signed", answer.Header.Get("ETag")},
		{"in/copy.csv", "CopyObject", "signed", aws.ToString(copied.CopyObjectResult.ETag)},
		{"in/parts.csv", "CompleteMultipartUpload", "one,two,three", joined},
	} {
		if i == 0 && len(events.events) != 3 {
			t.Fatalf("%d events, want 3", len(events.events))
		}
		detail, _ := events.events[i]["detail"].(map[string]any)
		object, _ := detail["object"].(map[string]any)

		body, out, err := get(t, client, s3.GetObjectInput{Key: aws.String(want.key)})
		if err != nil || body != want.body || aws.ToString(out.ETag) != want.etag {
			t.Errorf("%s: got %q, ETag %v, error %v", want.key, body, out.ETag, err)
		}

		got := fmt.Sprint(object["key"], detail["reason"], object["size"], `"`, object["etag"], `"`)
		if wanted := fmt.Sprint(want.key, want.reason, len(want.body), want.etag); got != wanted {
			t.Errorf("event %s, want %s", got, wanted)
		}
	}

	// A failed upload sends no event.
	events.drain()

	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("nowhere"), Key: aws.String("in/x"), Body: strings.NewReader("x"),
	})
	wiretest.WantCode(t, "no bucket", err, "NoSuchBucket")
	answer = send(t, http.MethodPut, endpoint+"/uploads/in/signed.csv?tagging", "<Tagging/>", nil)
	if answer.StatusCode != http.StatusOK || len(events.drain()) != 0 {
		t.Errorf("tagging: %s", answer.Status)
	}
	answer = send(t, http.MethodPut, endpoint+"/uploads/in/signed.csv?retention", "<Retention/>", nil)
	if answer.StatusCode != http.StatusBadRequest || len(events.drain()) != 0 {
		t.Errorf("retention: %s", answer.Status)
	}
}

// TestWritesCheckTheirConditionsAsS3Does compares the responses with those of Amazon S3,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html.
func TestWritesCheckTheirConditionsAsS3Does(t *testing.T) {
	t.Parallel()
	bucket, other := aws.String("uploads"), aws.String(`"00000000000000000000000000000000"`)
	for _, way := range []string{"PutObject", "CopyObject", "CompleteMultipartUpload"} {
		client, _ := newS3(t, nil)
		put(t, client, "source", "new")

		write := func(key string, match, noneMatch *string) error {
			var err error
			switch way {
			case "PutObject":
				_, err = client.PutObject(t.Context(), &s3.PutObjectInput{
					Bucket: bucket, Key: &key, Body: strings.NewReader("new"), IfMatch: match, IfNoneMatch: noneMatch,
				})
			case "CopyObject":
				_, err = client.CopyObject(t.Context(), &s3.CopyObjectInput{
					Bucket: bucket, Key: &key, CopySource: aws.String("uploads/source"), IfMatch: match, IfNoneMatch: noneMatch,
				})
			default:
				uploadID, part := uploadOnePart(t, client, key, "new")
				_, err = client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
					Bucket: bucket, Key: &key, UploadId: uploadID, IfMatch: match, IfNoneMatch: noneMatch,
					MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{part}},
				})
			}

			return err
		}

		wiretest.WantCode(t, way+", If-Match of nothing", write("in/a", other, nil), "NoSuchKey")
		etag := put(t, client, "in/a", "old")
		wiretest.WantCode(t, way+", If-Match of another", write("in/a", other, nil), "PreconditionFailed")
		wiretest.WantCode(t, way+", If-None-Match of an existing object", write("in/a", nil, aws.String("*")), "PreconditionFailed")

		if body, _, err := get(t, client, s3.GetObjectInput{Key: aws.String("in/a")}); body != "old" {
			t.Errorf("%s: %q after conditions that did not hold (%v)", way, body, err)
		}

		err := errors.Join(write("in/a", &etag, nil), write("in/b", nil, aws.String("*")))
		if err != nil {
			t.Errorf("%s under conditions that hold: %v", way, err)
		}

		for _, key := range []string{"in/a", "in/b"} {
			body, out, err := get(t, client, s3.GetObjectInput{Key: &key})
			if err != nil || body != "new" || len(out.Metadata) != 0 {
				t.Errorf("%s: %s is %q, %v, %v", way, key, body, out, err)
			}
		}
	}
}

func TestCopyChecksTheConditionsOnItsSource(t *testing.T) {
	t.Parallel()
	client, _ := newS3(t, nil)
	etag, other := put(t, client, "in/a", "a"), aws.String(`"00000000000000000000000000000000"`)
	for _, tt := range []struct {
		match, noneMatch *string
		holds            bool
	}{{&etag, nil, true}, {other, nil, false}, {nil, other, true}, {nil, &etag, false}} {
		_, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{
			Bucket: aws.String("uploads"), Key: aws.String("in/b"), CopySource: aws.String("uploads/in/a"),
			CopySourceIfMatch: tt.match, CopySourceIfNoneMatch: tt.noneMatch,
		})
		if tt.holds && err != nil {
			t.Errorf("a condition that holds: %v", err)
		} else if !tt.holds {
			wiretest.WantCode(t, "a condition that does not hold", err, "PreconditionFailed")
		}
	}
}

// uploadOnePart creates a multipart upload with one part. It returns the id of the upload and the part.
func uploadOnePart(t *testing.T, client *s3.Client, key, body string) (*string, types.CompletedPart) {
	t.Helper()

	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String("uploads"), Key: &key,
	})
	if err != nil {
		t.Fatal(err)
	}

	part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: aws.String("uploads"), Key: &key, UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader(body),
	})
	if err != nil {
		t.Fatal(err)
	}
	return upload.UploadId, types.CompletedPart{ETag: part.ETag, PartNumber: aws.Int32(1)}
}

// multipart uploads an object in parts and returns its ETag. It also checks that ListParts returns every part, and that the upload can be
// completed again only with the same parts.
func multipart(t *testing.T, client *s3.Client, key string, parts ...string) string {
	t.Helper()

	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String("uploads"), Key: aws.String(key), ContentType: aws.String("text/csv"),
	})
	if err != nil {
		t.Fatal(err)
	}

	var done types.CompletedMultipartUpload
	for i, body := range parts {
		number := aws.Int32(int32(i + 1))
		part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: aws.String("uploads"), Key: aws.String(key), UploadId: upload.UploadId, PartNumber: number,
			Body: strings.NewReader(body),
		})
		if err != nil {
			t.Fatal(err)
		}

		done.Parts = append(done.Parts, types.CompletedPart{ETag: part.ETag, PartNumber: number})
	}

	listed, err := client.ListParts(t.Context(), &s3.ListPartsInput{
		Bucket: aws.String("uploads"), Key: aws.String(key), UploadId: upload.UploadId,
	})
	if err != nil || len(listed.Parts) != len(parts) {
		t.Fatalf("%d parts, error %v", len(listed.Parts), err)
	}

	complete := &s3.CompleteMultipartUploadInput{
		Bucket: aws.String("uploads"), Key: aws.String(key), UploadId: upload.UploadId, MultipartUpload: &done,
	}
	out, err := client.CompleteMultipartUpload(t.Context(), complete)
	if err != nil {
		t.Fatal(err)
	}

	again, err := client.CompleteMultipartUpload(t.Context(), complete)
	if err != nil || aws.ToString(again.ETag) != aws.ToString(out.ETag) {
		t.Errorf("completed again with the same parts: ETag %v, want %v (%v)", again, aws.ToString(out.ETag), err)
	}
	complete.MultipartUpload = &types.CompletedMultipartUpload{Parts: done.Parts[1:]}
	_, err = client.CompleteMultipartUpload(t.Context(), complete)
	wiretest.WantCode(t, "completed again with other parts", err, "NoSuchUpload")
	return aws.ToString(out.ETag)
}

// send sends a request and returns the response, whose body is closed.
func send(t *testing.T, method, url, body string, header http.Header) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	if header != nil {
		r.Header = header
	}

	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}

	_ = answer.Body.Close()
	return answer
}

func TestStoreOnTheEndpointMeetsTheStoreContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openStore)
}

// TestResultsAreThoseOfTheNewestVersionInOrders runs some orders of concurrent imports.
func TestResultsAreThoseOfTheNewestVersionInOrders(t *testing.T) {
	t.Parallel()
	storetest.Few(25).Run(t, openStore)
}

func openStore(t *testing.T) csvimport.Store {
	t.Helper()
	client, _ := newS3(t, nil)
	return s3store.New(s3store.Config{Client: client, Bucket: "uploads"})
}
