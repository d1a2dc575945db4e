package message

import (
	"bytes"
	"encoding/json"
	"math"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Status says where a job stands.
type Status string

// The statuses of a job. An empty status means running; the last three are terminal.
const (
	StatusRunning   Status = "running"
	StatusSucceeded Status = "succeeded"
	StatusFailed    Status = "failed"
	StatusCancelled Status = "cancelled"
)

// Terminal reports whether nothing follows this status.
func (s Status) Terminal() bool {
	return s == StatusSucceeded || s == StatusFailed || s == StatusCancelled
}

// UploadProgress is the newest state of one job, by custom an upload.
type UploadProgress struct {
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
	// ETAMillis is the estimated time to the end in milliseconds.
	ETAMillis  int64 `json:"etaMs,omitzero"`
	FailedRows int64 `json:"failedRows,omitzero"`
}

// Type returns [TypeUploadProgress].
func (UploadProgress) Type() Type { return TypeUploadProgress }

func (p UploadProgress) job() string { return p.UploadID }

// Validate returns an [*Invalid] that names every broken rule, or nil.
func (p UploadProgress) Validate() error {
	c := check{path: "data."}
	c.jobID("uploadId", p.UploadID)
	c.name("fileName", p.FileName, MaxName)
	c.text("message", p.Message)
	c.that("progress", p.Progress >= 0 && p.Progress <= 100, "must be a number from 0 to 100")
	c.count("currentRow", p.CurrentRow)
	c.count("totalRows", p.TotalRows)
	c.that("rowsPerSecond", p.RowsPerSecond >= 0 && !math.IsInf(p.RowsPerSecond, 1), "must be a number from 0")
	c.count("etaMs", p.ETAMillis)
	c.count("failedRows", p.FailedRows)
	c.oneOf("status", string(p.Status), "", string(StatusRunning), string(StatusSucceeded), string(StatusFailed), string(StatusCancelled))
	c.that("phase", utf8.ValidString(p.Phase), ruleUTF8)
	c.atMost("phase", p.Phase, MaxPhase)

	return c.err()
}

// Clipped returns p with its texts cut to what may be sent and stored: a name or a message that is too long must not keep a
// job from ending. What is not a text is left as it is.
func (p UploadProgress) Clipped() UploadProgress {
	p.FileName, p.Phase = Clip(p.FileName, MaxName), Clip(p.Phase, MaxPhase)
	text := p.Message
	p.Message = ""
	var b bytes.Buffer
	if err := encode(&b, p); err == nil {
		p.Message = Clip(text, max(MaxState-b.Len(), MaxText))
	}

	return p
}

// Severity ranks a notification.
type Severity string

// The severities.
const (
	SeverityInfo    Severity = "info"
	SeveritySuccess Severity = "success"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Notification is something the user should read once.
type Notification struct {
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	Severity Severity `json:"severity"`
	// ActionURL is where a click leads: an https or http URL, or a path that starts with one slash.
	ActionURL string `json:"actionUrl,omitzero"`
}

// Type returns [TypeNotification].
func (Notification) Type() Type { return TypeNotification }

// Validate returns an [*Invalid] that names every broken rule, or nil.
func (n Notification) Validate() error {
	c := check{path: "data."}
	c.name("title", n.Title, MaxName)
	c.text("message", n.Message)
	c.oneOf("severity", string(n.Severity), string(SeverityInfo), string(SeveritySuccess), string(SeverityWarning), string(SeverityError))
	c.atMost("actionUrl", n.ActionURL, MaxURL)
	c.that("actionUrl", n.ActionURL == "" || safeURL(n.ActionURL), "must be an https or http URL, or a path that starts with a single /")

	return c.err()
}

// safeURL refuses what a browser would run or take elsewhere than it seems: javascript:, //host, /\host, control characters.
func safeURL(s string) bool {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	if u.Scheme == "" {
		return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
	}

	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// Error tells the user that something went wrong.
type Error struct {
	// Code is stable and for programs: upper case with underscores by custom.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Details is any JSON value of at most [MaxDetails] bytes.
	Details json.RawMessage `json:"details,omitzero"`
}

// Type returns [TypeError].
func (Error) Type() Type { return TypeError }

// Validate returns an [*Invalid] that names every broken rule, or nil.
func (e Error) Validate() error {
	c := check{path: "data."}
	c.name("code", e.Code, MaxName)
	c.text("message", e.Message)
	c.that("details", len(e.Details) == 0 || json.Valid(e.Details), "must be valid JSON")
	c.that("details", utf8.Valid(e.Details), ruleUTF8) // they are sent as they are
	c.that("details", len(e.Details) <= MaxDetails, tooLong(MaxDetails))

	return c.err()
}

// Clipped returns e with its message cut to what may be sent and stored.
func (e Error) Clipped() Error {
	text := e.Message
	e.Message = ""
	var b bytes.Buffer
	if err := encode(&b, e); err == nil {
		e.Message = Clip(text, max(MaxNote-b.Len(), MaxText))
	}

	return e
}

// Unknown is the data of a frame whose type this version does not know.
type Unknown struct {
	Name Type
	JSON json.RawMessage
}

// Type returns the frame's own type.
func (u Unknown) Type() Type { return u.Name }

// MarshalJSON returns the data as it came.
func (u Unknown) MarshalJSON() ([]byte, error) { return u.JSON, nil }

// Validate returns an [*Invalid]: an unknown type is read, never sent.
func (u Unknown) Validate() error { return invalid("type", ruleType) }
