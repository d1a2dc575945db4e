// Package objects is an S3 endpoint on files of this machine.
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
	// Bucket is the bucket that exists from the start and whose uploads yield events. More can be created.
	Bucket string
	// Dir is where the objects are kept, in a folder of their own that Close removes. Empty means os.TempDir.
	Dir string
	// Prefix is what keys begin with whose uploads yield an event. Empty means every key.
	Prefix string
	// Created receives the EventBridge event "Object Created" of each completed upload, before the upload is answered,
	// so it must return soon. Nil means no events.
	Created func(ctx context.Context, event json.RawMessage)
}

// S3 is an S3 endpoint that takes any credentials and addresses buckets by path, as http://host/bucket/key. Objects are
// kept in files, so that their size costs disk and not memory. There are no object versions.
type S3 struct {
	cfg     Config
	disk    *disk
	handler http.Handler

	// sequence is the newest event's sequencer.
	sequence atomic.Int64
}

// unserved holds the sub-resources that gofakes3 would take for the object or the bucket itself.
var unserved = []string{
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
		cfg:     cfg,
		disk:    disk,
		handler: gofakes3.New(disk, gofakes3.WithTimeSkewLimit(0), gofakes3.WithoutVersioning()).Server(),
	}, nil
}

// Close removes all objects. Call it when no request is being served any more.
func (s *S3) Close() error {
	err := os.RemoveAll(s.disk.dir)
	if err != nil {
		return fmt.Errorf("remove s3 folder: %w", err)
	}
	return nil
}

// ServeHTTP answers requests as S3 does, pages of any origin included, and reports uploads. Beside what gofakes3 serves it
// decodes aws-chunked bodies, and honours If-Match on reads, If-Match and If-None-Match when a multipart upload is completed
// or an object is copied.
func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if allowOrigin(w, r) {
		return
	}

	for _, name := range unserved {
		if r.URL.Query().Has(name) {
			writeError(w, gofakes3.ErrNotImplemented, "Not served by the local twin: ?"+name)
			return
		}
	}

	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	reason := uploadReason(r, key)
	if s.changed(r, bucket, key) {
		writeError(w, gofakes3.ErrPreconditionFailed, "At least one of the pre-conditions you specified did not hold")
		return
	}

	s.passConditions(r, reason)
	answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	s.handler.ServeHTTP(answer, decodeAWSChunked(r))

	if reason != "" && answer.status == http.StatusOK {
		s.created(r, w.Header().Get("X-Amz-Request-Id"), reason, bucket, key)
	}
}

// passConditions hands on the conditions of the writes whose conditions gofakes3 does not read.
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
		s.disk.require(gofakes3.UploadID(r.URL.Query().Get("uploadId")), &conditions)
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

// allowOrigin adds the headers of a bucket that pages of every origin may use, and answers preflights.
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

// uploadReason returns the reason that the event of a successful request gives, or "" when it completes no upload.
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

// changed reports whether a read asks for another content than the object has, by If-Match.
func (s *S3) changed(r *http.Request, bucket, key string) bool {
	want := strings.Trim(r.Header.Get("If-Match"), `"`)
	if want == "" || want == "*" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	object, err := s.disk.HeadObject(bucket, key)
	return err == nil && want != etagOf(object.Hash)
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader sends the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeError answers with an error that gofakes3 did not make.
func writeError(w http.ResponseWriter, code gofakes3.ErrorCode, message string) {
	body, err := xml.Marshal(gofakes3.ErrorResponse{Code: code, Message: message})
	if err != nil {
		body = nil
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(code.Status())
	_, _ = w.Write(body) // The client has gone when this fails.
}
