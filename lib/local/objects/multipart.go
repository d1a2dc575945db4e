package objects

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rclone/gofakes3"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// abortAfter is the age at which a multipart upload is aborted, as by the lifecycle rule of the stack's bucket.
const abortAfter = 24 * time.Hour

// maxCompletions is the number of completed uploads that are remembered.
const maxCompletions = 1000

// upload is a multipart upload that has been neither completed nor aborted.
type upload struct {
	bucket, key string
	meta        map[string]string
	kind        checksumKind // Empty if the upload declares none.
	initiated   time.Time
	parts       map[int]*blob
}

// completion is an upload that was completed, with the response.
type completion struct {
	id     gofakes3.UploadID
	parts  []completedPart
	result completeResult
}

// CreateMultipartUpload begins an upload.
func (d *disk) CreateMultipartUpload(ctx context.Context, bucket, key string, meta map[string]string) (gofakes3.UploadID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.abortOld()
	if restored := exchangeOf(ctx).restored; restored != "" {
		return restored, nil
	}
	id := gofakes3.UploadID(awswire.NewUUID())
	d.uploads[id] = &upload{
		bucket: bucket, key: key, meta: withDefaults(meta), kind: exchangeOf(ctx).multipart, initiated: time.Now(), parts: map[int]*blob{},
	}
	d.saveUpload(id, d.uploads[id])
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
		return nil, noSuchUpload()
	}
	return upload, nil
}

func noSuchUpload() error {
	return newError(http.StatusNotFound, "NoSuchUpload",
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
}

// UploadPart stores a part, in place of one with the same number.
func (d *disk) UploadPart(
	ctx context.Context, bucket, key string, id gofakes3.UploadID, number int, size int64, input io.Reader,
) (string, error) {
	x := exchangeOf(ctx)
	d.mu.Lock()
	upload, err := d.upload(bucket, key, id)
	d.mu.Unlock()
	if err != nil {
		return "", x.readError(err)
	}

	algorithm := upload.kind.algorithm
	if algorithm == "" {
		algorithm = defaultAlgorithm
	} else if x.claim.algorithm != "" && x.claim.algorithm != algorithm {
		return "", x.fail(invalidRequest("Checksum Type mismatch occurred, expected checksum Type: " + algorithm +
			", actual checksum Type: " + x.claim.algorithm))
	}

	file, err := d.writeFile(ctx, input, size, algorithm)
	if err != nil {
		return "", err
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	upload, err = d.upload(bucket, key, id)
	if err != nil {
		file.release()
		return "", x.readError(err)
	}

	upload.parts[number].release()
	upload.parts[number] = file
	d.save(tableParts, partKey(id, number), file.record())
	x.stored = file
	return file.quotedETag(), nil
}

// AbortMultipartUpload removes an upload and its parts.
func (d *disk) AbortMultipartUpload(ctx context.Context, bucket, key string, id gofakes3.UploadID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	upload, err := d.upload(bucket, key, id)
	if err != nil {
		return exchangeOf(ctx).readError(err)
	}
	d.removeUpload(id, upload)
	return nil
}

// removeUpload removes an upload and its remaining parts. The caller holds the lock.
func (d *disk) removeUpload(id gofakes3.UploadID, upload *upload) {
	delete(d.uploads, id)
	d.deleteUpload(id, upload)
	for _, part := range upload.parts {
		part.release()
	}
}

// CompleteMultipartUpload is called by gofakes3 only for requests that the endpoint does not answer itself. There are none.
func (*disk) CompleteMultipartUpload(
	context.Context, string, string, gofakes3.UploadID, *gofakes3.CompleteMultipartUploadRequest,
) (gofakes3.VersionID, string, error) {
	return "", "", gofakes3.ErrNotImplemented
}

// complete makes the named parts one object. If the same request has completed the upload before, it returns the same result. The
// object's ETag is the MD5 of the parts' MD5s.
func (d *disk) complete(
	ctx context.Context, bucket, key string, id gofakes3.UploadID, named []completedPart,
) (completeResult, error) {
	d.completing.Lock()
	defer d.completing.Unlock()
	upload, parts, err := d.takeParts(ctx, bucket, key, id, named)
	if err != nil {
		if result, ok := d.completedBefore(bucket, key, id, named); ok {
			return result, nil
		}
		return completeResult{}, err
	}
	defer func() {
		for _, part := range upload.parts {
			part.release()
		}
	}()

	kind := upload.kind
	if kind.algorithm == "" {
		kind = checksumKind{defaultAlgorithm, fullObject}
	}
	file, err := joinParts(parts, kind)
	if err != nil {
		return completeResult{}, err
	}

	file.meta = upload.meta
	err = d.put(ctx, bucket, key, file, reasonComplete)
	if err != nil {
		return completeResult{}, err
	}

	d.mu.Lock()
	d.deleteUpload(id, upload)
	d.mu.Unlock()
	// The files of these parts are those of the object now. Do not release them with the other parts.
	for _, n := range named {
		delete(upload.parts, n.PartNumber)
	}
	result := newCompleteResult(bucket, key, file)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.completed = append(d.completed, completion{id, named, result})
	d.completed = d.completed[max(0, len(d.completed)-maxCompletions):]
	return result, nil
}

// completedBefore returns the result of an upload that was completed with the same parts.
func (d *disk) completedBefore(bucket, key string, id gofakes3.UploadID, parts []completedPart) (completeResult, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.completed {
		if c.id == id && c.result.Bucket == bucket && c.result.Key == key && slices.EqualFunc(c.parts, parts, completedPart.same) {
			return c.result, true
		}
	}
	return completeResult{}, false
}

// takeParts checks the request and removes the upload from the uploads, so that no other request completes it.
func (d *disk) takeParts(
	ctx context.Context, bucket, key string, id gofakes3.UploadID, named []completedPart,
) (*upload, []*blob, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	upload, err := d.upload(bucket, key, id)
	if err != nil {
		return nil, nil, err
	}
	if len(named) == 0 {
		return nil, nil, newError(http.StatusBadRequest, "MalformedXML",
			"The XML you provided was not well-formed or did not validate against our published schema")
	}

	parts := make([]*blob, 0, len(named))
	for i, n := range named {
		if i > 0 && n.PartNumber <= named[i-1].PartNumber {
			return nil, nil, newError(http.StatusBadRequest, "InvalidPartOrder",
				"The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
		part, ok := upload.parts[n.PartNumber]
		if !ok || strings.Trim(n.ETag, `"`) != part.etag() || !n.hasChecksumOf(part) {
			return nil, nil, newError(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.  "+
				"The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		}
		parts = append(parts, part)
	}

	err = d.checkConditions(exchangeOf(ctx), bucket, key)
	if err != nil {
		return nil, nil, err
	}

	delete(d.uploads, id)
	return upload, parts, nil
}
