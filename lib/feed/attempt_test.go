package feed_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

func TestAnEarlierAttemptsLateStatesDoNotCount(t *testing.T) {
	type updates = []feed.Update
	at := startPlus(1000)
	failed, succeeded := withStatus(message.StatusFailed), withStatus(message.StatusSucceeded)
	second := running(50, start, inAttempt(2), inPhase("second"))
	ended := running(50, start, inAttempt(1), failed)
	for _, tt := range []struct {
		name     string
		before   updates
		u        feed.Update
		outcome  feed.Outcome
		progress float64
		status   message.Status
	}{
		{"a later attempt", updates{second}, running(10, at, inAttempt(3)), feed.Accepted, 50, ""},
		{"the same attempt", updates{second}, running(60, at, inAttempt(2)), feed.Accepted, 60, ""},
		{"an earlier attempt", updates{second}, running(60, at, inAttempt(1)), feed.Stale, 50, ""},
		{"an earlier attempt's end", updates{second}, running(60, at, inAttempt(1), failed), feed.Stale, 50, ""},
		{"an earlier attempt's part", updates{second}, running(0, at, inAttempt(1), ofPart("1", 90, 0)), feed.Stale, 50, ""},
		{"no attempt", updates{second}, running(60, at), feed.Accepted, 60, ""},
		{"an earlier attempt after a state without one", updates{second, running(55, at)}, running(60, at, inAttempt(1)), feed.Stale, 55, ""},
		{"an earlier attempt in the next run", updates{second}, running(5, at, inAttempt(1), inEpoch(redrivenEpoch)), feed.Accepted, 5, ""},
		{"a later attempt that was sent earlier", updates{running(50, start, inAttempt(1), sentAt(at), inPhase("first"))}, running(60, at, inAttempt(2), sentAt(start)), feed.Accepted, 60, ""},
		{"a repetition of an earlier attempt's state", updates{running(50, start, inAttempt(1), withKey("k")), second}, running(50, at, inAttempt(1), withKey("k")), feed.Duplicate, 50, ""},

		{"a later attempt after an attempt failed", updates{ended}, running(10, at, inAttempt(2)), feed.Accepted, 50, ""},
		{"a later attempt's part after an attempt failed", updates{ended}, running(0, at, inAttempt(2), ofPart("1", 90, 0)), feed.Accepted, 74, ""},
		{"a later attempt's success after an attempt failed", updates{ended}, running(10, at, inAttempt(2), succeeded), feed.Accepted, 100, message.StatusSucceeded},
		{"the same attempt after it failed", updates{ended}, running(60, at, inAttempt(1)), feed.Ignored, 50, message.StatusFailed},
		{"no attempt after an attempt failed", updates{ended}, running(60, at), feed.Ignored, 50, message.StatusFailed},
		{"a later attempt after an end that is not of an attempt", updates{running(50, start, inAttempt(1)), running(50, at, failed)}, running(60, at, inAttempt(2)), feed.Ignored, 50, message.StatusFailed},
		{"a later attempt after an attempt succeeded", updates{running(50, start, inAttempt(1), succeeded)}, running(60, at, inAttempt(2)), feed.Ignored, 100, message.StatusSucceeded},
		{"a later attempt after the job was cancelled", updates{running(50, start, inAttempt(1), withStatus(message.StatusCancelled))}, running(60, at, inAttempt(2)), feed.Ignored, 50, message.StatusCancelled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := applyAll(t, tt.before...)
			row, outcome, err := feed.Apply(before, tt.u)
			state := row.VisibleState()
			if err != nil || outcome != tt.outcome || state.Progress != tt.progress || state.Status != tt.status {
				t.Errorf("%q, %v, %+v; want %+v", outcome, err, state, tt)
			}
			if outcome != feed.Accepted && !cmp.Equal(row, before) {
				t.Errorf("the row has changed:\n%s", cmp.Diff(before, row))
			}
		})
	}
}

func TestAnotherStatusIsPushedAtOnce(t *testing.T) {
	for _, tt := range []struct {
		from, to message.Status
		want     bool
	}{
		{"", message.StatusWaiting, true},
		{message.StatusQueued, message.StatusRunning, true},
		{message.StatusRetrying, "", true},
		{message.StatusWaiting, message.StatusWaiting, false},
		{"", message.StatusRunning, false},
	} {
		row := applyAll(t, running(50, start, withStatus(tt.from)), running(50.1, startPlus(1), withStatus(tt.to)))
		if row.Pushed() != tt.want {
			t.Errorf("from %q to %q: pushed at once: %v", tt.from, tt.to, row.Pushed())
		}
	}
}

// TestTheLastStateDecidesAboutTheTypeOfAJob: a part or a state that was sent earlier does not change the type.
func TestTheLastStateDecidesAboutTheTypeOfAJob(t *testing.T) {
	ofType := func(name message.Type) func(*feed.Update) { return func(u *feed.Update) { u.Type = name } }
	job := ofType(message.TypeJobProgress)
	first := running(50, start, job, sentAt(startPlus(10)))
	for _, tt := range []struct {
		name string
		u    feed.Update
		want message.Data
	}{
		{"the same type", running(60, start, job), message.JobProgress{JobID: "job", Title: "f.csv", Progress: 60, Message: "m", Phase: "parse"}},
		{"another type", running(60, start, ofType(message.TypeUploadProgress)), message.UploadProgress{UploadID: "job", FileName: "f.csv", Progress: 60, Message: "m", Phase: "parse"}},
		{"a part of another type", running(0, start, ofPart("1", 90, 0)), message.JobProgress{JobID: "job", Title: "f.csv", Progress: 74, Message: "m", Phase: "parse"}},
		{"another type that was sent earlier", running(60, start, sentAt(start)), message.JobProgress{JobID: "job", Title: "f.csv", Progress: 60, Message: "m", Phase: "parse"}},
	} {
		e := applyAll(t, first, tt.u).Envelope()
		if diff := cmp.Diff(tt.want, e.Data); diff != "" || e.Type != tt.want.Type() || e.Job != "job" {
			t.Errorf("%s: a frame of the type %s and the job %q, data (-want +got):\n%s", tt.name, e.Type, e.Job, diff)
		}
	}
}

func TestUnknownFieldsStayInStatesOfEveryType(t *testing.T) {
	row := applyAll(t, running(50, start, func(u *feed.Update) { u.Type = message.TypeJobProgress }))
	row.UnknownFields = `{"mood":"good"}`
	frame, err := row.Envelope().Encode()
	if err != nil {
		t.Fatal(err)
	}
	e, err := message.Parse(frame)
	if want := `"mood":"good"`; err != nil || e.Data != message.Data(message.JobProgress{JobID: "job", Title: "f.csv", Progress: 50, Message: "m", Phase: "parse"}) || !bytes.Contains(frame, []byte(want)) {
		t.Errorf("the frame is %s, %v", frame, err)
	}
	row.Type = "of_a_newer_version"
	if e := row.Envelope(); e.Type != message.TypeUploadProgress {
		t.Errorf("a state of an unknown type has a frame of the type %s", e.Type)
	}
}
