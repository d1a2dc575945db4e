package objects_test

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// eventLog collects the events of an endpoint.
type eventLog struct {
	mu     sync.Mutex
	events []map[string]any
}

func (e *eventLog) add(_ context.Context, event json.RawMessage) {
	var decoded map[string]any
	err := json.Unmarshal(event, &decoded)
	if err != nil {
		panic(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, decoded)
}

// drain returns the events so far and forgets them.
func (e *eventLog) drain() []map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	events := e.events
	e.events = nil
	return events
}

func TestUploadBelowThePrefixSendsOneEvent(t *testing.T) {
	t.Parallel()
	var events eventLog
	client, _ := newS3(t, events.add)
	key := "in/dXNlcg/u-42/parts list & more+1.csv"
	etag := strings.Trim(put(t, client, key, "part,color\n"), `"`)
	put(t, client, "elsewhere/a.csv", "x")
	other := aws.String("other")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: other}); err != nil {
		t.Fatal(err)
	}

	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: other, Key: &key}); err != nil {
		t.Fatal(err)
	}

	got := events.drain()
	if len(got) != 1 {
		t.Fatalf("%d events, want 1", len(got))
	}

	for path, pattern := range map[string]string{
		"id":                       `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		"time":                     `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`,
		"detail.object.sequencer":  `^[0-9A-F]{18}$`,
		"detail.request-id":        `^[0-9A-F]{16}$`,
		"detail.source-ip-address": `^127\.0\.0\.1$`,
	} {
		object := got[0]

		names := strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			object, _ = object[name].(map[string]any)
		}
		last := names[len(names)-1]
		if text, _ := object[last].(string); !regexp.MustCompile(pattern).MatchString(text) {
			t.Errorf("%s is %q", path, text)
		}

		object[last] = ""
	}

	want := map[string]any{
		"version": "0", "id": "", "detail-type": "Object Created", "source": "aws.s3", "account": "000000000000", "time": "",
		"region": "us-east-1", "resources": []any{"arn:aws:s3:::uploads"},
		"detail": map[string]any{
			"version": "0", "bucket": map[string]any{"name": "uploads"},
			"object":     map[string]any{"key": key, "size": 11.0, "etag": etag, "sequencer": ""},
			"request-id": "", "requester": "000000000000", "source-ip-address": "", "reason": "PutObject",
		},
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}
