package objects

import (
	"crypto/hmac"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signedSubresources are the parameters that a Signature Version 2 covers, besides those that begin with response-.
var signedSubresources = []string{
	"acl", "attributes", "cors", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy", "requestPayment",
	"restore", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// checkPresignedV2 is checkPresigned for the Signature Version 2, which boto3 still makes for the Region us-east-1. See
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html.
func (s *S3) checkPresignedV2(r *http.Request, query url.Values) *s3Error {
	expires, err := strconv.ParseInt(query.Get("Expires"), 10, 64)
	if err != nil {
		return accessDenied("Invalid date (should be seconds since epoch): " + query.Get("Expires"))
	}
	if !time.Now().Before(time.Unix(expires, 0)) {
		return accessDenied("Request has expired")
	}

	keyID, provided := query.Get("AWSAccessKeyId"), query.Get("Signature")
	secret, known := s.cfg.SecretKeys[keyID]
	if known && !hmac.Equal([]byte(provided), []byte(signatureV2(secret, textToSignV2(r, query)))) {
		return signatureMismatch(keyID, provided)
	}
	return nil
}

// textToSignV2 returns what a presigned URL of version 2 signs.
func textToSignV2(r *http.Request, query url.Values) string {
	signed := r.Header.Clone()
	for name, values := range query { // boto3 passes signed headers in the query.
		if signed.Get(name) == "" {
			signed.Set(name, strings.Join(values, ","))
		}
	}

	amz, resources := make([]string, 0, len(signed)), make([]string, 0, len(query))
	for name, values := range signed {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			amz = append(amz, lower+":"+strings.Join(values, ",")+"\n")
		}
	}
	for name, values := range query {
		if !slices.Contains(signedSubresources, name) && !strings.HasPrefix(name, "response-") {
			continue
		}
		resource := name
		if values[0] != "" {
			resource += "=" + values[0]
		}
		resources = append(resources, resource)
	}
	slices.Sort(amz)
	slices.Sort(resources)

	path := r.URL.EscapedPath()
	if len(resources) > 0 {
		path += "?" + strings.Join(resources, "&")
	}
	return strings.Join([]string{
		r.Method, signed.Get("Content-Md5"), signed.Get("Content-Type"), query.Get("Expires"), strings.Join(amz, "") + path,
	}, "\n")
}
