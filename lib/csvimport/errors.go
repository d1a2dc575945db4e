package csvimport

import (
	"errors"
	"fmt"
)

// InvalidFile says what is wrong with an upload, in words for the user. Trying again does not help.
//
// AWS Lambda reports a function's error under the name of its Go type: a workflow catches InvalidFile.
type InvalidFile struct {
	// Line is the physical line, from 1, that the reason is about; 0 means the whole file.
	Line   int64
	Reason string
}

// Error returns the reason, preceded by the line where there is one.
func (e *InvalidFile) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("Line %d: %s", e.Line, e.Reason)
	}
	return e.Reason
}

// StoreError says that the object store could not be reached or answered with a failure. Trying again may help.
type StoreError struct {
	// Op is what was tried.
	Op  string
	Err error
}

// Error returns what was tried and how it failed.
func (e *StoreError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the store's error.
func (e *StoreError) Unwrap() error { return e.Err }

// FileDeleted says that the upload was deleted before its import ended.
type FileDeleted struct{}

// Error says so in words for the user.
func (*FileDeleted) Error() string {
	return "The file is no longer there: it was deleted before its import ended"
}

// FileReplaced says that the upload was replaced before its import ended, and that no import of what replaced it has begun
// yet. Trying again after some seconds helps: then there is one, and the error is [Superseded].
type FileReplaced struct{}

// Error says so in words for the user.
func (*FileReplaced) Error() string {
	return "The file is no longer there: another one replaced it before its import ended"
}

// Superseded says that a newer version of the upload is imported, or has been. The import ends without a word to the user.
type Superseded struct{}

// Error says so.
func (*Superseded) Error() string {
	return "a newer version of the upload is imported in place of this one"
}

// ofUpload returns an error of reading the upload: a *FileDeleted, a *FileReplaced, an *InvalidFile or a *StoreError of op.
func ofUpload(op string, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return &FileDeleted{}
	case errors.Is(err, ErrReplaced):
		return &FileReplaced{}
	default:
		return orStore(op, err)
	}
}

// orStore returns err as a *StoreError of op, unless it is nil or an *InvalidFile.
func orStore(op string, err error) error {
	var invalid *InvalidFile
	if err == nil || errors.As(err, &invalid) {
		return err
	}
	return &StoreError{Op: op, Err: err}
}
