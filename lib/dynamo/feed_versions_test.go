package dynamo_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// These tests are about rows that a newer version of Herald wrote, or that are damaged. This version must show what it can read, keep
// what it does not know, and replace a row that it cannot read.

// The epochs of a run and of its redrive.
const (
	runEpoch     = "2026-11-22T10:00:00.123Z#0000"
	redriveEpoch = "2026-11-22T10:00:00.123Z#0001"
)

// str, num and list return attribute values.
func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
func list(values ...types.AttributeValue) types.AttributeValue {
	return &types.AttributeValueMemberL{Value: values}
}

// feedOfNewerVersion returns a feed, the model of its table, and its log. The table has five jobs:
//
//	good      of this version
//	paused    of a newer version: an unknown status, unknown fields ("views") and attributes ("shiny"), longer parts and scope
//	skipped   of a newer version: terminal, with an unknown status
//	broken    damaged: the state cannot be decoded, but epoch, seq and id can
//	nameless  damaged: only the epoch can be decoded
func feedOfNewerVersion(t *testing.T) (*dynamo.Feed, *model, *bytes.Buffer) {
	t.Helper()
	m, log := &model{}, &bytes.Buffer{}
	s := &dynamo.Feed{Client: m.client(), Table: "feed", Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, job := range []string{"good", "paused", "skipped", "broken", "nameless"} {
		for _, u := range []feed.Update{stateUpdate(job, 10, time.Now()), partUpdate(job, "1", 5, time.Now())} {
			u.Epoch = runEpoch
			if _, _, err := s.Apply(t.Context(), "user/u", u); err != nil {
				t.Fatal(err)
			}
		}
	}
	edit := func(job string, change func(attributes)) { change(m.items[[2]string{"user/u", "job#" + job}]) }
	edit("paused", func(it attributes) {
		it["data"] = str(`{"uploadId":"","fileName":"f.csv","progress":10,"message":"","status":"paused","phase":"parse","views":["<one>",2]}`)
		it["shiny"] = list(num("1"))
		it["parts"] = &types.AttributeValueMemberM{Value: attributes{"1": list(num("5"), num("0"), num("9"))}}
		scope, _ := it["scope"].(*types.AttributeValueMemberM)
		scope.Value["speed"] = num("7")
	})
	edit("skipped", func(it attributes) {
		it["data"] = str(`{"uploadId":"","fileName":"f.csv","progress":10,"message":"","status":"skipped"}`)
		it["terminal"] = &types.AttributeValueMemberBOOL{Value: true}
	})
	edit("broken", func(it attributes) { it["data"] = list() })
	edit("nameless", func(it attributes) {
		it["data"], it["seq"] = list(), str("many")
		delete(it, "id")
	})
	s = &dynamo.Feed{Client: m.client(), Table: "feed", Log: s.Log} // with an empty cache
	return s, m, log
}

// statusOf returns the status and the data of the row's frame.
func statusOf(t *testing.T, row feed.Row) (status string, data map[string]any) {
	t.Helper()
	frame, err := row.Envelope().Encode()
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Data map[string]any }
	if err := json.Unmarshal(frame, &e); err != nil {
		t.Fatal(err)
	}
	status, _ = e.Data["status"].(string)
	return status, e.Data
}

func TestUnreadableJobsHideNoOthers(t *testing.T) {
	s, _, log := feedOfNewerVersion(t)
	got := map[string]string{}
	for row, err := range s.Jobs(t.Context(), "user/u") {
		if err != nil {
			t.Fatal(err)
		}
		got[row.State.UploadID], _ = statusOf(t, row)
	}
	if diff := cmp.Diff(map[string]string{"good": "", "paused": "paused", "skipped": "skipped"}, got); diff != "" {
		t.Errorf("the jobs and their statuses (-want +got):\n%s", diff)
	}
	for _, job := range []string{"broken", "nameless"} {
		if !strings.Contains(log.String(), "job#"+job) {
			t.Errorf("the log does not name %s:\n%s", job, log)
		}
		if _, err := s.Job(t.Context(), "user/u", job); err == nil {
			t.Errorf("%s could be read", job)
		}
	}
}

