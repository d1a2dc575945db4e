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
	"github.com/herald-progress/herald/lib/cloud/workflow"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// serveS3 answers a request to S3 and records the permissions that it needs.
func (aws *fakeAWS) serveS3(w http.ResponseWriter, r *http.Request, body []byte) {
	for _, permission := range objectPermissions(r, body) {
		aws.record(permission)
	}
	readsUpload := r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/"+bucketName+"/uploads/")
	aws.mu.Lock()
	failParts, beforeUploadRead := aws.failParts, aws.beforeUploadRead
	if readsUpload {
		aws.beforeUploadRead = nil
	}
	aws.mu.Unlock()
	query := r.URL.Query()
	if failParts && query.Has("partNumber") {
		w.WriteHeader(http.StatusForbidden) // The SDK does not retry this status.
		return
	}
	if readsUpload && beforeUploadRead != nil {
		beforeUploadRead()
	}
	query.Del("versionId") // The twin's object store has no versions.
	r.URL.RawQuery = query.Encode()
	answer := httptest.NewRecorder()
	aws.s3.ServeHTTP(answer, r)
	if answer.Code == http.StatusNotFound && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		aws.record("s3:ListBucket " + bucketARN) // Without this permission S3 answers 403 instead of 404.
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// objectPermissions returns the permissions that a request to S3 needs, in the form of rolePermissions
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
func objectPermissions(r *http.Request, body []byte) []string {
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"+bucketName), "/")
	query := r.URL.Query()
	switch {
	case key == "" && r.Method == http.MethodPost && query.Has("delete"):
		var request struct {
			Objects []struct{ Key string } `xml:"Object"`
		}
		_ = xml.Unmarshal(body, &request)
		var permissions []string
		for _, object := range request.Objects {
			permissions = append(permissions, objectPermission("s3:DeleteObject", object.Key))
		}
		return permissions
	case key == "":
		return []string{"s3:ListBucket " + bucketARN}
	case r.Method == http.MethodGet && query.Has("uploadId"):
		return []string{objectPermission("s3:ListMultipartUploadParts", key)}
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return []string{objectPermission("s3:AbortMultipartUpload", key)}
	case r.Method == http.MethodDelete:
		return []string{objectPermission("s3:DeleteObject", key)}
	case r.Method == http.MethodPut || r.Method == http.MethodPost:
		permissions := []string{objectPermission("s3:PutObject", key)}
		if source := strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), bucketName+"/"); source != "" {
			permissions = append(permissions, objectPermission("s3:GetObject", source))
		}
		return permissions
	case query.Has("versionId"):
		return []string{objectPermission("s3:GetObjectVersion", key)}
	default:
		return []string{objectPermission("s3:GetObject", key)}
	}
}

// objectPermission returns the permission for an action on the object with the given key, in the form of rolePermissions: the
// roles allow actions on all keys with a prefix.
func objectPermission(action, key string) string {
	prefix, _, _ := strings.Cut(key, "/")
	if action == "s3:GetObject" && strings.HasSuffix(key, "/summary.json") {
		return action + " " + bucketARN + "/results/*/summary.json"
	}
	return action + " " + bucketARN + "/" + prefix + "/*"
}

// upload stores a file of the user and returns the event of the new object. It calls the object store directly, so that no
// permission is recorded.
func (aws *fakeAWS) upload(t *testing.T, version, content string) csvimport.Event {
	t.Helper()
	var e csvimport.Event
	e.Bucket.Name = bucketName
	e.Object.Key, e.Object.Size = csvimport.UploadKey(userID, "u-1", "aws.csv"), int64(len(content))
	e.Object.VersionID, e.Object.Sequencer, e.Object.ETag = version, version, csvimport.ETag([]byte(content))
	answer := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/"+bucketName+"/"+e.Object.Key, strings.NewReader(content))
	r.Header.Set("Content-Length", strconv.Itoa(len(content)))
	aws.s3.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		t.Fatalf("upload: %d %s", answer.Code, answer.Body)
	}

	return e
}

// unrecorded calls do without recording the permissions for its requests, because they are not the requests of the function
// under test.
func (aws *fakeAWS) unrecorded(do func()) {
	aws.pause(true)
	do()
	aws.pause(false)
}

