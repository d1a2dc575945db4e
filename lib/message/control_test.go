package message_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

func TestControlFramesRoundTrip(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 123e6, time.UTC)
	for _, tt := range []struct {
		data message.Data
		want string // the JSON of the frame after {"type":
	}{
		{
			message.Welcome{ConnectionID: "L0SM9cOFvHcCIhw=", ServerTime: message.Time{Time: at}, SessionEnd: message.Time{Time: at.Add(time.Hour)}},
			`"welcome","timestamp":"2026-11-22T10:00:00.123Z","data":{"connectionId":"L0SM9cOFvHcCIhw=","serverTime":"2026-11-22T10:00:00.123Z","sessionEnd":"2026-11-22T11:00:00.123Z"}`,
		},
		{message.Synced{Jobs: 2, Notes: 3}, `"synced","timestamp":"2026-11-22T10:00:00.123Z","data":{"jobs":2,"notes":3}`},
		{message.Synced{Notes: 200, More: true}, `"synced","timestamp":"2026-11-22T10:00:00.123Z","data":{"jobs":0,"notes":200,"more":true}`},
		{
			message.Synced{Jobs: 200, More: true, Cursor: "c", RetryAfter: 20},
			`"synced","timestamp":"2026-11-22T10:00:00.123Z","data":{"jobs":200,"notes":0,"more":true,"cursor":"c","retryAfter":20}`,
		},
		{
			message.Refreshed{SessionEnd: message.Time{Time: at}},
			`"refreshed","timestamp":"2026-11-22T10:00:00.123Z","data":{"sessionEnd":"2026-11-22T10:00:00.123Z"}`,
		},
		{
			message.Dismissed{ID: "01M82K5N32CPWX658G1ZTM36HQ"},
			`"dismissed","timestamp":"2026-11-22T10:00:00.123Z","data":{"id":"01M82K5N32CPWX658G1ZTM36HQ"}`,
		},
		{
			message.UploadURL{
				Request: "r", UploadID: "u", Size: 5, Method: "PUT", URL: "https://b/k?a=1&b=2", Headers: map[string]string{"Content-Type": "text/csv"},
				ExpiresAt: message.Time{Time: at},
			},
			`"upload_url","timestamp":"2026-11-22T10:00:00.123Z","data":{"request":"r","uploadId":"u","size":5,"method":"PUT",` +
				`"url":"https://b/k?a=1&b=2","headers":{"Content-Type":"text/csv"},"expiresAt":"2026-11-22T10:00:00.123Z"}`,
		},
		{
			message.UploadURL{
				Request: "r", UploadID: "u", Size: 9, PartSize: 4, Done: [][2]int{{1, 2}}, Parts: []message.UploadPart{{Number: 3, URL: "https://b/k"}},
				ExpiresAt: message.Time{Time: at},
			},
			`"upload_url","timestamp":"2026-11-22T10:00:00.123Z","data":{"request":"r","uploadId":"u","size":9,"partSize":4,"done":[[1,2]],` +
				`"parts":[{"number":3,"url":"https://b/k"}],"expiresAt":"2026-11-22T10:00:00.123Z"}`,
		},
		{
			message.UploadURL{Request: "r", UploadID: "u", Complete: true},
			`"upload_url","timestamp":"2026-11-22T10:00:00.123Z","data":{"request":"r","uploadId":"u","complete":true}`,
		},
		{
			message.Batch{Frames: []json.RawMessage{[]byte(`{"type":"pong","data":{"a":"<&>"}}`), []byte(`{"type":"x"}`)}},
			`"batch","timestamp":"2026-11-22T10:00:00.123Z","data":{"frames":[{"type":"pong","data":{"a":"<&>"}},{"type":"x"}]}`,
		},
		{
			message.Closing{Code: message.CloseSessionLimit, Reason: "r", Reconnect: true},
			`"closing","timestamp":"2026-11-22T10:00:00.123Z","data":{"code":"SESSION_LIMIT","reason":"r","reconnect":true}`,
		},
	} {
		t.Run(string(tt.data.Type()), func(t *testing.T) {
			if err := tt.data.Validate(); err != nil {
				t.Errorf("Validate: %v", err)
			}
			frame, err := message.New(tt.data, "", at).Encode()
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"type":` + tt.want + `}`; string(frame) != want {
				t.Errorf("frame is\n%s, want\n%s", frame, want)
			}
			parsed, err := message.Parse(frame)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.data, parsed.Data); diff != "" {
				t.Errorf("parsed data (-want +got):\n%s", diff)
			}
		})
	}
}
