package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// halfWay is the state that progressMessage contains as JSON.
var halfWay = message.UploadProgress{UploadID: "u-42", FileName: "secret-name.csv", Progress: 42.5, Message: "Half way"}

func TestDecodeNormalizesRequests(t *testing.T) {
	for _, tt := range []struct {
		name, fields string          // JSON members of the input in addition to userId and message
		want         message.Request // without UserID and Message
	}{
		{"all", `"epoch":"2026-11-22T10:00:00.100Z#0002","key":"k","execution":"arn:aws:states:us-east-1:123456789012:execution:m:x","part":{"id":"7","done":2,"total":9,"failed":1,"from":5,"to":95},`, message.Request{
			Epoch: "2026-11-22T10:00:00.100Z#0002", Key: "k", Execution: "arn:aws:states:us-east-1:123456789012:execution:m:x",
			Part: &message.Part{ID: "7", Done: 2, Total: 9, Failed: 1, From: 5, To: 95},
		}},
		{"time of sending", `"sentAt":"2026-11-22T12:00:00.1239+02:00",`, message.Request{SentAt: time.Date(2026, 11, 22, 10, 0, 0, 123_000_000, time.UTC)}},
		{"epoch of a whole second", `"epoch":"2026-11-22T10:00:00Z",`, message.Request{Epoch: "2026-11-22T10:00:00.000Z#0000"}},
		{"epoch of Step Functions", `"epoch":"2026-11-22T10:00:00.192Z",`, message.Request{Epoch: "2026-11-22T10:00:00.192Z#0000"}},
		{"epoch with a redrive count", `"epoch":"2026-11-22T12:00:00.19+02:00#3",`, message.Request{Epoch: "2026-11-22T10:00:00.190Z#0003"}},
		{"null means absent", `"epoch":null,"key":null,"execution":null,"part":null,"connectionId":null,"wait":null,"sentAt":null,`, message.Request{}},
		{"a caller that waits", `"wait":true,`, message.Request{}},
		{"a caller that does not wait", `"wait":false,`, message.Request{NoWait: true}},
		{"smallest part", `"part":{"id":"a","done":0,"total":1},`, message.Request{Part: &message.Part{ID: "a", Total: 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.UserID, tt.want.Message = "u1", halfWay
			got, err := notify.Decode([]byte(`{"userId":"u1",` + tt.fields + progressMessage + `}`))
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v, request (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestDecodeErrorsNameFieldAndRule(t *testing.T) {
	const execution = "execution must be the ARN of an execution of a workflow, such as Step Functions' Execution.Id"
	const ids = " must not hold control characters or U+FFFD"
	const epoch = "epoch must be an RFC 3339 time, such as Step Functions' Execution.StartTime, and may end with # and a redrive count to 9999"
	const sentAt = "sentAt must be an RFC 3339 time, such as 2026-11-22T10:00:00.123Z"
	for _, tt := range []struct{ fields, want string }{
		{`"epoch":"",`, epoch},
		{`"epoch":"yesterday",`, epoch},
		{`"epoch":"2026-11-22T10:00:00Z#10000",`, epoch},
		{`"epoch":7,`, "epoch must be a string"},
		{`"sentAt":"",`, sentAt},
		{`"sentAt":"yesterday",`, sentAt},
		{`"sentAt":"2026-11-22T10:00:00",`, sentAt},
		{`"sentAt":"2026-11-22T10:00:00Z#0001",`, sentAt},
		{`"sentAt":"0000-12-31T10:00:00Z",`, sentAt},
		{`"sentAt":1763805600123,`, "sentAt must be a string"},
		{`"key":"",`, "key must be 1 to 1024 bytes"},
		{`"key":"` + strings.Repeat("x", 1025) + `",`, "key must be 1 to 1024 bytes"},
		{`"execution":"",`, execution},
		{`"execution":"` + strings.Repeat("x", message.MaxExecution+1) + `",`, "execution must be at most 256 characters"},
		{`"execution":"x",`, execution},
		{`"execution":"arn:aws:states:us-east-1:123456789012:stateMachine:m",`, execution},
		{`"execution":"arn:aws:states:us-east-1:123456789012:execution:m",`, execution},
		{`"key":"k-\ud83c",`, "key must not hold U+FFFD"},
		{`"part":{"id":"\ud83d","done":1,"total":2},`, "part.id" + ids},
		{`"wait":0,`, "wait must be true or false"},
		{`"part":"7",`, "part must be a JSON object"},
		{`"part":{},`, "part.done is required; part.id is required; part.total is required"},
		{`"part":{"id":"7","done":1,"total":2,"size":3},`, "part.size is not a known field"},
		{`"part":{"id":"7","done":"1","total":2},`, "part.done must be a whole number"},
		{`"part":{"id":"7","done":3,"total":2},`, "part.done must be from 0 to part.total"},
		{`"part":{"id":"","done":1,"total":2},`, "part.id must be 1 to 16 bytes"},
		{`"part":{"id":"7","done":1,"total":2,"from":9,"to":0},`, "part.to must be a number over 0"},
		{`"part":{"id":"7","done":1,"total":2,"from":9,"to":8},`, "part.from, part.to must be numbers from 0 to 100, from not over to"},
	} {
		_, err := notify.Decode([]byte(`{"userId":"u1",` + tt.fields + progressMessage + `}`))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%.60s: %v, want %s", tt.fields, err, tt.want)
		}
	}
	for _, input := range []struct{ in, want string }{
		{`{"userId":"u-\ud83c",` + progressMessage + `}`, "userId" + ids},
		{`{"userId":"u-\ud83d",` + progressMessage + `}`, "userId" + ids},
		{`{"userId":"u-\ufffd",` + progressMessage + `}`, "userId" + ids},
		{"{\"userId\":\"u-\xff\"," + progressMessage + `}`, "userId" + ids},
		{`{"connectionId":"c-\ud83c",` + progressMessage + `}`, "connectionId" + ids},
		{`{"userId":"u1",` + strings.Replace(progressMessage, "u-42", `u-\udfff`, 1) + `}`, "message.data.uploadId" + ids},
	} {
		if _, err := notify.Decode([]byte(input.in)); err == nil || err.Error() != input.want {
			t.Errorf("%.60s: %v, want %s", input.in, err, input.want)
		}
	}
	for _, rest := range []string{
		`"userId":"u1","message":{"type":"error","data":{"code":"C","message":"m"}}`,
		`"connectionId":"c1",` + progressMessage,
		`"userId":"u1",` + strings.Replace(progressMessage, `"progress"`, `"status":"failed","progress"`, 1),
	} {
		if _, err := notify.Decode([]byte(`{"part":{"id":"7","done":1,"total":2},` + rest + `}`)); err == nil {
			t.Errorf("a part was accepted with %s", rest)
		}
	}
}

// FuzzDecode checks that Decode never panics, and that an accepted request is valid and has a normalized epoch.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"userId":"u1",` + progressMessage + `}`))
	f.Add([]byte(`{"connectionId":"c",` + progressMessage + `}`))
	f.Add([]byte(`{"userId":"u1","sentAt":"2026-11-22T10:00:00.1239+02:00",` + progressMessage + `}`))
	f.Add([]byte(`{"userId":"u1","epoch":"2026-11-22T10:00:00Z#2","key":"k","execution":"arn:aws:states:us-east-1:123456789012:execution:m:x",` + progressMessage + `}`))
	f.Add([]byte(`{"userId":"u1","part":{"id":"7","done":2,"total":9,"failed":1,"from":5,"to":95},` + progressMessage + `}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := notify.Decode(raw)
		if err != nil {
			return
		}
		if err := r.Validate(); err != nil {
			t.Errorf("accepted %+v: %v", r, err)
		}
		if again, err := message.NormalizeEpoch(r.Epoch); r.Epoch != "" && (err != nil || again != r.Epoch) {
			t.Errorf("accepted epoch %q, which should be %q, %v", r.Epoch, again, err)
		}
	})
}
