package pipeline_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// serveS3 notes what a request to S3 asks to be allowed, and answers it.
func (a *account) serveS3(w http.ResponseWriter, r *http.Request, body []byte) {
	for _, call := range objectCalls(r, body) {
		a.note(call)
	}
	reads := r.Method == http.MethodGet || r.Header.Get("X-Amz-Copy-Source") != ""
	a.mu.Lock()
	failParts, meanwhile := a.failParts, a.meanwhile
	if reads {
		a.meanwhile = nil
	}
	a.mu.Unlock()
	query := r.URL.Query()
	if failParts && query.Has("partNumber") {
		w.WriteHeader(http.StatusForbidden) // which nobody repeats
		return
	}
	if reads && meanwhile != nil {
		meanwhile()
	}
	query.Del("versionId") // the emulator has no versions
	r.URL.RawQuery = query.Encode()
	answer := httptest.NewRecorder()
	a.s3.ServeHTTP(answer, r)
	if answer.Code == http.StatusNotFound && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		a.note("s3:ListBucket " + files) // without it the answer were 403
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// objectCalls returns the actions of a request to S3 and what they are on, in the words of grants
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
func objectCalls(r *http.Request, body []byte) []string {
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"+bucketName), "/")
	query := r.URL.Query()
	switch {
	case key == "" && r.Method == http.MethodPost && query.Has("delete"):
		var request struct {
			Objects []struct{ Key string } `xml:"Object"`
		}
		_ = xml.Unmarshal(body, &request)
		var calls []string
		for _, object := range request.Objects {
			calls = append(calls, onObject("s3:DeleteObject", object.Key))
		}
		return calls
	case key == "":
		return []string{"s3:ListBucket " + files}
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return []string{onObject("s3:AbortMultipartUpload", key)}
	case r.Method == http.MethodDelete:
		return []string{onObject("s3:DeleteObject", key)}
	case r.Method == http.MethodPut || r.Method == http.MethodPost:
		calls := []string{onObject("s3:PutObject", key)}
		if source := strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), bucketName+"/"); source != "" {
			calls = append(calls, onObject("s3:GetObject", source))
		}
		return calls
	case query.Has("versionId"):
		return []string{onObject("s3:GetObjectVersion", key)}
	default:
		return []string{onObject("s3:GetObject", key)}
	}
}

// onObject writes an action on the objects of a key's prefix as grants does.
func onObject(action, key string) string {
	prefix, _, _ := strings.Cut(key, "/")
	if action == "s3:GetObject" && strings.HasSuffix(key, "/summary.json") {
		return action + " " + files + "/results/*/summary.json"
	}
	return action + " " + files + "/" + prefix + "/*"
}

// upload puts a file of the user's and returns the event of it. What is called meanwhile does not count.
func (a *account) upload(t *testing.T, version, content string) csvimport.Event {
	t.Helper()
	var e csvimport.Event
	e.Bucket.Name = bucketName
	e.Object.Key, e.Object.Size = csvimport.UploadKey(userID, "u-1", "a.csv"), int64(len(content))
	e.Object.VersionID, e.Object.Sequencer, e.Object.ETag = version, version, csvimport.ETag([]byte(content))
	answer := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/"+bucketName+"/"+e.Object.Key, strings.NewReader(content))
	r.Header.Set("Content-Length", strconv.Itoa(len(content)))
	a.s3.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		t.Fatalf("upload: %d %s", answer.Code, answer.Body)
	}

	return e
}

// others runs what other functions do, which does not count.
func (a *account) others(do func()) {
	a.pause(true)
	do()
	a.pause(false)
}

func (a *account) pause(paused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = paused
}

// interfere makes another process push a state of the job in the middle of a phase, so that the next push of the function
// has to wait for its turn, and to record it.
func (a *account) interfere(t *testing.T, epoch, phase string, progress float64) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.meanwhile = func() {
		time.Sleep(message.MinPushInterval + 50*time.Millisecond) // the function's own push is no longer the last
		n := &notify.Notifier{
			Broadcaster: &broadcast.Broadcaster{Store: &connection.Memory{}}, Feed: a.feed,
			Now: func() time.Time { return time.Now().Add(time.Second) }, // however slow the function is, its turn is still to come
		}
		err := n.Publish(t.Context(), message.Request{UserID: userID, Epoch: normal(t, epoch), Message: message.UploadProgress{
			UploadID: "u-1", FileName: "a.csv", Message: "m", Phase: phase, Progress: progress,
		}})
		if err != nil {
			t.Error(err)
		}
	}
}

// fail makes parts of multipart uploads fail, or not.
func (a *account) fail(parts bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failParts = parts
}

