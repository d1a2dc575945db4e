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

// serveS3 answers a request to S3 and records the permissions that it needs.
func (a *account) serveS3(w http.ResponseWriter, r *http.Request, body []byte) {
	for _, permission := range objectPermissions(r, body) {
		a.record(permission)
	}
	isRead := r.Method == http.MethodGet || r.Header.Get("X-Amz-Copy-Source") != ""
	a.mu.Lock()
	failParts, beforeNextRead := a.failParts, a.beforeNextRead
	if isRead {
		a.beforeNextRead = nil
	}
	a.mu.Unlock()
	query := r.URL.Query()
	if failParts && query.Has("partNumber") {
		w.WriteHeader(http.StatusForbidden) // The SDK does not retry this status.
		return
	}
	if isRead && beforeNextRead != nil {
		beforeNextRead()
	}
	query.Del("versionId") // The twin's object store has no versions.
	r.URL.RawQuery = query.Encode()
	answer := httptest.NewRecorder()
	a.s3.ServeHTTP(answer, r)
	if answer.Code == http.StatusNotFound && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		a.record("s3:ListBucket " + bucketARN) // Without this permission S3 answers 403 instead of 404.
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

// upload stores a file of the user and returns its event. It does not go through the account, so that it records nothing.
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

// unrecorded calls do, whose requests are not those of the function under test.
func (a *account) unrecorded(do func()) {
	a.pause(true)
	do()
	a.pause(false)
}

func (a *account) pause(paused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = paused
}

// pushFromElsewhere makes another process push a state of the job while the function under test is in a phase. The next push of
// the function must then wait until it is due, and record itself in the feed.
func (a *account) pushFromElsewhere(t *testing.T, epoch, phase string, progress float64) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.beforeNextRead = func() {
		time.Sleep(message.MinPushInterval + 50*time.Millisecond) // This push is later than the function's last one.
		n := &notify.Notifier{
			Broadcaster: &broadcast.Broadcaster{Store: &connection.Memory{}}, Feed: a.feed,
			Now: func() time.Time { return time.Now().Add(time.Minute) }, // So the function's next push is early, however slow it is.
		}
		err := n.Publish(t.Context(), message.Request{UserID: userID, Epoch: normalizeEpoch(t, epoch), Message: message.UploadProgress{
			UploadID: "u-1", FileName: "a.csv", Message: "m", Phase: phase, Progress: progress,
		}})
		if err != nil {
			t.Error(err)
		}
	}
}

// setFailParts sets whether the parts of multipart uploads fail.
func (a *account) setFailParts(fail bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failParts = fail
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

// manyRows is a number of rows of partsList over 5 MiB. The functions store so many bytes as a multipart upload.
const manyRows = 60_000

// partsList returns a file with rows that are accepted and rows that are rejected, each of over 100 bytes.
func partsList(accepted, rejected int) string {
	note := strings.Repeat("x", 100)
	return "part,color,quantity,note\n" + strings.Repeat("3001,Red,4,"+note+"\n", accepted) +
		strings.Repeat("3001,Red,none,"+note+"\n", rejected)
}

// executionIn returns the epoch and the ARN of an execution that starts after the given delay.
func executionIn(delay time.Duration) (epoch, arn string) {
	start := time.Now().UTC().Truncate(time.Millisecond).Add(delay)
	return start.Format("2006-01-02T15:04:05.000Z"), execution + "-" + start.Format("150405.000")
}

// runPlan runs the plan step of an import.
func runPlan(t *testing.T, a *account, e csvimport.Event, epoch, arn string) csvimport.PlanOutput {
	t.Helper()
	out, err := startFunction(t, a, cloud.CSVPlan).Handle(t.Context(), csvimport.PlanInput{Epoch: epoch, Execution: arn, Detail: e})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return out
}

// runChunks runs the chunk step for each range of a plan.
func runChunks(t *testing.T, a *account, plan csvimport.PlanOutput, epoch, arn string) ([]csvimport.ChunkOutput, error) {
	t.Helper()
	h := startFunction(t, a, cloud.CSVChunk)
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

func useCSVPlan(t *testing.T, a *account) {
	t.Helper()
	a.connectBoth(t)
	e := a.upload(t, "1", partsList(1000, 2))
	epoch, arn := executionIn(0)
	a.pushFromElsewhere(t, epoch, "read", 2)
	runPlan(t, a, e, epoch, arn)
	runPlan(t, a, e, epoch, arn)
	if again := runPlan(t, a, e, epoch, arn+"-again"); !again.Repeated {
		t.Error("another execution plans the same import, want Repeated")
	}
	missing := e
	missing.Object.Key, missing.Object.VersionID = csvimport.UploadKey(userID, "u-2", "gone.csv"), "7"
	if _, err := startFunction(t, a, cloud.CSVPlan).Handle(t.Context(), csvimport.PlanInput{Epoch: epoch, Execution: arn, Detail: missing}); err == nil {
		t.Error("the plan of a missing file succeeds")
	}
}

func useCSVChunk(t *testing.T, a *account) {
	t.Helper()
	epoch, arn := executionIn(0)
	var plan csvimport.PlanOutput
	a.unrecorded(func() { plan = runPlan(t, a, a.upload(t, "1", partsList(manyRows, 2)), epoch, arn) })
	a.connectBoth(t)
	if _, err := runChunks(t, a, plan, epoch, arn); err != nil {
		t.Error(err)
	}
	a.unrecorded(func() { runPlan(t, a, a.upload(t, "2", partsList(manyRows, 3)), epoch, arn+"-newer") })
	if _, err := runChunks(t, a, plan, epoch, arn); !errors.As(err, new(*csvimport.Superseded)) {
		t.Errorf("the chunk step of a replaced file returns %v, want Superseded", err)
	}
	a.unrecorded(func() { a.upload(t, "1", partsList(manyRows, 2)) })
	newEpoch, _ := executionIn(time.Second) // The feed has no state of this epoch yet.
	a.setFailParts(true)
	if _, err := runChunks(t, a, plan, newEpoch, arn); err == nil {
		t.Error("the chunk step succeeds although its upload fails")
	}
}

func useCSVFinish(t *testing.T, a *account) {
	t.Helper()
	for i, version := range []string{"1", "2", "3"} { // The second replaces the first. The third fails.
		epoch, arn := executionIn(time.Duration(i) * time.Second)
		in := csvimport.FinishInput{Epoch: epoch, Execution: arn}
		a.unrecorded(func() {
			plan := runPlan(t, a, a.upload(t, version, partsList(10, manyRows)), epoch, arn)
			chunks, err := runChunks(t, a, plan, epoch, arn)
			if err != nil {
				t.Error(err)
			}
			in.File, in.TotalRows, in.Chunks = plan.File, plan.TotalRows, chunks
		})
		if i == 0 {
			a.connectBoth(t)
		}
		if i == 1 {
			a.pushFromElsewhere(t, epoch, "finish", 96)
		}
		wantFailure := version == "3"
		a.setFailParts(wantFailure)
		_, err := startFunction(t, a, cloud.CSVFinish).Handle(t.Context(), in)
		if (err != nil) != wantFailure {
			t.Errorf("finish of version %s: %v", version, err)
		}
		a.setFailParts(false)
		in.File.ETag = "the ETag of a replaced file"
		if _, err = startFunction(t, a, cloud.CSVFinish).Handle(t.Context(), in); (err != nil) != wantFailure {
			t.Errorf("finish of version %s, again: %v", version, err)
		}
	}
}
