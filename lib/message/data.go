package message

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Severity ranks a notification.
type Severity string

// The severities.
const (
	SeverityInfo    Severity = "info"
	SeveritySuccess Severity = "success"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Notification is a text that the user should read once.
type Notification struct {
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	Severity Severity `json:"severity"`
	// ActionURL is the target of a click: an https or http URL, or a path that starts with a single slash.
	ActionURL string `json:"actionUrl,omitzero"`
}

// Type returns [TypeNotification].
func (Notification) Type() Type { return TypeNotification }

// Validate returns an [*Invalid] that names every broken rule, or nil.
func (n Notification) Validate() error {
	v := validator{path: "data."}
	v.requireName("title", n.Title, MaxName)
	v.requireText("message", n.Message)
	v.requireOneOf("severity", string(n.Severity), string(SeverityInfo), string(SeveritySuccess), string(SeverityWarning), string(SeverityError))
	v.maxJSONBytes("actionUrl", n.ActionURL, MaxURL)
	v.require("actionUrl", n.ActionURL == "" || safeURL(n.ActionURL), "must be an https or http URL, or a path that starts with a single /")
	return v.err()
}

// safeURL reports whether a browser may follow s. It rejects scripts and URLs that lead to another host than they show:
// javascript:, //host, /\host, control characters, user names.
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

// Error informs the user of a failure.
type Error struct {
	// Code is a stable code for programs, by convention in upper case with underscores.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Details is any JSON value of at most [MaxDetails] bytes.
	Details json.RawMessage `json:"details,omitzero"`
}

// Type returns [TypeError].
func (Error) Type() Type { return TypeError }

// Validate returns an [*Invalid] that names every broken rule, or nil.
func (e Error) Validate() error {
	v := validator{path: "data."}
	v.requireName("code", e.Code, MaxName)
	v.requireText("message", e.Message)
	v.require("details", len(e.Details) == 0 || json.Valid(e.Details), "must be valid JSON")
	v.require("details", utf8.Valid(e.Details), ruleUTF8) // Invalid bytes would get into the frame: details are sent unchanged.
	v.require("details", len(e.Details) <= MaxDetails, maxBytesRule(MaxDetails))
	return v.err()
}

// Truncated returns e with its message truncated, so that e fits [MaxNote]. It does not change other fields.
func (e Error) Truncated() Error {
	fullMessage := e.Message
	e.Message = ""
	var withoutMessage bytes.Buffer
	if err := encodeJSON(&withoutMessage, e); err != nil {
		return e // the details are no JSON: Validate reports it
	}
	e.Message = Truncate(fullMessage, max(MaxNote-withoutMessage.Len(), MaxText))
	return e
}

// Unknown is the data of a frame of a type that this version does not know.
type Unknown struct {
	Name Type
	JSON json.RawMessage
}

// Type returns the type of the frame.
func (u Unknown) Type() Type { return u.Name }

// MarshalJSON returns the data unchanged.
func (u Unknown) MarshalJSON() ([]byte, error) { return u.JSON, nil }

// Validate returns an [*Invalid], because unknown types are received but never sent.
func (u Unknown) Validate() error { return invalid("type", ruleType()) }
