package apigw

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// request is what FuzzSignaturesAreTheSDKs varies of a request, and by whom and when it is signed.
type request struct {
	method, path, host string
	name, value        string // a header
	body               string
	credentials        aws.Credentials
	at                 time.Time
}

// bySDK returns the header Authorization that the SDK's signer makes. It returns false for what is no request.
func (r request) bySDK(t *testing.T, region string) (authorization string, valid bool) {
	t.Helper()
	h, err := http.NewRequestWithContext(t.Context(), r.method, "https://host", bytes.NewReader([]byte(r.body)))
	if err != nil {
		return "", false
	}
	h.Host, h.URL.Path = r.host, r.path
	h.Header[http.CanonicalHeaderKey(r.name)] = []string{r.value}
	hash := sha256.Sum256([]byte(r.body))
	// A new signer: the SDK's caches its key by the id of the access key, which several secrets could have.
	err = v4.NewSigner().SignHTTP(t.Context(), r.credentials, h, hex.EncodeToString(hash[:]), signingName, region, r.at)
	if err != nil {
		t.Fatal(err)
	}

	return h.Header.Get("Authorization"), true
}

// byUs returns the same as bySDK, made by a signer.
func (r request) byUs(s *signer) (authorization string) {
	at := signingTime(r.at)
	headers := []signedHeader{{"host", r.host}, {"x-amz-date", at}, {strings.ToLower(r.name), r.value}}
	if r.body != "" {
		headers = append(headers, signedHeader{"content-length", strconv.Itoa(len(r.body))})
	}
	if r.credentials.SessionToken != "" {
		headers = append(headers, signedHeader{"x-amz-security-token", r.credentials.SessionToken})
	}
	slices.SortFunc(headers, func(a, b signedHeader) int { return strings.Compare(a.name, b.name) })
	u := url.URL{Path: r.path}

	return s.authorization(signable{r.method, u.EscapedPath(), headers, []byte(r.body)}, r.credentials, at)
}

// signedHeaderName reports whether both signers sign a header with this name, and do not set it themselves.
func signedHeaderName(name string) bool {
	switch canonical := http.CanonicalHeaderKey(name); canonical {
	case "Host", "Content-Length", "X-Amz-Date", "X-Amz-Security-Token", // set by the signers
		"Authorization", "User-Agent", "X-Amzn-Trace-Id", "Expect", "Transfer-Encoding": // not signed by the SDK
		return false
	default:
		return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
			return c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
		})
	}
}

// shared is one signer for all inputs of the fuzz test, so that every input meets the cached key and body of the one before.
var shared = &signer{service: signingName, region: "eu-west-1"}

// FuzzSignaturesAreTheSDKs compares each signature with that of the SDK's signer.
func FuzzSignaturesAreTheSDKs(f *testing.F) {
	const host = "abcdef1234.execute-api.eu-west-1.amazonaws.com"
	add := func(r request) {
		f.Add(r.method, r.path, r.host, r.name, r.value, r.body,
			r.credentials.AccessKeyID, r.credentials.SecretAccessKey, r.credentials.SessionToken, r.at.Unix())
	}
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	static := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}
	session := aws.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "secret", SessionToken: "token+/="}
	add(request{"POST", "/prod/@connections/L0SM9cOFvHcCIhw=", host, "content-type", contentType, `{"type":"error"}`, static, at})
	add(request{"POST", "/prod/@connections/L0S+9/OFvHcCIhw=", host, "content-type", contentType, `{"type":"error"}`, session, at})
	add(request{"POST", "/prod/@connections/L0S+9/OFvHcCIhw=", host, "content-type", contentType, `{"type":"error"}`, session, at.Add(24 * time.Hour)})
	add(request{"GET", "", host, "x-y", "  a   b \t c  ", "", session, time.Unix(0, 0)})
	add(request{"DELETE", "/a b/ü/%2F/../~*'()", "[::1]:8080", "range", "", "\x00\xff", static, time.Unix(1<<38, 0)})
	f.Fuzz(func(t *testing.T, method, path, host, name, value, body, id, secret, token string, unix int64) {
		r := request{method, path, host, name, value, body, aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, time.Unix(unix, 0)}
		if method == "" || host == "" || strings.HasSuffix(host, ":443") || strings.ContainsAny(host, "\t\n\v\f\r ") || !isASCII(host) || !signedHeaderName(name) {
			t.Skip()
		}
		want, valid := r.bySDK(t, shared.region)
		if !valid {
			t.Skip()
		}
		if got := r.byUs(shared); got != want {
			t.Errorf("%+v\nsigned as %s\nwant      %s", r, got, want)
		}
	})
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) }

// TestSignaturesFollowRotatedCredentialsAndDays: the signer caches a key, which is valid for one secret on one day.
func TestSignaturesFollowRotatedCredentialsAndDays(t *testing.T) {
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	first := aws.Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "one", SessionToken: "t1"}
	rotated := aws.Credentials{AccessKeyID: "ASIA2", SecretAccessKey: "two", SessionToken: "t2"}
	s := &signer{service: signingName, region: "us-east-1"}
	seen := map[string]string{}
	for _, step := range []struct {
		name        string
		credentials aws.Credentials
		at          time.Time
		body        string
	}{
		{"first", first, midnight.Add(-time.Second), "a"},
		{"next second is the next day", first, midnight, "a"},
		{"local time of the day before", first, midnight.Add(time.Minute).In(time.FixedZone("west", -3600)), "a"},
		{"new session token", aws.Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "one", SessionToken: "t3"}, midnight, "a"},
		{"no session token", aws.Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "one"}, midnight, "a"},
		{"new secret of the same key id", aws.Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "two", SessionToken: "t1"}, midnight, "a"},
		{"rotated", rotated, midnight, "a"},
		{"another body", rotated, midnight, "b"},
		{"clock goes back a day", rotated, midnight.Add(-24 * time.Hour), "b"},
	} {
		r := request{"POST", "/prod/@connections/c", "host", "content-type", contentType, step.body, step.credentials, step.at}
		want, _ := r.bySDK(t, s.region)
		got := r.byUs(s)
		if got != want {
			t.Errorf("%s: signed as %s, want %s", step.name, got, want)
		}
		if before, repeated := seen[got]; repeated {
			t.Errorf("%s has the signature of %s", step.name, before)
		}
		seen[got] = step.name
	}
}

// TestASignatureIsOfTheBodyAsItIsNow: a caller may use the memory of a frame again.
func TestASignatureIsOfTheBodyAsItIsNow(t *testing.T) {
	s := &signer{service: signingName, region: "us-east-1"}
	body := []byte("first")
	before := s.authorization(signable{method: "POST", body: body}, aws.Credentials{}, "20261122T100000Z")
	copy(body, "later")
	if s.authorization(signable{method: "POST", body: body}, aws.Credentials{}, "20261122T100000Z") == before {
		t.Error("the signature of another body is the same")
	}
}

func TestConcurrentSignaturesAreCorrect(t *testing.T) {
	s := &signer{service: signingName, region: "us-east-1"}
	done := make(chan struct{})
	for _, secret := range []string{"one", "two"} {
		go func() {
			defer func() { done <- struct{}{} }()
			r := request{"POST", "/prod/@connections/c", "host", "content-type", contentType, secret, aws.Credentials{SecretAccessKey: secret}, time.Unix(0, 0)}
			want, _ := r.bySDK(t, s.region)
			for range 1000 {
				if got := r.byUs(s); got != want {
					t.Errorf("signed as %s, want %s", got, want)
				}
			}
		}()
	}
	<-done
	<-done
}
