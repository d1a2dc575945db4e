package objects

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// blob is the content of an object or of a part of an upload.
type blob struct {
	path     string
	size     int64
	hash     []byte // The MD5 of the content. After joinParts, the MD5 of the parts' MD5s.
	modified time.Time
	meta     map[string]string // The headers that are stored with an object; nil for a part.
}

// etagOf returns an ETag without its quotes.
func etagOf(hash []byte) string { return hex.EncodeToString(hash) }

// removeFile removes a file that no object uses any more. If that fails, Close removes it with the folder.
func removeFile(file *blob) {
	if file != nil {
		_ = os.Remove(file.path)
	}
}

// writeFile writes exactly size bytes of input to a new file.
func (d *disk) writeFile(input io.Reader, size int64) (*blob, error) {
	file, err := os.CreateTemp(d.dir, "object-")
	if err != nil {
		return nil, fmt.Errorf("create object: %w", err)
	}

	hash := md5.New()
	n, err := io.Copy(io.MultiWriter(file, hash), input)
	if err == nil && n != size {
		err = gofakes3.ErrIncompleteBody
	}

	err = errors.Join(err, file.Close())
	if err != nil {
		return nil, errors.Join(err, os.Remove(file.Name()))
	}
	return &blob{path: file.Name(), size: size, hash: hash.Sum(nil), modified: time.Now()}, nil
}

// asS3Error returns the S3 error in err, if there is one: gofakes3 compares errors without unwrapping.
func asS3Error(err error) error {
	var code gofakes3.ErrorCode
	if errors.As(err, &code) {
		return code
	}
	return err
}

// joinParts appends the files of all further parts to the first part's file, and removes them. It returns the joined blob, which
// has the first part's file.
func joinParts(parts []*blob) (*blob, error) {
	whole := &blob{path: parts[0].path, size: parts[0].size, modified: time.Now()}

	sum := md5.New()
	_, _ = sum.Write(parts[0].hash)

	target, err := os.OpenFile(whole.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("open part: %w", err)
	}

	for _, part := range parts[1:] {
		err := appendFile(target, part.path)
		if err != nil {
			return nil, errors.Join(err, target.Close())
		}
		_, _ = sum.Write(part.hash)
		whole.size += part.size
		removeFile(part)
	}

	err = target.Close()
	if err != nil {
		return nil, fmt.Errorf("close object: %w", err)
	}

	whole.hash = sum.Sum(nil)
	return whole, nil
}

func appendFile(target *os.File, path string) error {
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

// objectHeaders returns the headers to store with the object, without credentials and headers of the request itself.
func objectHeaders(headers map[string]string) map[string]string {
	stored := map[string]string{"Content-Type": "binary/octet-stream"} // S3's default.
	maps.Copy(stored, headers)
	maps.DeleteFunc(stored, func(name, _ string) bool {
		return strings.HasPrefix(name, "X-Amz-") && !strings.HasPrefix(name, "X-Amz-Meta-") && !isChecksum(name)
	})
	return stored
}

// isChecksum reports whether a header carries the checksum of the whole object.
func isChecksum(name string) bool {
	name, found := strings.CutPrefix(name, "X-Amz-Checksum-")
	return found && name != "Algorithm" && name != "Mode" && name != "Type"
}

// object returns the object without its content.
func (b *blob) object(key string) *gofakes3.Object {
	return &gofakes3.Object{
		Name: key, Metadata: maps.Clone(b.meta), Size: b.size, Hash: b.hash,
		Contents: io.NopCloser(bytes.NewReader(nil)),
	}
}
