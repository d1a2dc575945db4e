package objects

import (
	"context"
	"maps"
	"slices"

	"github.com/rclone/gofakes3"
)

// ListBuckets returns the buckets by name.
func (d *disk) ListBuckets(context.Context) ([]gofakes3.BucketInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]gofakes3.BucketInfo, 0, len(d.buckets))
	for _, name := range slices.Sorted(maps.Keys(d.buckets)) {
		list = append(list, gofakes3.BucketInfo{
			Name: name, CreationDate: gofakes3.NewContentTime(d.buckets[name].created),
		})
	}
	return list, nil
}

// ListBucket returns a page of a bucket's objects by key.
func (d *disk) ListBucket(
	_ context.Context, name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage,
) (*gofakes3.ObjectList, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	bucket, err := d.bucket(name)
	if err != nil {
		return nil, err
	}

	var (
		list    = gofakes3.NewObjectList()
		count   int64
		lastKey string
		group   string // The common prefix that was listed last. Further keys with it are skipped.
	)

	for _, key := range slices.Sorted(maps.Keys(bucket.objects)) {
		var match gofakes3.PrefixMatch
		if page.HasMarker && key <= page.Marker || !prefix.Match(key, &match) {
			continue // The key is on an earlier page, or does not have the prefix.
		}
		if match.CommonPrefix && match.MatchedPart == group {
			lastKey = key
			continue
		}
		if page.MaxKeys > 0 && count == page.MaxKeys {
			list.IsTruncated, list.NextMarker = true, lastKey
			break
		}

		count++
		lastKey, group = key, ""
		if match.CommonPrefix {
			group = match.MatchedPart
			list.AddPrefix(group)
			continue
		}

		file := bucket.objects[key]
		list.Add(&gofakes3.Content{
			Key: key, Size: file.size, ETag: file.quotedETag(),
			LastModified: gofakes3.NewContentTime(file.modified), StorageClass: gofakes3.StorageStandard,
		})
	}

	return list, nil
}
