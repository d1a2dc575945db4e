package asl

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Objects reads and writes the objects of Amazon S3 for Distributed Map states: the datasets of ItemReader and the files of
// ResultWriter. Its methods are called concurrently. The text of an error becomes the cause of States.ItemReaderFailed or
// States.ResultWriterFailed.
type Objects interface {
	// GetObject returns the content of an object. The caller closes it.
	GetObject(ctx context.Context, bucket, key string) (io.ReadCloser, error)
	// ListObjects returns the objects whose key begins with prefix, in the order of their keys. After an error it returns nothing.
	ListObjects(ctx context.Context, bucket, prefix string) iter.Seq2[Object, error]
	// PutObject writes an object. It replaces an object of the same key.
	PutObject(ctx context.Context, bucket, key string, content []byte) error
}

// Object describes an object of Amazon S3.
type Object struct {
	// Key is the object's name in its bucket.
	Key string
	// ETag is the object's entity tag, with its quotation marks.
	ETag string
	// LastModified is when the object was written.
	LastModified time.Time
	// Size is the number of bytes.
	Size int64
	// StorageClass is the storage class, such as STANDARD.
	StorageClass string
}

// errNoObjects is the error of an execution that has no Objects.
var errNoObjects = errors.New("asl: the execution has no access to Amazon S3")

// noObjects is the Objects of an execution without any. Every call fails.
type noObjects struct{}

func (noObjects) GetObject(context.Context, string, string) (io.ReadCloser, error) {
	return nil, errNoObjects
}

func (noObjects) ListObjects(context.Context, string, string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) { yield(Object{}, errNoObjects) }
}

func (noObjects) PutObject(context.Context, string, string, []byte) error { return errNoObjects }

// objects returns the objects that the execution can reach.
func (r *run) objects() Objects {
	if r.execution.Objects == nil {
		return noObjects{}
	}
	return r.execution.Objects
}
