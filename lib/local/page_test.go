package local_test

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// request sends a request to the twin, as a browser does, and returns the response with its body.
func request(t *testing.T, twin *local.Twin, method, path string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, twin.Endpoint()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}

	return response, string(body)
}

func TestThePageIsServedAtTheRoot(t *testing.T) {
	twin, _ := startTwin(t)
	if want := twin.Endpoint() + "/"; twin.PageURL() != want {
		t.Errorf("the page's URL is %s, want %s", twin.PageURL(), want)
	}
	for path, contentType := range map[string]string{
		"/": "text/html", "/index.html": "text/html", "/page.js": "text/javascript", "/page.css": "text/css", "/icon.svg": "image/svg+xml",
		"/herald.config.json": "application/json",
	} {
		response, body := request(t, twin, http.MethodGet, path)
		if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), contentType) || body == "" {
			t.Errorf("%s: %s, %s, %d bytes", path, response.Status, response.Header.Get("Content-Type"), len(body))
		}
		if head, body := request(t, twin, http.MethodHead, path); head.StatusCode != http.StatusOK || body != "" {
			t.Errorf("HEAD %s: %s, %d bytes", path, head.Status, len(body))
		}
		checkPageHeaders(t, path, response.Header)
	}
	_, index := request(t, twin, http.MethodGet, "/")
	for _, inline := range []string{"<style", "style=", "onclick", "<script>"} {
		if strings.Contains(index, inline) {
			t.Errorf("index.html has %q, which the policy blocks", inline)
		}
	}
}

// checkPageHeaders checks that nothing of the page is cached, that nothing of another origin runs in it, and that no page of
// another origin can read it.
func checkPageHeaders(t *testing.T, path string, header http.Header) {
	t.Helper()
	policy := header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'; ") || strings.Contains(policy, "unsafe") ||
		!strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("%s: the policy is %q", path, policy)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", path, name, got, want)
		}
	}
}

// TestThePageLeavesS3Alone lists the buckets by a request with the same path as the page, "/".
func TestThePageLeavesS3Alone(t *testing.T) {
	twin, _ := startTwin(t)
	out, err := twinS3(twin).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil || len(out.Buckets) != 1 {
		t.Errorf("buckets: %+v, error %v", out, err)
	}
	if response, body := request(t, twin, http.MethodGet, "/"+local.Bucket+"?list-type=2"); response.StatusCode != http.StatusOK || !strings.Contains(body, "<ListBucketResult") {
		t.Errorf("list a bucket: %s, %s", response.Status, body)
	}
}

// TestAnUploadedDocumentCannotActAsThePage requests an HTML file of the bucket, which has the same origin as the page.
func TestAnUploadedDocumentCannotActAsThePage(t *testing.T) {
	twin, _ := startTwin(t)
	if _, err := twinS3(twin).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(local.Bucket), Key: aws.String("x.html"), ContentType: aws.String("text/html"), Body: strings.NewReader("<script>1</script>"),
	}); err != nil {
		t.Fatal(err)
	}
	response, _ := request(t, twin, http.MethodGet, "/"+local.Bucket+"/x.html")
	if policy := response.Header.Get("Content-Security-Policy"); policy != "default-src 'none'; sandbox" || response.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers are %v", response.Header)
	}
}

// TestThePageGetsTokensOfItsUsers tests that the tokens connect, that no log has them, and that no link or image gets one.
func TestThePageGetsTokensOfItsUsers(t *testing.T) {
	twin, log := startTwin(t)
	var config struct {
		URL   string
		Users []struct{ Name, TokenURL string }
	}
	_, body := request(t, twin, http.MethodGet, "/herald.config.json")
	if err := json.Unmarshal([]byte(body), &config); err != nil || config.URL != twin.WebSocketURL() || len(config.Users) != 2 {
		t.Fatalf("config %s: %v", body, err)
	}
	for _, user := range config.Users {
		response, body := request(t, twin, http.MethodPost, user.TokenURL)
		checkPageHeaders(t, user.TokenURL, response.Header)
		var answer struct{ Token string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatalf("%s: %s, %v", user.TokenURL, response.Status, err)
		}
		conn, err := client.Dial(t.Context(), config.URL, answer.Token)
		if err != nil {
			t.Fatalf("%s: %v", user.Name, err)
		}
		_ = conn.Close()
		if strings.Contains(log.String(), answer.Token) {
			t.Error("the log has a token")
		}
	}
	if response, body := request(t, twin, http.MethodGet, "/_herald/token?user=dev"); response.StatusCode == http.StatusOK || strings.Contains(body, "eyJ") {
		t.Errorf("GET: %s, %s; a link or an image must not get a token", response.Status, body)
	}
}

