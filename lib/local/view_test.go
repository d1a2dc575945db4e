package local_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// What the frames of these tests are of: two runs, and times counted from a moment.
const (
	firstRun  = "2026-11-22T10:00:00.000Z#0000"
	secondRun = "2026-11-22T10:00:00.000Z#0001"
)

func at(d time.Duration) message.Time {
	return message.Time{Time: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Add(d)}
}

// state returns the frame of a job's state; with seq 0 it was not stored.
func state(epoch string, seq int64, progress float64, status message.Status) message.Envelope {
	return message.Envelope{
		Type: message.TypeUploadProgress, Timestamp: at(time.Duration(seq) * time.Second), Job: "u-42", Epoch: epoch, Seq: seq,
		Data: message.UploadProgress{UploadID: "u-42", FileName: "f.csv", Progress: progress, Message: "m", Status: status},
	}
}

func note(id string, replayed bool) message.Envelope {
	return message.Envelope{
		Type: message.TypeNotification, Timestamp: at(0), ID: id, Replayed: replayed,
		Data: message.Notification{Title: "t", Message: id, Severity: message.SeverityInfo},
	}
}

func control(data message.Data) message.Envelope {
	return message.Envelope{Type: data.Type(), Timestamp: at(0), Data: data}
}

func TestAViewTellsNewsFromTheRest(t *testing.T) {
	const (
		running   = message.StatusRunning
		succeeded = message.StatusSucceeded
		failed    = message.StatusFailed
	)
	late := state("", 1, 0, running)
	late.Timestamp = at(25 * time.Hour)
	type step struct {
		frame message.Envelope
		news  bool
	}
	for name, steps := range map[string][]step{
		"newer states": {
			{state(firstRun, 1, 0, running), true}, {state(firstRun, 2, 10, running), true}, {state(firstRun, 5, 10, ""), true},
		},
		"a state comes twice":    {{state(firstRun, 2, 10, running), true}, {state(firstRun, 2, 10, running), false}},
		"a state comes late":     {{state(firstRun, 3, 20, running), true}, {state(firstRun, 2, 10, running), false}},
		"a newer run":            {{state(firstRun, 9, 100, succeeded), true}, {state(secondRun, 1, 0, running), true}},
		"an older run":           {{state(secondRun, 1, 0, running), true}, {state(firstRun, 9, 100, succeeded), false}},
		"a state after the end":  {{state(firstRun, 4, 100, succeeded), true}, {state(firstRun, 3, 99, running), false}},
		"the end has less":       {{state(firstRun, 1, 50, running), true}, {state("", 0, 60, running), true}, {state(firstRun, 2, 50, failed), true}},
		"not stored, first":      {{state("", 0, 10, running), true}, {state(firstRun, 1, 20, running), true}},
		"not stored, rising":     {{state(firstRun, 1, 10, running), true}, {state("", 0, 20, running), true}, {state("", 0, 20, running), true}},
		"not stored, falling":    {{state(firstRun, 1, 10, running), true}, {state("", 0, 9, running), false}},
		"not stored, at the end": {{state(firstRun, 4, 50, failed), true}, {state("", 0, 60, running), false}, {state("", 0, 100, succeeded), false}},
		"not stored, moves no position": {
			{state(firstRun, 5, 10, running), true}, {state("", 0, 20, running), true},
			{state(firstRun, 5, 30, running), false}, {state(firstRun, 6, 30, running), true},
		},
		"the stored state is behind what was shown": {
			{state(firstRun, 1, 10, running), true}, {state("", 0, 50, running), true},
			{state(firstRun, 2, 40, running), false}, {state(firstRun, 2, 60, running), false}, // the position moves
			{state(firstRun, 3, 60, running), true},
		},
		"a new run is behind what was shown": {{state("", 0, 50, running), true}, {state(firstRun, 1, 60, running), true},
			{state("", 0, 70, running), true}, {state(secondRun, 1, 0, running), true}},
		"a stored state after an end that was not": {{state("", 0, 100, succeeded), true}, {state(firstRun, 3, 40, running), true}},
		"no epoch":               {{state("", 1, 0, running), true}, {state("", 2, 5, running), true}, {state("", 1, 0, running), false}},
		"forgotten after a day":  {{state("", 7, 100, succeeded), true}, {late, true}},
		"another job's":          {{state(firstRun, 7, 10, running), true}, {otherJob(state(firstRun, 1, 0, running)), true}},
		"notes once":             {{note("01A", false), true}, {note("01A", true), false}, {note("01B", true), true}},
		"an older note":          {{note("01B", false), true}, {note("01A", true), true}},
		"an error without an id": {{control(message.Error{Code: "C", Message: "m"}), true}, {control(message.Error{Code: "C", Message: "m"}), true}},
		"a dismissal":            {{note("01A", false), true}, {control(message.Dismissed{ID: "01A"}), true}, {note("01A", true), false}},
		"a dismissal goes ahead": {{control(message.Dismissed{ID: "01A"}), false}, {note("01A", false), false}},
		"a dismissal twice":      {{note("01A", false), true}, {control(message.Dismissed{ID: "01A"}), true}, {control(message.Dismissed{ID: "01A"}), false}},
		"frames of the server": {
			{control(message.Welcome{}), true}, {control(message.Synced{}), true}, {control(message.Closing{}), true},
			{control(message.Unknown{Name: "other"}), true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var v local.View
			var shown []message.Envelope
			for i, s := range steps {
				if got := v.Take(s.frame); got != s.news {
					t.Errorf("frame %d, %+v: news is %t", i, s.frame, got)
				}
				if s.frame.Job == "u-42" && s.news {
					shown = append(shown, s.frame)
				}
			}
			if job, ok := v.Job("u-42"); len(shown) > 0 && (!ok || !cmp.Equal(job, shown[len(shown)-1])) {
				t.Errorf("%+v is shown, want the last that was news, %+v", job, shown[len(shown)-1])
			}
		})
	}
}