func (aws *fakeAWS) pause(paused bool) {
	aws.mu.Lock()
	defer aws.mu.Unlock()
	aws.paused = paused
}

// pushFromElsewhere makes another process push a state of the job when the function under test reads the uploaded file: it waits
// for the function's first state, which has a phase and a progress, and pushes the same again. Its clock is a minute ahead, so the
// function's next push, which shows at least one percent more, is always early: it must wait until it is due, and be recorded in
// the feed.
func (aws *fakeAWS) pushFromElsewhere(t *testing.T, epoch, phase string, progress float64) {
	t.Helper()
	epoch = normalizeEpoch(t, epoch)
	aws.mu.Lock()
	defer aws.mu.Unlock()
	aws.beforeUploadRead = func() {
		for {
			row, err := aws.feed.Job(t.Context(), feed.User(userID), "u-1")
			if err == nil && row.Epoch == epoch && row.State.Phase == phase {
				break
			}
			if err != nil && !errors.Is(err, feed.ErrNotFound) {
				t.Errorf("read the state of the function under test: %v", err)
				return
			}
			time.Sleep(time.Millisecond)
		}
		n := &notify.Notifier{
			Broadcaster: &broadcast.Broadcaster{Store: &connection.Memory{}}, Feed: aws.feed,
			Now: func() time.Time { return time.Now().Add(time.Minute) },
		}
		err := n.Publish(t.Context(), message.Request{UserID: userID, Epoch: epoch, Message: message.UploadProgress{
			UploadID: "u-1", FileName: "aws.csv", Message: "m", Phase: phase, Progress: progress,
		}})
		if err != nil {
			t.Errorf("push from elsewhere: %v", err)
		}
	}
}

// setFailParts sets whether the parts of multipart uploads fail.
func (aws *fakeAWS) setFailParts(fail bool) {
	aws.mu.Lock()
	defer aws.mu.Unlock()
	aws.failParts = fail
}