func TestApplyReplacesAnUnreadableJob(t *testing.T) {
	at := time.Now()
	for _, job := range []string{"broken", "nameless"} {
		for name, u := range map[string]feed.Update{"a state": stateUpdate(job, 20, at), "a part": partUpdate(job, "2", 1, at), "no epoch": stateUpdate(job, 20, at)} {
			t.Run(job+", "+name, func(t *testing.T) {
				s, _, _ := feedOfNewerVersion(t)
				if u.Epoch = runEpoch; name == "no epoch" {
					u.Epoch = ""
				}
				row, outcome, err := s.Apply(t.Context(), "user/u", u)
				if err != nil || outcome != feed.Accepted || row.State.FileName != "f.csv" {
					t.Fatalf("Apply: %+v, %q, %v", row, outcome, err)
				}
				if job == "broken" && !row.Newer(runEpoch, 2) {
					t.Errorf("a tab that has seq 2 ignores epoch %s, seq %d", row.Epoch, row.Seq)
				}
				stored, err := s.Job(t.Context(), "user/u", job)
				if diff := cmp.Diff(row, stored); err != nil || diff != "" {
					t.Errorf("%v, stored (-want +got):\n%s", err, diff)
				}
				if row.EpochFromTime {
					return // The run would adopt the epoch of an older run.
				}
				u.ID, u.Part = "an old run", nil
				u.Epoch = "2026-11-22T09:00:00.000Z#0000"
				if _, outcome, err := s.Apply(t.Context(), "user/u", u); err != nil || outcome != feed.Stale {
					t.Errorf("an older run: %q, %v", outcome, err)
				}
			})
		}
	}
}

func TestApplyPreservesAttributesOfNewerVersions(t *testing.T) {
	s, m, _ := feedOfNewerVersion(t)
	at := time.Now().Add(time.Second)
	apply := func(u feed.Update) feed.Row {
		t.Helper()
		if u.Epoch != redriveEpoch {
			u.Epoch = runEpoch
		}
		row, outcome, err := s.Apply(t.Context(), "user/u", u)
		if err != nil || outcome != feed.Accepted {
			t.Fatalf("Apply: %q, %v", outcome, err)
		}
		return row
	}
	// check requires that the row has a status, whether its state has the unknown field, whether its item has the unknown
	// attributes, and that it is stored.
	check := func(what string, row feed.Row, status string, hasViews, hasUnknown bool) {
		t.Helper()
		got, data := statusOf(t, row)
		if got != status || (data["views"] != nil) != hasViews {
			t.Errorf("after %s the status is %q, the data %v", what, got, data)
		}
		it := m.item("user/u", "job#paused")
		parts, _ := it["parts"].(*types.AttributeValueMemberM)
		scope, _ := it["scope"].(*types.AttributeValueMemberM)
		numbers := 1
		if count, isList := parts.Value["1"].(*types.AttributeValueMemberL); isList {
			numbers = len(count.Value)
		}
		if (it["shiny"] != nil) != hasUnknown || (numbers == 3) != hasUnknown || scope != nil && (scope.Value["speed"] != nil) != hasUnknown {
			t.Errorf("after %s the row is %v, with %d numbers of the part", what, it, numbers)
		}
		if stored, err := s.Job(t.Context(), "user/u", "paused"); err != nil || !cmp.Equal(stored, row) {
			t.Errorf("after %s: %v, stored (-want +got):\n%s", what, err, cmp.Diff(row, stored))
		}
	}
	check("a part", apply(partUpdate("paused", "1", 6, at)), "paused", true, true)
	check("another part", apply(partUpdate("paused", "2", 6, at)), "paused", true, true)
	named := partUpdate("paused", "2", 7, at)
	named.Execution = "arn"
	row := apply(named)
	check("a part that names an execution", row, "paused", true, true)
	row, _, err := s.ClaimPush(t.Context(), row, at)
	if err != nil {
		t.Fatal(err)
	}
	check("a push", row, "paused", true, true)
	end := stateUpdate("paused", 10, at)
	end.State.Status, end.EndedExecution = message.StatusFailed, "arn"
	check("the end of its execution", apply(end), "failed", true, true)
	again := stateUpdate("paused", 1, at)
	again.Epoch = redriveEpoch
	again.Part = &message.Part{ID: "1", Done: 1, Total: 9}
	check("a new run", apply(again), "", false, false)
}

