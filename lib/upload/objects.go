package upload

import (
	"context"
	"errors"
	"time"
)

// Errors of [Objects].
var (
	// ErrNoMultipart means that there is no such multipart upload: it was completed or aborted, or it was too old.
	ErrNoMultipart = errors.New("upload: no such multipart upload")
	// ErrNoObject means that there is no such object.
	ErrNoObject = errors.New("upload: no such object")
)

// Target is what one presigned URL stores: an object, or a part of it.
type Target struct {
	Key string
	// Size is the exact size, in bytes.
	Size int64
	// ContentType is the content type of an object. It is empty for a part.
	ContentType string
	// MultipartID and Number are the multipart upload of a part, and the number of the part from 1. They are zero for an object.
	MultipartID string
	Number      int
	// Life is how long the URL is valid.
	Life time.Duration
}

// Signed is a presigned PUT. Its URL is a secret.
type Signed struct {
	URL string
	// Headers are the headers that the code in a browser must set. The browser itself adds the length.
	Headers map[string]string
	// ExpiresAt is when the URL expires, as far as it is known: at the end of its life, or of the keys that signed it.
	ExpiresAt time.Time
}

// Part is a stored part of a multipart upload.
type Part struct {
	Number int
	Size   int64
	ETag   string
}

// Objects is the object store, as far as uploads need it.
type Objects interface {
	Multiparts

	// Sign returns a URL with which anybody may store the target. The store refuses another size, and for an object also another
	// content type. A PUT does not replace an object, but it replaces a part. Sign makes no request.
	Sign(ctx context.Context, t Target) (Signed, error)
	// Size returns the size of an object by a consistent read, or [ErrNoObject].
	Size(ctx context.Context, key string) (int64, error)
}

// Multiparts are the multipart uploads of the object store. All methods except Begin may be repeated.
type Multiparts interface {
	// Begin begins a multipart upload and returns its id.
	Begin(ctx context.Context, key, contentType string) (string, error)
	// Parts returns the stored parts in the order of their numbers, or [ErrNoMultipart].
	Parts(ctx context.Context, key, id string) ([]Part, error)
	// Join makes the parts one object, in this order. It returns [ErrNoMultipart] if there is no such multipart upload. After any
	// other error the object may be stored or not.
	Join(ctx context.Context, key, id string, parts []Part) error
	// Abort removes a multipart upload with its parts. It may return [ErrNoMultipart].
	Abort(ctx context.Context, key, id string) error
}