func otherJob(e message.Envelope) message.Envelope {
	e.Job = "u-43"

	return e
}

// TestAViewSaysWhatItHas takes frames and compares what the next sync says.
func TestAViewSaysWhatItHas(t *testing.T) {
	synced := func(jobs, notes int, more bool) message.Envelope {
		return control(message.Synced{Jobs: jobs, Notes: notes, More: more})
	}
	const atTen = "01M81B5H800000000000000000" // the first ULID of the frames' moment
	welcome := control(message.Welcome{ServerTime: at(0)})
	for name, tt := range map[string]struct {
		frames []message.Envelope
		want   string
		missed bool
	}{
		"nothing":                   {nil, `{"action":"sync"}`, false},
		"a job":                     {[]message.Envelope{state(firstRun, 3, 1, "")}, `{"action":"sync","have":{"u-42":["` + firstRun + `",3]}}`, false},
		"a job that was not stored": {[]message.Envelope{state("", 0, 1, "")}, `{"action":"sync"}`, false},
		"a job that ended":          {[]message.Envelope{state("", 8, 1, "failed")}, `{"action":"sync","have":{"u-42":["",8]}}`, false},
		"notes of a sync":           {[]message.Envelope{note("01B", true), note("01A", true), synced(0, 2, false)}, `{"action":"sync","since":"01B"}`, false},
		"a sync that has not ended": {[]message.Envelope{note("01B", true)}, `{"action":"sync"}`, false},
		"a pushed note":             {[]message.Envelope{note("01B", true), note("01C", false), synced(0, 1, false)}, `{"action":"sync","since":"01B"}`, false},
		"a note was lost":           {[]message.Envelope{note("01B", true), synced(0, 2, false)}, `{"action":"sync"}`, true},
		"a job was lost":            {[]message.Envelope{note("01B", true), synced(1, 1, false)}, `{"action":"sync"}`, true},
		"a known job came":          {[]message.Envelope{state("", 8, 1, ""), state("", 8, 1, ""), synced(2, 0, false)}, `{"action":"sync","have":{"u-42":["",8]}}`, false},
		"there is more":             {[]message.Envelope{note("01B", true), synced(0, 1, true)}, `{"action":"sync","since":"01B"}`, false},
		"there is more of the same": {[]message.Envelope{note("01B", true), synced(0, 1, false), note("01B", true), synced(0, 2, true)}, `{"action":"sync","since":"01B"}`, true},
		"there was never a note":    {[]message.Envelope{welcome, synced(0, 0, false)}, `{"action":"sync","since":"` + atTen + `"}`, false},
		"a welcome in between":      {[]message.Envelope{note("01B", true), synced(0, 1, false), welcome, synced(0, 0, false)}, `{"action":"sync","since":"01B"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			var v local.View
			for _, e := range tt.frames {
				v.Take(e)
			}
			if v.Missed() != tt.missed {
				t.Errorf("missed is %t", v.Missed())
			}
			if got := v.Sync(); got != tt.want {
				t.Errorf("the next sync is %s, want %s", got, tt.want)
			}
		})
	}
}

// TestAViewStaysSmall gives a view more than it keeps: a sync fits a frame, and what is forgotten does not come again.
func TestAViewStaysSmall(t *testing.T) {
	const n, frame = 1500, 32 << 10
	var v local.View
	for i := range n {
		e := state(firstRun, int64(i+1), 1, "")
		e.Job = fmt.Sprintf("%04d\x01%s", i, strings.Repeat("<", message.MaxID-5))
		v.Take(e)
		v.Take(note(fmt.Sprintf("01%06d", i), false))
	}
	text := v.Sync()
	var sync struct {
		Have map[string][2]any `json:"have"`
	}
	if err := json.Unmarshal([]byte(text), &sync); err != nil {
		t.Fatal(err)
	}
	if len(text) > frame || len(sync.Have) < 10 {
		t.Errorf("a sync has %d bytes and %d jobs", len(text), len(sync.Have))
	}
	for job, position := range sync.Have {
		if position[0] != firstRun || position[1].(float64) < n-50 {
			t.Errorf("%.4s has position %v, want the newest jobs", job, position)
		}
	}
	if notes := v.Notes(); len(notes) > 1000 || notes[len(notes)-1].ID != "01001499" {
		t.Errorf("%d notes are kept", len(notes))
	}
	if v.Take(note("01000000", true)) {
		t.Error("a forgotten note is news")
	}
}

func TestAViewListsWhatIsShown(t *testing.T) {
	var v local.View
	first, second := state(firstRun, 1, 1, ""), otherJob(state(firstRun, 1, 2, ""))
	for _, e := range []message.Envelope{second, first, note("01B", false), note("01A", true), note("01C", false), control(message.Dismissed{ID: "01B"})} {
		v.Take(e)
	}
	if diff := cmp.Diff([]message.Envelope{first, second}, v.Jobs()); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]message.Envelope{note("01A", true), note("01C", false)}, v.Notes()); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}
