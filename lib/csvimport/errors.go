package csvimport

import "fmt"

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