func normal(t *testing.T, epoch string) string {
	t.Helper()
	out, err := message.NormalizeEpoch(epoch)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// table of parts: rows that are good, and rows that are rejected.
func parts(good, bad int) string {
	return "part,color,quantity,note\n" + strings.Repeat("3001,Red,4,"+strings.Repeat("x", 100)+"\n", good) +
		strings.Repeat("3001,Red,none,"+strings.Repeat("x", 100)+"\n", bad)
}

// runAt is the epoch and the execution of an import that starts so long from now.
func runAt(later time.Duration) (epoch, arn string) {
	start := time.Now().UTC().Truncate(time.Millisecond).Add(later)
	return start.Format("2006-01-02T15:04:05.000Z"), execution + "-" + start.Format("150405.000")
}

// plan plans an import.
func plan(t *testing.T, a *account, e csvimport.Event, epoch, arn string) csvimport.PlanOutput {
	t.Helper()
	out, err := startIn(t, a, cloud.CSVPlan).Handle(t.Context(), csvimport.PlanInput{Epoch: epoch, Execution: arn, Detail: e})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return out
}

// chunks imports the ranges of a plan.
func chunks(t *testing.T, a *account, p csvimport.PlanOutput, epoch, arn string) ([]csvimport.ChunkOutput, error) {
	t.Helper()
	h := startIn(t, a, cloud.CSVChunk)
	var out []csvimport.ChunkOutput
	for _, r := range p.Ranges {
		c, err := h.Handle(t.Context(), csvimport.ChunkInput{Epoch: epoch, Execution: arn, File: p.File, TotalRows: p.TotalRows, Range: r})
		if err != nil {
			return nil, fmt.Errorf("chunk: %w", err)
		}
		out = append(out, c)
	}

	return out, nil
}

func useCSVPlan(t *testing.T, a *account) {
	t.Helper()
	a.connectBoth(t)
	e := a.upload(t, "1", parts(1000, 2))
	epoch, arn := runAt(0)
	a.interfere(t, epoch, "read", 2)
	plan(t, a, e, epoch, arn)
	plan(t, a, e, epoch, arn)
	if again := plan(t, a, e, epoch, arn+"-again"); !again.Repeated {
		t.Error("another execution plans the same import")
	}
	missing := e
	missing.Object.Key, missing.Object.VersionID = csvimport.UploadKey(userID, "u-2", "gone.csv"), "7"
	if _, err := startIn(t, a, cloud.CSVPlan).Handle(t.Context(), csvimport.PlanInput{Epoch: epoch, Execution: arn, Detail: missing}); err == nil {
		t.Error("a file that is gone is planned")
	}
}

func useCSVChunk(t *testing.T, a *account) {
	t.Helper()
	epoch, arn := runAt(0)
	var p csvimport.PlanOutput
	a.others(func() { p = plan(t, a, a.upload(t, "1", parts(60_000, 2)), epoch, arn) })
	a.connectBoth(t)
	if _, err := chunks(t, a, p, epoch, arn); err != nil {
		t.Error(err)
	}
	a.others(func() { plan(t, a, a.upload(t, "2", parts(60_000, 3)), epoch, arn+"-newer") })
	if _, err := chunks(t, a, p, epoch, arn); !errors.As(err, new(*csvimport.Superseded)) {
		t.Errorf("a chunk of a file that was replaced says %v", err)
	}
	a.others(func() { a.upload(t, "1", parts(60_000, 2)) })
	later, _ := runAt(time.Second) // of a run of which there is no state yet
	a.fail(true)
	if _, err := chunks(t, a, p, later, arn); err == nil {
		t.Error("a part that failed fails nothing")
	}
}

func useCSVFinish(t *testing.T, a *account) {
	t.Helper()
	for i, version := range []string{"1", "2", "3"} { // the second replaces the first, the third fails
		epoch, arn := runAt(time.Duration(i) * time.Second)
		in := csvimport.FinishInput{Epoch: epoch, Execution: arn}
		a.others(func() {
			p := plan(t, a, a.upload(t, version, parts(10, 60_000)), epoch, arn)
			done, err := chunks(t, a, p, epoch, arn)
			if err != nil {
				t.Error(err)
			}
			in.File, in.TotalRows, in.Chunks = p.File, p.TotalRows, done
		})
		if i == 0 {
			a.connectBoth(t)
		}
		if i == 1 {
			a.interfere(t, epoch, "finish", 96)
		}
		broken := version == "3"
		a.fail(broken)
		_, err := startIn(t, a, cloud.CSVFinish).Handle(t.Context(), in)
		if (err != nil) != broken {
			t.Errorf("finish of version %s: %v", version, err)
		}
		a.fail(false)
		in.File.ETag = "that of a file that was replaced"
		if _, err = startIn(t, a, cloud.CSVFinish).Handle(t.Context(), in); (err != nil) != broken {
			t.Errorf("finish of version %s, again: %v", version, err)
		}
	}
}
