package objects

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/rclone/gofakes3"
)

// blob is the content of an object or of a part of an upload.
type blob struct {
	path     string
	size     int64
	hash     []byte  // The MD5 of the content. After joinParts, the MD5 of the parts' MD5s.
	parts    []int64 // The sizes of the parts of an object that was uploaded in parts.
	checksum checksum
	modified time.Time
	meta     map[string]string // The headers that are stored with an object; nil for a part.
}

// etag returns the ETag without its quotes. That of an object with parts ends in a hyphen and their number.
func (b *blob) etag() string {
	if len(b.parts) == 0 {
		return hex.EncodeToString(b.hash)
	}
	return hex.EncodeToString(b.hash) + "-" + strconv.Itoa(len(b.parts))
}

// quotedETag returns the ETag as in headers and in XML.
func (b *blob) quotedETag() string { return `"` + b.etag() + `"` }

// removeFile removes a file that no object uses any more. If that fails, Close removes it with the folder.
func removeFile(file *blob) {
	if file != nil {
		_ = os.Remove(file.path)
	}
}

// writeFile writes exactly size bytes of input to a new file, or all of it if size is -1. It checks the checksum that the request
// declares. The file's checksum has that one's algorithm, or else the given one.
func (d *disk) writeFile(ctx context.Context, input io.Reader, size int64, algorithm string) (*blob, error) {
	x := exchangeOf(ctx)
	if x.claim.algorithm != "" {
		algorithm = x.claim.algorithm
	}

	file, err := os.CreateTemp(d.dir, "object-")
	if err != nil {
		return nil, fmt.Errorf("create object: %w", err)
	}

	md5Hash, sum := md5.New(), algorithms[algorithm]()
	n, err := io.Copy(io.MultiWriter(file, md5Hash, sum), input)
	if err == nil && size >= 0 && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && x.chunks != nil {
		err = x.chunks.end()
	}

	if declared := x.claim.algorithm; err == nil && declared != "" && declared != algorithm { // The headers did not name it.
		algorithm, sum = declared, algorithms[declared]()
		err = appendFile(sum, file.Name())
	}
	written := newChecksum(algorithm, sum.Sum(nil))
	if err == nil && x.claim.value != "" && x.claim.value != written.value {
		err = badDigest(algorithm)
	}

	err = errors.Join(err, file.Close())
	if err != nil {
		removeFile(&blob{path: file.Name()})
		return nil, x.readError(err)
	}
	return &blob{path: file.Name(), size: n, hash: md5Hash.Sum(nil), checksum: written, modified: time.Now()}, nil
}

// readError returns the error with which S3 answers if a body cannot be read, and records it. gofakes3 compares errors without
// unwrapping.
func (x *exchange) readError(err error) error {
	var (
		known *s3Error
		other gofakes3.Error
	)
	switch {
	case errors.As(err, &known):
		return x.fail(known)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return x.fail(newError(http.StatusBadRequest, "IncompleteBody",
			"You did not provide the number of bytes specified by the Content-Length HTTP header"))
	case errors.Is(err, errChunk):
		return x.fail(invalidRequest("The aws-chunked body is malformed."))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return x.fail(newError(http.StatusBadRequest, "RequestTimeout",
			"Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed."))
	case errors.As(err, &other):
		return other
	default:
		return err
	}
}

// joinParts appends the files of all further parts to the first part's file, and removes them. It returns the joined blob, which
// has the first part's file. kind is the kind of its checksum.
func joinParts(parts []*blob, kind checksumKind) (*blob, error) {
	whole := &blob{path: parts[0].path, modified: time.Now()}
	md5Hash, sum := md5.New(), algorithms[kind.algorithm]()
	for _, part := range parts {
		_, _ = md5Hash.Write(part.hash)
		whole.size += part.size
		whole.parts = append(whole.parts, part.size)
	}
	whole.hash = md5Hash.Sum(nil)

	if kind.kind == composite {
		whole.checksum = compose(kind.algorithm, parts)
	} else if err := appendFile(sum, parts[0].path); err != nil {
		return nil, err
	}

	target, err := os.OpenFile(whole.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("open part: %w", err)
	}

	for _, part := range parts[1:] {
		err := appendFile(alsoTo(target, sum, kind), part.path)
		if err != nil {
			return nil, errors.Join(err, target.Close())
		}
		removeFile(part)
	}

	err = target.Close()
	if err != nil {
		return nil, fmt.Errorf("close object: %w", err)
	}

	if kind.kind == fullObject {
		whole.checksum = newChecksum(kind.algorithm, sum.Sum(nil))
	}
	return whole, nil
}

// alsoTo returns a writer to target, and to sum if the checksum is one of the whole object.
func alsoTo(target io.Writer, sum hash.Hash, kind checksumKind) io.Writer {
	if kind.kind == composite {
		return target
	}
	return io.MultiWriter(target, sum)
}

func appendFile(target io.Writer, path string) error {
	source, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open part: %w", err)
	}
	defer source.Close()
	_, err = io.Copy(target, source)
	if err != nil {
		return fmt.Errorf("append part: %w", err)
	}
	return nil
}

// withDefaults returns the headers that gofakes3 stores with an object, and the content type that S3 gives an object without one.
func withDefaults(headers map[string]string) map[string]string {
	stored := map[string]string{"Content-Type": "binary/octet-stream"}
	maps.Copy(stored, headers)
	return stored
}

// object returns the object without its content. Its metadata has its checksum, which gofakes3 returns only to clients that ask.
func (b *blob) object(key string) *gofakes3.Object {
	meta := maps.Clone(b.meta)
	maps.Copy(meta, b.checksum.headers())
	return &gofakes3.Object{
		Name: key, Metadata: meta, Size: b.size, Hash: b.hash, PartSizes: b.parts,
		Contents: io.NopCloser(bytes.NewReader(nil)),
	}
}
