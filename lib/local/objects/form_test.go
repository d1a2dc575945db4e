package objects_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	formwriter "mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/objects"
)

// scope is the scope of the forms' signatures, and credential is their key with the scope.
const (
	scope      = "20260102/us-east-1/s3/aws4_request"
	credential = "x/" + scope
)

// signedForm returns the fields of a form under a policy, in pairs of name and value, signed with the key x, whose secret is y. The
// policy expires in an hour, and allows the bucket and the fields of the signature besides the conditions.
func signedForm(conditions string, fields ...string) []string {
	return signedFormAt(time.Now().Add(time.Hour), conditions, fields...)
}

func signedFormAt(expiration time.Time, conditions string, fields ...string) []string {
	policy := fmt.Sprintf(`{"expiration": %q, "conditions": [{"bucket": "uploads"}, {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
		{"x-amz-credential": %q}, {"x-amz-date": "20260102T000000Z"}, %s]}`, expiration.UTC().Format(time.RFC3339), credential, conditions)
	return append(fields, signPolicy(policy)...)
}

// signPolicy returns the fields with a policy and its signature.
func signPolicy(policy string) []string {
	encoded := base64.StdEncoding.EncodeToString([]byte(policy))
	key := []byte("AWS4y")
	for part := range strings.SplitSeq(scope, "/") {
		key = sign(key, part)
	}
	return []string{
		"x-amz-algorithm", "AWS4-HMAC-SHA256", "x-amz-credential", credential, "x-amz-date", "20260102T000000Z", "policy", encoded,
		"x-amz-signature", hex.EncodeToString(sign(key, encoded)),
	}
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// formAnswer is the response to a form.
type formAnswer struct {
	status  int
	header  http.Header
	code    string
	message string
	body    string
}

// postForm sends the fields and then a file with the given name; a name of "-" means a file without one.
func postForm(t *testing.T, url, fileName, content string, fields []string) formAnswer {
	t.Helper()
	var body bytes.Buffer
	w := formwriter.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	header := `form-data; name="file"; filename="` + fileName + `"`
	if fileName == "-" {
		header = `form-data; name="file"`
	}
	file, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {header}})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(file, content)
	if err := w.WriteField("submit", "Upload"); err != nil { // The fields after the file are ignored.
		t.Fatal(err)
	}
	_ = w.Close()
	return postBody(t, url, w.FormDataContentType(), body.String())
}

func postBody(t *testing.T, url, contentType, body string) formAnswer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	return do(t, r)
}