// normalizeEpoch returns the epoch in the form in which the feed stores it.
func normalizeEpoch(t *testing.T, epoch string) string {
	t.Helper()
	out, err := message.NormalizeEpoch(epoch)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// manyRows rows of partsList are over [s3store.DefaultPartBytes] when they are stored: enough for a multipart upload.
const manyRows = 260_000

// partsList returns a file with rows that are accepted and rows that are rejected, each of over 100 bytes.
func partsList(accepted, rejected int) string {
	note := strings.Repeat("x", 100) // An accepted row repeats the column's name, a rejected one has the value.
	return "part,color,quantity," + note + "\n" + strings.Repeat("3001,Red,4,1\n", accepted) +
		strings.Repeat("3001,Red,none,"+note+"\n", rejected)
}

// executionIn returns the epoch and the ARN of an execution that starts after the given delay. The later of two executions has
// the newer epoch.
func executionIn(delay time.Duration) (epoch, arn string) {
	start := time.Now().UTC().Truncate(time.Millisecond).Add(delay)
	return start.Format("2006-01-02T15:04:05.000Z"), execution + "-" + start.Format("150405.000")
}

// runPlan runs the plan step of an import.
func runPlan(t *testing.T, aws *fakeAWS, e csvimport.Event, epoch, arn string) csvimport.PlanOutput {
	t.Helper()
	out, err := startFunction(t, aws, workflow.CSVPlan).Handle(t.Context(), csvimport.PlanInput{Epoch: epoch, Execution: arn, Detail: e})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return out
}

// runChunks runs the chunk step for each range of a plan.
func runChunks(t *testing.T, aws *fakeAWS, plan csvimport.PlanOutput, epoch, arn string) ([]csvimport.ChunkOutput, error) {
	t.Helper()
	h := startFunction(t, aws, workflow.CSVChunk)
	var out []csvimport.ChunkOutput
	for _, r := range plan.Ranges {
		c, err := h.Handle(t.Context(), csvimport.ChunkInput{Epoch: epoch, Execution: arn, File: plan.File, TotalRows: plan.TotalRows, Range: r})
		if err != nil {
			return nil, fmt.Errorf("chunk: %w", err)
		}
		out = append(out, c)
	}

	return out, nil
}

// useCSVPlan plans an import twice, as a retry does, then by another execution, and then plans the import of a missing file.
func useCSVPlan(t *testing.T, aws *fakeAWS) {
	t.Helper()
	aws.connectOpenAndGone(t)
	e := aws.upload(t, "1", partsList(1000, 2))
	epoch, arn := executionIn(0)
	aws.pushFromElsewhere(t, epoch, "read", 0)
	runPlan(t, aws, e, epoch, arn)
	runPlan(t, aws, e, epoch, arn)
	if again := runPlan(t, aws, e, epoch, arn+"-again"); !again.Repeated {
		t.Error("another execution plans the same import, want Repeated")
	}
	missing := e
	missing.Object.Key, missing.Object.VersionID = csvimport.UploadKey(userID, "u-2", "gone.csv"), "7"
	if _, err := startFunction(t, aws, workflow.CSVPlan).Handle(t.Context(), csvimport.PlanInput{Epoch: epoch, Execution: arn, Detail: missing}); err == nil {
		t.Error("the plan of a missing file succeeds")
	}
}

// useCSVChunk imports the ranges of a file, then of one that was replaced meanwhile, and then lets S3 fail.
func useCSVChunk(t *testing.T, aws *fakeAWS) {
	t.Helper()
	epoch, arn := executionIn(0)
	var plan csvimport.PlanOutput
	aws.unrecorded(func() { plan = runPlan(t, aws, aws.upload(t, "1", partsList(manyRows, 2)), epoch, arn) })
	aws.connectOpenAndGone(t)
	if _, err := runChunks(t, aws, plan, epoch, arn); err != nil {
		t.Errorf("import the ranges: %v", err)
	}
	aws.unrecorded(func() { runPlan(t, aws, aws.upload(t, "2", partsList(manyRows, 3)), epoch, arn+"-newer") })
	if _, err := runChunks(t, aws, plan, epoch, arn); !errors.As(err, new(*csvimport.Superseded)) {
		t.Errorf("the chunk step of a replaced file returns %v, want Superseded", err)
	}
	aws.unrecorded(func() { aws.upload(t, "1", partsList(manyRows, 2)) })
	newEpoch, _ := executionIn(time.Second) // The feed has no state of this epoch yet.
	aws.setFailParts(true)
	if _, err := runChunks(t, aws, plan, newEpoch, arn); err == nil {
		t.Error("the chunk step succeeds although its upload fails")
	}
}

// useCSVFinish finishes the imports of three versions of a file, each twice, as a retry does.
func useCSVFinish(t *testing.T, aws *fakeAWS) {
	t.Helper()
	for i, version := range []string{"1", "2", "3"} { // the second replaces the first; storing the results of the third fails
		epoch, arn := executionIn(time.Duration(i) * time.Second)
		in := csvimport.FinishInput{Epoch: epoch, Execution: arn}
		aws.unrecorded(func() {
			plan := runPlan(t, aws, aws.upload(t, version, partsList(10, manyRows)), epoch, arn)
			chunks, err := runChunks(t, aws, plan, epoch, arn)
			if err != nil {
				t.Errorf("import the ranges of version %s: %v", version, err)
			}
			in.File, in.TotalRows, in.Chunks = plan.File, plan.TotalRows, chunks
		})
		if i == 0 {
			aws.connectOpenAndGone(t)
		}
		if i == 1 {
			aws.pushFromElsewhere(t, epoch, "finish", 95)
		}
		wantFailure := version == "3"
		aws.setFailParts(wantFailure)
		_, err := startFunction(t, aws, workflow.CSVFinish).Handle(t.Context(), in)
		if (err != nil) != wantFailure {
			t.Errorf("finish of version %s: %v", version, err)
		}
		aws.setFailParts(false)
		in.File.ETag = "the ETag of a replaced file"
		if _, err = startFunction(t, aws, workflow.CSVFinish).Handle(t.Context(), in); (err != nil) != wantFailure {
			t.Errorf("finish of version %s, again: %v", version, err)
		}
	}
}
