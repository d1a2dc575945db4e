package objects

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxFormFields bounds the fields before the file of a form, in bytes.
const maxFormFields = 20 << 10

// form is an upload by a browser's form, https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html.
type form struct {
	names  []string          // The names of the fields, in lower case and in their order.
	fields map[string]string // The values by the names.
	file   io.Reader         // The content of the file. The fields after it are ignored.
}

// readForm reads a form up to its file.
func readForm(r *http.Request) (*form, *s3Error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, newError(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
			"Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
	}

	f := &form{fields: map[string]string{}}
	left := maxFormFields
	for f.file == nil {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil, invalidArgument("POST requires exactly one file upload per request.", "file", "0")
		}
		if err != nil {
			return nil, malformedForm(err)
		}

		name, fileName, hasFileName := disposition(part)
		if name == "file" {
			f.file = part
			f.fillIn(fileName, hasFileName)
			continue
		}

		value, err := io.ReadAll(io.LimitReader(part, int64(left)+1))
		if err != nil {
			return nil, malformedForm(err)
		}
		left -= len(name) + len(value) + 1
		if left < 0 {
			return nil, newError(http.StatusBadRequest, "MaxPostPreDataLengthExceeded",
				"Your POST request fields preceding the upload file were too large.", "MaxPostPreDataLengthBytes", strconv.Itoa(maxFormFields))
		}
		if _, known := f.fields[name]; known {
			return nil, invalidArgument("Bucket POST must not contain a field more than once.", name, string(value))
		}
		f.names, f.fields[name] = append(f.names, name), string(value)
	}
	return f, nil
}

