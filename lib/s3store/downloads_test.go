package s3store_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/s3store"
)

// TestADownloadIsAPlainGETOfAFile: a browser sends no header but Host, and saves what it gets.
func TestADownloadIsAPlainGETOfAFile(t *testing.T) {
	u := &s3store.Uploads{Bucket: bucket, Client: s3.New(s3.Options{Region: "eu-west-1", Credentials: keys{}})}
	for name, want := range map[string]string{
		"report.pdf": "attachment; filename=report.pdf", `a "b".csv`: `attachment; filename="a \"b\".csv"`, "für.csv": "attachment; filename*=utf-8''f%C3%BCr.csv",
	} {
		signed, _, err := u.SignDownload(t.Context(), "results/dTE/"+name, name, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := url.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		query := parsed.Query()
		if got := query.Get("X-Amz-SignedHeaders"); got != "host" {
			t.Errorf("%s: the signed headers are %s", name, got)
		}
		if query.Get("X-Amz-Expires") != "300" || query.Get("response-content-disposition") != want || query.Get("response-content-type") != "application/octet-stream" {
			t.Errorf("%s: the query is %v, want the disposition %s", name, query, want)
		}
	}
}

func TestDownloadsExpireWithTheKeysThatSignedThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &s3store.Uploads{Bucket: bucket, Client: s3.New(s3.Options{Region: "eu-west-1", Credentials: keys{time.Now().Add(2 * time.Minute)}})}
		_, expiresAt, err := u.SignDownload(t.Context(), "k", "k", 5*time.Minute)
		if got := time.Until(expiresAt); err != nil || got != 2*time.Minute {
			t.Errorf("a URL expires after %v, %v", got, err)
		}
	})
}

func TestADownloadReturnsTheObjectOnMoto(t *testing.T) {
	endpoint := os.Getenv("MOTO_ENDPOINT")
	if endpoint == "" {
		t.Skip("set MOTO_ENDPOINT to the URL of a moto server")
	}
	client, name := newClient(endpoint), "test-"+strings.ToLower(rand.Text())
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	key := "results/dTE/für.csv"
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: &key, Body: strings.NewReader("a,b")}); err != nil {
		t.Fatal(err)
	}
	u := &s3store.Uploads{Bucket: name, Client: client}
	signed, _, err := u.SignDownload(t.Context(), key, "für.csv", 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, signed, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "a,b" || response.Header.Get("Content-Disposition") != "attachment; filename*=utf-8''f%C3%BCr.csv" {
		t.Errorf("%q, %v, %v", body, response.Header, err)
	}
}
