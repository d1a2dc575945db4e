package objects

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone/gofakes3"
)

// maxPage is the largest number of parts or uploads in a page.
const maxPage = 1000

// completeRequest is the body of CompleteMultipartUpload.
type completeRequest struct {
	Parts []completedPart `xml:"Part"`
}

// completedPart is a part that a CompleteMultipartUpload names.
type completedPart struct {
	PartNumber int    `xml:"PartNumber"`
	ETag       string `xml:"ETag"`
	CRC32      string `xml:"ChecksumCRC32"`
	CRC32C     string `xml:"ChecksumCRC32C"`
	CRC64NVME  string `xml:"ChecksumCRC64NVME"`
	SHA1       string `xml:"ChecksumSHA1"`
	SHA256     string `xml:"ChecksumSHA256"`
}

// same reports whether both name the same content of the same part.
func (p completedPart) same(other completedPart) bool {
	return p.PartNumber == other.PartNumber && strings.Trim(p.ETag, `"`) == strings.Trim(other.ETag, `"`)
}

// hasChecksumOf reports whether the checksum is that of the part. A missing one, and one of another algorithm, counts as the same.
func (p completedPart) hasChecksumOf(part *blob) bool {
	named := map[string]string{
		"crc32": p.CRC32, "crc32c": p.CRC32C, "crc64nvme": p.CRC64NVME, "sha1": p.SHA1, "sha256": p.SHA256,
	}[part.checksum.algorithm]
	return named == "" || named == part.checksum.value
}

// completeResult is the response to CompleteMultipartUpload.
type completeResult struct {
	XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
	Location     string
	Bucket       string
	Key          string
	ETag         string
	Checksum     detail
	ChecksumType string
}

func newCompleteResult(bucket, key string, file *blob) completeResult {
	return completeResult{
		Bucket: bucket, Key: key, ETag: file.quotedETag(), ChecksumType: file.checksum.kind,
		Checksum: detail{xml.Name{Local: file.checksum.element()}, file.checksum.value},
	}
}

// serveComplete serves CompleteMultipartUpload, whose checksums and repetitions gofakes3 does not know.
func (s *S3) serveComplete(w *responseWriter, r *http.Request, bucket, key string) {
	var request completeRequest
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, gofakes3.MaxXMLBodySize))
	if err != nil {
		s.writeFailure(w, w.exchange.readError(err))
		return
	}
	if xml.Unmarshal(body, &request) != nil {
		request.Parts = nil // The disk answers that the XML is malformed.
	}

	id := gofakes3.UploadID(r.URL.Query().Get("uploadId"))
	result, err := s.disk.complete(r.Context(), bucket, key, id, request.Parts)
	if err != nil {
		s.writeFailure(w, err)
		return
	}

	_ = s.fake.ForgetMultipartUpload(r.Context(), bucket, key, id) // It has forgotten an upload that is completed again.
	result.Location = locationOf(r, bucket, key)
	w.respond(http.StatusOK, result)
}

// locationOf returns the URL of an object.
func locationOf(r *http.Request, bucket, key string) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + "/" + bucket + "/" + url.PathEscape(key)
}

// writeFailure answers with an error of the disk.
func (*S3) writeFailure(w *responseWriter, err error) {
	var (
		known *s3Error
		other gofakes3.Error
	)
	switch {
	case errors.As(err, &known):
		w.fail(known)
	case errors.As(err, &other):
		w.fail(newError(other.ErrorCode().Status(), string(other.ErrorCode()), other.ErrorCode().Message()))
	default:
		w.fail(internalError())
	}
}

// partsResult is the response to ListParts.
type partsResult struct {
	XMLName              xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
	Bucket               string
	Key                  string
	UploadID             gofakes3.UploadID `xml:"UploadId"`
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string       `xml:",omitempty"`
	ChecksumType         string       `xml:",omitempty"`
	Parts                []listedPart `xml:"Part"`
}

type listedPart struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	Checksum     detail
}

