// Package objects is an S3 endpoint that stores objects in local files.
package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/rclone/gofakes3"

	"github.com/herald-progress/herald/lib/local/durable"
)

// Config describes the S3 endpoint.
type Config struct {
	// Bucket is the bucket that exists from the start and whose uploads cause events. More buckets can be created.
	Bucket string
	// Dir is the folder in which New creates a folder for the objects; Close removes that folder. Empty means os.TempDir. With a
	// Store, the objects are in Dir itself, and Close leaves them there.
	Dir string
	// Store stores what the endpoint has besides the contents, so that the next process has it. Nil means that all ends with Close.
	Store *durable.Store
	// Log receives an error if the store fails. Nil discards it.
	Log *slog.Logger
	// Prefix is the prefix of the keys whose uploads cause events. Empty means every key.
	Prefix string
	// SecretKeys maps ids of access keys to their secrets. Presigned URLs and forms of these keys are checked as S3 does. Those of
	// other keys are checked except for their signature, and other requests not at all.
	SecretKeys map[string]string
	// Created is called with the EventBridge event "Object Created" of each completed upload. The upload is answered after
	// Created returns. Nil means no events.
	Created func(ctx context.Context, event json.RawMessage)
}

// S3 is an S3 endpoint. It accepts any credentials, but checks presigned URLs and forms of the keys in Config.SecretKeys. URLs contain
// the bucket in their path: http://host/bucket/key. S3 stores objects in files, so that large objects take no memory. There are no
// object versions.
type S3 struct {
	cfg  Config
	disk *disk
	// fake serves all that the endpoint does not serve itself, with handler.
	fake    *gofakes3.GoFakeS3
	handler http.Handler

	// sequence is the newest event's sequencer.
	sequence atomic.Int64
}

// New returns an S3 endpoint with its bucket. Close it after use.
func New(cfg Config) (*S3, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	disk, err := openDisk(cfg)
	if err != nil {
		return nil, err
	}
	err = disk.CreateBucket(context.Background(), cfg.Bucket)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create bucket: %w", err), disk.close())
	}

	// A time skew limit of 0 means that requests of any age are accepted.
	fake := gofakes3.New(disk, gofakes3.WithTimeSkewLimit(0), gofakes3.WithoutVersioning())
	s := &S3{cfg: cfg, disk: disk, fake: fake, handler: fake.Server()}
	return s, s.announceUploads()
}

// openDisk makes a folder for the objects, or opens that of the store.
func openDisk(cfg Config) (*disk, error) {
	if cfg.Store == nil {
		dir, err := os.MkdirTemp(cfg.Dir, "herald-s3-")
		if err != nil {
			return nil, fmt.Errorf("create s3 folder: %w", err)
		}
		return newDisk(dir), nil
	}

	const folderMode = 0o700
	if err := os.MkdirAll(cfg.Dir, folderMode); err != nil {
		return nil, fmt.Errorf("create s3 folder: %w", err)
	}
	d := newDisk(cfg.Dir)
	d.store = cfg.Store
	if err := d.restore(); err != nil {
		return nil, fmt.Errorf("restore s3: %w", err)
	}
	return d, nil
}

// Close removes all objects, unless they are stored. Call it after the last request has ended.
func (s *S3) Close() error { return s.disk.close() }

func (d *disk) close() error {
	if d.store != nil {
		return d.flush()
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("remove s3 folder: %w", err)
	}
	return nil
}

// ServeHTTP answers requests as S3 does, and sends events for uploads. Pages of any origin may send requests. In addition to what
// gofakes3 supports, it supports forms, checksums of parts and behind aws-chunked bodies, conditions on the target of CopyObject, and
// ETags and checksums of objects with parts.
func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{}
	writer := &responseWriter{ResponseWriter: w, exchange: x, method: r.Method, settle: func() error { return nil }}
	if answerPreflight(writer, r) {
		return
	}

	bucket, key, _ := strings.Cut(strings.TrimLeft(r.URL.Path, "/"), "/")
	if err := s.checkPresigned(r); err != nil {
		writer.fail(err)
		return
	}
	r, err := prepare(r, x)
	if err != nil {
		writer.fail(err)
		return
	}

	writer.settle = func() error { return s.settle(r, writer) }
	s.route(writer, r, bucket, key)
	writer.WriteHeader(http.StatusOK) // gofakes3 leaves it to net/http.
}

