package apigw

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	signingAlgorithm = "AWS4-HMAC-SHA256"
	scopeEnd         = "aws4_request" // the last part of each credential scope
	upperHex         = "0123456789ABCDEF"
)

// signer makes signatures of AWS Signature Version 4
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). They are those of the SDK's
// v4.Signer, which takes five times as much processor time; FuzzSignaturesAreTheSDKs compares the two. A signer may be used
// concurrently.
type signer struct {
	service, region string
	key             atomic.Pointer[signingKey] // the last one
	body            atomic.Pointer[hashedBody] // the last one: a broadcast sends one frame many times
}

// signable is what is signed of a request without a query.
type signable struct {
	method  string
	path    string         // escaped
	headers []signedHeader // sorted by their names
	body    []byte
}

// signedHeader is a header that is signed, with its name in lower case.
type signedHeader struct{ name, value string }

// signingKey is derived from a secret access key for one day, one region and one service.
type signingKey struct {
	secret, date string
	scope        string    // date/region/service/aws4_request
	scratches    sync.Pool // of *scratch
}

// scratch is the memory that one signature needs.
type scratch struct {
	mac       hash.Hash // with the signing key
	text, sum []byte
}

// hashedBody is a body with its hash in hexadecimal digits.
type hashedBody struct {
	body []byte
	hash []byte
}

// signingTime returns the value of the header X-Amz-Date for a time.
func signingTime(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// authorization returns the value of the header Authorization. at is the value of X-Amz-Date, which is one of the headers. If the
// credentials have a session token, X-Amz-Security-Token is one, too.
func (s *signer) authorization(r signable, credentials aws.Credentials, at string) string {
	key := s.keyFor(credentials.SecretAccessKey, at)
	scratch, _ := key.scratches.Get().(*scratch) // its type is always this one
	defer key.scratches.Put(scratch)
	text := s.appendCanonicalRequest(scratch.text[:0], r)
	requestHash := sha256.Sum256(text)

	text = append(text[:0], signingAlgorithm+"\n"...)
	text = append(text, at...)
	text = append(text, '\n')
	text = append(text, key.scope...)
	text = append(text, '\n')
	text = hex.AppendEncode(text, requestHash[:])
	scratch.mac.Reset()
	scratch.mac.Write(text)
	scratch.sum = scratch.mac.Sum(scratch.sum[:0])

	text = append(text[:0], signingAlgorithm+" Credential="...)
	text = append(text, credentials.AccessKeyID...)
	text = append(text, '/')
	text = append(text, key.scope...)
	text = append(text, ", SignedHeaders="...)
	text = appendNames(text, r.headers)
	text = append(text, ", Signature="...)
	text = hex.AppendEncode(text, scratch.sum)
	scratch.text = text

	return string(text)
}

// keyFor returns the key for a secret on the day of at.
func (s *signer) keyFor(secret, at string) *signingKey {
	date, _, _ := strings.Cut(at, "T")
	if key := s.key.Load(); key != nil && key.secret == secret && key.date == date {
		return key
	}
	derived := []byte("AWS4" + secret)
	scope := []string{date, s.region, s.service, scopeEnd}
	for _, part := range scope {
		mac := hmac.New(sha256.New, derived)
		mac.Write([]byte(part))
		derived = mac.Sum(nil)
	}
	key := &signingKey{secret: secret, date: date, scope: strings.Join(scope, "/")}
	key.scratches.New = func() any { return &scratch{mac: hmac.New(sha256.New, derived)} }
	s.key.Store(key)

	return key
}

// appendCanonicalRequest appends the text that is hashed of a request.
func (s *signer) appendCanonicalRequest(b []byte, r signable) []byte {
	b = append(b, r.method...)
	b = append(b, '\n')
	b = appendPath(b, r.path)
	b = append(b, "\n\n"...) // a post has no query
	for _, h := range r.headers {
		b = append(b, h.name...)
		b = append(b, ':')
		b = appendValue(b, h.value)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = appendNames(b, r.headers)
	b = append(b, '\n')

	return append(b, s.hashOf(r.body)...)
}

// hashOf returns the SHA-256 hash of a body in hexadecimal digits.
func (s *signer) hashOf(body []byte) []byte {
	if last := s.body.Load(); last != nil && string(last.body) == string(body) {
		return last.hash
	}
	sum := sha256.Sum256(body)
	digits := hex.AppendEncode(nil, sum[:])
	s.body.Store(&hashedBody{body: slices.Clone(body), hash: digits}) // the caller may change its body later

	return digits
}

// appendNames appends the names of headers, separated by semicolons.
func appendNames(b []byte, headers []signedHeader) []byte {
	for i, h := range headers {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, h.name...)
	}

	return b
}

// appendValue appends the value of a header without white space at its ends, and with one space in place of several.
func appendValue(b []byte, value string) []byte {
	value = strings.TrimSpace(value)
	for {
		i := strings.Index(value, "  ")
		if i < 0 {
			return append(b, value...)
		}
		b = append(b, value[:i+1]...)
		value = strings.TrimLeft(value[i:], " ")
	}
}

// appendPath appends an escaped path, which is escaped once more. An empty path is /.
func appendPath(b []byte, path string) []byte {
	if path == "" {
		return append(b, '/')
	}
	for i := range len(path) {
		c := path[i]
		if c == '/' || unreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}

	return b
}

// unreserved reports whether c is never percent-encoded (RFC 3986, section 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// escape percent-encodes every byte that is not unreserved.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
