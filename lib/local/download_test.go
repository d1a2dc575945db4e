package local_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// TestAUserDownloadsTheResultOfAJob ends a job with a result by an invoke of the notifier, and downloads it by the URL that its user gets.
func TestAUserDownloadsTheResultOfAJob(t *testing.T) {
	twin, log := startTwin(t)
	ann, eve := openTab(t, twin, "ann"), openTab(t, twin, "eve")
	key := message.ResultPrefix("ann") + "report-7/report of May.csv"
	if _, err := twinS3(twin).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(local.Bucket), Key: &key, Body: strings.NewReader("a,b")}); err != nil {
		t.Fatal(err)
	}
	out, err := lambda.NewFromConfig(twin.AWSConfig()).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String(local.NotifierName),
		Payload: []byte(`{"userId":"ann","message":{"type":"job_progress","data":{"jobId":"report-7","title":"Report of May","progress":100,` +
			`"message":"Done","status":"succeeded","result":"` + key + `"}}}`),
	})
	if err != nil || out.FunctionError != nil {
		t.Fatalf("%s, %v", out.Payload, err)
	}
	ended := until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeJobProgress })
	if job, _ := ended[len(ended)-1].Data.(message.JobProgress); job.Result != key {
		t.Errorf("the end is %+v", job)
	}
	const ask = `{"action":"download","request":"r1","job":"report-7"}`
	if err := eve.Send(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	refused := until(t, eve, func(e message.Envelope) bool { return e.Type == message.TypeError || e.Type == message.TypeDownloadURL })
	if e, ok := refused[len(refused)-1].Data.(message.Error); !ok || e.Code != "RESULT_NOT_FOUND" {
		t.Errorf("another user gets %+v", refused)
	}
	if err := ann.Send(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	answers := until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeError || e.Type == message.TypeDownloadURL })
	answer, ok := answers[len(answers)-1].Data.(message.DownloadURL)
	if !ok || answer.Request != "r1" || answer.Job != "report-7" || answer.ExpiresAt.IsZero() {
		t.Fatalf("the answer is %+v", answers)
	}
	response, body := get(t, answer.URL)
	if body != "a,b" {
		t.Errorf("the download is %q", body)
	}
	if got := response.Header.Get("Content-Disposition"); got != `attachment; filename="report of May.csv"` {
		t.Errorf("the disposition is %s", got)
	}
	if strings.Contains(log.String(), "X-Amz-") {
		t.Error("the log has the URL")
	}
}

// download returns the content that a URL downloads.
func download(t *testing.T, url string) string {
	t.Helper()
	_, body := get(t, url)
	return body
}

// get requires the status 200 of a GET. It returns the response and its body.
func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the download is %d %q, %v", response.StatusCode, body, err)
	}
	return response, string(body)
}
