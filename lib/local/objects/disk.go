//nolint:wrapcheck // gofakes3 reads the answer's code off the error itself.
package objects

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// disk keeps objects as files of one folder and all else in memory. A file never changes once an object names it, and
// a reader that has it open may finish after the object is gone.
type disk struct {
	dir string

	mu      sync.Mutex
	buckets map[string]*bucket
	uploads map[gofakes3.UploadID]*upload
}

var (
	_ gofakes3.Backend          = (*disk)(nil)
	_ gofakes3.MultipartBackend = (*disk)(nil)
)

type bucket struct {
	created time.Time
	objects map[string]*blob
}

func newDisk(dir string) *disk {
	return &disk{dir: dir, buckets: map[string]*bucket{}, uploads: map[gofakes3.UploadID]*upload{}}
}

// bucket returns a bucket. The lock is held.
func (d *disk) bucket(name string) (*bucket, error) {
	bucket, ok := d.buckets[name]
	if !ok {
		return nil, gofakes3.BucketNotFound(name)
	}
	return bucket, nil
}

// find returns the file of an object. The lock is held.
func (d *disk) find(bucketName, key string) (*blob, error) {
	bucket, err := d.bucket(bucketName)
	if err != nil {
		return nil, err
	}

	file, ok := bucket.objects[key]
	if !ok {
		return nil, gofakes3.KeyNotFound(key)
	}
	return file, nil
}

// put makes the file the content of the object, unless the conditions forbid it.
func (d *disk) put(bucket, key string, file *blob, conditions *gofakes3.PutConditions) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.check(bucket, key, conditions)
	if err != nil {
		return err
	}

	objects := d.buckets[bucket].objects
	discard(objects[key])
	objects[key] = file
	return nil
}

// check returns why the object may not be written. The lock is held.
func (d *disk) check(bucketName, key string, conditions *gofakes3.PutConditions) error {
	bucket, err := d.bucket(bucketName)
	if err != nil || conditions == nil {
		return err
	}

	var info gofakes3.ConditionalObjectInfo
	old, ok := bucket.objects[key]
	if ok {
		info = gofakes3.ConditionalObjectInfo{Exists: true, Hash: old.hash}
	} else if conditions.IfMatch != nil {
		return gofakes3.KeyNotFound(key) // gofakes3 would say that a condition did not hold
	}

	return gofakes3.CheckPutConditions(conditions, &info)
}

// PutObject stores an object.
func (d *disk) PutObject(
	bucket, key string, meta map[string]string, input io.Reader, size int64, conditions *gofakes3.PutConditions,
) (gofakes3.PutObjectResult, error) {
	file, err := d.save(input, size)
	if err != nil {
		return gofakes3.PutObjectResult{}, unwrapped(err)
	}

	file.meta = keptHeaders(meta)
	err = d.put(bucket, key, file, conditions)
	if err != nil {
		discard(file)
	}
	return gofakes3.PutObjectResult{}, err
}

// The headers in which the conditions of a copy travel through gofakes3, which hands on no others.
const (
	copyIfMatch     = "X-Amz-Twin-If-Match"
	copyIfNoneMatch = "X-Amz-Twin-If-None-Match"
)

// copyConditions returns the conditions on the copy's target, or nil.
func copyConditions(meta map[string]string) *gofakes3.PutConditions {
	var conditions gofakes3.PutConditions
	if etag, ok := meta[copyIfMatch]; ok {
		conditions.IfMatch = &etag
	}
	if etag, ok := meta[copyIfNoneMatch]; ok {
		conditions.IfNoneMatch = &etag
	}

	if conditions == (gofakes3.PutConditions{}) {
		return nil
	}
	return &conditions
}

// checkSource returns an error when a copy asks for another content than its source has.
func checkSource(source *blob, meta map[string]string) error {
	etag := gofakes3.FormatETag(source.hash)

	match, ok := meta["X-Amz-Copy-Source-If-Match"]
	if ok && match != "*" && strings.Trim(match, `"`) != strings.Trim(etag, `"`) {
		return gofakes3.ErrPreconditionFailed
	}

	match, ok = meta["X-Amz-Copy-Source-If-None-Match"]
	if ok && (match == "*" || strings.Trim(match, `"`) == strings.Trim(etag, `"`)) {
		return gofakes3.ErrPreconditionFailed
	}
	return nil
}

// CopyObject stores a copy, which shares the file where the file system can.
func (d *disk) CopyObject(
	srcBucket, srcKey, bucket, key string, meta map[string]string,
) (gofakes3.CopyObjectResult, error) {
	source, opened, err := d.open(srcBucket, srcKey)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	defer opened.Close() //nolint:errcheck // It was only read.
	err = checkSource(source, meta)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}

	target := &blob{
		path: filepath.Join(d.dir, "copy-"+awswire.NewUUID()),
		size: source.size, hash: source.hash, modified: time.Now(), meta: keptHeaders(meta),
	}
	err = os.Link(source.path, target.path)
	if err != nil {
		copied, err := d.save(opened, source.size)
		if err != nil {
			return gofakes3.CopyObjectResult{}, err
		}
		target.path = copied.path
	}

	err = d.put(bucket, key, target, copyConditions(meta))
	if err != nil {
		discard(target)
	}

	return gofakes3.CopyObjectResult{
		ETag: gofakes3.FormatETag(target.hash), LastModified: gofakes3.NewContentTime(target.modified),
	}, err
}

// open returns an object's file, opened.
func (d *disk) open(bucket, key string) (*blob, *os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	file, err := d.find(bucket, key)
	if err != nil {
		return nil, nil, err
	}

	opened, err := os.Open(file.path)
	if err != nil {
		return nil, nil, fmt.Errorf("open object: %w", err)
	}
	return file, opened, nil
}

// GetObject returns an object, or the range of it that was asked for. A range has no checksum.
func (d *disk) GetObject(bucket, key string, asked *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	file, opened, err := d.open(bucket, key)
	if err != nil {
		return nil, err
	}

	object := file.object(key)
	object.Range, err = asked.Range(file.size)
	if err != nil {
		_ = opened.Close()
		return nil, err
	}

	var content io.Reader = opened
	if object.Range != nil {
		content = io.NewSectionReader(opened, object.Range.Start, object.Range.Length)
		maps.DeleteFunc(object.Metadata, func(name, _ string) bool { return isChecksum(name) })
	}

	object.Contents = struct {
		io.Reader
		io.Closer
	}{content, opened}
	return object, nil
}

// HeadObject returns an object without its content.
func (d *disk) HeadObject(bucket, key string) (*gofakes3.Object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	file, err := d.find(bucket, key)
	if err != nil {
		return nil, err
	}
	return file.object(key), nil
}
