package csvimport

import (
	"context"
	"errors"
	"io"
)

// Errors of a [Store]. Any other error means that the store could not answer.
var (
	// ErrNotFound says that there is no such object, or no longer in the version that was asked for.
	ErrNotFound = errors.New("csvimport: object not found")
	// ErrExists says that a [Writer] opened with [IfAbsent] found the key taken.
	ErrExists = errors.New("csvimport: object exists already")
)

// Store is the object store, bound to one bucket. It is safe for concurrent use. A completed write is seen by every
// later read, as Amazon S3 promises (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
type Store interface {
	// Get returns length bytes of the object from offset on; a length below 0 means to its end. Where the object ends
	// sooner, so do the bytes; a connection that breaks sooner is an error of Read, never io.EOF.
	Get(ctx context.Context, from Object, offset, length int64) (io.ReadCloser, error)
	// Create returns a writer of the object. Nothing is sent, and no error found, before its first Write or its Close.
	Create(ctx context.Context, key string, mode Mode) Writer
	// Copy makes dst a copy of src inside the store, replacing it whole.
	Copy(ctx context.Context, dst, src string) error
	// Delete removes the objects; one that does not exist is no error.
	Delete(ctx context.Context, keys ...string) error
}

// Object names an object and, where Version or ETag is not empty, the only state of it that is meant.
type Object struct{ Key, Version, ETag string }

// Mode says what a [Writer] does with a key that is taken.
type Mode int

// The modes of a [Writer].
const (
	// Replace puts the new object in the old one's place.
	Replace Mode = iota
	// IfAbsent leaves the old object as it is: Close returns [ErrExists]. Of several writers at once, one wins. It is
	// for objects of a few kilobytes.
	IfAbsent
)

// Writer takes an object's bytes. It keeps a bounded part of them in memory. It is for one goroutine.
type Writer interface {
	io.Writer
	// Close makes the object visible, whole, to readers. When it returns an error other than [ErrExists], the object
	// may or may not be visible; it is never visible in part.
	Close() error
	// Abort gives up what was written. After Close it does nothing, so that it can be deferred.
	Abort()
}

// read returns a small object's content.
func read(ctx context.Context, store Store, key string) ([]byte, error) {
	body, err := store.Get(ctx, Object{Key: key}, 0, -1)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller names what it reads
	}
	defer closeBody(body)

	return io.ReadAll(body) //nolint:wrapcheck // the caller names what it reads
}

// write creates a small object. Its error is ErrExists or a *StoreError.
func write(ctx context.Context, store Store, key string, mode Mode, content []byte) error {
	w := store.Create(ctx, key, mode)
	defer w.Abort()
	if _, err := w.Write(content); err != nil {
		return &StoreError{Op: "write " + key, Err: err}
	}
	err := w.Close()
	if err == nil || errors.Is(err, ErrExists) {
		return err //nolint:wrapcheck // a sentinel of this package
	}

	return &StoreError{Op: "write " + key, Err: err}
}
