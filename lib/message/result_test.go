package message_test

import (
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

func TestAResultIsAHTTPSURLOrAKeyOfTheUsersOwnResults(t *testing.T) {
	const (
		rule    = "data.result must be an https URL, or a key of S3 that begins with results/ and the user's id in base64url without padding"
		ruleKey = "data.result must be a key of S3 without control characters, empty segments, . and .."
	)
	own := message.ResultPrefix("u1")
	if own != "results/dTE/" {
		t.Fatalf("the prefix of u1 is %s", own)
	}
	for result, want := range map[string]string{
		own + "report-7/report.pdf":                     "",
		own + strings.Repeat("x", 1024-len(own)):        "",
		own + "Rechnung für Mai.pdf":                    "",
		"https://example.com/reports/7?signature=x#top": "",
		"https://e.com/" + strings.Repeat("x", 2000):    "",

		own + strings.Repeat("x", 1025-len(own)):     "data.result must be at most 1024 bytes",
		"https://e.com/" + strings.Repeat("x", 4096): "data.result must be at most 4096 bytes",
		message.ResultPrefix("u2") + "report.pdf":    rule,
		message.ResultPrefix("u10") + "report.pdf":   rule,
		"results/report.pdf":                         rule,
		"results/dTE":                                rule,
		"uploads/dTE/report.pdf":                     rule,
		"http://example.com/r":                       rule,
		"/reports/7":                                 rule,
		"javascript:alert(1)":                        rule,
		"https://user@example.com/":                  rule,
		"https:///r":                                 rule,
		"s3://bucket/" + own + "report.pdf":          rule,
		own:                                          ruleKey,
		own + "../dTI/report.pdf":                    ruleKey,
		own + "./report.pdf":                         ruleKey,
		own + "a//b":                                 ruleKey,
		own + "a\nb":                                 ruleKey,
		own + "\xff":                                 ruleKey,
	} {
		r := message.Request{UserID: "u1", Message: message.UploadProgress{UploadID: "u", FileName: "f", Message: "m", Status: message.StatusSucceeded, Result: result}}
		err := r.Validate()
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%.80q: %v, want %q", result, err, want)
		}
		if valid := message.IsResultOf("u1", result); valid != (want == "") {
			t.Errorf("%.80q is a result of u1: %v", result, valid)
		}
	}
}

func TestOnlyAnEndHasAResult(t *testing.T) {
	for _, status := range []message.Status{"", message.StatusRunning, message.StatusWaiting, message.StatusStalled, message.StatusSucceeded, message.StatusFailed, message.StatusCancelled} {
		err := message.JobProgress{JobID: "j", Title: "t", Message: "m", Status: status, Result: "https://example.com/r"}.Validate()
		if (err == nil) != status.Terminal() {
			t.Errorf("a result with the status %q: %v", status, err)
		}
	}
}

// TestAKeyIsNoResultForAConnection: a connection's user is not known to the request.
func TestAKeyIsNoResultForAConnection(t *testing.T) {
	r := message.Request{ConnectionID: "c", Message: message.UploadProgress{
		UploadID: "u", FileName: "f", Message: "m", Status: message.StatusSucceeded, Result: message.ResultPrefix("") + "x",
	}}
	if err := r.Validate(); err == nil {
		t.Error("a key is accepted for a connection")
	}
}

// TestALongResultDoesNotPreventTheEnd: Truncated removes a result that leaves no room for a message.
func TestALongResultDoesNotPreventTheEnd(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for size, kept := range map[int]bool{100: true, 600: true, 1024: false, 3000: false} {
		p := message.UploadProgress{
			UploadID: strings.Repeat("u", message.MaxID), FileName: long, Phase: long, Message: long, Status: message.StatusFailed,
			Result: "https://e.com/" + strings.Repeat("x", size-len("https://e.com/")),
		}.Truncated()
		if err := message.New(p, "", time.Now()).CheckSize(""); err != nil || p.Validate() != nil || (p.Result != "") != kept {
			t.Errorf("with a result of %d bytes: %v, %v, the result has %d bytes", size, err, p.Validate(), len(p.Result))
		}
	}
}
