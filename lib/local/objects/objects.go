// Package objects is an S3 endpoint that stores objects in local files.
package objects

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/johannesboyne/gofakes3"
)

// Config describes the S3 endpoint.
type Config struct {
	// Bucket is the bucket that exists from the start and whose uploads cause events. More buckets can be created.
	Bucket string
	// Dir is the folder in which New creates a folder for the objects; Close removes that folder. Empty means os.TempDir.
	Dir string
	// Prefix is the prefix of the keys whose uploads cause events. Empty means every key.
	Prefix string
	// SecretKeys maps ids of access keys to their secrets. Presigned URLs of these keys are checked as S3 does. Those of other
	// keys are only checked for their expiry, and other requests not at all.
	SecretKeys map[string]string
	// Created is called with the EventBridge event "Object Created" of each completed upload. The upload is answered after
	// Created returns. Nil means no events.
	Created func(ctx context.Context, event json.RawMessage)
}

// S3 is an S3 endpoint. It accepts any credentials, but checks presigned URLs of the keys in Config.SecretKeys. URLs contain the bucket
// in their path: http://host/bucket/key. S3 stores objects in files, so that large objects take no memory. There are no object versions.
type S3 struct {
	cfg     Config
	disk    *disk
	handler http.Handler

	// sequence is the newest event's sequencer.
	sequence atomic.Int64
}

// unsupportedSubresources are the subresources that gofakes3 would mistake for the object or the bucket itself.
var unsupportedSubresources = []string{
	"accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering", "inventory", "legal-hold",
	"lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus",
	"publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select", "tagging", "torrent", "website",
}

// New returns an S3 endpoint with its bucket. Close it after use.
func New(cfg Config) (*S3, error) {
	dir, err := os.MkdirTemp(cfg.Dir, "herald-s3-")
	if err != nil {
		return nil, fmt.Errorf("create s3 folder: %w", err)
	}

	disk := newDisk(dir)
	err = disk.CreateBucket(cfg.Bucket)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create bucket: %w", err), os.RemoveAll(dir))
	}

	return &S3{
		cfg:  cfg,
		disk: disk,
		// A time skew limit of 0 means that requests of any age are accepted.
		handler: gofakes3.New(disk, gofakes3.WithTimeSkewLimit(0), gofakes3.WithoutVersioning()).Server(),
	}, nil
}

// Close removes all objects. Call it after the last request has ended.
func (s *S3) Close() error {
	err := os.RemoveAll(s.disk.dir)
	if err != nil {
		return fmt.Errorf("remove s3 folder: %w", err)
	}
	return nil
}

// ServeHTTP answers requests as S3 does, and sends events for uploads. Pages of any origin may send requests. In addition to what
// gofakes3 supports, it supports aws-chunked bodies, If-Match on reads, and If-Match and If-None-Match on CompleteMultipartUpload and
// CopyObject.
func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if allowOrigin(w, r) {
		return
	}

	for _, name := range unsupportedSubresources {
		if r.URL.Query().Has(name) {
			writeError(w, gofakes3.ErrNotImplemented, "Not served by the local twin: ?"+name)
			return
		}
	}

	if code, message := s.checkPresigned(r); code != "" {
		writeErrorStatus(w, http.StatusForbidden, code, message)
		return
	}

	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	reason := uploadReason(r, key)
	if s.failsIfMatch(r, bucket, key) {
		writeError(w, gofakes3.ErrPreconditionFailed, "At least one of the pre-conditions you specified did not hold")
		return
	}

	s.passConditions(r, reason)
	recorder := &responseRecorder{ResponseWriter: w, status: http.StatusOK}
	s.handler.ServeHTTP(recorder, decodeAWSChunked(r))

	if reason != "" && recorder.status == http.StatusOK {
		s.sendCreatedEvent(r, w.Header().Get("X-Amz-Request-Id"), reason, bucket, key)
	}
}

// passConditions passes the conditions of CompleteMultipartUpload and CopyObject to the disk, because gofakes3 ignores them. reason is
// what uploadReason returned for the request.
func (s *S3) passConditions(r *http.Request, reason string) {
	var conditions gofakes3.PutConditions
	match, noneMatch := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	if match != "" {
		conditions.IfMatch = &match
	}
	if noneMatch != "" {
		conditions.IfNoneMatch = &noneMatch
	}

	switch reason {
	case "CompleteMultipartUpload":
		s.disk.setConditions(gofakes3.UploadID(r.URL.Query().Get("uploadId")), &conditions)
	case "CopyObject":
		r.Header.Del(copyIfMatch)
		r.Header.Del(copyIfNoneMatch)
		if match != "" {
			r.Header.Set(copyIfMatch, match)
		}
		if noneMatch != "" {
			r.Header.Set(copyIfNoneMatch, noneMatch)
		}
	}
}

// allowOrigin adds the CORS headers of a bucket that pages of every origin may use. It reports whether the request is a preflight,
// which it has then answered.
func allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "ETag, x-amz-request-id, x-amz-version-id")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}

	w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE")
	w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	w.Header().Add("Vary", "Access-Control-Request-Headers")
	return true
}

// uploadReason returns the reason in the event of a request that completes an upload, or "" for other requests.
func uploadReason(r *http.Request, key string) string {
	upload := r.URL.Query().Get("uploadId")
	switch {
	case key == "":
		return ""
	case r.Method == http.MethodPost && upload != "":
		return "CompleteMultipartUpload"
	case r.Method != http.MethodPut || upload != "":
		return ""
	case r.Header.Get("X-Amz-Copy-Source") != "":
		return "CopyObject"
	default:
		return "PutObject"
	}
}

// failsIfMatch reports whether the request is a read whose If-Match does not match the object.
func (s *S3) failsIfMatch(r *http.Request, bucket, key string) bool {
	want := strings.Trim(r.Header.Get("If-Match"), `"`)
	isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
	if want == "" || want == "*" || !isRead {
		return false
	}
	object, err := s.disk.HeadObject(bucket, key)
	return err == nil && want != etagOf(object.Hash)
}

// responseRecorder records the status of a response.
type responseRecorder struct {
	http.ResponseWriter

	status int
}

// WriteHeader sends the status.
func (w *responseRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the underlying writer, for http.ResponseController.
func (w *responseRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeError answers with an S3 error.
func writeError(w http.ResponseWriter, code gofakes3.ErrorCode, message string) {
	writeErrorStatus(w, code.Status(), code, message)
}

// writeErrorStatus answers with an S3 error whose status gofakes3 does not know.
func writeErrorStatus(w http.ResponseWriter, status int, code gofakes3.ErrorCode, message string) {
	body, err := xml.Marshal(gofakes3.ErrorResponse{Code: code, Message: message})
	if err != nil {
		body = nil
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body) // It fails only if the client has disconnected.
}
