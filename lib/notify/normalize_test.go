package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// TestPublishReadsRequestsAsTheTaskDoes gives the same request to Publish and, as JSON, to Handle. Both must store the same row, or
// return errors with the same text.
func TestPublishReadsRequestsAsTheTaskDoes(t *testing.T) {
	state := message.UploadProgress{UploadID: "u", FileName: "f", Progress: 1, Message: "m"}
	for _, tt := range []struct {
		name string
		edit func(r *message.Request)
		want string // how the error begins; empty means that the request is valid
	}{
		{"an epoch of Step Functions", func(r *message.Request) { r.Epoch = "2001-11-22T10:00:00Z" }, ""},
		{"an epoch of another zone", func(r *message.Request) { r.Epoch = "2001-11-22T12:00:00.5+02:00#3" }, ""},
		{"no epoch", func(r *message.Request) { r.Epoch = "" }, ""},
		{"an epoch that is no time", func(r *message.Request) { r.Epoch = "now" }, "epoch " + message.RuleEpoch},
		{"an epoch of the next century", func(r *message.Request) { r.Epoch = "2126-11-22T10:00:00Z" }, "epoch must be at most 5 minutes ahead of the notifier's clock"},
		{"a time of sending", func(r *message.Request) { r.SentAt = time.Date(2026, 11, 22, 10, 0, 0, 123_000_000, time.UTC) }, ""},
		{"an execution that is no ARN of one", func(r *message.Request) { r.Execution = "arn:x" }, "execution " + message.RuleExecution},
		{"no user", func(r *message.Request) { r.UserID = "" }, "userId"},
		{"a user with U+FFFD", func(r *message.Request) { r.UserID = "u-\uFFFD" }, "userId must not hold control characters or U+FFFD"},
		{"a long key", func(r *message.Request) { r.Key = strings.Repeat("x", 1025) }, "key must be 1 to 1024 bytes"},
		{"a part without a total", func(r *message.Request) { r.Part = &message.Part{ID: "7"} }, "part.total must be from 1 to 9007199254740992"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := message.Request{UserID: "u1", Message: state}
			tt.edit(&r)
			input := map[string]any{"userId": r.UserID, "message": map[string]any{"type": "upload_progress", "data": r.Message}}
			for field, value := range map[string]string{"epoch": r.Epoch, "key": r.Key, "execution": r.Execution} {
				if value != "" {
					input[field] = value
				}
			}
			if !r.SentAt.IsZero() {
				input["sentAt"] = r.SentAt
			}
			if r.Part != nil {
				input["part"] = r.Part
			}
			raw, err := json.Marshal(input)
			if err != nil {
				t.Fatal(err)
			}
			handleFeed, publishFeed := &feed.Memory{}, &feed.Memory{}
			_, handleErr := newNotifier(t, handleFeed, newTabs()).Handle(t.Context(), raw)
			publishErr := newNotifier(t, publishFeed, newTabs()).Publish(t.Context(), r)
			for _, err := range []error{handleErr, publishErr} {
				if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("error is %v, want %q", err, tt.want)
				}
			}
			if tt.want != "" {
				return
			}
			handled, err := handleFeed.Job(t.Context(), feed.User("u1"), "u")
			if err != nil {
				t.Fatal(err)
			}
			published, err := publishFeed.Job(t.Context(), feed.User("u1"), "u")
			if err != nil {
				t.Fatal(err)
			}
			// Without an epoch in the request, the epoch is the time of the request, which differs.
			if r.Epoch != "" && handled.Epoch != published.Epoch || handled.State != published.State || !handled.SentAt.Equal(r.SentAt) || !published.SentAt.Equal(r.SentAt) {
				t.Errorf("Handle stores %+v, Publish stores %+v", handled, published)
			}
		})
	}
}

// TestAnEpochMayBeFiveMinutesAhead: an epoch that is further ahead would make every run until its time stale.
func TestAnEpochMayBeFiveMinutesAhead(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for epoch, want := range map[string]bool{
		"2026-11-22T10:04:59Z": true, "2026-11-22T10:05:00.000Z#9999": true, "2026-11-22T12:05:00+02:00": true, "0001-01-01T00:00:00Z": true,
		"2026-11-22T10:05:00.001Z": false, "2026-11-22T12:06:00+02:00": false, "2126-11-22T10:00:00Z": false, "9999-12-31T23:59:59Z": false,
	} {
		n := newNotifier(t, &feed.Memory{}, newTabs())
		n.Now = func() time.Time { return now }
		input := fmt.Sprintf(`{"userId":"u1","epoch":%q,%s}`, epoch, progressMessage)
		_, err := n.Handle(t.Context(), json.RawMessage(input))
		if (err == nil) != want {
			t.Errorf("%s: %v, want it accepted: %v", epoch, err, want)
		}
		invalid := notify.InvalidMessage{Reason: "epoch must be at most 5 minutes ahead of the notifier's clock"}
		if !want && err != invalid {
			t.Errorf("%s: %v, want %v", epoch, err, invalid)
		}
	}
}

// TestAClockThatIsAheadHidesNoStateOfOthers: the first worker's clock is ahead. The time that it sends never fails it. Nor does it hide
// the text of a second worker whose clock is right, if it is over five seconds ahead.
func TestAClockThatIsAheadHidesNoStateOfOthers(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	for ahead, want := range map[time.Duration]string{
		5 * time.Second: "ahead", 5*time.Second + time.Millisecond: "right", 4 * time.Minute: "right", 100 * 365 * 24 * time.Hour: "right",
	} {
		memory := &feed.Memory{}
		n := newNotifier(t, memory, newTabs())
		n.Now = func() time.Time { return now }
		for _, w := range []struct {
			text string
			at   time.Time
		}{{"ahead", now.Add(ahead)}, {"right", now}} {
			r := withState(stateAt(1), func(p *message.UploadProgress) { p.Message = w.text })
			r.SentAt = w.at
			if err := n.Publish(t.Context(), r); err != nil {
				t.Errorf("%v ahead: %v", ahead, err)
			}
		}
		if got := jobRow(t, memory).State.Message; got != want {
			t.Errorf("%v ahead: the row shows the worker whose clock is %s, want %s", ahead, got, want)
		}
	}
}

// TestAFarEpochHidesNoLaterRun: a request that was refused because of its epoch has not changed the job.
func TestAFarEpochHidesNoLaterRun(t *testing.T) {
	memory := &feed.Memory{}
	n := newNotifier(t, memory, newTabs())
	if err := n.Publish(t.Context(), inEpoch(stateAt(10), "2126-01-01T00:00:00Z")); err == nil {
		t.Fatal("an epoch of the next century was accepted")
	}
	publish(t, n, stateAt(20))
	if got := jobRow(t, memory); got.Epoch != epoch || got.State.Progress != 20 {
		t.Errorf("the row is %+v", got)
	}
}
