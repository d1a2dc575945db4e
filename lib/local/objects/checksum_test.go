package objects_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
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

// checksums are those of "123456789", the check values of the catalogues of CRC algorithms and the SHA sums of sha1sum and sha256sum.
var checksums = map[string]string{
	"crc32": "y/Q5Jg==", "crc32c": "4waSgw==", "crc64nvme": "rosUhgp5mIg=",
	"sha1": "98O8HYCOBHMq32eZZczDTKeuNEE=", "sha256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
}

// TestABodyMustHaveItsChecksum sends right and wrong checksums in headers and behind the body, of objects and of parts.
func TestABodyMustHaveItsChecksum(t *testing.T) {
	t.Parallel()
	client, endpoint := newS3(t, nil)
	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("uploads"), Key: aws.String("in/p")})
	if err != nil {
		t.Fatal(err)
	}

	object, part := endpoint+"/uploads/in/a", endpoint+"/uploads/in/p?partNumber=1&uploadId="+*upload.UploadId
	for _, url := range []string{object, part} {
		for algorithm, right := range checksums {
			wrong := base64.StdEncoding.EncodeToString(make([]byte, base64.StdEncoding.DecodedLen(len(right))-strings.Count(right, "=")))
			for value, want := range map[string]string{right: "", wrong: "BadDigest", "AAAA": "InvalidRequest", "?": "InvalidRequest"} {
				for _, trails := range []bool{false, true} {
					status, code := sendChecksum(t, url, algorithm, value, trails)
					if trails && want == "InvalidRequest" && code == want || code == want && (status == 200) == (want == "") {
						continue
					}
					t.Errorf("%s with %s %s, behind the body: %t: %d %q, want %q", url, algorithm, value, trails, status, code, want)
				}
			}
		}
	}

	for name, headers := range map[string]http.Header{
		"two checksums":        {"X-Amz-Checksum-Crc32": {checksums["crc32"]}, "X-Amz-Checksum-Sha1": {checksums["sha1"]}},
		"an unknown algorithm": {"X-Amz-Checksum-Md4": {"AAAA"}},
	} {
		if answer := send(t, http.MethodPut, object, "123456789", headers); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, answer.Status)
		}
	}
}

// sendChecksum sends "123456789" with a checksum and returns the status and the code of the error.
func sendChecksum(t *testing.T, url, algorithm, value string, trails bool) (int, string) {
	t.Helper()
	body, name := "123456789", "x-amz-checksum-"+algorithm
	header := http.Header{}
	header.Set(name, value)
	if trails {
		body = "4\r\n1234\r\n5\r\n56789\r\n0\r\n" + name + ":" + value + "\r\n\r\n"
		header = http.Header{
			"X-Amz-Content-Sha256": {"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, "X-Amz-Decoded-Content-Length": {"9"}, "X-Amz-Trailer": {name},
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "<Code>")
	code, _, _ := strings.Cut(rest, "</Code>")
	if got := answer.Header.Get(name); answer.StatusCode == http.StatusOK && got != value {
		t.Errorf("the response has the checksum %q, want %q", got, value)
	}
	return answer.StatusCode, code
}

// TestACutChunkedBodyIsIncomplete cuts an aws-chunked body at each byte. Without its checksum, or the whole content, nothing is stored.
func TestACutChunkedBodyIsIncomplete(t *testing.T) {
	t.Parallel()
	_, endpoint := newS3(t, nil)
	whole := "4\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n"
	for length := range len(whole) - len("\r\n") {
		answer := postChunks(t, endpoint+"/uploads/in/a", whole[:length])
		if answer.status != http.StatusBadRequest || answer.code != "IncompleteBody" {
			t.Errorf("%q: %d %s", whole[:length], answer.status, answer.code)
		}
	}
	if answer := postChunks(t, endpoint+"/uploads/in/a", whole); answer.status != http.StatusOK {
		t.Errorf("the whole body: %+v", answer)
	}
}

func postChunks(t *testing.T, url, body string) formAnswer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"X-Amz-Content-Sha256": {"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, "X-Amz-Decoded-Content-Length": {"9"},
		"X-Amz-Trailer": {"x-amz-checksum-crc32"}, "Content-Encoding": {"gzip,aws-chunked"},
	}
	return do(t, r)
}

// TestAReadReturnsTheChecksumOnlyOfTheWholeObject also tests that a response without the object has none: clients would compare it.
func TestAReadReturnsTheChecksumOnlyOfTheWholeObject(t *testing.T) {
	t.Parallel()
	client, endpoint := newS3(t, nil)
	etag := put(t, client, "in/a", "123456789")
	for name, tt := range map[string]struct {
		headers http.Header
		status  int
		want    string
	}{
		"asked for":     {http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}, 200, checksums["crc32"]},
		"not asked for": {http.Header{}, 200, ""},
		"a range":       {http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}, "Range": {"bytes=0-3"}}, 206, ""},
		"not modified":  {http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}, "If-None-Match": {etag}}, 304, ""},
		"changed":       {http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}, "If-Match": {`"0"`}}, 412, ""},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			answer := send(t, method, endpoint+"/uploads/in/a", "", tt.headers)
			if got := answer.Header.Get("X-Amz-Checksum-Crc32"); answer.StatusCode != tt.status || got != tt.want {
				t.Errorf("%s, %s: %s, checksum %q, want %q", method, name, answer.Status, got, tt.want)
			}
			if tt.status == http.StatusPartialContent && (answer.ContentLength != 4 || answer.Header.Get("Content-Range") != "bytes 0-3/9") {
				t.Errorf("%s, %s: %d bytes, %v", method, name, answer.ContentLength, answer.Header)
			}
		}
	}
}

