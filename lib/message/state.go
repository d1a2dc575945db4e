package message

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"unicode/utf8"
)

// Status is the status of a job.
type Status string

// The statuses of a job. An empty status means running; the last three are terminal.
const (
	StatusRunning Status = "running"
	// StatusQueued means that the work has not begun.
	StatusQueued Status = "queued"
	// StatusWaiting means that the work waits for a person or for another system.
	StatusWaiting Status = "waiting"
	// StatusRetrying means that a try has failed, and that another one begins or will begin.
	StatusRetrying Status = "retrying"
	// StatusStalled means that there was no news of the work for longer than expected.
	StatusStalled   Status = "stalled"
	StatusSucceeded Status = "succeeded"
	StatusFailed    Status = "failed"
	StatusCancelled Status = "cancelled"
)

// Terminal reports whether the status is final.
func (s Status) Terminal() bool {
	return s == StatusSucceeded || s == StatusFailed || s == StatusCancelled
}

// Other reports whether s means another status than old. An empty status means running.
func (s Status) Other(old Status) bool { return cmp.Or(s, StatusRunning) != cmp.Or(old, StatusRunning) }

// statusNames are the statuses that a state may have. An empty one means running.
var statusNames = []string{
	"", string(StatusRunning), string(StatusQueued), string(StatusWaiting), string(StatusRetrying), string(StatusStalled),
	string(StatusSucceeded), string(StatusFailed), string(StatusCancelled),
}

// UploadProgress is the newest state of one job, usually an upload.
type UploadProgress struct {
	// UploadID is the id of the job, whatever the job is.
	UploadID string `json:"uploadId"`
	FileName string `json:"fileName"`
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

// Type returns [TypeUploadProgress].
func (UploadProgress) Type() Type { return TypeUploadProgress }

// Validate returns an [*Invalid] that names every broken rule, or nil.
func (p UploadProgress) Validate() error { return p.validateAs("uploadId", "fileName") }

func (p UploadProgress) state() UploadProgress         { return p }
func (UploadProgress) fromState(s UploadProgress) Data { return s }

// validateAs returns an [*Invalid] that names every broken rule, or nil. id and name are the fields with the id and the name of the job.
func (p UploadProgress) validateAs(id, name string) error {
	v := validator{path: "data."}
	v.requireJobID(id, p.UploadID)
	v.requireName(name, p.FileName, MaxName)
	v.requireText("message", p.Message)
	v.require("progress", p.Progress >= 0 && p.Progress <= 100, "must be a number from 0 to 100")
	v.requireCount("currentRow", p.CurrentRow)
	v.requireCount("totalRows", p.TotalRows)
	v.require("rowsPerSecond", p.RowsPerSecond >= 0 && !math.IsInf(p.RowsPerSecond, 1), "must be a number from 0")
	v.requireCount("etaMs", p.ETAMillis)
	v.requireCount("failedRows", p.FailedRows)
	v.requireOneOf("status", string(p.Status), statusNames...)
	v.require("phase", utf8.ValidString(p.Phase), ruleUTF8)
	v.maxJSONBytes("phase", p.Phase, MaxPhase)
	v.require("attempt", p.Attempt >= 0 && p.Attempt <= MaxAttempt, ruleAttempt)
	v.require("of", p.Of >= 0 && p.Of <= MaxAttempt, ruleAttempt)
	v.require("of", p.Of == 0 || p.Attempt > 0, "needs an attempt")
	v.require("of", p.Of == 0 || p.Of >= p.Attempt, "must not be under attempt")
	v.require("expectEvery", p.ExpectEvery == 0 || p.ExpectEvery >= MinExpectEvery && p.ExpectEvery <= MaxExpectEvery, ruleExpectEvery)
	v.require("endAfter", p.EndAfter == 0 || p.EndAfter >= MinEndAfter && p.EndAfter <= MaxEndAfter, ruleEndAfter)
	v.require("endAfter", p.EndAfter == 0 || p.EndAfter > p.ExpectEvery, "must be over expectEvery")
	if p.Result != "" {
		v.requireResult(p.Result)
		v.require("result", p.Status.Terminal(), "is only for an end: succeeded, failed or cancelled")
	}
	v.requireSteps(p.Steps)
	return v.err()
}

var (
	ruleAttempt     = fmt.Sprintf("must be from 1 to %d", MaxAttempt)
	ruleExpectEvery = fmt.Sprintf("must be from %d to %d seconds", MinExpectEvery, MaxExpectEvery)
	ruleEndAfter    = fmt.Sprintf("must be from %d to %d seconds", MinEndAfter, MaxEndAfter)
)

// positiveFields are the fields of a state that must not be 0, if they are given. The Go types cannot distinguish 0 from an absent
// field.
var positiveFields = map[string]string{"attempt": ruleAttempt, "of": ruleAttempt, "expectEvery": ruleExpectEvery, "endAfter": ruleEndAfter}

// Truncated returns p with its file name, phase and message truncated to their limits, so that a long text does not prevent
// the end of a job from being stored. It removes a result that leaves no room for a message, and the oldest steps if they leave less
// than MaxText bytes for one. It does not change other fields.
func (p UploadProgress) Truncated() UploadProgress {
	p.FileName, p.Phase = Truncate(p.FileName, MaxName), Truncate(p.Phase, MaxPhase)
	fullMessage, steps := p.Message, p.Steps
	p.Message, p.Steps = "", ""
	if MaxState-p.size() < minTruncated {
		p.Result = ""
	}
	p.Message = Truncate(fullMessage, MaxText)
	p = p.WithSteps(steps)
	p.Message = ""
	p.Message = Truncate(fullMessage, max(MaxState-p.size(), minTruncated))
	return p
}

// size returns how many bytes of JSON p takes. A state that cannot be encoded takes none: Validate reports it.
func (p UploadProgress) size() int {
	var b bytes.Buffer
	if err := encodeJSON(&b, p); err != nil {
		return 0
	}
	return b.Len()
}

// minTruncated is the smallest limit of a truncated message. Validate reports a state that leaves no room for it.
const minTruncated = len("…")

// jobState is the data of a type of kindState.
type jobState interface {
	Data

	// state returns the data as UploadProgress.
	state() UploadProgress
	// fromState returns the state as data of this type.
	fromState(s UploadProgress) Data
}

// AsUploadProgress returns data as [UploadProgress] if it is the state of a job of any type, or a pointer to one. All packages handle
// states in this form: UploadID is the id of the job, and FileName its name. See [AsType] for the way back.
func AsUploadProgress(data Data) (UploadProgress, bool) {
	value, _ := producerValue(data)
	if s, ok := value.(jobState); ok {
		return s.state(), true
	}
	return UploadProgress{}, false
}

// AsType returns a state as data of the type t. If t is not a type of states that this version knows, it returns s.
func AsType(t Type, s UploadProgress) Data {
	if zero, ok := types[t].zero.(jobState); ok {
		return zero.fromState(s)
	}
	return s
}
