package objects

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
)

// disk stores objects as files of one folder, and everything else in memory, and in a store if its saver has one. A file does not change once an object uses
// it, and a reader of an object can read it to the end after the object was removed.
type disk struct {
	saver

	dir string

	mu        sync.Mutex
	buckets   map[string]*bucket
	uploads   map[gofakes3.UploadID]*upload
	completed []completion // The newest are last.

	// completing makes requests that complete uploads wait for each other, so that a repeated one finds the first one's result.
	completing sync.Mutex
}

var (
	_ gofakes3.Backend              = (*disk)(nil)
	_ gofakes3.MultipartBackend     = (*disk)(nil)
	_ gofakes3.ObjectTaggingBackend = (*disk)(nil)
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
		return nil, noSuchKey()
	}
	return file, nil
}

func noSuchKey() error {
	return gofakes3.ErrorMessage(gofakes3.ErrNoSuchKey, "The specified key does not exist.")
}

// put makes the file the content of the object if the conditions of the exchange hold. reason is that of the event.
func (d *disk) put(ctx context.Context, bucket, key string, file *blob, reason string) error {
	x := exchangeOf(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.checkConditions(x, bucket, key)
	if err != nil {
		return err
	}

	objects := d.buckets[bucket].objects
	objects[key].release() // The file of the object that is replaced, if there is one.
	objects[key] = file
	d.save(tableObjects, bucket+"/"+key, file.record())
	x.stored, x.created = file, &created{bucket, key, reason}
	return nil
}

// checkConditions returns an error unless the bucket exists and the conditions of the write hold. The caller holds the
// lock.
func (d *disk) checkConditions(x *exchange, bucketName, key string) error {
	bucket, err := d.bucket(bucketName)
	if err != nil {
		return err
	}

	old, exists := bucket.objects[key]
	switch {
	case x.match != "" && !exists:
		return noSuchKey()
	case x.match != "" && x.match != "*" && x.match != old.etag(), x.noneMatch != "" && exists && (x.noneMatch == "*" || x.noneMatch == old.etag()):
		return x.fail(newError(http.StatusPreconditionFailed, "PreconditionFailed",
			"At least one of the pre-conditions you specified did not hold"))
	default:
		return nil
	}
}

// PutObject stores an object.
func (d *disk) PutObject(
	ctx context.Context, bucket, key string, meta map[string]string, input io.Reader, size int64,
) (gofakes3.PutObjectResult, error) {
	file, err := d.writeFile(ctx, input, size, defaultAlgorithm)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}

	file.meta = withDefaults(meta)
	err = d.put(ctx, bucket, key, file, reasonPut)
	if err != nil {
		file.release()
	}
	return gofakes3.PutObjectResult{ETag: file.quotedETag()}, err
}

// CopyObject stores a copy, which shares the files.
func (d *disk) CopyObject(
	ctx context.Context, srcBucket, srcKey, bucket, key string, meta map[string]string,
) (gofakes3.CopyObjectResult, error) {
	source, err := d.share(srcBucket, srcKey)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	defer source.release()

	target, err := source.withoutParts()
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}

	target.modified = time.Now()
	target.meta = withDefaults(meta)
	err = d.put(ctx, bucket, key, target, reasonCopy)
	if err != nil {
		target.release()
	}

	return gofakes3.CopyObjectResult{
		ETag: target.quotedETag(), LastModified: gofakes3.NewContentTime(target.modified),
	}, err
}

// share returns an object, whose files the caller uses and must release.
func (d *disk) share(bucket, key string) (*blob, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	file, err := d.find(bucket, key)
	if err != nil {
		return nil, err
	}
	file.files.share()
	return file, nil
}

// GetObject returns an object or the requested range of it.
func (d *disk) GetObject(
	ctx context.Context, bucket, key string, request *gofakes3.ObjectRangeRequest,
) (*gofakes3.Object, error) {
	file, err := d.share(bucket, key)
	if err != nil {
		return nil, err
	}

	x := exchangeOf(ctx)
	x.found = file
	object := file.object(key)
	object.Range, err = request.Range(file.size)
	if err != nil {
		file.release()
		return nil, x.fail(newError(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable"))
	}

	offset, length := int64(0), file.size
	if object.Range != nil {
		offset, length = object.Range.Start, object.Range.Length
	}
	if x.headOnly {
		length = 0
	}
	object.Contents = file.files.open(offset, length)
	return object, nil
}

// HeadObject returns an object without its content.
func (d *disk) HeadObject(ctx context.Context, bucket, key string) (*gofakes3.Object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	file, err := d.find(bucket, key)
	if err != nil {
		return nil, err
	}
	exchangeOf(ctx).found = file
	return file.object(key), nil
}

// SetObjectTagging replaces the tags of an object; empty ones remove them.
func (d *disk) SetObjectTagging(_ context.Context, bucketName, key, tagging string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	file, err := d.find(bucketName, key)
	if err != nil {
		return err
	}

	tagged := *file // Readers may have the old one.
	tagged.meta = withDefaults(file.meta)
	tagged.meta[gofakes3.TaggingMetadataKey] = tagging
	if tagging == "" {
		delete(tagged.meta, gofakes3.TaggingMetadataKey)
	}
	d.buckets[bucketName].objects[key] = &tagged
	d.save(tableObjects, bucketName+"/"+key, tagged.record())
	return nil
}
