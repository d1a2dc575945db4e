package objects

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
)

// blob is the content of an object or of a part of an upload.
type blob struct {
	files    files
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

// release releases the files of a blob that nothing uses any more. The blob may be nil.
func (b *blob) release() {
	if b != nil {
		b.files.release()
	}
}

// copyBytes is the size of the pieces in which a body is written to its file. With larger ones, the system has less to do.
const copyBytes = 256 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBytes]byte) }}

// writeFile writes exactly size bytes to a new file, or all bytes if size is -1: of the request's body, or of input if the request copies an
// object. It checks the checksum and the MD5 that the request declares. The file's checksum has that one's algorithm, or else the given one.
func (d *disk) writeFile(ctx context.Context, input io.Reader, size int64, algorithm string) (*blob, error) {
	x := exchangeOf(ctx)
	if x.claim.algorithm != "" {
		algorithm = x.claim.algorithm
	}

	input = x.input(input, size)

	file, err := os.CreateTemp(d.dir, filePattern)
	if err != nil {
		return nil, fmt.Errorf("create object: %w", err)
	}

	md5Hash, sum := md5.New(), algorithms[algorithm]()
	buffer := copyBuffers.Get().(*[copyBytes]byte)
	n, err := io.CopyBuffer(io.MultiWriter(file, md5Hash, sum), input, buffer[:])
	copyBuffers.Put(buffer)
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
	written, hash := newChecksum(algorithm, sum.Sum(nil)), md5Hash.Sum(nil)
	if err == nil {
		err = x.checkDigests(written, hash)
	}

	if err == nil {
		err = d.sync(file)
	}
	err = errors.Join(err, file.Close())
	content := d.newFile(file.Name(), n)
	if err != nil {
		content.release()
		return nil, x.readError(err)
	}
	return &blob{files: content, size: n, hash: hash, checksum: written, modified: time.Now()}, nil
}

// input returns the first size bytes of the request's body, or all of it if size is -1. If the request copies an object, it returns given.
// gofakes3 would compute the MD5 and the checksum of what it gives a second time.
func (x *exchange) input(given io.Reader, size int64) io.Reader {
	switch {
	case x.body == nil:
		return given
	case size < 0:
		return x.body
	default:
		return io.LimitReader(x.body, size)
	}
}

// checkDigests returns an error unless the checksum and the MD5 are those that the request declares.
func (x *exchange) checkDigests(written checksum, hash []byte) error {
	switch {
	case x.claim.value != "" && x.claim.value != written.value:
		return badDigest(written.algorithm)
	case x.md5 != "" && x.md5 != base64.StdEncoding.EncodeToString(hash):
		return newError(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	default:
		return nil
	}
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

// joinParts returns the blob of an object that consists of the parts. The blob gets the files of the parts. kind is the kind of its
// checksum.
func joinParts(parts []*blob, kind checksumKind) (*blob, error) {
	whole := &blob{modified: time.Now()}
	md5Hash := md5.New()
	for _, part := range parts {
		_, _ = md5Hash.Write(part.hash)
		whole.size += part.size
		whole.parts = append(whole.parts, part.size)
		whole.files = append(whole.files, part.files...)
	}
	whole.hash = md5Hash.Sum(nil)

	if kind.kind == composite {
		whole.checksum = compose(kind.algorithm, parts)
		return whole, nil
	}
	sum := algorithms[kind.algorithm]()
	err := whole.writeTo(sum)
	whole.checksum = newChecksum(kind.algorithm, sum.Sum(nil))
	return whole, err
}

// withoutParts returns a copy of the blob without its parts, so that its ETag and its checksum are those of its content. The copy shares
// the files. The caller must be a user of them.
func (b *blob) withoutParts() (*blob, error) {
	target := *b
	if len(b.parts) > 0 {
		md5Hash, sum := md5.New(), algorithms[b.checksum.algorithm]()
		err := b.writeTo(io.MultiWriter(md5Hash, sum))
		if err != nil {
			return nil, err
		}
		target.hash, target.parts, target.checksum = md5Hash.Sum(nil), nil, newChecksum(b.checksum.algorithm, sum.Sum(nil))
	}
	b.files.share()
	return &target, nil
}

// writeTo writes the content to the writer.
func (b *blob) writeTo(w io.Writer) error {
	content := b.files.share().open(0, b.size)
	_, err := io.Copy(w, content)
	err = errors.Join(err, content.Close())
	if err != nil {
		return fmt.Errorf("read object: %w", err)
	}
	return nil
}

func appendFile(target io.Writer, path string) error {
	source, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open object: %w", err)
	}
	defer source.Close()
	_, err = io.Copy(target, source)
	if err != nil {
		return fmt.Errorf("read object: %w", err)
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
