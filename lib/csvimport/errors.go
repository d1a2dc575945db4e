package csvimport

import (
	"errors"
	"fmt"

	"github.com/herald-progress/herald/lib/message"
)

// maxReason bounds the text of an [InvalidFile], in bytes of JSON. Together with the longest name and the longest id, whose quotes
// take two bytes each, it fits the state of a job; otherFields is for what else the state has.
const (
	maxReason   = message.MaxState - message.MaxName - 2*message.MaxID - otherFields
	otherFields = 100
)

// InvalidFile says why an upload cannot be imported, in words for the user. A retry does not help.
//
// AWS Lambda reports a function's error with the name of its Go type as errorType. So a workflow can catch "InvalidFile", and
// likewise the other types of this file.
type InvalidFile struct {
	// Line is the physical line, from 1, to which the reason applies; 0 means the whole file.
	Line   int64
	Reason string
}

// Error returns the reason, after the line if Line is set. It truncates a text that is too long for the state of a job.
func (e *InvalidFile) Error() string {
	text := e.Reason
	if e.Line > 0 {
		text = fmt.Sprintf("Line %d: %s", e.Line, e.Reason)
	}

	return message.Truncate(text, maxReason)
}

// StoreError says that the object store could not be reached or answered with a failure. A retry may help.
type StoreError struct {
	// Op is the operation that failed.
	Op  string
	Err error
}

// Error returns the operation and its error.
func (e *StoreError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the store's error.
func (e *StoreError) Unwrap() error { return e.Err }

// FileDeleted says that the upload was deleted before its import ended.
type FileDeleted struct{}

// Error returns a text for the user.
func (*FileDeleted) Error() string {
	return "The file is no longer there: it was deleted before its import ended"
}

// FileReplaced says that the upload was replaced before its import ended, and that no import of the replacement has begun
// yet. A retry after some seconds helps: once the other import has begun, the error is [Superseded].
type FileReplaced struct{}

// Error returns a text for the user.
func (*FileReplaced) Error() string {
	return "The file is no longer there: another one replaced it before its import ended"
}

// Superseded says that a newer version of the upload is being imported, or was imported. The import ends, and the user
// gets no message about it.
type Superseded struct{}

// Error implements error.
func (*Superseded) Error() string {
	return "a newer version of the upload is imported in place of this one"
}

// asUploadError converts an error of reading the upload to a *FileDeleted or a *FileReplaced, and any other error as asStoreError
// does.
func asUploadError(op string, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return &FileDeleted{}
	case errors.Is(err, ErrReplaced):
		return &FileReplaced{}
	default:
		return asStoreError(op, err)
	}
}

// asStoreError converts err to a *StoreError of the operation op, unless err is nil or an *InvalidFile.
func asStoreError(op string, err error) error {
	var invalid *InvalidFile
	if err == nil || errors.As(err, &invalid) {
		return err
	}
	return &StoreError{Op: op, Err: err}
}
