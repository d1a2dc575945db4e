package objects

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// amzDateLayout is the time format of X-Amz-Date.
const amzDateLayout = "20060102T150405Z"

// checkPresigned returns the error with which S3 answers a presigned request that has expired, or that differs from what was
// signed. It returns nil for a valid one, and for a request that is not presigned. Signatures of unknown keys are not checked. See
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html.
func (s *S3) checkPresigned(r *http.Request) *s3Error {
	query := r.URL.Query()
	if query.Has("AWSAccessKeyId") && query.Has("Signature") {
		return s.checkPresignedV2(r, query)
	}
	if !query.Has("X-Amz-Algorithm") {
		return nil
	}
	signedAt, err := time.Parse(amzDateLayout, query.Get("X-Amz-Date"))
	life, lifeErr := strconv.Atoi(query.Get("X-Amz-Expires"))
	if err != nil || lifeErr != nil || !time.Now().Before(signedAt.Add(time.Duration(life)*time.Second)) {
		return accessDenied("Request has expired")
	}
	keyID, scope, _ := strings.Cut(query.Get("X-Amz-Credential"), "/")
	secret, known := s.cfg.SecretKeys[keyID]
	if !known {
		return nil
	}
	if !hmac.Equal([]byte(query.Get("X-Amz-Signature")), []byte(presignature(r, secret, scope))) {
		return signatureMismatch(keyID, query.Get("X-Amz-Signature"))
	}

	return nil
}

// presignature returns the signature of a presigned request: of its method, path, query and signed headers, not of its body.
func presignature(r *http.Request, secret, scope string) string {
	query := r.URL.Query()
	query.Del("X-Amz-Signature")
	var headers strings.Builder
	signed := query.Get("X-Amz-SignedHeaders")
	for name := range strings.SplitSeq(signed, ";") {
		headers.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	canonical := strings.Join([]string{
		r.Method, escapePath(r.URL.Path), canonicalQuery(query), headers.String(), signed, "UNSIGNED-PAYLOAD",
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", query.Get("X-Amz-Date"), scope, hex.EncodeToString(sum[:])}, "\n")

	return signature(secret, scope, toSign)
}

// signature returns the Signature Version 4 of a text.
func signature(secret, scope, toSign string) string {
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") { // date, Region, service, aws4_request
		key = hmacSHA256(key, part)
	}
	return hex.EncodeToString(hmacSHA256(key, toSign))
}

func accessDenied(message string) *s3Error {
	return newError(http.StatusForbidden, "AccessDenied", message)
}

func signatureMismatch(keyID, provided string) *s3Error {
	return newError(http.StatusForbidden, "SignatureDoesNotMatch",
		"The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		"AWSAccessKeyId", keyID, "SignatureProvided", provided)
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(text)) // never fails
	return mac.Sum(nil)
}

// headerValue returns the value of a signed header. net/http keeps Host and Content-Length apart from the others.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	default:
		return strings.TrimSpace(strings.Join(r.Header.Values(name), ","))
	}
}

// canonicalQuery returns the parameters in the order of their names.
func canonicalQuery(query map[string][]string) string {
	var pairs []string
	for name, values := range query {
		for _, value := range values {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escapePath escapes the segments of a path.
func escapePath(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = escape(segment)
	}
	return strings.Join(segments, "/")
}

// escape escapes all bytes except the unreserved ones of RFC 3986, section 2.3.
func escape(text string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string(hexDigits[c>>4]) + string(hexDigits[c&0xf]))
		}
	}
	return b.String()
}
