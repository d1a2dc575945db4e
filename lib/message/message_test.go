package message_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

func TestDecodeNamesFieldAndRule(t *testing.T) {
	// progress, notification and failure return a message with the data; progressFields and noteFields are required fields.
	progress := func(data string) string { return `{"type":"upload_progress","data":` + data + `}` }
	notification := func(data string) string { return `{"type":"notification","data":` + data + `}` }
	failure := func(data string) string { return `{"type":"error","data":` + data + `}` }
	const progressFields = `"uploadId":"u1","fileName":"f.csv","message":"m"`
	const noteFields = `"title":"t","message":"m"`
	for _, tt := range []struct{ name, in, want string }{
		{"not JSON", `{`, "input must be valid JSON"},
		{"not an object", `[]`, "input must be a JSON object"},
		{"null", `null`, "input must be a JSON object"},
		{"empty", `{}`, "data is required; type is required"},
		{"other type", `{"type":"gossip","data":{}}`, "type must be one of upload_progress, job_progress, notification, error"},
		{"timestamp, which only the server sets", `{"type":"error","data":{},"timestamp":"x"}`, "timestamp is not a known field"},
		{"type is a number", `{"type":1,"data":{}}`, "type must be a string"},
		{"keys are matched exactly", `{"Type":"error","data":{}}`, "Type is not a known field; type is required"},
		{
			"many unknown fields", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"type":"error","j":1,"k":1,"data":{}}`,
			"a is not a known field; b is not a known field; c is not a known field; d is not a known field; e is not a known field; " +
				"f is not a known field; g is not a known field; h is not a known field; i is not a known field; j is not a known field; and 1 more",
		},
		{"data is a list", progress(`[]`), "data must be a JSON object"},
		{"no required field", progress(`{}`), "data.fileName is required; data.message is required; data.progress is required; data.uploadId is required"},
		{"progress absent", progress(`{` + progressFields + `}`), "data.progress is required"},
		{"progress null", progress(`{` + progressFields + `,"progress":null}`), "data.progress is required"},
		{"progress below 0", progress(`{` + progressFields + `,"progress":-0.1}`), "data.progress must be a number from 0 to 100"},
		{"progress above 100", progress(`{` + progressFields + `,"progress":100.01}`), "data.progress must be a number from 0 to 100"},
		{"progress as text", progress(`{` + progressFields + `,"progress":"50"}`), "data.progress must be a number"},
		{"progress over float64", progress(`{` + progressFields + `,"progress":1e999}`), "data.progress must be a number"},
		{"unknown status", progress(`{` + progressFields + `,"progress":1,"status":"done"}`), "data.status must be one of running, queued, waiting, retrying, stalled, succeeded, failed, cancelled"},
		{"rows negative", progress(`{` + progressFields + `,"progress":1,"currentRow":-1}`), "data.currentRow must be a number from 0"},
		{"rows fractional", progress(`{` + progressFields + `,"progress":1,"totalRows":1.5}`), "data.totalRows must be a whole number"},
		{"attempt 0", progress(`{` + progressFields + `,"progress":1,"attempt":0}`), "data.attempt must be from 1 to 9999"},
		{"attempt below 0", progress(`{` + progressFields + `,"progress":1,"attempt":-1}`), "data.attempt must be from 1 to 9999"},
		{"attempt over the limit", progress(`{` + progressFields + `,"progress":1,"attempt":10000,"of":10000}`), "data.attempt must be from 1 to 9999; data.of must be from 1 to 9999"},
		{"attempt that is not whole", progress(`{` + progressFields + `,"progress":1,"attempt":1.5}`), "data.attempt must be a whole number"},
		{"of 0", progress(`{` + progressFields + `,"progress":1,"attempt":1,"of":0}`), "data.of must be from 1 to 9999"},
		{"of without attempt", progress(`{` + progressFields + `,"progress":1,"of":3}`), "data.of needs an attempt"},
		{"of under attempt", progress(`{` + progressFields + `,"progress":1,"attempt":4,"of":3}`), "data.of must not be under attempt"},
		{"expectEvery 0", progress(`{` + progressFields + `,"progress":1,"expectEvery":0}`), "data.expectEvery must be from 5 to 86400 seconds"},
		{"expectEvery under its minimum", progress(`{` + progressFields + `,"progress":1,"expectEvery":4}`), "data.expectEvery must be from 5 to 86400 seconds"},
		{"expectEvery over its limit", progress(`{` + progressFields + `,"progress":1,"expectEvery":86401}`), "data.expectEvery must be from 5 to 86400 seconds"},
		{"endAfter 0", progress(`{` + progressFields + `,"progress":1,"endAfter":0}`), "data.endAfter must be from 60 to 2592000 seconds"},
		{"endAfter under its minimum", progress(`{` + progressFields + `,"progress":1,"endAfter":59}`), "data.endAfter must be from 60 to 2592000 seconds"},
		{"endAfter over its limit", progress(`{` + progressFields + `,"progress":1,"endAfter":2592001}`), "data.endAfter must be from 60 to 2592000 seconds"},
		{"endAfter not over expectEvery", progress(`{` + progressFields + `,"progress":1,"expectEvery":60,"endAfter":60}`), "data.endAfter must be over expectEvery"},
		{"a job without its fields", `{"type":"job_progress","data":{}}`, "data.jobId is required; data.message is required; data.progress is required; data.title is required"},
		{"a job with the fields of an upload", `{"type":"job_progress","data":{` + progressFields + `,"progress":1}}`, "data.fileName is not a known field; data.jobId is required; data.title is required; data.uploadId is not a known field"},
		{"a job with empty names", `{"type":"job_progress","data":{"jobId":"","title":"","message":"","progress":1}}`, "data.jobId must not be empty; data.title must not be empty; data.message must not be empty"},
		{"a job of attempt 0", `{"type":"job_progress","data":{"jobId":"j","title":"t","message":"m","progress":1,"attempt":0}}`, "data.attempt must be from 1 to 9999"},
		{"misspelt field", progress(`{` + progressFields + `,"progress":1,"curentRow":1}`), "data.curentRow is not a known field"},
		{"id empty", progress(`{"uploadId":"","fileName":"f","message":"m","progress":1}`), "data.uploadId must not be empty"},
		{"id long", progress(`{"uploadId":"` + strings.Repeat("x", 257) + `","fileName":"f","message":"m","progress":1}`), "data.uploadId must be at most 256 bytes"},
		{"unknown severity", notification(`{` + noteFields + `,"severity":"loud"}`), "data.severity must be one of info, success, warning, error"},
		{"severity empty", notification(`{` + noteFields + `,"severity":""}`), "data.severity must be one of info, success, warning, error"},
		{"action URL with a script", notification(`{` + noteFields + `,"severity":"info","actionUrl":"javascript:alert(1)"}`), "data.actionUrl must be an https or http URL, or a path that starts with a single /"},
		{"action URL with another host", notification(`{` + noteFields + `,"severity":"info","actionUrl":"//evil.example/x"}`), "data.actionUrl must be an https or http URL, or a path that starts with a single /"},
		{"action URL with a backslash", notification(`{` + noteFields + `,"severity":"info","actionUrl":"/\\evil.example"}`), "data.actionUrl must be an https or http URL, or a path that starts with a single /"},
		{"no code", failure(`{"message":"m"}`), "data.code is required"},
		{"details too long", failure(`{"code":"C","message":"m","details":"` + strings.Repeat("x", 4096) + `"}`), "data.details must be at most 4096 bytes"},
		{"details of invalid UTF-8", failure(`{"code":"C","message":"m","details":"` + "\xff" + `"}`), "data.details must be valid UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := message.Decode([]byte(tt.in))
			var bad *message.Invalid
			if !errors.As(err, &bad) {
				t.Fatalf("Decode error is %v, want an *Invalid", err)
			}
			if bad.Error() != tt.want {
				t.Errorf("Decode says %q, want %q", bad, tt.want)
			}
		})
	}
}

func TestDecodeAccepts(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     message.Data
	}{
		{
			"progress at its bounds", `{"type":"upload_progress","data":{"uploadId":"u","fileName":"f","message":"m","progress":0}}`,
			message.UploadProgress{UploadID: "u", FileName: "f", Message: "m"},
		},
		{
			"every progress field",
			`{"data":{"uploadId":"u","fileName":"f","message":"m","progress":100,"currentRow":1,"totalRows":2,"status":"succeeded",` +
				`"phase":"parse","rowsPerSecond":1.5,"etaMs":3,"failedRows":4},"type":"upload_progress"}`,
			message.UploadProgress{
				UploadID: "u", FileName: "f", Message: "m", Progress: 100, CurrentRow: 1, TotalRows: 2,
				Status: message.StatusSucceeded, Phase: "parse", RowsPerSecond: 1.5, ETAMillis: 3, FailedRows: 4,
			},
		},
		{
			"a job that is not a file, with the fields of attempts at their limits",
			`{"type":"job_progress","data":{"jobId":"j","title":"t","message":"m","progress":1,"status":"retrying","attempt":9999,"of":9999}}`,
			message.JobProgress{JobID: "j", Title: "t", Message: "m", Progress: 1, Status: message.StatusRetrying, Attempt: 9999, Of: 9999},
		},
		{
			"times without news at their minimum", `{"type":"job_progress","data":{"jobId":"j","title":"t","message":"m","progress":1,"expectEvery":5,"endAfter":60}}`,
			message.JobProgress{JobID: "j", Title: "t", Message: "m", Progress: 1, ExpectEvery: 5, EndAfter: 60},
		},
		{
			"times without news at their maximum", `{"type":"job_progress","data":{"jobId":"j","title":"t","message":"m","progress":1,"expectEvery":86400,"endAfter":2592000}}`,
			message.JobProgress{JobID: "j", Title: "t", Message: "m", Progress: 1, ExpectEvery: 86400, EndAfter: 2592000},
		},
		{
			"null means absent", `{"type":"upload_progress","data":{"uploadId":"u","fileName":"f","message":"m","progress":0,"attempt":null,"of":null}}`,
			message.UploadProgress{UploadID: "u", FileName: "f", Message: "m"},
		},
		{
			"notification with a path", `{"type":"notification","data":{"title":"t","message":"m","severity":"warning","actionUrl":"/a?b#c"}}`,
			message.Notification{Title: "t", Message: "m", Severity: message.SeverityWarning, ActionURL: "/a?b#c"},
		},
		{
			"notification with a URL", `{"type":"notification","data":{"title":"t","message":"m","severity":"info","actionUrl":"https://example.com/x"}}`,
			message.Notification{Title: "t", Message: "m", Severity: message.SeverityInfo, ActionURL: "https://example.com/x"},
		},
		{
			"error with details", `{"type":"error","data":{"code":"C","message":"m","details":{"line":7}}}`,
			message.Error{Code: "C", Message: "m", Details: []byte(`{"line":7}`)},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := message.Decode([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Decode (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimestampIsUTCWithMilliseconds(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("CET", 3600))
	frame, err := message.New(message.Error{Code: "C", Message: "<m>"}, "", now).Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"error","timestamp":"2026-11-22T11:00:00.000Z","data":{"code":"C","message":"<m>"}}`
	if string(frame) != want {
		t.Errorf("frame is\n%s, want\n%s", frame, want)
	}
}

func TestNewSetsTheJobToTheUploadID(t *testing.T) {
	p := message.UploadProgress{UploadID: "u-42"}
	for name, data := range map[string]message.Data{"value": p, "pointer": &p} {
		if got := message.New(data, "", time.Now()).Job; got != "u-42" {
			t.Errorf("%s: job is %q, want u-42", name, got)
		}
	}
}

func TestEncodeRefusesMoreThanAFrame(t *testing.T) {
	encodeWithMessageOf := func(size int) ([]byte, error) {
		return message.New(message.Error{Code: "C", Message: strings.Repeat("x", size)}, "", time.Now()).Encode()
	}
	overhead := len(`{"type":"error","timestamp":"2026-11-22T11:00:00.000Z","data":{"code":"C","message":""}}`)
	if frame, err := encodeWithMessageOf(message.MaxFrame - overhead); err != nil || len(frame) != message.MaxFrame {
		t.Errorf("a frame of exactly the limit: %d bytes, %v", len(frame), err)
	}
	_, err := encodeWithMessageOf(message.MaxFrame - overhead + 1)
	var large *message.TooLarge
	if !errors.As(err, &large) || large.Size != message.MaxFrame+1 {
		t.Errorf("one byte more: %v, want a *TooLarge of %d", err, message.MaxFrame+1)
	}
}

func TestCheckSizeAcceptsDataUpToTheLimit(t *testing.T) {
	state := func(n int) message.UploadProgress {
		return message.UploadProgress{UploadID: "u", FileName: "f", Message: strings.Repeat("x", n)}
	}
	const stateOverhead = len(`{"uploadId":"u","fileName":"f","progress":0,"message":""}`)
	note := func(n int) message.Notification { return message.Notification{Message: strings.Repeat("x", n)} }
	const noteOverhead = len(`{"title":"","message":"","severity":""}`)
	full, tooLong := state(message.MaxState-stateOverhead), state(message.MaxState-stateOverhead+1)
	lessThanSigns := state(0)
	lessThanSigns.Message = strings.Repeat("<", message.MaxState-stateOverhead)
	for _, tt := range []struct {
		name, path string
		data       message.Data
		want       string
	}{
		{"a state", "", full, ""},
		{"a state of characters that HTML escapes", "", lessThanSigns, ""},
		{"a state by its pointer", "", &full, ""},
		{"a state too large", "", tooLong, "data must be at most 2560 bytes of JSON in the state of a job"},
		{"a state too large by its pointer", "message", &tooLong, "message.data must be at most 2560 bytes of JSON in the state of a job"},
		{"a note", "", note(message.MaxNote - noteOverhead), ""},
		{"a note too large", "message", note(message.MaxNote - noteOverhead + 1), "message.data must be at most 8192 bytes of JSON in a note"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := message.New(tt.data, "", time.Now()).CheckSize(tt.path)
			var bad *message.Invalid
			if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &bad) || bad.Error() != tt.want) {
				t.Errorf("CheckSize: %v, want %q", err, tt.want)
			}
		})
	}
}

