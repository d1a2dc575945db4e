package objects

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

// attributesResult is the response to GetObjectAttributes.
type attributesResult struct {
	XMLName      xml.Name            `xml:"http://s3.amazonaws.com/doc/2006-03-01/ GetObjectAttributesResponse"`
	ETag         string              `xml:",omitempty"`
	Checksum     *attributesChecksum `xml:",omitempty"`
	ObjectParts  *attributesParts    `xml:",omitempty"`
	StorageClass string              `xml:",omitempty"`
	ObjectSize   *int64              `xml:",omitempty"`
}

type attributesChecksum struct {
	Checksum     detail
	ChecksumType string
}

type attributesParts struct {
	PartsCount int
}

// serveAttributes serves GetObjectAttributes, because gofakes3 does not know the ETags and checksums of objects with parts.
func (s *S3) serveAttributes(w *responseWriter, r *http.Request, bucket, key string) {
	s.disk.mu.Lock()
	file, err := s.disk.find(bucket, key)
	s.disk.mu.Unlock()
	if err != nil {
		s.writeFailure(w, err)
		return
	}

	wanted := strings.FieldsFunc(strings.Join(r.Header.Values("X-Amz-Object-Attributes"), ","), func(c rune) bool { return c == ',' || c == ' ' })
	if len(wanted) == 0 {
		w.fail(invalidArgument("Invalid attribute name specified.", "x-amz-object-attributes", ""))
		return
	}

	var result attributesResult
	if slices.Contains(wanted, "ETag") {
		result.ETag = file.etag()
	}
	if slices.Contains(wanted, "Checksum") {
		result.Checksum = &attributesChecksum{detail{xml.Name{Local: file.checksum.element()}, file.checksum.value}, file.checksum.kind}
	}
	if slices.Contains(wanted, "ObjectParts") && len(file.parts) > 0 {
		result.ObjectParts = &attributesParts{len(file.parts)}
	}
	if slices.Contains(wanted, "StorageClass") {
		result.StorageClass = "STANDARD"
	}
	if slices.Contains(wanted, "ObjectSize") {
		result.ObjectSize = &file.size
	}
	w.Header().Set("Last-Modified", file.modified.UTC().Format(http.TimeFormat))
	w.respond(http.StatusOK, result)
}