// disposition returns the name of a part's field in lower case, the last part of its file's path, and whether it has a file's name.
func disposition(part *multipart.Part) (name, fileName string, hasFileName bool) {
	_, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return "", "", false
	}
	path, hasFileName := parameters["filename"]
	return strings.ToLower(parameters["name"]), path[strings.LastIndexAny(path, `/\`)+1:], hasFileName
}

func malformedForm(err error) *s3Error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return newError(http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly")
	}
	return newError(http.StatusBadRequest, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")
}

func invalidArgument(message, name, value string) *s3Error {
	return newError(http.StatusBadRequest, "InvalidArgument", message, "ArgumentName", name, "ArgumentValue", value)
}

// fillIn replaces ${filename} in all fields, before the policy is checked. It stays if the file has no name, as on S3.
func (f *form) fillIn(fileName string, hasFileName bool) {
	for name, value := range f.fields {
		if hasFileName && !slices.Contains(uncheckedFields, name) {
			f.fields[name] = strings.ReplaceAll(value, "${filename}", fileName)
		}
	}
}

// serveForm stores the file of a form.
func (s *S3) serveForm(w *responseWriter, r *http.Request, bucket string) {
	f, failure := readForm(r)
	if failure == nil {
		failure = s.checkForm(f, bucket)
	}
	var put *http.Request
	if failure == nil {
		put, failure = f.asPut(r, w.exchange, bucket)
	}
	if failure != nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxObject)) // A browser reads the response only after it has sent the file.
		w.fail(failure)
		return
	}

	s.handler.ServeHTTP(w, put) // It answers only if it fails.
	if w.exchange.created != nil {
		w.exchange.created.reason = reasonForm
		f.answer(w, r, w.exchange)
	}
}

// checkForm checks the required fields, the signature, and the policy. A form without signature and policy is anonymous: it may upload,
// as may a PUT without signature. The file's size is checked later.
func (s *S3) checkForm(f *form, bucket string) *s3Error {
	if f.fields["key"] == "" {
		return missingField("key")
	}

	_, hasPolicy := f.fields["policy"]
	signed, failure := s.checkFormSignature(f)
	switch {
	case failure != nil:
		return failure
	case !signed && hasPolicy:
		return accessDenied("Access Denied")
	case !signed:
		f.file = &boundedFile{file: f.file, max: maxObject}
		return nil
	}

	p, failure := parsePolicy(f.fields["policy"])
	if failure != nil {
		return failure
	}
	f.file = &boundedFile{file: f.file, min: p.min, max: p.max}
	return p.check(f, bucket, time.Now())
}

func missingField(name string) *s3Error {
	return invalidArgument("Bucket POST must contain a field named '"+name+"'.  If it is specified, please check the order of the fields.", name, "")
}

// checkFormSignature checks the signature of a form's policy, of version 4 or 2. It reports whether the form has one.
func (s *S3) checkFormSignature(f *form) (signed bool, failure *s3Error) {
	for _, names := range [][]string{
		{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date"}, {"AWSAccessKeyId", "Signature"},
	} {
		policy, hasPolicy := f.fields["policy"]
		missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, sent := f.fields[strings.ToLower(name)]; return sent })
		if len(missing) == len(names) {
			continue
		}
		if len(missing) > 0 {
			return false, missingField(missing[0])
		}
		if !hasPolicy {
			return false, missingField("policy")
		}
		if len(names) == 2 {
			return true, s.checkFormV2(f, policy)
		}
		return true, s.checkFormV4(f, policy)
	}
	return false, nil
}

func (s *S3) checkFormV4(f *form, policy string) *s3Error {
	if algorithm := f.fields["x-amz-algorithm"]; algorithm != "AWS4-HMAC-SHA256" {
		return invalidArgument(`X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`, "X-Amz-Algorithm", algorithm)
	}
	keyID, scope, _ := strings.Cut(f.fields["x-amz-credential"], "/")
	secret, known := s.cfg.SecretKeys[keyID]
	provided := f.fields["x-amz-signature"]
	if known && !hmac.Equal([]byte(provided), []byte(signature(secret, scope, policy))) {
		return signatureMismatch(keyID, provided)
	}
	return nil
}

func (s *S3) checkFormV2(f *form, policy string) *s3Error {
	keyID, provided := f.fields["awsaccesskeyid"], f.fields["signature"]
	secret, known := s.cfg.SecretKeys[keyID]
	if known && !hmac.Equal([]byte(provided), []byte(signatureV2(secret, policy))) {
		return signatureMismatch(keyID, provided)
	}
	return nil
}

// signatureV2 returns the Signature Version 2 of a text.
func signatureV2(secret, toSign string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	_, _ = mac.Write([]byte(toSign)) // never fails
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// boundedFile reads a file and returns an error if its size is out of the bounds.
type boundedFile struct {
	file     io.Reader
	size     int64
	min, max int64
}

// Read reads from the file.
func (b *boundedFile) Read(p []byte) (int, error) {
	n, err := b.file.Read(p)
	b.size += int64(n)
	switch {
	case b.size > b.max:
		rest, _ := io.Copy(io.Discard, b.file) // A browser reads the response only after it has sent the file.
		b.size += rest
		return 0, newError(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size",
			"ProposedSize", strconv.FormatInt(b.size, 10), "MaxSizeAllowed", strconv.FormatInt(b.max, 10))
	case errors.Is(err, io.EOF) && b.size < b.min:
		return n, newError(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size",
			"ProposedSize", strconv.FormatInt(b.size, 10), "MinSizeAllowed", strconv.FormatInt(b.min, 10))
	default:
		return n, err
	}
}

// objectFields are the fields that are headers of the object.
var objectFields = []string{
	"cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires", "x-amz-storage-class",
	"x-amz-website-redirect-location", "x-amz-tagging",
}

// asPut returns the PUT that stores the file of the form.
func (f *form) asPut(r *http.Request, x *exchange, bucket string) (*http.Request, *s3Error) {
	put := r.Clone(r.Context())
	put.Method, put.Header = http.MethodPut, http.Header{}
	put.URL = &url.URL{Path: "/" + bucket + "/" + f.fields["key"]}
	put.Body = io.NopCloser(f.file)
	x.body, x.md5 = f.file, ""
	put.ContentLength, put.TransferEncoding = -1, []string{"chunked"} // The size is not known yet.
	checksums := http.Header{}
	for name, value := range f.fields {
		if slices.Contains(objectFields, name) || strings.HasPrefix(name, "x-amz-meta-") {
			put.Header.Set(name, value)
		} else if strings.HasPrefix(name, strings.ToLower(checksumHeader)) {
			checksums.Set(name, value)
		}
	}

	var failure *s3Error
	x.claim, failure = readClaim(checksums)
	return put, failure
}

// postResponse is the body of the response with the status 201.
type postResponse struct {
	XMLName  xml.Name `xml:"PostResponse"`
	Location string
	Bucket   string
	Key      string
	ETag     string
}

// answer sends the response that the form asks for: a redirect, or one of three statuses.
func (f *form) answer(w *responseWriter, r *http.Request, x *exchange) {
	etag, location := x.stored.quotedETag(), locationOf(r, x.created.bucket, x.created.key)
	w.Header().Set("ETag", etag)

	target := f.fields["success_action_redirect"]
	if target == "" {
		target = f.fields["redirect"]
	}
	if redirect, err := url.Parse(target); err == nil && redirect.Host != "" && (redirect.Scheme == "http" || redirect.Scheme == "https") {
		query := fmt.Sprintf("bucket=%s&key=%s&etag=%s", url.QueryEscape(x.created.bucket), url.QueryEscape(x.created.key), url.QueryEscape(etag))
		if redirect.RawQuery != "" {
			query = redirect.RawQuery + "&" + query
		}
		redirect.RawQuery = query
		w.Header().Set("Location", redirect.String())
		w.WriteHeader(http.StatusSeeOther)
		return
	}

	w.Header().Set("Location", location)
	switch f.fields["success_action_status"] {
	case "200":
		w.WriteHeader(http.StatusOK)
	case "201":
		w.respond(http.StatusCreated, postResponse{Location: location, Bucket: x.created.bucket, Key: x.created.key, ETag: etag})
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
