package objects

import (
	"maps"
	"slices"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// ListBuckets returns the buckets by name.
func (d *disk) ListBuckets() ([]gofakes3.BucketInfo, error) {
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
	name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage,
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
			Key: key, Size: file.size, ETag: gofakes3.FormatETag(file.hash),
			LastModified: gofakes3.NewContentTime(file.modified), StorageClass: gofakes3.StorageStandard,
		})
	}

	return list, nil
}

// ListParts returns a page of an upload's parts by number.
func (d *disk) ListParts(
	bucket, key string, id gofakes3.UploadID, marker int, limit int64,
) (*gofakes3.ListMultipartUploadPartsResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	upload, err := d.upload(bucket, key, id)
	if err != nil {
		return nil, err
	}

	list := &gofakes3.ListMultipartUploadPartsResult{
		Bucket: bucket, Key: key, UploadID: id, StorageClass: gofakes3.StorageStandard,
		PartNumberMarker: marker, MaxParts: limit,
	}
	for _, number := range slices.Sorted(maps.Keys(upload.parts)) {
		if number <= marker {
			continue
		}
		if int64(len(list.Parts)) == limit {
			list.IsTruncated = true
			break
		}

		part := upload.parts[number]
		list.NextPartNumberMarker = number
		list.Parts = append(list.Parts, gofakes3.ListMultipartUploadPartItem{
			PartNumber: number, Size: part.size, ETag: gofakes3.FormatETag(part.hash),
			LastModified: gofakes3.NewContentTime(part.modified),
		})
	}

	return list, nil
}

// ListMultipartUploads returns a bucket's unfinished uploads by key, all in one page.
func (d *disk) ListMultipartUploads(
	bucket string, marker *gofakes3.UploadListMarker, prefix gofakes3.Prefix, limit int64,
) (*gofakes3.ListMultipartUploadsResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.abortOld()
	list := &gofakes3.ListMultipartUploadsResult{
		Bucket: bucket, Prefix: prefix.Prefix, Delimiter: prefix.Delimiter, MaxUploads: limit,
	}
	for id, upload := range d.uploads {
		after := marker == nil || upload.key > marker.Object
		if upload.bucket == bucket && after && strings.HasPrefix(upload.key, prefix.Prefix) {
			list.Uploads = append(list.Uploads, gofakes3.ListMultipartUploadItem{
				Key: upload.key, UploadID: id, StorageClass: gofakes3.StorageStandard,
				Initiated: gofakes3.NewContentTime(upload.initiated),
			})
		}
	}

	slices.SortFunc(list.Uploads, func(a, b gofakes3.ListMultipartUploadItem) int {
		return strings.Compare(a.Key+"\x00"+string(a.UploadID), b.Key+"\x00"+string(b.UploadID))
	})
	return list, nil
}