// TestCheckSizeMeasuresTheFrameThatEncodeMakes compares the errors of CheckSize and Encode at the limit of a frame. The data
// contains characters that JSON escapes.
func TestCheckSizeMeasuresTheFrameThatEncodeMakes(t *testing.T) {
	frame := func(kind string, size int) message.Envelope {
		at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
		if kind == "note" {
			return message.New(message.Error{Code: `<"`, Message: strings.Repeat("x", size), Details: []byte(`{ "a" : 1 }`)}, "01J", at)
		}

		return message.New(message.UploadProgress{UploadID: `<"`, FileName: "é", Message: strings.Repeat("x", size)}, "01J", at)
	}
	for _, kind := range []string{"note", "state"} {
		withoutMessage, err := frame(kind, 0).Encode()
		if err != nil {
			t.Fatal(err)
		}
		limit := message.MaxFrame - len(withoutMessage)
		var bad *message.Invalid
		if err := frame(kind, limit).CheckSize(""); !errors.As(err, &bad) {
			t.Errorf("a %s whose frame is at the limit: %v, want an *Invalid", kind, err)
		}
		var large, want *message.TooLarge
		_, encodeErr := frame(kind, limit+1).Encode()
		if err := frame(kind, limit+1).CheckSize(""); !errors.As(encodeErr, &want) || !errors.As(err, &large) || *large != *want {
			t.Errorf("a %s whose frame is over the limit: %v, want %v", kind, err, encodeErr)
		}
	}
}

