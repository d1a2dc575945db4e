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

// disk stores objects as files of one folder, and everything else in memory. A file does not change once an object uses
// it, and a reader that has opened it can read it to the end after the object was removed.
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

// bucket returns a bucket. The caller holds the lock.
func (d *disk) bucket(name string) (*bucket, error) {
	bucket, ok := d.buckets[name]
	if !ok {
		return nil, gofakes3.BucketNotFound(name)
	}
	return bucket, nil
}

// find returns the file of an object. The caller holds the lock.
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

// put makes the file the content of the object if the conditions hold.
func (d *disk) put(bucket, key string, file *blob, conditions *gofakes3.PutConditions) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.checkConditions(bucket, key, conditions)
	if err != nil {
		return err
	}

	objects := d.buckets[bucket].objects
	removeFile(objects[key]) // The file of the object that is replaced, if there is one.
	objects[key] = file
	return nil
}

// checkConditions returns an error unless the bucket exists and the conditions of the write hold. The caller holds the
// lock.
func (d *disk) checkConditions(bucketName, key string, conditions *gofakes3.PutConditions) error {
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
	file, err := d.writeFile(input, size)
	if err != nil {
		return gofakes3.PutObjectResult{}, asS3Error(err)
	}

	file.meta = objectHeaders(meta)
	err = d.put(bucket, key, file, conditions)
	if err != nil {
		removeFile(file)
	}
	return gofakes3.PutObjectResult{}, err
}

// The headers in which passConditions passes the conditions of a copy through gofakes3.
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

// checkSource returns an error if a copy's conditions on its source do not hold.
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

// CopyObject stores a copy. Both objects share one file if the file system supports hard links.
func (d *disk) CopyObject(
	srcBucket, srcKey, bucket, key string, meta map[string]string,
) (gofakes3.CopyObjectResult, error) {
	source, opened, err := d.open(srcBucket, srcKey)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	defer opened.Close()
	err = checkSource(source, meta)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}

	target := &blob{
		path: filepath.Join(d.dir, "copy-"+awswire.NewUUID()),
		size: source.size, hash: source.hash, modified: time.Now(), meta: objectHeaders(meta),
	}
	err = os.Link(source.path, target.path)
	if err != nil { // The file system has no hard links.
		copied, err := d.writeFile(opened, source.size)
		if err != nil {
			return gofakes3.CopyObjectResult{}, err
		}
		target.path = copied.path
	}

	err = d.put(bucket, key, target, copyConditions(meta))
	if err != nil {
		removeFile(target)
	}

	return gofakes3.CopyObjectResult{
		ETag: gofakes3.FormatETag(target.hash), LastModified: gofakes3.NewContentTime(target.modified),
	}, err
}

// open opens an object's file.
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

// GetObject returns an object or the requested range of it. For a range it omits the headers with checksums, which are for the whole
// object.
func (d *disk) GetObject(bucket, key string, request *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	file, opened, err := d.open(bucket, key)
	if err != nil {
		return nil, err
	}

	object := file.object(key)
	object.Range, err = request.Range(file.size)
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