// do sends a request and does not follow redirects.
func do(t *testing.T, r *http.Request) formAnswer {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var failure struct{ Code, Message string }
	if answer.StatusCode >= http.StatusBadRequest {
		if err := xml.Unmarshal(text, &failure); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	return formAnswer{answer.StatusCode, answer.Header, failure.Code, failure.Message, string(text)}
}

// newSigned returns an endpoint that checks the signatures of the key x.
func newSigned(t *testing.T, created func(context.Context, json.RawMessage)) (*s3.Client, string) {
	t.Helper()
	endpoint, err := objects.New(objects.Config{
		Bucket: "uploads", Dir: t.TempDir(), Prefix: "in/", Created: created, SecretKeys: map[string]string{"x": "y"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = endpoint.Close() })
	cfg := wiretest.Config(t, endpoint)
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), *cfg.BaseEndpoint
}

func TestAFormIsStoredAndSendsAnEvent(t *testing.T) {
	t.Parallel()
	var events eventLog
	client, endpoint := newSigned(t, events.add)
	for fileName, want := range map[string]string{
		"list.csv": "list.csv", `C:\dir\list.csv`: "list.csv", "/home/me/list.csv": "list.csv", "Teile liste ä.csv": "Teile liste ä.csv",
		"": "", "-": "${filename}",
	} {
		answer := postForm(t, endpoint+"/uploads", fileName, "part,color\n", signedForm(
			`["starts-with", "$key", "in/u/"], ["starts-with", "$Content-Type", "text/"], ["eq", "$x-amz-meta-Name", "value"], {"Cache-Control": "no-cache"}`,
			"key", "in/u/${filename}", "Content-Type", "text/csv", "X-Amz-Meta-Name", "value", "cache-control", "no-cache", "x-ignore-more", "1",
		))
		key := "in/u/" + want
		if answer.status != http.StatusNoContent || answer.body != "" || answer.header.Get("Location") == "" {
			t.Errorf("%q: %+v", fileName, answer)
		}

		body, out, err := get(t, client, s3.GetObjectInput{Key: &key})
		if err != nil || body != "part,color\n" || aws.ToString(out.ContentType) != "text/csv" || out.Metadata["name"] != "value" ||
			aws.ToString(out.CacheControl) != "no-cache" || aws.ToString(out.ETag) != answer.header.Get("ETag") {
			t.Errorf("%q: got %q, %+v, %v", fileName, body, out, err)
		}

		got := events.drain()
		if len(got) != 1 {
			t.Fatalf("%q: %d events, want 1", fileName, len(got))
		}
		detail, _ := got[0]["detail"].(map[string]any)
		object, _ := detail["object"].(map[string]any)
		if detail["reason"] != "POST Object" || object["key"] != key || object["size"] != 11.0 {
			t.Errorf("%q: event %v", fileName, detail)
		}
	}
}

func TestAFormIsAnsweredAsItAsks(t *testing.T) {
	t.Parallel()
	_, endpoint := newSigned(t, nil)
	any3 := `["starts-with", "$key", ""], ["starts-with", "$success_action_status", ""], ["starts-with", "$success_action_redirect", ""]`
	const etag = "%22900150983cd24fb0d6963f7d28e17f72%22"
	for _, tt := range []struct {
		status, redirect string
		want             int
		location         string
	}{
		{"200", "", 200, endpoint + "/uploads/in%2Fa%20b"},
		{"201", "", 201, endpoint + "/uploads/in%2Fa%20b"},
		{"204", "", 204, endpoint + "/uploads/in%2Fa%20b"},
		{"404", "", 204, endpoint + "/uploads/in%2Fa%20b"},
		{"201", "http://localhost:3000/done?x=1", 303, "http://localhost:3000/done?x=1&bucket=uploads&key=in%2Fa+b&etag=" + etag},
		{"201", "/relative", 201, endpoint + "/uploads/in%2Fa%20b"},
		{"", "javascript:alert(1)", 204, endpoint + "/uploads/in%2Fa%20b"},
	} {
		answer := postForm(t, endpoint+"/uploads/", "a", "abc", signedForm(any3,
			"key", "in/a b", "success_action_status", tt.status, "success_action_redirect", tt.redirect))
		if answer.status != tt.want || answer.header.Get("Location") != tt.location {
			t.Errorf("%+v: %+v", tt, answer)
		}
		var result struct{ Location, Bucket, Key, ETag string }
		if tt.want == http.StatusCreated && (xml.Unmarshal([]byte(answer.body), &result) != nil || result.Location != tt.location ||
			result.Bucket != "uploads" || result.Key != "in/a b" || result.ETag != `"900150983cd24fb0d6963f7d28e17f72"`) {
			t.Errorf("%+v: body %s", tt, answer.body)
		}
	}
}

// TestAFormMustMeetItsPolicy compares the errors with those recorded of Amazon S3.
func TestAFormMustMeetItsPolicy(t *testing.T) {
	t.Parallel()
	var events eventLog
	client, endpoint := newSigned(t, events.add)
	key, size := `{"key": "in/a"}`, `{"key": "in/a"}, ["content-length-range", 3, 5]`
	hour := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	cut := func(fields []string, name string) []string {
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == name {
				return append(append([]string{}, fields[:i]...), fields[i+2:]...)
			}
		}
		return fields
	}

	for name, tt := range map[string]struct {
		fields  []string
		content string
		status  int
		code    string
		message string
	}{
		"a key that it allows":           {signedForm(key, "key", "in/a"), "abc", 204, "", ""},
		"names in another case":          {signedForm(`["StArTs-WiTh", "$KeY", "in/"]`, "KEY", "in/a"), "abc", 204, "", ""},
		"a list of content types":        {signedForm(key+`, ["starts-with", "$Content-Type", "image/"]`, "key", "in/a", "Content-Type", "image/a,image/b"), "abc", 204, "", ""},
		"the least size":                 {signedForm(size, "key", "in/a"), "abc", 204, "", ""},
		"the largest size":               {signedForm(size, "key", "in/a"), "abcde", 204, "", ""},
		"bounds as strings":              {signedForm(key+`, ["content-length-range", "3", "5"]`, "key", "in/a"), "abc", 204, "", ""},
		"the policy's escapes":           {signedForm(`["eq", "$key", "in/\$a"]`, "key", "in/$a"), "abc", 204, "", ""},
		"no policy and no signature":     {[]string{"key", "in/a"}, "abc", 204, "", ""},
		"another key":                    {signedForm(key, "key", "in/b"), "abc", 403, "AccessDenied", `Invalid according to Policy: Policy Condition failed: ["eq", "$key", "in/a"]`},
		"another prefix":                 {signedForm(`["starts-with", "$key", "in/"]`, "key", "out/a"), "abc", 403, "AccessDenied", `Invalid according to Policy: Policy Condition failed: ["starts-with", "$key", "in/"]`},
		"a value in another case":        {signedForm(key, "key", "IN/a"), "abc", 403, "AccessDenied", `Invalid according to Policy: Policy Condition failed: ["eq", "$key", "in/a"]`},
		"a content type besides":         {signedForm(key+`, ["starts-with", "$Content-Type", "image/"]`, "key", "in/a", "Content-Type", "image/a,text/b"), "abc", 403, "AccessDenied", `Invalid according to Policy: Policy Condition failed: ["starts-with", "$Content-Type", "image/"]`},
		"a missing field":                {signedForm(key+`, ["starts-with", "$Content-Type", ""]`, "key", "in/a"), "abc", 403, "AccessDenied", `Invalid according to Policy: Policy Condition failed: ["starts-with", "$Content-Type", ""]`},
		"a field without a condition":    {signedForm(key, "key", "in/a", "X-Amz-Meta-Foo", "1"), "abc", 403, "AccessDenied", "Invalid according to Policy: Extra input fields: x-amz-meta-foo"},
		"another bucket":                 {signedForm(key+`, {"bucket": "other"}`, "key", "in/a"), "abc", 403, "AccessDenied", `Invalid according to Policy: Policy Condition failed: ["eq", "$bucket", "other"]`},
		"no dollar sign":                 {signedForm(`["eq", "key", "in/a"]`, "key", "in/a"), "abc", 403, "AccessDenied", `Invalid according to Policy: Policy Condition failed: ["eq", "key", "in/a"]`},
		"expired":                        {signedFormAt(time.Now().Add(-time.Second), key, "key", "in/a"), "abc", 403, "AccessDenied", "Invalid according to Policy: Policy expired."},
		"too small":                      {signedForm(size, "key", "in/a"), "ab", 400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"},
		"too large":                      {signedForm(size, "key", "in/a"), "abcdef", 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"},
		"too large by far":               {signedForm(size, "key", "in/a"), strings.Repeat("a", 1<<20), 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"},
		"a bound that is no number":      {signedForm(key+`, ["content-length-range", "a", "5"]`, "key", "in/a"), "abc", 403, "AccessDenied", `Invalid according to Policy: Policy Condition failed: ["content-length-range", "a", "5"]`},
		"a negative bound":               {signedForm(key+`, ["content-length-range", -1, 0]`, "key", "in/a"), "abc", 400, "InvalidPolicyDocument", ""},
		"a missing bound":                {signedForm(key+`, ["content-length-range", 0]`, "key", "in/a"), "abc", 400, "InvalidPolicyDocument", ""},
		"an empty condition":             {signedForm(key+`, {}`, "key", "in/a"), "abc", 400, "InvalidPolicyDocument", "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."},
		"two in one simple condition":    {signedForm(`{"key": "in/a", "acl": "private"}`, "key", "in/a"), "abc", 400, "InvalidPolicyDocument", "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."},
		"a condition that is no string":  {signedForm(key+`, {"Content-Length": 3}`, "key", "in/a"), "abc", 400, "InvalidPolicyDocument", "Invalid Policy: Invalid Simple-Condition: value must be a string."},
		"an unknown operation":           {signedForm(key+`, ["ends-with", "$key", "a"]`, "key", "in/a"), "abc", 400, "InvalidPolicyDocument", ""},
		"no JSON":                        {append([]string{"key", "in/a"}, signPolicy(`{'expiration'}`)...), "abc", 400, "InvalidPolicyDocument", "Invalid Policy: Invalid JSON."},
		"no expiration":                  {append([]string{"key", "in/a"}, signPolicy(`{"conditions": []}`)...), "abc", 400, "InvalidPolicyDocument", ""},
		"no conditions":                  {append([]string{"key", "in/a"}, signPolicy(`{"expiration": "`+hour+`"}`)...), "abc", 400, "InvalidPolicyDocument", ""},
		"EXPIRATION in another case":     {append([]string{"key", "in/a"}, signPolicy(`{"EXPIRATION": "`+hour+`", "conditions": []}`)...), "abc", 400, "InvalidPolicyDocument", ""},
		"a date of another format":       {append([]string{"key", "in/a"}, signPolicy(`{"expiration": "2999-01-01 00:00:00", "conditions": []}`)...), "abc", 400, "InvalidPolicyDocument", ""},
		"no key":                         {signedForm(key), "abc", 400, "InvalidArgument", "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."},
		"no signature":                   {cut(signedForm(key, "key", "in/a"), "x-amz-signature"), "abc", 400, "InvalidArgument", "Bucket POST must contain a field named 'X-Amz-Signature'.  If it is specified, please check the order of the fields."},
		"no policy":                      {cut(signedForm(key, "key", "in/a"), "policy"), "abc", 400, "InvalidArgument", "Bucket POST must contain a field named 'policy'.  If it is specified, please check the order of the fields."},
		"a policy without any signature": {[]string{"key", "in/a", "policy", "e30="}, "abc", 403, "AccessDenied", "Access Denied"},
		"another signature":              {append(cut(signedForm(key, "key", "in/a"), "x-amz-signature"), "x-amz-signature", strings.Repeat("0", 64)), "abc", 403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
		"too many bytes of fields":       {[]string{"key", "in/a", "x-amz-meta-a", strings.Repeat("a", 20<<10)}, "abc", 400, "MaxPostPreDataLengthExceeded", ""},
		"a wrong checksum":               {[]string{"key", "in/a", "x-amz-checksum-crc32", "AAAAAA=="}, "abc", 400, "BadDigest", ""},
	} {
		answer := postForm(t, endpoint+"/uploads", "a", tt.content, tt.fields)
		if answer.status != tt.status || answer.code != tt.code || tt.message != "" && answer.message != tt.message {
			t.Errorf("%s: %d %s %q, want %d %s %q", name, answer.status, answer.code, answer.message, tt.status, tt.code, tt.message)
		}

		wanted := 0
		if tt.status < http.StatusBadRequest {
			wanted = 1
		}
		if got := len(events.drain()); got != wanted {
			t.Errorf("%s: %d events, want %d", name, got, wanted)
		}
	}

	// What is refused is not stored.
	_, _, err := get(t, client, s3.GetObjectInput{Key: aws.String("in/b")})
	wiretest.WantCode(t, "refused", err, "NoSuchKey")
}

// TestAFormMayHaveASignatureOfVersion2, which boto3 still makes for the Region us-east-1.
func TestAFormMayHaveASignatureOfVersion2(t *testing.T) {
	t.Parallel()
	_, endpoint := newSigned(t, nil)
	policy := base64.StdEncoding.EncodeToString([]byte(
		`{"expiration": "2999-01-01T00:00:00Z", "conditions": [{"bucket": "uploads"}, ["starts-with", "$key", "in/"]]}`))
	mac := hmac.New(sha1.New, []byte("y"))
	mac.Write([]byte(policy))
	fields := []string{"key", "in/${filename}", "AWSAccessKeyId", "x", "policy", policy, "signature", base64.StdEncoding.EncodeToString(mac.Sum(nil))}
	if answer := postForm(t, endpoint+"/uploads", "a", "abc", fields); answer.status != http.StatusNoContent {
		t.Errorf("signed: %+v", answer)
	}
	fields[7] = "AAAA"
	if answer := postForm(t, endpoint+"/uploads", "a", "abc", fields); answer.code != "SignatureDoesNotMatch" {
		t.Errorf("with another signature: %+v", answer)
	}
}

func TestABodyThatIsNoFormIsRefused(t *testing.T) {
	t.Parallel()
	client, endpoint := newSigned(t, nil)
	const form = "multipart/form-data; boundary=b"
	for name, tt := range map[string]struct {
		contentType, body string
		status            int
		code              string
	}{
		"another content type": {"application/x-www-form-urlencoded", "key=in/a&file=b", 412, "PreconditionFailed"},
		"no boundary":          {"multipart/form-data", "--b--\r\n", 412, "PreconditionFailed"},
		"no file":              {form, "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nin/a\r\n--b--\r\n", 400, "InvalidArgument"},
		"cut within the file":  {form, "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nin/a\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc", 400, "IncompleteBody"},
		"cut within a field":   {form, "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nin/", 400, "IncompleteBody"},
		"a field twice":        {form, "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nin/a\r\n--b\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\nin/b\r\n--b--\r\n", 400, "InvalidArgument"},
	} {
		if answer := postBody(t, endpoint+"/uploads", tt.contentType, tt.body); answer.status != tt.status || answer.code != tt.code {
			t.Errorf("%s: %+v, want %d %s", name, answer, tt.status, tt.code)
		}
	}
	if answer := postForm(t, endpoint+"/nowhere", "a", "abc", []string{"key", "in/a"}); answer.code != "NoSuchBucket" {
		t.Errorf("no bucket: %+v", answer)
	}
	_, _, err := get(t, client, s3.GetObjectInput{Key: aws.String("in/a")})
	wiretest.WantCode(t, "refused", err, "NoSuchKey")
}