func TestStateReplacesUnknownFieldsOfTheStateOnly(t *testing.T) {
	s, m, _ := feedOfNewerVersion(t)
	u := stateUpdate("paused", 20, time.Now())
	u.Epoch = runEpoch
	row, outcome, err := s.Apply(t.Context(), "user/u", u)
	if err != nil || outcome != feed.Accepted {
		t.Fatalf("Apply: %q, %v", outcome, err)
	}
	if status, data := statusOf(t, row); status != "" || data["views"] != nil || m.item("user/u", "job#paused")["shiny"] == nil {
		t.Errorf("the status is %q, the data %v, the row %v", status, data, m.item("user/u", "job#paused"))
	}
}

// The row has terminal: true and a status that this version does not know.
func TestUnknownTerminalStatusIsTerminal(t *testing.T) {
	s, m, _ := feedOfNewerVersion(t)
	before := m.item("user/u", "job#skipped")
	for _, u := range []feed.Update{stateUpdate("skipped", 20, time.Now()), partUpdate("skipped", "1", 9, time.Now())} {
		u.Epoch = runEpoch
		if row, outcome, err := s.Apply(t.Context(), "user/u", u); err != nil || outcome != feed.Ignored || !row.Terminal() {
			t.Errorf("Apply: %+v, %q, %v", row, outcome, err)
		}
	}
	if after := m.item("user/u", "job#skipped"); !reflect.DeepEqual(before, after) {
		t.Errorf("the row was %v and is %v", before, after)
	}
	again := stateUpdate("skipped", 1, time.Now())
	again.Epoch = redriveEpoch
	if row, outcome, err := s.Apply(t.Context(), "user/u", again); err != nil || outcome != feed.Accepted || row.Terminal() {
		t.Errorf("the next run: %+v, %q, %v", row, outcome, err)
	}
}

func TestUnreadableNotesHideNoOthers(t *testing.T) {
	m, log := &model{}, &bytes.Buffer{}
	s := &dynamo.Feed{Client: m.client(), Table: "feed", Log: slog.New(slog.NewTextHandler(log, nil))}
	note := func(id string) feed.Note {
		return feed.Note{ID: id, At: time.Now(), Data: message.Error{Code: "C", Message: "secret"}, Key: "key of " + id}
	}
	for _, id := range []string{"1", "2", "3", "4"} {
		if _, _, err := s.Add(t.Context(), "user/u", note(id)); err != nil {
			t.Fatal(err)
		}
	}
	m.items[[2]string{"user/u", "note#2"}]["data"] = list()
	m.items[[2]string{"user/u", "note#3"}]["at"] = str("long ago")
	for key, it := range m.items {
		if strings.HasPrefix(key[1], "key#") {
			it["note"] = list() // No row of a key can be decoded.
		}
	}
	for _, since := range []string{"", "0"} {
		notes, err := s.Notes(t.Context(), "user/u", since, 10)
		if err != nil || len(notes) != 2 || notes[0].ID != "1" || notes[1].ID != "4" {
			t.Errorf("Notes since %q: %+v, %v", since, notes, err)
		}
	}
	again := note("5")
	again.Key = "key of 1"
	if _, _, err := s.Add(t.Context(), "user/u", again); err != nil {
		t.Errorf("a note whose key cannot be read: %v", err)
	}
	if notes, err := s.Notes(t.Context(), "user/u", "4", 10); err != nil || len(notes) != 1 {
		t.Errorf("the note is not stored: %+v, %v", notes, err)
	}
	if text := log.String(); !strings.Contains(text, "note#2") || !strings.Contains(text, "note#3") || strings.Contains(text, "secret") {
		t.Errorf("the log is\n%s", text)
	}
}