func TestParseAcceptsUnknownTypesAndFields(t *testing.T) {
	got, err := message.Parse([]byte(`{"type":"confetti","timestamp":"2026-11-22T11:00:00Z","data":{"n":1},"new":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(message.Data(message.Unknown{Name: "confetti", JSON: []byte(`{"n":1}`)}), got.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if err := got.Data.Validate(); err == nil {
		t.Error("an unknown type may be sent")
	}
}

func ExampleNew() {
	at := time.Date(2026, 11, 22, 10, 0, 0, 123e6, time.UTC)
	data := message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Progress: 42.5, Message: "Parsing row 4250"}
	frame, err := message.New(data, "01J", at).Encode()
	fmt.Println(string(frame), err)
	// Output: {"type":"upload_progress","timestamp":"2026-11-22T10:00:00.123Z","id":"01J","job":"u-42","data":{"uploadId":"u-42","fileName":"parts-list.csv","progress":42.5,"message":"Parsing row 4250"}} <nil>
}

// FuzzDecode checks that accepted data survives a round trip through Encode and Parse.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"upload_progress","data":{"uploadId":"u","fileName":"f","message":"m","progress":1}}`))
	f.Add([]byte(`{"type":"job_progress","data":{"jobId":"j","title":"t","message":"m","progress":1,"status":"retrying","attempt":2,"of":3}}`))
	f.Add([]byte(`{"type":"job_progress","data":{"jobId":"j","title":"t","message":"m","progress":1,"expectEvery":60,"endAfter":3600}}`))
	f.Add([]byte(`{"type":"upload_progress","data":{"uploadId":"u","fileName":"f","message":"m","progress":1,"status":"succeeded","result":"results/dTE/x"}}`))
	f.Add([]byte(`{"type":"job_progress","data":{"jobId":"j","title":"t","message":"m","progress":1,"steps":[{"name":"s","at":"2026-11-22T10:00:00Z","status":"failed","title":"S"},{"name":"\ud800"}]}}`))
	f.Add([]byte(`{"type":"notification","data":{"title":"t","message":"m","severity":"info","actionUrl":"/a"}}`))
	f.Add([]byte(`{"type":"error","data":{"code":"C","message":"m","details":[1e3]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		data, err := message.Decode(raw)
		if err != nil {
			return
		}
		frame, err := message.New(data, "id", time.Now()).Encode()
		var large *message.TooLarge
		if errors.As(err, &large) {
			return
		}
		if err != nil {
			t.Fatalf("accepted, but cannot be encoded: %v", err)
		}
		if !utf8.Valid(frame) {
			t.Fatalf("encoded as %q, which is invalid UTF-8", frame)
		}
		parsed, err := message.Parse(frame)
		if err != nil || parsed.Type != data.Type() {
			t.Fatalf("encoded as %s, which does not parse: %v", frame, err)
		}
		if sent, ok := data.(message.Error); ok { // details may differ in their spaces
			sent.Details, data = nil, sent
			received, _ := parsed.Data.(message.Error)
			received.Details, parsed.Data = nil, received
		}
		if diff := cmp.Diff(data, parsed.Data); diff != "" {
			t.Errorf("data after Encode and Parse (-want +got):\n%s", diff)
		}
	})
}

// FuzzParse checks that Parse never panics, and that parsed data has the type of the frame.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"type":"upload_progress","timestamp":"2026-11-22T11:00:00Z","data":{"progress":1}}`))
	f.Add([]byte(`{"type":"pong"}`))
	f.Add([]byte(`{"message":"Internal server error","connectionId":"c","requestId":"r"}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		e, err := message.Parse(frame)
		if err == nil && (e.Data == nil || e.Data.Type() != e.Type) {
			t.Errorf("parsed as %+v", e)
		}
	})
}
