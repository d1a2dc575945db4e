package objects

import (
	"context"
	"time"

	"github.com/rclone/gofakes3"
)

// CreateBucket creates an empty bucket. It does nothing if the bucket exists, as in the Region us-east-1.
func (d *disk) CreateBucket(_ context.Context, name string) error {
	err := gofakes3.ValidateBucketName(name)
	if err != nil {
		return err
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.buckets[name]; ok {
		return nil
	}

	created := time.Now()
	d.buckets[name] = &bucket{created: created, objects: map[string]*blob{}}
	d.save(tableBuckets, name, bucketRecord{created})
	return nil
}

// BucketExists reports whether a bucket exists.
func (d *disk) BucketExists(_ context.Context, name string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.buckets[name]
	return ok, nil
}

// DeleteBucket removes an empty bucket.
func (d *disk) DeleteBucket(_ context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	bucket, err := d.bucket(name)
	if err != nil {
		return err
	}
	if len(bucket.objects) > 0 {
		return gofakes3.ResourceError(gofakes3.ErrBucketNotEmpty, name)
	}

	delete(d.buckets, name)
	d.save(tableBuckets, name, nil)
	return nil
}

// DeleteObject removes an object. It is not an error if the object does not exist.
func (d *disk) DeleteObject(_ context.Context, bucketName, key string) (gofakes3.ObjectDeleteResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	bucket, err := d.bucket(bucketName)
	if err != nil {
		return gofakes3.ObjectDeleteResult{}, err
	}

	bucket.objects[key].release()
	delete(bucket.objects, key)
	d.save(tableObjects, bucketName+"/"+key, nil)
	return gofakes3.ObjectDeleteResult{}, nil
}

// DeleteMulti removes several objects.
func (d *disk) DeleteMulti(ctx context.Context, bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	for _, key := range keys {
		_, err := d.DeleteObject(ctx, bucket, key)
		if err != nil {
			return result, err
		}
		result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
	}
	return result, nil
}