// settle sends the event of a new object, and waits until all changes are stored.
func (s *S3) settle(r *http.Request, w *responseWriter) error {
	if w.exchange.created != nil {
		s.sendCreatedEvent(r, w.Header().Get("X-Amz-Request-Id"), w.exchange)
	}
	err := s.disk.flush()
	if err != nil {
		s.cfg.Log.ErrorContext(r.Context(), "objects are not stored", "err", err)
	}
	return err
}

// route calls the handler of the request, which is gofakes3 for most.
func (s *S3) route(writer *responseWriter, r *http.Request, bucket, key string) {
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && bucket != "" && key == "" && !query.Has("delete"):
		s.serveForm(writer, r, bucket)
	case r.Method == http.MethodPost && query.Get("uploadId") != "":
		s.serveComplete(writer, r, bucket, key)
	case r.Method == http.MethodGet && key != "" && query.Has("attributes"):
		s.serveAttributes(writer, r, bucket, key)
	case r.Method == http.MethodGet && (query.Get("uploadId") != "" || query.Has("uploads")):
		s.serveLists(writer, r, bucket, key)
	default:
		s.handler.ServeHTTP(writer, r)
	}
}

// prepare reads into the exchange what gofakes3 does not know of the request. It returns the request for gofakes3.
func prepare(r *http.Request, x *exchange) (*http.Request, *s3Error) {
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	r.Header = r.Header.Clone()
	useSignedQuery(r)

	var err *s3Error
	x.claim, err = readClaim(r.Header)
	if err != nil {
		return nil, err
	}
	x.multipart, err = readChecksumKind(r.Header)
	if err != nil {
		return nil, err
	}

	r = decodeAWSChunked(r, x)
	r.Body = &watchedBody{r.Body, x}
	if r.Header.Get("X-Amz-Copy-Source") == "" {
		x.body, x.md5 = r.Body, r.Header.Get("Content-Md5")
	}

	if r.URL.Query().Has("uploadId") && r.Method == http.MethodPost {
		x.claim = claim{} // It is the checksum of the whole object, not of the request.
	}

	x.match, x.noneMatch = strings.Trim(r.Header.Get("If-Match"), `"`), strings.Trim(r.Header.Get("If-None-Match"), `"`)

	// gofakes3 knows ETags without a number of parts.
	for _, name := range []string{"If-Match", "If-None-Match", "X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-None-Match"} {
		value := r.Header.Get(name)
		if value != "" {
			r.Header.Set(name, withoutParts(value))
		}
	}

	if r.Method == http.MethodHead && strings.Contains(strings.TrimLeft(r.URL.Path, "/"), "/") {
		r.Method, x.headOnly = http.MethodGet, true // gofakes3 ignores the Range of HEAD
	}
	return r, nil
}

// useSignedQuery makes headers of the parameters of a presigned request that stand for headers, such as x-amz-meta-name. S3 ignores
// checksums there: the SDK for JavaScript signs that of an empty body.
func useSignedQuery(r *http.Request) {
	for name, values := range r.URL.Query() {
		lower := strings.ToLower(name)
		isHeader := strings.HasPrefix(lower, "x-amz-meta-") || lower == "x-amz-storage-class" || lower == "x-amz-tagging"
		if isHeader && len(values) == 1 && r.Header.Get(name) == "" {
			r.Header.Set(name, values[0])
		}
	}
}

// withoutParts removes the number of parts from an ETag.
func withoutParts(etag string) string {
	hash, _, found := strings.Cut(etag, "-")
	if found && strings.HasPrefix(etag, `"`) {
		return hash + `"`
	}
	return hash
}

// answerPreflight answers a preflight, and reports whether the request is one.
func answerPreflight(w *responseWriter, r *http.Request) bool {
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}

	w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE")
	w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	w.Header().Add("Vary", "Access-Control-Request-Headers")
	w.WriteHeader(http.StatusOK)
	return true
}
