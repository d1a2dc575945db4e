package message

import "reflect"

// JobProgress is the newest state of one job that is not a file, such as a report, a training or the run of an agent. Its fields are
// those of [UploadProgress], in the same order, with JobID and Title in place of UploadID and FileName.
type JobProgress struct {
	JobID string `json:"jobId"`
	// Title names the job for its user.
	Title string `json:"title"`
	// Progress is a percentage, 0 to 100.
	Progress float64 `json:"progress"`
	Message  string  `json:"message"`

	CurrentRow    int64   `json:"currentRow,omitzero"`
	TotalRows     int64   `json:"totalRows,omitzero"`
	Status        Status  `json:"status,omitzero"`
	Phase         string  `json:"phase,omitzero"`
	RowsPerSecond float64 `json:"rowsPerSecond,omitzero"`
	// ETAMillis is the estimated time to completion in milliseconds.
	ETAMillis  int64 `json:"etaMs,omitzero"`
	FailedRows int64 `json:"failedRows,omitzero"`
	// Attempt is the number of the try that the state belongs to, from 1. Zero means that the worker does not count its tries.
	Attempt int64 `json:"attempt,omitzero"`
	// Of is how many tries there are at most. Zero means that this is unknown.
	Of int64 `json:"of,omitzero"`
	// ExpectEvery is after how many seconds without news the job counts as stalled. EndAfter is after how many seconds without news it
	// ends as failed. Zero means never.
	ExpectEvery int64 `json:"expectEvery,omitzero"`
	EndAfter    int64 `json:"endAfter,omitzero"`
	// Result is where the result of the job is: an https URL, or a key of S3 under the user's own results, see [ResultPrefix]. Only an end
	// has one.
	Result string `json:"result,omitzero"`
	// Steps are what the job went through, in the order in which it began. A state without steps leaves those of its run.
	Steps Steps `json:"steps,omitzero"`
}

// Type returns [TypeJobProgress].
func (JobProgress) Type() Type { return TypeJobProgress }

// Validate returns an [*Invalid] that names every broken rule, or nil.
func (p JobProgress) Validate() error { return p.state().validateAs("jobId", "title") }

func (p JobProgress) state() UploadProgress {
	var s UploadProgress
	copyFields(&s, &p)
	return s
}

func (JobProgress) fromState(s UploadProgress) Data {
	var p JobProgress
	copyFields(&p, &s)
	return p
}

// copyFields copies the fields of one struct to another one that has fields of the same types in the same order.
func copyFields(dst, src any) {
	to, from := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for i := range from.NumField() {
		to.Field(i).Set(from.Field(i))
	}
}
