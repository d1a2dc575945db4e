package feed_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

func TestVisibleStateSumsTheParts(t *testing.T) {
	base := message.UploadProgress{UploadID: "job", FileName: "f.csv", Progress: 10, Message: "m", TotalRows: 1000}
	scope := feed.Scope{Total: 1000, From: 10, To: 90, Since: start}
	// baseWith returns base after edit has changed it.
	baseWith := func(edit func(*message.UploadProgress)) message.UploadProgress {
		s := base
		edit(&s)
		return s
	}
	for _, tt := range []struct {
		name string
		row  feed.Row
		want message.UploadProgress
	}{
		{"no parts", feed.Row{State: base, UpdatedAt: startPlus(5000)}, base},
		{"nothing done", feed.Row{State: base, Scope: scope, UpdatedAt: startPlus(5000)}, base},
		{
			"a quarter in 5 s",
			feed.Row{State: base, Scope: scope, PartsDone: 250, PartsFailed: 3, UpdatedAt: startPlus(5000)},
			baseWith(func(s *message.UploadProgress) {
				s.Progress, s.CurrentRow, s.FailedRows, s.RowsPerSecond, s.ETAMillis = 30, 250, 3, 50, 15_000
			}),
		},
		{
			"too early for a rate",
			feed.Row{State: base, Scope: scope, PartsDone: 250, UpdatedAt: startPlus(999)},
			baseWith(func(s *message.UploadProgress) { s.Progress, s.CurrentRow = 30, 250 }),
		},
		{
			"all done", feed.Row{State: base, Scope: scope, PartsDone: 1000, UpdatedAt: startPlus(5000)},
			baseWith(func(s *message.UploadProgress) { s.Progress, s.CurrentRow = 90, 1000 }),
		},
		{
			"more than all", feed.Row{State: base, Scope: scope, PartsDone: 1700, UpdatedAt: startPlus(5000)},
			baseWith(func(s *message.UploadProgress) { s.Progress, s.CurrentRow = 90, 1000 }),
		},
		{
			"steps that are not rows",
			feed.Row{State: base, Scope: feed.Scope{Total: 7, To: 100}, PartsDone: 1, PartsFailed: 1, UpdatedAt: startPlus(5000)},
			baseWith(func(s *message.UploadProgress) { s.Progress = 14.29 }),
		},
		{
			"a state with more progress than the parts",
			feed.Row{State: baseWith(func(s *message.UploadProgress) { s.Progress, s.CurrentRow, s.FailedRows = 95, 999, 9 }), Scope: scope, PartsDone: 500, PartsFailed: 1, UpdatedAt: start},
			baseWith(func(s *message.UploadProgress) { s.Progress, s.CurrentRow, s.FailedRows = 95, 999, 9 }),
		},
		{
			"the end is shown as it is",
			feed.Row{State: baseWith(func(s *message.UploadProgress) { s.Status = message.StatusFailed }), Scope: scope, PartsDone: 500, UpdatedAt: startPlus(5000)},
			baseWith(func(s *message.UploadProgress) { s.Status = message.StatusFailed }),
		},
		{
			"an ETA of over a year",
			feed.Row{
				State: baseWith(func(s *message.UploadProgress) { s.TotalRows = message.MaxSteps }), PartsDone: 1, UpdatedAt: start.Add(time.Hour),
				Scope: feed.Scope{Total: message.MaxSteps, Since: start},
			},
			baseWith(func(s *message.UploadProgress) {
				s.TotalRows, s.CurrentRow, s.RowsPerSecond, s.ETAMillis = message.MaxSteps, 1, 1, 365*24*3600*1000
			}),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.row.VisibleState()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("VisibleState (-want +got):\n%s", diff)
			}
			if err := got.Validate(); err != nil {
				t.Errorf("the visible state is invalid: %v", err)
			}
		})
	}
}

func TestEnvelopeHasEpochAndSeq(t *testing.T) {
	row := applyAll(t, running(10, start), running(0, startPlus(300), ofPart("1", 50, 0)))
	frame, err := row.Envelope().Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"upload_progress","timestamp":"2026-11-22T10:00:00.423Z","id":"` + row.ID + `","job":"job",` +
		`"epoch":"2026-11-22T10:00:00.123Z#0000","seq":2,` +
		`"data":{"uploadId":"job","fileName":"f.csv","progress":50,"message":"m","phase":"parse"}}`
	if string(frame) != want {
		t.Errorf("the frame is\n%s\nwant\n%s", frame, want)
	}
}

func TestNextPushAtDependsOnProgress(t *testing.T) {
	for _, tt := range []struct {
		name     string
		progress float64
		want     time.Duration
	}{
		{"1 % more", 11, message.MinPushInterval}, {"under 1 % more", 10.99, message.SlowPushInterval}, {"no progress", 10, message.SlowPushInterval},
	} {
		row := feed.Row{State: message.UploadProgress{Progress: tt.progress}, PushedAt: start, PushedProgress: 10}
		if got := row.NextPushAt(start).Sub(start); got != tt.want {
			t.Errorf("%s: the next push is in %v, want %v", tt.name, got, tt.want)
		}
		if now := startPlus(-1); !row.NextPushAt(now).Equal(now) {
			t.Errorf("%s: the last push is 1 ms in the future, and the next push is at %v, want now", tt.name, row.NextPushAt(now))
		}
	}
}

func TestNewerComparesEpochThenSeq(t *testing.T) {
	row := feed.Row{Epoch: redrivenEpoch, Seq: 5}
	for _, tt := range []struct {
		epoch string // of the state to compare with
		seq   int64
		want  bool
	}{
		{redrivenEpoch, 4, true}, {redrivenEpoch, 5, false}, {redrivenEpoch, 6, false},
		{firstEpoch, 99, true}, {laterEpoch, 1, false}, {"", 99, true},
	} {
		if got := row.Newer(tt.epoch, tt.seq); got != tt.want {
			t.Errorf("Newer than %s, %d is %t", tt.epoch, tt.seq, got)
		}
	}
}

func TestJobsOfRunningExecutionsExpireLater(t *testing.T) {
	for _, tt := range []struct {
		name      string
		execution string
		status    message.Status
		want      time.Duration
	}{
		{"no execution", "", "", feed.JobTTL},
		{"an execution", "arn", "", feed.PointerTTL},
		{"an execution, running", "arn", message.StatusRunning, feed.PointerTTL},
		{"an execution, ended", "arn", message.StatusFailed, feed.JobTTL},
		{"ended", "", message.StatusSucceeded, feed.JobTTL},
	} {
		row := feed.Row{Execution: tt.execution, State: message.UploadProgress{Status: tt.status}, UpdatedAt: start}
		end := start.Truncate(time.Second).Add(tt.want)
		if got := row.ExpiresAt(); !got.Equal(end) || row.Expired(end.Add(-1)) || !row.Expired(end) {
			t.Errorf("%s: the row expires at %v, want %v", tt.name, got, end)
		}
	}
}

func TestWithPushRecordsTheNewestState(t *testing.T) {
	row := applyAll(t, running(10, start), running(0, startPlus(300), ofPart("1", 50, 0)))
	claimed := row.WithPush(startPlus(301).Add(time.Microsecond))
	if !claimed.Pushed() || !claimed.PushedAt.Equal(startPlus(301)) || claimed.PushedProgress != 50 || row.Pushed() {
		t.Errorf("the claimed row is %+v", claimed)
	}
}
