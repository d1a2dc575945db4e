package message

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// resultsPrefix is the prefix of the keys of all results.
const resultsPrefix = "results/"

const (
	ruleResult    = "must be an https URL, or a key of S3 that begins with results/ and the user's id in base64url without padding"
	ruleResultKey = "must be a key of S3 without control characters, empty segments, . and .."
)

// ResultPrefix returns the prefix of the keys of a user's results: results/<the id in base64url without padding>/.
func ResultPrefix(userID string) string {
	return resultsPrefix + base64.RawURLEncoding.EncodeToString([]byte(userID)) + "/"
}

// IsResultOf reports whether result may be the result of a job of a user: an https URL, or a key under the user's own results.
func IsResultOf(userID, result string) bool {
	var v validator
	v.requireResult(result)
	v.requireOwnResult(userID, result)
	return len(v.problems) == 0
}

// IsResultKey reports whether a valid result is a key of S3, not a URL.
func IsResultKey(result string) bool { return strings.HasPrefix(result, resultsPrefix) }

// requireResult requires an https URL, or a key of S3 under the results of any user.
func (v *validator) requireResult(s string) {
	if !IsResultKey(s) {
		v.maxJSONBytes("result", s, MaxURL)
		u, err := url.Parse(s)
		v.require("result", err == nil && safeURL(s) && u.Scheme == "https", ruleResult)
		return
	}
	if len(s) > MaxResultKey {
		v.require("result", false, maxBytesRule(MaxResultKey))
		return
	}
	v.require("result", utf8.ValidString(s) && !strings.ContainsFunc(s, forbiddenInID) && validSegments(s), ruleResultKey)
}

// validSegments reports whether no segment of a key is empty, . or .., which browsers and servers resolve.
func validSegments(key string) bool {
	return !slices.ContainsFunc(strings.Split(key, "/"), func(segment string) bool { return slices.Contains([]string{"", ".", ".."}, segment) })
}

// requireOwnResult requires that a key is under the user's own results.
func (v *validator) requireOwnResult(userID, result string) {
	v.require("result", !IsResultKey(result) || userID != "" && strings.HasPrefix(result, ResultPrefix(userID)), ruleResult)
}

// DownloadURL is the answer to a download.
type DownloadURL struct {
	// Request is the request of the message that this frame answers.
	Request string `json:"request"`
	// Job is the id of the job whose result it is.
	Job string `json:"job"`
	// URL is where a GET returns the result. A presigned URL is a secret of the user: it must not be logged.
	URL string `json:"url"`
	// ExpiresAt is when the URL expires. It is missing if the job itself named the URL.
	ExpiresAt Time `json:"expiresAt,omitzero"`
}

// Type returns [TypeDownloadURL].
func (DownloadURL) Type() Type { return TypeDownloadURL }

// Validate returns nil, because the server makes the frame.
func (DownloadURL) Validate() error { return nil }