// TestThePageShowsWhatAnImportWentThrough requests the states of an import's execution, and the import's rejected rows.
func TestThePageShowsWhatAnImportWentThrough(t *testing.T) {
	twin, _ := startTwin(t)
	dev := openTab(t, twin, "dev")
	const query = "?user=dev&job=u-42"
	for _, path := range []string{"/_herald/timeline", "/_herald/rejected.csv"} {
		for _, query := range []string{query, "?user=eve&job=u-42", "?user=dev", "?user=dev&job=../u-42"} {
			if response, _ := request(t, twin, http.MethodGet, path+query); response.StatusCode != http.StatusNotFound {
				t.Errorf("%s%s before the import: %s, want 404", path, query, response.Status)
			}
		}
	}
	putPartsList(t, twin, "dev", "u-42")
	until(t, dev, func(e message.Envelope) bool { return e.Type == message.TypeNotification })

	response, body := request(t, twin, http.MethodGet, "/_herald/rejected.csv"+query)
	rows := csv.NewReader(strings.NewReader(body))
	rows.FieldsPerRecord = -1 // any number: some rows were rejected because of their number of fields
	records, err := rows.ReadAll()
	// 201 records: the header and the 200 rejected rows.
	if response.StatusCode != http.StatusOK || err != nil || len(records) != 201 ||
		response.Header.Get("Content-Disposition") != "attachment; filename=parts-list-rejected.csv" {
		t.Errorf("rejected rows: %s, %d records, %v, error %v", response.Status, len(records), response.Header, err)
	}

	_, body = request(t, twin, http.MethodGet, "/_herald/timeline"+query)
	var timeline struct {
		Start  int64
		States []struct {
			Name, Type, Status string
			Start, End         int64
			Done, Total        int
		}
	}
	if err := json.Unmarshal([]byte(body), &timeline); err != nil {
		t.Fatal(err)
	}
	names, last := []string{}, timeline.Start
	for _, s := range timeline.States {
		names = append(names, s.Name)
		if s.Start < last || s.End > 0 && s.End < s.Start {
			t.Errorf("%s runs from %d to %d, after %d", s.Name, s.Start, s.End, last)
		}
		last = s.Start
		if s.Name == "Chunks" && (s.Type != "Map" || s.Status != "succeeded" || s.Total < 1 || s.Done != s.Total) {
			t.Errorf("Chunks is %+v, want every iteration done", s)
		}
	}
	if got := strings.Join(names, " "); !strings.HasPrefix(got, "Plan Repeated NotifyStarted Chunks Finish NotifyComplete NotifyResult") {
		t.Errorf("the states are %s", got)
	}
}

// TestTheTimelineSaysWhichStateFailed imports a file that is not a parts list.
func TestTheTimelineSaysWhichStateFailed(t *testing.T) {
	twin, _ := startTwin(t)
	dev := openTab(t, twin, "dev")
	putFile(t, twin, "dev", "u-43", "broken.csv", strings.NewReader("a,b\n1,2\n"))
	until(t, dev, func(e message.Envelope) bool { return e.Type == message.TypeError })
	_, body := request(t, twin, http.MethodGet, "/_herald/timeline?user=dev&job=u-43")
	if !strings.Contains(body, `{"name":"Plan","type":"Task","status":"failed",`) {
		t.Errorf("the timeline is %s, want that Plan failed", body)
	}
}