// TestAnObjectOfPartsHasTheETagAndTheChecksumOfS3, which count the parts.
func TestAnObjectOfPartsHasTheETagAndTheChecksumOfS3(t *testing.T) {
	t.Parallel()
	client, endpoint := newS3(t, nil)
	first, second := md5.Sum([]byte("12345")), md5.Sum([]byte("6789"))
	joined := md5.Sum(append(first[:], second[:]...))
	etag := fmt.Sprintf("%q", hex.EncodeToString(joined[:])+"-2")
	for _, tt := range []struct {
		algorithm types.ChecksumAlgorithm
		kind      types.ChecksumType
		want      string
		wantKind  string
	}{
		{"", "", checksums["crc64nvme"], "FULL_OBJECT"},
		{types.ChecksumAlgorithmCrc32, types.ChecksumTypeFullObject, checksums["crc32"], "FULL_OBJECT"},
		{types.ChecksumAlgorithmCrc32, "", "4zspdQ==-2", "COMPOSITE"}, // The CRC of the CRCs y/U6HA== and nbq/hw==, by Python's zlib.
	} {
		in := &s3.CreateMultipartUploadInput{
			Bucket: aws.String("uploads"), Key: aws.String("in/a"), ChecksumAlgorithm: tt.algorithm, ChecksumType: tt.kind,
		}
		upload, err := client.CreateMultipartUpload(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		done := &types.CompletedMultipartUpload{}
		for i, body := range []string{"12345", "6789"} {
			part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: in.Bucket, Key: in.Key, UploadId: upload.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: strings.NewReader(body),
				ChecksumAlgorithm: tt.algorithm,
			})
			if err != nil {
				t.Fatal(err)
			}
			done.Parts = append(done.Parts, types.CompletedPart{ETag: part.ETag, PartNumber: aws.Int32(int32(i + 1))})
		}
		out, err := client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
			Bucket: in.Bucket, Key: in.Key, UploadId: upload.UploadId, MultipartUpload: done,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(out.ChecksumCRC32) + aws.ToString(out.ChecksumCRC64NVME); aws.ToString(out.ETag) != etag || got != tt.want {
			t.Errorf("%+v: ETag %s, checksum %s", tt, aws.ToString(out.ETag), got)
		}

		body, read, err := get(t, client, s3.GetObjectInput{Key: in.Key, IfMatch: &etag, ChecksumMode: types.ChecksumModeEnabled})
		if err != nil || body != "123456789" || aws.ToString(read.ETag) != etag || string(read.ChecksumType) != tt.wantKind {
			t.Errorf("%+v: read %q, %+v, %v", tt, body, read, err)
		}
		if answer := send(t, http.MethodGet, endpoint+"/uploads/in/a", "", http.Header{"If-None-Match": {etag}}); answer.StatusCode != 304 {
			t.Errorf("%+v: If-None-Match: %s", tt, answer.Status)
		}
		body, read, err = get(t, client, s3.GetObjectInput{Key: in.Key, PartNumber: aws.Int32(2)})
		if err != nil || body != "6789" || aws.ToInt32(read.PartsCount) != 2 {
			t.Errorf("%+v: part 2 is %q, %v", tt, body, err)
		}
	}
}

