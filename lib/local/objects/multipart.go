package objects

import (
	"io"
	"maps"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// abortAfter is the age at which a multipart upload is aborted, as by the lifecycle rule of the stack's bucket.
const abortAfter = 24 * time.Hour

// upload is a multipart upload that has been neither completed nor aborted.
type upload struct {
	bucket, key string
	meta        map[string]string
	initiated   time.Time
	parts       map[int]*blob

	// conditions are the conditions of the request that completes the upload, which gofakes3 does not pass on.
	conditions *gofakes3.PutConditions
}

// CreateMultipartUpload begins an upload.
func (d *disk) CreateMultipartUpload(bucket, key string, meta map[string]string) (gofakes3.UploadID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.abortOld()
	id := gofakes3.UploadID(awswire.NewUUID())
	d.uploads[id] = &upload{
		bucket: bucket, key: key, meta: objectHeaders(meta), initiated: time.Now(), parts: map[int]*blob{},
	}
	return id, nil
}

// abortOld removes the uploads that are at least abortAfter old. The caller holds the lock.
func (d *disk) abortOld() {
	for id, begun := range d.uploads {
		if time.Since(begun.initiated) >= abortAfter {
			d.removeUpload(id, begun)
		}
	}
}

// upload returns an upload of the object. The caller holds the lock.
func (d *disk) upload(bucket, key string, id gofakes3.UploadID) (*upload, error) {
	d.abortOld()
	upload, ok := d.uploads[id]
	if !ok || upload.bucket != bucket || upload.key != key {
		return nil, gofakes3.ErrNoSuchUpload
	}
	return upload, nil
}

// UploadPart stores a part, in place of one with the same number.
func (d *disk) UploadPart(
	bucket, key string, id gofakes3.UploadID, number int, size int64, input io.Reader,
) (string, error) {
	file, err := d.writeFile(input, size)
	if err != nil {
		return "", asS3Error(err)
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	upload, err := d.upload(bucket, key, id)
	if err != nil {
		removeFile(file)
		return "", err
	}

	removeFile(upload.parts[number])
	upload.parts[number] = file
	return gofakes3.FormatETag(file.hash), nil
}

// AbortMultipartUpload removes an upload and its parts.
func (d *disk) AbortMultipartUpload(bucket, key string, id gofakes3.UploadID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	upload, err := d.upload(bucket, key, id)
	if err != nil {
		return err
	}
	d.removeUpload(id, upload)
	return nil
}

// removeUpload removes an upload and its remaining parts. The caller holds the lock.
func (d *disk) removeUpload(id gofakes3.UploadID, upload *upload) {
	delete(d.uploads, id)
	for _, part := range upload.parts {
		removeFile(part)
	}
}

// CompleteMultipartUpload makes the named parts one object. The object's ETag is the MD5 of the parts' MD5s, as on S3, but without
// the dash and the number of parts that S3 adds.
func (d *disk) CompleteMultipartUpload(
	bucket, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest,
) (gofakes3.VersionID, string, error) {
	upload, parts, err := d.takeParts(bucket, key, id, in)
	if err != nil {
		return "", "", err
	}
	defer func() {
		for _, part := range upload.parts {
			removeFile(part)
		}
	}()

	file, err := joinParts(parts)
	if err != nil {
		return "", "", err
	}

	file.meta = upload.meta
	err = d.put(bucket, key, file, upload.conditions)
	if err != nil {
		return "", "", err
	}

	// The first part's file is that of the object now. Do not remove it with the parts.
	maps.DeleteFunc(upload.parts, func(_ int, part *blob) bool { return part.path == file.path })
	return "", gofakes3.FormatETag(file.hash), nil
}

// setConditions sets the conditions under which the upload will be completed.
func (d *disk) setConditions(id gofakes3.UploadID, conditions *gofakes3.PutConditions) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if upload, ok := d.uploads[id]; ok {
		upload.conditions = conditions
	}
}

// takeParts checks the request and removes the upload from the uploads, so that no other request completes it.
func (d *disk) takeParts(
	bucket, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest,
) (*upload, []*blob, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	upload, err := d.upload(bucket, key, id)
	if err != nil {
		return nil, nil, err
	}
	if len(in.Parts) == 0 {
		return nil, nil, gofakes3.ErrMalformedXML
	}

	parts := make([]*blob, 0, len(in.Parts))
	for i, named := range in.Parts {
		if i > 0 && named.PartNumber <= in.Parts[i-1].PartNumber {
			return nil, nil, gofakes3.ErrInvalidPartOrder
		}
		part, ok := upload.parts[named.PartNumber]
		if !ok || strings.Trim(named.ETag, `"`) != etagOf(part.hash) {
			return nil, nil, gofakes3.ErrInvalidPart
		}
		parts = append(parts, part)
	}

	err = d.checkConditions(bucket, key, upload.conditions)
	if err != nil {
		return nil, nil, err
	}

	delete(d.uploads, id)
	return upload, parts, nil
}
