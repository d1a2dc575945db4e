package message

import (
	"fmt"
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// UploadFile is a file that a browser wants to upload.
type UploadFile struct {
	FileName string `json:"fileName"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// ContentType is a media type, such as text/csv.
	ContentType string `json:"contentType"`
}

// Validate returns an [*Invalid] that names every broken rule, or nil. A file name becomes the last part of a key and of a
// URL. So it must not be a path, nor . or .., which browsers resolve.
func (f UploadFile) Validate() error {
	var v validator
	switch {
	case f.FileName == "" || len(f.FileName) > MaxUploadName:
		v.require("fileName", false, fmt.Sprintf("must be 1 to %d bytes", MaxUploadName))
	case !utf8.ValidString(f.FileName):
		v.require("fileName", false, ruleUTF8)
	default:
		v.require("fileName", !strings.ContainsFunc(f.FileName, forbiddenInID), ruleID)
		v.require("fileName", !strings.ContainsAny(f.FileName, `/\`) && f.FileName != "." && f.FileName != "..",
			"must be a name without a path: no slash, no backslash, neither . nor ..")
	}
	v.require("size", f.Size >= 1 && f.Size <= MaxUploadBytes, fmt.Sprintf("must be from 1 to %d bytes", int64(MaxUploadBytes)))
	if len(f.ContentType) > MaxContentType {
		v.require("contentType", false, maxBytesRule(MaxContentType))
	} else {
		v.require("contentType", validContentType(f.ContentType), "must be a media type, such as text/csv")
	}

	return v.err()
}

// validContentType reports whether s is a media type of RFC 9110, section 8.3.1, of printable ASCII.
func validContentType(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII || r < ' ' || r == 0x7f }) || strings.TrimSpace(s) != s {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(s)
	kind, subtype, found := strings.Cut(mediaType, "/")
	return err == nil && found && kind != "" && subtype != ""
}

// UploadURL is the answer to every message about an upload. If the upload has ended, only Request, UploadID, and Complete or Aborted
// are set. Otherwise Method, URL and Headers are set for a file of at most [MaxSinglePut], and PartSize, Done and Parts for a larger
// one.
//
// The URLs are secrets of the user: they must not be logged.
type UploadURL struct {
	// Request is the request of the message that this frame answers.
	Request string `json:"request"`
	// UploadID is the id of the upload, and of its job.
	UploadID string `json:"uploadId"`

	// Size is the size of the file, in bytes.
	Size int64 `json:"size,omitempty"`

	Method string `json:"method,omitempty"`
	URL    string `json:"url,omitempty"`
	// Headers are the headers that the browser must send with the PUT.
	Headers map[string]string `json:"headers,omitempty"`

	// PartSize is the size of each part, in bytes. Only the last part may be smaller.
	PartSize int64 `json:"partSize,omitempty"`
	// Done has the numbers of the stored parts, as ranges: the first and the last number of each range.
	Done [][2]int `json:"done,omitempty"`
	// Parts are the first missing parts, at most [MaxPartURLs] of them.
	Parts []UploadPart `json:"parts,omitempty"`

	// ExpiresAt is when the URLs expire.
	ExpiresAt Time `json:"expiresAt,omitzero"`

	// Complete means that the whole file is stored. Aborted means that it never will be.
	Complete bool `json:"complete,omitempty"`
	Aborted  bool `json:"aborted,omitempty"`
}

// UploadPart is the URL to which the browser sends one part, by PUT.
type UploadPart struct {
	// Number counts from 1.
	Number int    `json:"number"`
	URL    string `json:"url"`
}

// Type returns [TypeUploadURL].
func (UploadURL) Type() Type { return TypeUploadURL }

// Validate returns nil, because the server makes the frame.
func (UploadURL) Validate() error { return nil }

// RequestError is the error frame that answers a message with a request.
type RequestError struct {
	Error

	// Request is the request of the message that this frame answers.
	Request string `json:"request"`
}
