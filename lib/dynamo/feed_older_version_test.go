package dynamo_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
)

// TestARunOfAnOlderVersionKeepsTheFormOfItsParts is about a deployment while a job runs: this version continues a run that an older
// version began, and a process of the older version still writes some parts. It could not decode a part that is a number.
func TestARunOfAnOlderVersionKeepsTheFormOfItsParts(t *testing.T) {
	m := &model{mutate: asOlderVersion}
	older := &dynamo.Feed{Client: m.client(), Table: "feed"}
	at := time.Now()
	failing := func(id string, done, failed int64) feed.Update {
		u := partUpdate("job", id, done, at)
		u.Part.Failed = failed
		return u
	}
	apply := func(s *dynamo.Feed, epoch string, u feed.Update, want feed.Outcome) feed.Row {
		t.Helper()
		u.Epoch = epoch
		row, outcome, err := s.Apply(t.Context(), "user/u", u)
		if err != nil || outcome != want {
			t.Fatalf("Apply: %q, %v, want %q", outcome, err, want)
		}
		return row
	}
	apply(older, runEpoch, stateUpdate("job", 10, at), feed.Accepted)
	m.mutate = nil // From now on the model takes what this version writes.

	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	counts := map[string]feed.PartCount{}
	for _, step := range []struct {
		what string
		u    feed.Update
		want feed.Outcome
	}{
		{"a part", failing("1", 5, 0), feed.Accepted},
		{"another part, with failures", failing("2", 7, 3), feed.Accepted},
		{"more of a part", failing("1", 8, 0), feed.Accepted},
		{"failures of a part", failing("1", 8, 2), feed.Accepted},
		{"a repetition", failing("2", 7, 3), feed.Duplicate},
		{"a state", stateUpdate("job", 20, at), feed.Accepted},
		{"a part after the state", failing("2", 9, 4), feed.Accepted},
	} {
		row := apply(s, runEpoch, step.u, step.want)
		if step.u.Part != nil {
			counts[step.u.Part.ID] = feed.PartCount{Done: step.u.Part.Done, Failed: step.u.Part.Failed}
		}
		it := m.item("user/u", "job#job")
		parts, _ := it["parts"].(*types.AttributeValueMemberM)
		for id, part := range parts.Value {
			if _, isList := part.(*types.AttributeValueMemberL); !isList {
				t.Errorf("after %s the part %s is %T", step.what, id, part)
			}
		}
		if diff := cmp.Diff(counts, row.Parts); diff != "" || it["failures"] != nil {
			t.Errorf("after %s the failures are %v, and the parts (-want +got):\n%s", step.what, it["failures"], diff)
		}
		fresh := &dynamo.Feed{Client: m.client(), Table: "feed"} // without a cache
		if stored, err := fresh.Job(t.Context(), "user/u", "job"); err != nil || !cmp.Equal(stored, row) {
			t.Errorf("after %s: %v, stored (-want +got):\n%s", step.what, err, cmp.Diff(row, stored))
		}
		s = fresh
	}

	redrive := partUpdate("job", "1", 1, at)
	redrive.Part.Failed = 1
	row := apply(s, redriveEpoch, redrive, feed.Accepted)
	if it := m.item("user/u", "job#job"); it["failures"] == nil || row.Parts["1"] != (feed.PartCount{Done: 1, Failed: 1}) {
		t.Errorf("the next run has the failures %v, and the parts %v", it["failures"], row.Parts)
	}
}

// TestStatesOfAnOlderVersionLeaveTheSumsOfParts: a process of an older version cannot read parts that are numbers. If it stores a state
// in such a run, it keeps the parts, but begins their sums again.
func TestStatesOfAnOlderVersionLeaveTheSumsOfParts(t *testing.T) {
	m := &model{}
	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	at := time.Now()
	report := func(id string, done, failed int64) feed.Row {
		u := partUpdate("job", id, done, at)
		u.Part.Failed = failed
		row, outcome, err := s.Apply(t.Context(), "user/u", u)
		if err != nil || outcome != feed.Accepted {
			t.Fatalf("Apply: %q, %v", outcome, err)
		}
		return row
	}
	report("1", 5, 0)
	report("2", 7, 3)
	stored := m.items[[2]string{"user/u", "job#job"}]
	stored["partsDone"], stored["partsFailed"] = &types.AttributeValueMemberN{Value: "0"}, &types.AttributeValueMemberN{Value: "0"}

	fresh := &dynamo.Feed{Client: m.client(), Table: "feed"} // without a cache
	row, err := fresh.Job(t.Context(), "user/u", "job")
	if err != nil || row.PartsDone != 12 || row.PartsFailed != 3 {
		t.Errorf("stored: %d steps done, %d failed, %v; want 12 and 3", row.PartsDone, row.PartsFailed, err)
	}
	if row := report("1", 8, 1); row.PartsDone != 15 || row.PartsFailed != 4 {
		t.Errorf("after the next update: %d steps done, %d failed; want 15 and 4", row.PartsDone, row.PartsFailed)
	}
}

// TestWritesOfPartsAreSmall counts the write units of the updates of jobs with 4, 43, 64 (the most of an import) and 256 parts, four
// updates of each part, 40 parts at once. One part of 43 has failures. DynamoDB charges an UpdateItem one unit for each KB of the whole row.
func TestWritesOfPartsAreSmall(t *testing.T) {
	for _, tt := range []struct {
		parts        int
		units, older float64 // for an update on average; older is for the lists of an older version
	}{{4, 1, 1}, {43, 1, 2}, {64, 1, 2}, {256, 2.1, 3.1}} {
		units := func(mutate func(any)) (average float64, last int) {
			m := &model{mutate: mutate}
			s := &dynamo.Feed{Client: m.client(), Table: "feed"}
			begin := stateUpdate("01M81B5HBV8D4S1NE0QXB9TZK3", 10, time.Now())
			begin.Execution = "arn:aws:states:eu-west-1:123456789012:execution:csv_import:01M81B5HBV8D4S1NE0QXB9TZK3"
			begin.Key = "begin"
			row, _, err := s.Apply(t.Context(), "user/u", begin)
			if err != nil {
				t.Fatal(err)
			}
			const rows, updates, atOnce = 6_000_000, 4, 40
			sum, n := 0, 0
			for first := 0; first < tt.parts; first += atOnce {
				for step := range int64(updates) {
					for id := first; id < min(first+atOnce, tt.parts); id++ {
						u := partUpdate(row.State.UploadID, strconv.Itoa(id), (step+1)*rows/int64(tt.parts)/updates, begin.At)
						u.Part.Total = rows
						if id%43 == 7 {
							u.Part.Failed = step
						}
						if _, outcome, err := s.Apply(t.Context(), "user/u", u); err != nil || outcome != feed.Accepted {
							t.Fatal(outcome, err)
						}
						last = dynamo.ItemSize(m.item("user/u", "job#"+row.State.UploadID))
						sum, n = sum+(last+1023)/1024, n+1
					}
				}
			}
			return float64(sum) / float64(n), last
		}
		now, size := units(nil)
		before, olderSize := units(asOlderVersion)
		t.Logf("%d parts: %.2f units per update, %d bytes in the end; as an older version %.2f and %d", tt.parts, now, size, before, olderSize)
		if now > tt.units || before > tt.older {
			t.Errorf("%d parts: %.2f units, and %.2f as an older version; want at most %v and %v", tt.parts, now, before, tt.units, tt.older)
		}
	}
}
