package message_test

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const ruleEpoch = "epoch must be an RFC 3339 time, such as Step Functions' Execution.StartTime, and may end with # and a redrive count to 9999"

const ruleExecution = "execution must be the ARN of an execution of a workflow, such as Step Functions' Execution.Id"

func executionARN(machine, name string) string {
	return "arn:aws:states:us-east-1:123456789012:execution:" + machine + ":" + name
}

func TestValidateNamesFieldAndRule(t *testing.T) {
	progress := message.UploadProgress{UploadID: "u", FileName: "f", Message: "m"}
	note := message.Notification{Title: "t", Message: "m", Severity: message.SeverityInfo}
	failed := progress
	failed.Status = message.StatusFailed
	// toUser returns a request to u1, after edit has changed it.
	toUser := func(data message.Data, edit func(*message.Request)) message.Request {
		r := message.Request{UserID: "u1", Message: data}
		edit(&r)
		return r
	}
	unchanged := func(*message.Request) {}
	part := func(p message.Part) func(*message.Request) { return func(r *message.Request) { r.Part = &p } }
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct {
		name string
		r    message.Request
		want string // the text of the error, or empty if r is valid
	}{
		{"to a user", toUser(progress, unchanged), ""},
		{"to a connection", message.Request{ConnectionID: "c", Message: note}, ""},
		{"every field at its limit", toUser(&progress, func(r *message.Request) {
			r.UserID, r.Epoch, r.Key, r.Execution = long(255), "2026-11-22T10:00:00.123Z#0001", long(1024), executionARN("m", "x")
			r.Part = &message.Part{ID: long(16), Done: 1 << 53, Total: 1 << 53, Failed: 1 << 53, From: 10, To: 10}
		}), ""},
		{"a part whose to is missing, which means 100", toUser(progress, part(message.Part{ID: "1", Total: 1, From: 99})), ""},

		{"no target", message.Request{Message: note}, "userId, connectionId exactly one of the two is required"},
		{"two targets", toUser(note, func(r *message.Request) { r.ConnectionID = "c" }), "userId, connectionId exactly one of the two is required"},
		{"a long user", toUser(note, func(r *message.Request) { r.UserID = long(256) }), "userId must be 1 to 255 bytes"},
		{"a user of invalid UTF-8", toUser(note, func(r *message.Request) { r.UserID = "\xff" }), "userId must be valid UTF-8"},
		{"a long connection", message.Request{ConnectionID: long(256), Message: note}, "connectionId must be 1 to 255 bytes"},
		{"a long key", toUser(note, func(r *message.Request) { r.Key = long(1025) }), "key must be 1 to 1024 bytes"},
		{"a long ARN", toUser(note, func(r *message.Request) { r.Execution = long(257) }), "execution must be at most 256 characters"},
		{"the ARN of a state machine", toUser(note, func(r *message.Request) { r.Execution = "arn:aws:states:us-east-1:123456789012:stateMachine:m" }), ruleExecution},
		{"an epoch that is no time", toUser(note, func(r *message.Request) { r.Epoch = "yesterday" }), ruleEpoch},
		{"a time of sending in a year of five digits", toUser(note, func(r *message.Request) { r.SentAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) }), "sentAt must be an RFC 3339 time, such as 2026-11-22T10:00:00.123Z"},
		{"an epoch of Step Functions", toUser(note, func(r *message.Request) { r.Epoch = "2026-11-22T10:00:13Z" }), ""},
		{"a message that only the server sends", toUser(message.Welcome{}, unchanged), "type must be one of upload_progress, job_progress, notification, error"},
		{"a nil pointer as message", toUser((*message.Notification)(nil), unchanged), "message is required"},
		{"no message", message.Request{UserID: "u"}, "message is required"},
		{"a bad message", toUser(message.Notification{}, unchanged), "data.title must not be empty; data.message must not be empty; data.severity must be one of info, success, warning, error"},
		{"a job's id of 257 bytes", toUser(message.UploadProgress{UploadID: long(257), FileName: "f", Message: "m"}, unchanged), "data.uploadId must be at most 256 bytes"},

		{"a part without id and total", toUser(progress, part(message.Part{})), "part.id must be 1 to 16 bytes; part.total must be from 1 to 9007199254740992"},
		{"a part with a long id", toUser(progress, part(message.Part{ID: long(17), Total: 1})), "part.id must be 1 to 16 bytes"},
		{"more steps than a JSON number holds exactly", toUser(progress, part(message.Part{ID: "1", Total: 1<<53 + 1})), "part.total must be from 1 to 9007199254740992"},
		{"more done than all", toUser(progress, part(message.Part{ID: "1", Done: 2, Total: 1})), "part.done must be from 0 to part.total"},
		{"negative done", toUser(progress, part(message.Part{ID: "1", Done: -1, Total: 1})), "part.done must be from 0 to part.total; part.failed must be from 0 to part.done"},
		{"more failed than done", toUser(progress, part(message.Part{ID: "1", Done: 1, Total: 9, Failed: 2})), "part.failed must be from 0 to part.done"},
		{"from over to", toUser(progress, part(message.Part{ID: "1", Total: 1, From: 50, To: 49})), "part.from, part.to must be numbers from 0 to 100, from not over to"},
		{"from below 0", toUser(progress, part(message.Part{ID: "1", Total: 1, From: -1})), "part.from, part.to must be numbers from 0 to 100, from not over to"},
		{"to above 100", toUser(progress, part(message.Part{ID: "1", Total: 1, To: 101})), "part.from, part.to must be numbers from 0 to 100, from not over to"},
		{"to that is not a number", toUser(progress, part(message.Part{ID: "1", Total: 1, To: math.NaN()})), "part.from, part.to must be numbers from 0 to 100, from not over to"},
		{"a part of a note", toUser(note, part(message.Part{ID: "1", Total: 1})), "part is only for the state of a job to a userId"},
		{"a part to a connection", message.Request{ConnectionID: "c", Message: progress, Part: &message.Part{ID: "1", Total: 1}}, "part is only for the state of a job to a userId"},
		{"a part that ends the job", toUser(failed, part(message.Part{ID: "1", Total: 1})), "part must not come with a terminal status: a job ends as a whole"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.r.Validate()
			var bad *message.Invalid
			if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &bad) || bad.Error() != tt.want) {
				t.Errorf("Validate says %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNormalizeMakesEpochsCanonicalAndDereferencesMessages(t *testing.T) {
	note := message.Notification{Title: "t", Message: "m", Severity: message.SeverityInfo}
	for _, given := range []string{"2026-11-22T10:00:13Z", "2026-11-22T12:00:13+02:00#0", "2026-11-22T10:00:13.0009Z#0000"} {
		got, err := message.Request{UserID: "u1", Epoch: given, Message: &note}.Normalize()
		if want := (message.Request{UserID: "u1", Epoch: "2026-11-22T10:00:13.000Z#0000", Message: note}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", given, got, err, want)
		}
	}
}

// encoding/json decodes every lone surrogate and every invalid byte to U+FFFD, so different ids would become equal.
func TestIDsWithReplacementCharactersAreRejected(t *testing.T) {
	state := message.UploadProgress{UploadID: "u", FileName: "f", Message: "m"}
	for field, set := range map[string]func(r *message.Request, id string){
		"userId":        func(r *message.Request, id string) { r.UserID = id },
		"connectionId":  func(r *message.Request, id string) { r.UserID, r.ConnectionID = "", id },
		"key":           func(r *message.Request, id string) { r.Key = id },
		"execution":     func(r *message.Request, id string) { r.Execution = executionARN("m", id) },
		"part.id":       func(r *message.Request, id string) { r.Part = &message.Part{ID: id, Total: 1} },
		"data.uploadId": func(r *message.Request, id string) { s := state; s.UploadID = id; r.Message = s },
	} {
		for _, id := range []string{"u-\uFFFD", "\xff", "u\xed\xa0\xbc"} {
			r := message.Request{UserID: "u1", Message: state}
			set(&r, id)
			var bad *message.Invalid
			if err := r.Validate(); !errors.As(err, &bad) || bad.Problems[0].Field != field {
				t.Errorf("%s %q: %v, want an error about the field", field, id, err)
			}
		}
	}
}

func TestNormalizeEpochYieldsSortableEpochs(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"2026-11-22T10:00:13Z", "2026-11-22T10:00:13.000Z#0000"},
		{"2026-11-22T10:00:13.192Z", "2026-11-22T10:00:13.192Z#0000"},
		{"2026-11-22T10:00:13.192Z#0", "2026-11-22T10:00:13.192Z#0000"},
		{"2026-11-22T10:00:13.192Z#12", "2026-11-22T10:00:13.192Z#0012"},
		{"2026-11-22T10:00:13.192Z#0012", "2026-11-22T10:00:13.192Z#0012"},
		{"2026-11-22T10:00:13.192999999Z#9999", "2026-11-22T10:00:13.192Z#9999"},
		{"2026-11-22T10:00:13.1+01:00", "2026-11-22T09:00:13.100Z#0000"},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z#0000"},
		{"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z#0000"},

		{"", ""}, {"#1", ""}, {"now", ""}, {"2026-11-22", ""}, {"2026-11-22T10:00:13", ""}, {"1795341613", ""},
		{"2026-11-22T10:00:13Z#", ""}, {"2026-11-22T10:00:13Z#10000", ""}, {"2026-11-22T10:00:13Z#-1", ""},
		{"2026-11-22T10:00:13Z#1#1", ""}, {"2026-11-22T10:00:13Z#1\n", ""}, {" 2026-11-22T10:00:13Z", ""},
		{"2026-13-22T10:00:13Z", ""}, {"2026-11-31T10:00:13Z", ""},
		{"0001-01-01T00:00:00+01:00", ""}, {"9999-12-31T23:59:59-01:00", ""},
	} {
		got, err := message.NormalizeEpoch(tt.in)
		var bad *message.Invalid
		if got != tt.want || tt.want == "" && (!errors.As(err, &bad) || bad.Error() != ruleEpoch) || tt.want != "" && err != nil {
			t.Errorf("NormalizeEpoch(%q) is %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

// FuzzNormalizeEpoch checks that epochs sort by their times, in whatever form the times are given.
func FuzzNormalizeEpoch(f *testing.F) {
	for _, s := range []string{"2026-11-22T10:00:13Z", "2026-11-22T10:00:13.192Z#12", "2026-11-22T12:00:13,5+02:00#9999", "0001-01-01T00:00:00Z", "#", ""} {
		f.Add(s, "2026-11-22T10:00:13.1921Z#0001")
	}
	form := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z#\d{4}$`)
	epochTime := func(s string) (time.Time, bool) { // the time of an epoch in any form, in whole milliseconds
		given, _, _ := strings.Cut(s, "#")
		parsed, err := time.Parse(time.RFC3339Nano, given)
		return parsed.Truncate(time.Millisecond), err == nil
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		epochA, err := message.NormalizeEpoch(a)
		if err != nil {
			if epochA != "" {
				t.Errorf("%q is refused with %v, and yet became %q", a, err, epochA)
			}
			return
		}
		if again, err := message.NormalizeEpoch(epochA); !form.MatchString(epochA) || again != epochA || err != nil {
			t.Errorf("%q became %q, which became %q, %v; want it unchanged", a, epochA, again, err)
		}
		epochB, err := message.NormalizeEpoch(b)
		if err != nil {
			return
		}
		timeA, okA := epochTime(a)
		timeB, okB := epochTime(b)
		if !okA || !okB || timeA.Before(timeB) && epochA >= epochB || timeA.After(timeB) && epochA <= epochB {
			t.Errorf("%q and %q became %q and %q", a, b, epochA, epochB)
		}
	})
}
