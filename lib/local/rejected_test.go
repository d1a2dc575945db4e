package local_test

import (
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/s3store"
)

// TestAnImportThatAcceptsNoRowEndsAsFailed requires the reason in the job's last state and in the error, and that the results are there.
func TestAnImportThatAcceptsNoRowEndsAsFailed(t *testing.T) {
	twin, ended := startWithEnds(t, local.Config{})
	ann := openTab(t, twin, "ann")
	putFile(t, twin, "ann", "u-42", "a.csv", strings.NewReader("part,color,quantity\n3001,Red,x\n3002,,1\n3003,Red,0\n"))
	const want = `None of the 3 rows was imported. The most frequent reason (2 rows): column "quantity": not a whole number from 1 to 1,000,000`
	var failed bool
	for _, e := range until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeError }) {
		if state, ok := message.AsUploadProgress(e.Data); ok && state.Status.Terminal() {
			failed = state.Status == message.StatusFailed && state.Message == want
		}
		if failure, ok := e.Data.(message.Error); ok && (failure.Message != want || failure.Code != "INVALID_FILE") {
			t.Errorf("the error is %+v, want %s", failure, want)
		}
	}
	if x := <-ended; !failed || x.Status != asl.StatusFailed {
		t.Errorf("the execution ends %s, the job's last state is the failure: %v", x.Status, failed)
	}
	store := s3store.New(s3store.Config{Client: twinS3(twin), Bucket: local.Bucket})
	s, err := csvimport.ReadSummary(t.Context(), store, "ann", "u-42")
	rejected, rejectedErr := csvimport.ReadRejected(t.Context(), store, s, 2)
	if err := errors.Join(err, rejectedErr); err != nil || s.Rejected != 3 || len(rejected) != 2 || rejected[1].Reason != "missing value" {
		t.Errorf("summary %+v, rejected rows %+v, error %v", s, rejected, err)
	}
}

// TestTheEndOfAnImportOffersItsResult downloads what the ends of two imports offer: the rejected rows, and a summary.
func TestTheEndOfAnImportOffersItsResult(t *testing.T) {
	twin, _ := startTwin(t)
	ann := openTab(t, twin, "ann")
	for _, tt := range []struct{ upload, rows, name, want string }{
		{"u-1", "3001,Red,1\n3002,,x\n", "rejected.csv", ",x"},
		{"u-2", "3001,Red,1\n", "summary.json", `"accepted": 1`},
	} {
		putFile(t, twin, "ann", tt.upload, "a.csv", strings.NewReader("part,color,quantity\n"+tt.rows))
		ended := until(t, ann, func(e message.Envelope) bool {
			state, ok := message.AsUploadProgress(e.Data)
			return ok && state.UploadID == tt.upload && state.Status.Terminal()
		})
		state, _ := message.AsUploadProgress(ended[len(ended)-1].Data)
		if state.Status != message.StatusSucceeded || path.Base(state.Result) != tt.name {
			t.Fatalf("the end is %+v", state)
		}
		if err := ann.Send(t.Context(), `{"action":"download","request":"r1","job":"`+tt.upload+`"}`); err != nil {
			t.Fatal(err)
		}
		answers := until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeDownloadURL })
		answer, _ := answers[len(answers)-1].Data.(message.DownloadURL)
		if content := download(t, answer.URL); !strings.Contains(content, tt.want) {
			t.Errorf("%s is %q, want %q in it", tt.name, content, tt.want)
		}
	}
}

func TestResultsHaveTheirMediaType(t *testing.T) {
	twin, ended := startWithEnds(t, local.Config{})
	putFile(t, twin, "ann", "u-42", "a.csv", strings.NewReader("part,color,quantity\n3001,Red,1\n3002,,1\n"))
	<-ended
	client := twinS3(twin)
	s, err := csvimport.ReadSummary(t.Context(), s3store.New(s3store.Config{Client: client, Bucket: local.Bucket}), "ann", "u-42")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		csvimport.SummaryKey("ann", "u-42"): "application/json", s.Prefix + s.Rejects: "text/csv; charset=utf-8", s.Prefix + s.Results[0]: "application/x-ndjson",
	} {
		object, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(local.Bucket), Key: &key})
		if err != nil || aws.ToString(object.ContentType) != want {
			t.Errorf("%s: %+v, error %v, want %s", key, object, err, want)
		}
	}
}