func TestPartsAreCopied(t *testing.T) {
	t.Parallel()
	client, _ := newS3(t, nil)
	etag := put(t, client, "in/source ä+1", "0123456789")
	in := &s3.CreateMultipartUploadInput{Bucket: aws.String("uploads"), Key: aws.String("in/copy")}
	upload, err := client.CreateMultipartUpload(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}

	done := &types.CompletedMultipartUpload{}
	for i, tt := range []struct {
		bytes, match, noneMatch, source string
		code                            string
	}{
		{"bytes=0-4", etag, "", "", ""}, {"", "", `"0"`, "", ""}, {"bytes=9-9", "", "", "", ""},
		{"bytes=5-10", "", "", "", "InvalidRange"}, {"5-9", "", "", "", "InvalidArgument"},
		{"", `"0"`, "", "", "PreconditionFailed"}, {"", "", etag, "", "PreconditionFailed"}, {"", "", "", "uploads/in/nothing", "NoSuchKey"},
	} {
		part := &s3.UploadPartCopyInput{
			Bucket: in.Bucket, Key: in.Key, UploadId: upload.UploadId, PartNumber: aws.Int32(int32(i + 1)),
			CopySource: aws.String("uploads/in/source%20%C3%A4%2B1"),
		}
		for _, option := range []struct {
			value  string
			target **string
		}{
			{tt.bytes, &part.CopySourceRange}, {tt.match, &part.CopySourceIfMatch}, {tt.noneMatch, &part.CopySourceIfNoneMatch},
			{tt.source, &part.CopySource},
		} {
			if option.value != "" {
				*option.target = &option.value
			}
		}
		out, err := client.UploadPartCopy(t.Context(), part)
		if tt.code != "" {
			wiretest.WantCode(t, fmt.Sprint(tt), err, tt.code)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		done.Parts = append(done.Parts, types.CompletedPart{ETag: out.CopyPartResult.ETag, PartNumber: part.PartNumber})
	}

	_, err = client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: in.Bucket, Key: in.Key, UploadId: upload.UploadId, MultipartUpload: done,
	})
	if err != nil {
		t.Fatal(err)
	}
	if body, _, err := get(t, client, s3.GetObjectInput{Key: in.Key}); err != nil || body != "01234"+"0123456789"+"9" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestObjectsKeepTheHeadersThatS3Keeps(t *testing.T) {
	t.Parallel()
	client, endpoint := newS3(t, nil)
	kept := map[string]string{
		"Cache-Control": "no-cache", "Content-Language": "de", "Content-Disposition": `attachment; filename="a"`, "Content-Encoding": "gzip",
		"Expires": "Wed, 21 Oct 2026 07:28:00 GMT", "Content-Type": "text/csv",
	}
	header := http.Header{"X-Amz-Meta-Two-Words": {"x"}}
	for name, value := range kept {
		header.Set(name, value)
	}
	send(t, http.MethodPut, endpoint+"/uploads/in/a", "abc", header)

	copied := &s3.CopyObjectInput{Bucket: aws.String("uploads"), Key: aws.String("in/b"), CopySource: aws.String("uploads/in/a")}
	if _, err := client.CopyObject(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"in/a", "in/b"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/uploads/"+key, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "identity")
		answer := do(t, r)
		got := map[string]string{}
		for name := range kept {
			got[name] = answer.header.Get(name)
		}
		if diff := cmp.Diff(kept, got); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}

		_, out, err := get(t, client, s3.GetObjectInput{Key: &key})
		if err != nil || out.Metadata["two-words"] != "x" {
			t.Errorf("%s: metadata %v, %v", key, out.Metadata, err)
		}
	}
}

func TestListsOfUploadsAndPartsHavePages(t *testing.T) {
	t.Parallel()
	client, endpoint := newS3(t, nil)
	if answer := send(t, http.MethodGet, endpoint+"/uploads?uploads", "", nil); answer.StatusCode != http.StatusOK {
		t.Errorf("no uploads: %s", answer.Status)
	}
	var ids []string
	for _, key := range []string{"in/a", "in/a", "in/b c"} {
		upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("uploads"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, *upload.UploadId)
	}
	seen := map[string]string{}
	uploads := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{
		Bucket: aws.String("uploads"), MaxUploads: aws.Int32(1),
	})
	for uploads.HasMorePages() {
		page, err := uploads.NextPage(t.Context())
		if err != nil || len(page.Uploads) != 1 {
			t.Fatal(page, err)
		}
		seen[*page.Uploads[0].UploadId] = *page.Uploads[0].Key
	}
	if diff := cmp.Diff(map[string]string{ids[0]: "in/a", ids[1]: "in/a", ids[2]: "in/b c"}, seen); diff != "" {
		t.Error(diff)
	}

	for _, number := range []int32{7, 3, 10000} {
		_, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: aws.String("uploads"), Key: aws.String("in/a"), UploadId: &ids[0], PartNumber: &number, Body: strings.NewReader("x"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var numbers []int32
	parts := s3.NewListPartsPaginator(client, &s3.ListPartsInput{
		Bucket: aws.String("uploads"), Key: aws.String("in/a"), UploadId: &ids[0], MaxParts: aws.Int32(1),
	})
	for parts.HasMorePages() {
		page, err := parts.NextPage(t.Context())
		if err != nil || len(page.Parts) != 1 {
			t.Fatal(page, err)
		}
		numbers = append(numbers, *page.Parts[0].PartNumber)
	}
	if diff := cmp.Diff([]int32{3, 7, 10000}, numbers); diff != "" {
		t.Error(diff)
	}
}
