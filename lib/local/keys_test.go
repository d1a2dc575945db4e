package local_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// TestEveryObjectOfAUserHasAnAnswerInTheTab puts objects into the bucket with keys that a page does not make. Those under the user's
// prefix lead to a failed state. One without a user only ends its execution.
func TestEveryObjectOfAUserHasAnAnswerInTheTab(t *testing.T) {
	twin, ended := startWithEnds(t, local.Config{})
	ann := openTab(t, twin, "ann")
	put := func(key string) {
		t.Helper()
		_, err := twinS3(twin).PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(local.Bucket), Key: &key, Body: strings.NewReader("part,color,quantity\n1,Red,1\n"),
		})
		if err != nil {
			t.Fatalf("put %q: %v", key, err)
		}
	}
	for _, tt := range []struct{ key, file, reason string }{
		{"u-1/a/b.csv", "a/b.csv", "The file's name must not contain a slash"},
		{"u-2/", "(no name)", "The file has no name"},
		{"f.csv", "f.csv", "There is no upload's id"},
		{"", "(no name)", "There is no upload's id"},
		{"/f.csv", "f.csv", "There is no upload's id"},
		{"../f.csv", "f.csv", "The upload's id must not be . or .."},
		{"u\x01/f.csv", "f.csv", "The upload's id must have at most 256 bytes, and no control characters"},
		{"u-3/" + strings.Repeat("\x01", 200), strings.Repeat("\x01", 168) + "…", "The file's name is too long: "},
	} {
		put("uploads/YW5u/" + tt.key) // YW5u is "ann" in base64
		frames := until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeError })
		state, _ := message.AsUploadProgress(frames[0].Data)
		if len(frames) != 2 || state.Status != message.StatusFailed || state.FileName != tt.file || !strings.HasPrefix(state.Message, tt.reason) {
			t.Errorf("%q: the tab received %+v, want a failed state of %q: %s", tt.key, frames, tt.file, tt.reason)
		}
		if x := <-ended; x.Status != asl.StatusFailed || x.Error != "InvalidFile" {
			t.Errorf("%q: the execution ends %s with %s", tt.key, x.Status, x.Error)
		}
	}
	put("uploads/f.csv")
	if x := <-ended; x.Status != asl.StatusFailed || x.Error != "InvalidFile" {
		t.Errorf("without a user the execution ends %s with %s", x.Status, x.Error)
	}
	put("uploads/YW5u/u-4/\x1b[2J 'ok' & more.csv")
	frames := until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeNotification })
	for _, e := range frames {
		if e.Type == message.TypeError || e.Job != "" && e.Job != "u-4" {
			t.Errorf("the tab received %+v, want only the import of the last file", e)
		}
	}
}
