package csvimport

import (
	"context"
	"errors"
	"io"
	"path"
)

// Errors of a [Store]. Any other error means that the store could not answer.
var (
	// ErrNotFound says that there is no such object, or no such version of it.
	ErrNotFound = errors.New("csvimport: object not found")
	// ErrReplaced says that the object does not have the required ETag.
	ErrReplaced = errors.New("csvimport: object was replaced")
	// ErrExists says that a [Writer] opened with [IfAbsent] found an object with its key.
	ErrExists = errors.New("csvimport: object exists already")
)

// toEnd is the length that [Store].Get takes for all bytes up to the end of the object.
const toEnd = -1

// Store is an object store, bound to one bucket. It is safe for concurrent use. Every read sees the writes that completed
// before it, as Amazon S3 promises (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
type Store interface {
	// Get returns a reader of length bytes of the object from offset on. The reader returns fewer bytes if the object ends before
	// that, and all bytes up to the end of the object if length is negative. If the connection breaks, the reader returns an error
	// other than io.EOF. Get returns [ErrNotFound] if there is no object with the Key and Version, and [ErrReplaced] if its ETag
	// is another.
	Get(ctx context.Context, from Object, offset, length int64) (io.ReadCloser, error)
	// Read returns a small object's content and its ETag, or [ErrNotFound].
	Read(ctx context.Context, key string) (content []byte, etag string, err error)
	// List returns the first keys that start with prefix and sort after the text after, at most limit of them. limit is at most
	// 1,000. Keys are sorted by their bytes.
	List(ctx context.Context, prefix, after string, limit int) ([]string, error)
	// Create returns a writer of the object. It sends nothing before the first Write or Close. A store with media types gives the
	// object that of [ContentType].
	Create(ctx context.Context, key string, mode Mode) Writer
	// Copy copies src to dst inside the store, with its media type. It replaces an existing dst.
	Copy(ctx context.Context, dst, src string) error
	// Delete deletes the objects. To delete an object that does not exist is no error.
	Delete(ctx context.Context, keys ...string) error
}

// ContentType returns the media type of an object that the importer writes, by the end of its key.
func ContentType(key string) string {
	switch path.Ext(key) {
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".jsonl":
		return "application/x-ndjson"
	default: // summaries and claims
		return "application/json"
	}
}

// Object identifies an object by its key. The object must also have the Version and the ETag that are not empty.
type Object struct{ Key, Version, ETag string }

// Mode is the condition under which a [Writer] stores its object: [Replace], [IfAbsent] or the result of [IfMatch].
type Mode string

// The modes of a [Writer].
const (
	// Replace stores the object in any case and replaces an existing one.
	Replace Mode = ""
	// IfAbsent stores the object only if there is none with this key; otherwise Close returns [ErrExists]. Of several
	// concurrent writers, one succeeds. It is for objects of a few kilobytes.
	IfAbsent Mode = "*"
)

// IfMatch stores the object only if the existing one has this ETag; otherwise, or if there is none, Close returns
// [ErrReplaced]. Of several concurrent writers, one succeeds. It is for objects of a few kilobytes.
func IfMatch(etag string) Mode { return Mode(etag) }

// ETag returns the ETag of [IfMatch], or "".
func (m Mode) ETag() string {
	if m == IfAbsent {
		return ""
	}
	return string(m)
}

// Writer writes one object. It buffers a bounded number of bytes in memory. It is for one goroutine.
type Writer interface {
	io.Writer
	// Close makes the complete object visible to readers. After an error other than [ErrExists] and [ErrReplaced], the
	// object may or may not be visible; it is never visible in part.
	Close() error
	// Abort discards the written bytes. After Close it does nothing, so that it can be deferred.
	Abort()
}

// writeObject writes a small object. The error is ErrExists, ErrReplaced or a *StoreError.
func writeObject(ctx context.Context, store Store, key string, mode Mode, content []byte) error {
	w := store.Create(ctx, key, mode)
	defer w.Abort()
	if _, err := w.Write(content); err != nil {
		return &StoreError{Op: "write " + key, Err: err}
	}
	err := w.Close()
	if err == nil || errors.Is(err, ErrExists) || errors.Is(err, ErrReplaced) {
		return err
	}
	return &StoreError{Op: "write " + key, Err: err}
}

// deleteBelow deletes every object whose key starts with prefix, except those for which retain returns true.
func deleteBelow(ctx context.Context, store Store, prefix string, retain func(key string) (bool, error)) error {
	for after := prefix; ; {
		keys, err := store.List(ctx, prefix, after, listPageSize)
		if err != nil {
			return &StoreError{Op: "list " + prefix, Err: err}
		}
		if len(keys) == 0 {
			return nil
		}
		after = keys[len(keys)-1]
		toDelete := make([]string, 0, len(keys))
		for _, key := range keys {
			retained, err := retain(key)
			if err != nil {
				return err
			}
			if !retained {
				toDelete = append(toDelete, key)
			}
		}
		if err := store.Delete(ctx, toDelete...); err != nil {
			return &StoreError{Op: "delete below " + prefix, Err: err}
		}
	}
}