// listParts returns a page of an upload's parts by number: at most limit of those above the marker.
func (d *disk) listParts(bucket, key string, id gofakes3.UploadID, marker, limit int) (partsResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	upload, err := d.upload(bucket, key, id)
	if err != nil {
		return partsResult{}, err
	}

	list := partsResult{
		Bucket: bucket, Key: key, UploadID: id, StorageClass: "STANDARD", PartNumberMarker: marker, MaxParts: limit,
		ChecksumAlgorithm: strings.ToUpper(upload.kind.algorithm), ChecksumType: upload.kind.kind,
	}
	for _, number := range slices.Sorted(maps.Keys(upload.parts)) {
		if number <= marker {
			continue
		}
		if len(list.Parts) == limit {
			list.IsTruncated = true
			break
		}

		part := upload.parts[number]
		list.NextPartNumberMarker = number
		list.Parts = append(list.Parts, listedPart{
			PartNumber: number, Size: part.size, ETag: part.quotedETag(), LastModified: isoTime(part.modified),
			Checksum: detail{xml.Name{Local: part.checksum.element()}, part.checksum.value},
		})
	}

	return list, nil
}

// uploadsResult is the response to ListMultipartUploads.
type uploadsResult struct {
	XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Prefix             string
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Uploads            []listedUpload `xml:"Upload"`
}

type listedUpload struct {
	Key          string
	UploadID     string `xml:"UploadId"`
	StorageClass string
	Initiated    string
}

// listUploads returns a page of a bucket's unfinished uploads by key and id: at most limit of those after the markers.
func (d *disk) listUploads(bucketName, prefix, keyMarker, idMarker string, limit int) (uploadsResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.bucket(bucketName); err != nil {
		return uploadsResult{}, err
	}

	d.abortOld()
	var all []listedUpload
	for id, begun := range d.uploads {
		after := begun.key > keyMarker || begun.key == keyMarker && idMarker != "" && string(id) > idMarker
		if begun.bucket == bucketName && after && strings.HasPrefix(begun.key, prefix) {
			all = append(all, listedUpload{begun.key, string(id), "STANDARD", isoTime(begun.initiated)})
		}
	}
	slices.SortFunc(all, func(a, b listedUpload) int {
		return strings.Compare(a.Key+"\x00"+a.UploadID, b.Key+"\x00"+b.UploadID)
	})

	list := uploadsResult{
		Bucket: bucketName, Prefix: prefix, KeyMarker: keyMarker, UploadIDMarker: idMarker, MaxUploads: limit,
		IsTruncated: len(all) > limit, Uploads: all[:min(limit, len(all))],
	}
	if list.IsTruncated && limit > 0 {
		list.NextKeyMarker, list.NextUploadIDMarker = all[limit-1].Key, all[limit-1].UploadID
	}
	return list, nil
}

// serveLists serves ListParts and ListMultipartUploads.
func (s *S3) serveLists(w *responseWriter, r *http.Request, bucket, key string) {
	var (
		query  = r.URL.Query()
		result any
		err    error
	)
	if id := query.Get("uploadId"); id != "" {
		marker, markerErr := readNumber(query, "part-number-marker", 0)
		limit, limitErr := readNumber(query, "max-parts", maxPage)
		if err = errors.Join(markerErr, limitErr); err == nil {
			result, err = s.disk.listParts(bucket, key, gofakes3.UploadID(id), marker, min(limit, maxPage))
		}
	} else {
		limit, limitErr := readNumber(query, "max-uploads", maxPage)
		if err = limitErr; err == nil {
			result, err = s.listUploads(query, bucket, min(limit, maxPage))
		}
	}

	if err != nil {
		s.writeFailure(w, err)
		return
	}
	w.respond(http.StatusOK, result)
}

// listUploads returns a page of the uploads, whose keys are escaped if the query asks for that.
func (s *S3) listUploads(query url.Values, bucket string, limit int) (uploadsResult, error) {
	list, err := s.disk.listUploads(bucket, query.Get("prefix"), query.Get("key-marker"), query.Get("upload-id-marker"), limit)
	if err != nil || query.Get("encoding-type") != "url" {
		return list, err
	}

	list.EncodingType = "url"
	for _, text := range []*string{&list.Prefix, &list.KeyMarker, &list.NextKeyMarker} {
		*text = gofakes3.URLEncode(*text)
	}
	for i := range list.Uploads {
		list.Uploads[i].Key = gofakes3.URLEncode(list.Uploads[i].Key)
	}
	return list, nil
}

// readNumber returns a number of the query that is not negative, or otherwise if the query has none.
func readNumber(query url.Values, name string, otherwise int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, newError(http.StatusBadRequest, "InvalidArgument", "Provided "+name+" not an integer or within integer range",
			"ArgumentName", name, "ArgumentValue", text)
	}
	return int(n), nil
}

// isoTime returns a time as in S3's XML.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
