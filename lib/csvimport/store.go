package csvimport

import (
	"context"
	"errors"
	"io"
)

// Errors of a [Store]. Any other error means that the store could not answer.
var (
	// ErrNotFound says that there is no such object, or no such version of it.
	ErrNotFound = errors.New("csvimport: object not found")
	// ErrReplaced says that the object has another ETag than the one that was asked for.
	ErrReplaced = errors.New("csvimport: object was replaced")
	// ErrExists says that a [Writer] opened with [IfAbsent] found the key taken.
	ErrExists = errors.New("csvimport: object exists already")
)

// Store is the object store, bound to one bucket. It is safe for concurrent use. A completed write is seen by every
// later read, as Amazon S3 promises (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
type Store interface {
	// Get returns length bytes of the object from offset on; a length below 0 means to its end. Where the object ends
	// sooner, so do the bytes; a connection that breaks sooner is an error of the body's Read, never io.EOF. The error is
	// [ErrNotFound] or [ErrReplaced] where the object, in the state that is meant, is not there.
	Get(ctx context.Context, from Object, offset, length int64) (io.ReadCloser, error)
	// Read returns a small object's content and its ETag, or [ErrNotFound].
	Read(ctx context.Context, key string) (content []byte, etag string, err error)
	// List returns the keys that start with prefix and come after the key after, in the order of their bytes: the first of
	// them, at most limit, which is at most 1,000.
	List(ctx context.Context, prefix, after string, limit int) ([]string, error)
	// Create returns a writer of the object. Nothing is sent, and no error found, before its first Write or its Close.
	Create(ctx context.Context, key string, mode Mode) Writer
	// Copy makes dst a copy of src inside the store, replacing it whole.
	Copy(ctx context.Context, dst, src string) error
	// Delete removes the objects; one that does not exist is no error.
	Delete(ctx context.Context, keys ...string) error
}

// Object names an object and, where Version or ETag is not empty, the only state of it that is meant.
type Object struct{ Key, Version, ETag string }

// Mode says on which condition a [Writer] makes its object visible. Beside the constants it is made by [IfMatch].
type Mode string

// The modes of a [Writer].
const (
	// Replace puts the new object in the old one's place.
	Replace Mode = ""
	// IfAbsent leaves an object that is there as it is: Close returns [ErrExists]. Of several writers at once, one wins. It
	// is for objects of a few kilobytes.
	IfAbsent Mode = "*"
)

// IfMatch puts the new object in the place of the one with that ETag. Where there is another, or none, Close returns
// [ErrReplaced]. Of several writers at once, one wins. It is for objects of a few kilobytes.
func IfMatch(etag string) Mode { return Mode(etag) }

// ETag returns the ETag of [IfMatch], or "".
func (m Mode) ETag() string {
	if m == IfAbsent {
		return ""
	}
	return string(m)
}

// Writer takes an object's bytes. It keeps a bounded part of them in memory. It is for one goroutine.
type Writer interface {
	io.Writer
	// Close makes the object visible, whole, to readers. When it returns an error other than [ErrExists] and
	// [ErrReplaced], the object may or may not be visible; it is never visible in part.
	Close() error
	// Abort gives up what was written. After Close it does nothing, so that it can be deferred.
	Abort()
}

// write creates a small object. Its error is ErrExists, ErrReplaced or a *StoreError.
func write(ctx context.Context, store Store, key string, mode Mode, content []byte) error {
	w := store.Create(ctx, key, mode)
	defer w.Abort()
	if _, err := w.Write(content); err != nil {
		return &StoreError{Op: "write " + key, Err: err}
	}
	err := w.Close()
	if err == nil || errors.Is(err, ErrExists) || errors.Is(err, ErrReplaced) {
		return err //nolint:wrapcheck // a sentinel of this package
	}
	return &StoreError{Op: "write " + key, Err: err}
}

// remove deletes every object whose key starts with prefix, but for those that keep says.
func remove(ctx context.Context, store Store, prefix string, keep func(key string) (bool, error)) error {
	for after := prefix; ; {
		keys, err := store.List(ctx, prefix, after, listPage)
		if err != nil {
			return &StoreError{Op: "list " + prefix, Err: err}
		}
		if len(keys) == 0 {
			return nil
		}
		after = keys[len(keys)-1]
		doomed := make([]string, 0, len(keys))
		for _, key := range keys {
			kept, err := keep(key)
			if err != nil {
				return err
			}
			if !kept {
				doomed = append(doomed, key)
			}
		}
		if err := store.Delete(ctx, doomed...); err != nil {
			return &StoreError{Op: "delete below " + prefix, Err: err}
		}
	}
}
