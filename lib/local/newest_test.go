package local_test

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// TestTabAndBucketHaveTheNewestOfTwoFiles uploads a large file, and a small one shortly after it: under another name,
// and under the same.
func TestTabAndBucketHaveTheNewestOfTwoFiles(t *testing.T) {
	for name, second := range map[string]string{"two files": "b.csv", "the same key again": "a.csv"} {
		t.Run(name, func(t *testing.T) {
			const rows = 300_000 // enough that the first import mostly still reads when the second file comes
			secondStored, steps := make(chan struct{}), &importSteps{}
			twin, ended := startWithEnds(t, local.Config{Functions: map[string]any{"csvfinish": steps.finishAfter(secondStored, rows)}})
			steps.twin = twin
			ann := openTab(t, twin, "ann")
			putFile(t, twin, "ann", "u-42", "a.csv", bytes.NewReader(partsOf(rows)))
			until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeUploadProgress })
			putFile(t, twin, "ann", "u-42", second, bytes.NewReader([]byte("part,color,quantity\n1,Red,1\n2,Blue,2\n")))
			close(secondStored)
			frames := until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeNotification })
			for range 2 {
				if x := <-ended; x.Status != asl.StatusSucceeded {
					t.Errorf("an execution ends %s: %s", x.Status, x.Output)
				}
			}
			if err := ann.Send(t.Context(), `{"action":"sync"}`); err != nil {
				t.Fatal(err)
			}
			frames = append(frames, until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeSynced })...)
			var last message.UploadProgress
			for _, e := range frames {
				state, ok := message.AsUploadProgress(e.Data)
				if ok {
					last = state
				}
				if e.Type == message.TypeError || state.Status == message.StatusFailed {
					t.Errorf("the tab received %+v", e.Data)
				}
			}
			if last.Message != "Imported 2 of 2 rows" || last.FileName != second {
				t.Errorf("the tab shows %+v, want the 2 rows of %s", last, second)
			}
			var s csvimport.Summary
			if err := json.Unmarshal(stored(t, twin, summaryKey), &s); err != nil || s.Rows != 2 || s.FileName != second {
				t.Errorf("the summary says %d rows of %s, %v, want 2 of %s", s.Rows, s.FileName, err, second)
			}
			var lines int
			for _, part := range s.Results {
				lines += strings.Count(string(stored(t, twin, s.Prefix+part)), "\n")
			}
			if lines != 2 {
				t.Errorf("the results have %d rows, want 2", lines)
			}
			// Objects that were being staged when their execution ended may be deleted a moment later.
			var left []string
			for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				if left = leftovers(t, twin, s); left == nil {
					break
				}
			}
			if left != nil {
				t.Errorf("%v is left", left)
			}
		})
	}
}

// summaryKey is the key of the summary of ann's upload u-42. YW5u is "ann" in base64.
const summaryKey = "results/YW5u/u-42/summary.json"

// stored returns the content of an object.
func stored(t *testing.T, twin *local.Twin, key string) []byte {
	t.Helper()
	object, err := twinS3(twin).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(local.Bucket), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	content, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}

	return content
}

// leftovers returns the keys of the objects that superseded imports have left: all except the uploads, the claims, and the results
// of the import with the given summary.
func leftovers(t *testing.T, twin *local.Twin, s csvimport.Summary) []string {
	t.Helper()
	list, err := twinS3(twin).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(local.Bucket)})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, object := range list.Contents {
		key := aws.ToString(object.Key)
		expected := []string{"uploads/", "claims/", s.Prefix, summaryKey}
		if !slices.ContainsFunc(expected, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			left = append(left, key)
		}
	}

	return left
}
