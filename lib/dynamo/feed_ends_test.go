package dynamo_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// These tests are about ends: the items that store that a job's last run has ended. They run on the model of a table.

// runAge is how long ago the runs of these tests began. It is over a day, so that TTL may have deleted the rows of the jobs.
const runAge = 3 * 24 * time.Hour

// epochAt returns the epoch of a run that began at a time, after a number of redrives.
func epochAt(at time.Time, redrive int) string {
	return fmt.Sprintf("%s#%04d", at.UTC().Format("2006-01-02T15:04:05.000Z"), redrive)
}

// ended returns u with a terminal status.
func ended(u feed.Update) feed.Update {
	u.State.Status, u.ID = message.StatusSucceeded, u.ID+" end"
	return u
}

// TestAnEndIsRememberedWhenItsRowIsGone deletes the row of an ended job, as TTL does after a day. A later update of the same run must
// not open the job again. A redrive or a later run must open it.
func TestAnEndIsRememberedWhenItsRowIsGone(t *testing.T) {
	now := time.Now()
	began := now.Add(-runAge)
	withEpoch := func(u feed.Update, epoch string) feed.Update {
		u.Epoch = epoch
		return u
	}
	for _, tt := range []struct {
		name string
		u    feed.Update
		want feed.Outcome
	}{
		{"a state", withEpoch(stateUpdate("job", 50, now), epochAt(began, 0)), feed.Ignored},
		{"a part", withEpoch(partUpdate("job", "1", 5, now), epochAt(began, 0)), feed.Ignored},
		{"an end", ended(withEpoch(stateUpdate("job", 50, now), epochAt(began, 0))), feed.Ignored},
		{"a state of an earlier run", withEpoch(stateUpdate("job", 50, now), epochAt(began.Add(-time.Hour), 0)), feed.Stale},
		{"a redrive", withEpoch(stateUpdate("job", 50, now), epochAt(began, 1)), feed.Accepted},
		{"a part of a redrive", withEpoch(partUpdate("job", "1", 5, now), epochAt(began, 1)), feed.Accepted},
		{"a later run", withEpoch(stateUpdate("job", 50, now), epochAt(now, 0)), feed.Accepted},
		{"a run without an epoch", withEpoch(stateUpdate("job", 50, now), ""), feed.Accepted},
		{"another job", withEpoch(stateUpdate("other", 50, now), epochAt(began, 0)), feed.Accepted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &model{}
			s := &dynamo.Feed{Client: m.client(), Table: "feed"}
			for _, u := range []feed.Update{stateUpdate("job", 10, began), ended(stateUpdate("job", 100, began.Add(time.Hour)))} {
				if _, outcome, err := s.Apply(t.Context(), "user/u", withEpoch(u, epochAt(began, 0))); err != nil || outcome != feed.Accepted {
					t.Fatal(outcome, err)
				}
			}
			end := m.item("user/u", "end#job")["expiresAt"]
			if want := began.Add(time.Hour + feed.JobTTL + feed.EndedRunRetention).Unix(); int64(numberOf(end)) != want {
				t.Errorf("the end expires at %v, want %d", end, want)
			}
			m.deleteItem("user/u", "job#job")
			row, outcome, err := s.Apply(t.Context(), "user/u", tt.u)
			if err != nil || outcome != tt.want {
				t.Fatalf("%q, %v, want %q", outcome, err, tt.want)
			}
			if item := m.item("user/u", "job#"+tt.u.State.UploadID); (len(item) > 0) != (tt.want == feed.Accepted) {
				t.Errorf("%q leaves the row %v", outcome, item)
			}
			if tt.want == feed.Accepted && row.Seq != 1 {
				t.Errorf("the run begins with seq %d", row.Seq)
			}
		})
	}
}

// TestALaterAttemptContinuesAFailedRunWhoseRowIsGone deletes the row after the first of three attempts has failed, and maybe after the
// second one has begun.
func TestALaterAttemptContinuesAFailedRunWhoseRowIsGone(t *testing.T) {
	now := time.Now()
	began := now.Add(-runAge)
	inAttempt := func(u feed.Update, attempt int64) feed.Update {
		u.Epoch, u.State.Attempt, u.ID = epochAt(began, 0), attempt, fmt.Sprint(u.ID, " of attempt ", attempt)
		return u
	}
	failed := func(attempt int64, at time.Time) feed.Update {
		u := inAttempt(ended(stateUpdate("job", 50, at)), attempt)
		u.State.Status = message.StatusFailed
		return u
	}
	for _, tt := range []struct {
		name   string
		before []feed.Update
		u      feed.Update
		want   feed.Outcome
	}{
		{"a state of the next attempt", nil, inAttempt(stateUpdate("job", 60, now), 2), feed.Accepted},
		{"a part of the next attempt", nil, inAttempt(partUpdate("job", "1", 5, now), 2), feed.Accepted},
		{"the end of the next attempt", nil, inAttempt(ended(stateUpdate("job", 60, now)), 2), feed.Accepted},
		{"a late state of the failed attempt", nil, inAttempt(stateUpdate("job", 60, now), 1), feed.Ignored},
		{"a state without an attempt", nil, inAttempt(stateUpdate("job", 60, now), 0), feed.Ignored},
		{"a silent attempt goes on", []feed.Update{inAttempt(stateUpdate("job", 55, began), 2)}, inAttempt(stateUpdate("job", 60, now), 2), feed.Accepted},
		{"a silent attempt goes on by a part", []feed.Update{inAttempt(stateUpdate("job", 55, began), 2)}, inAttempt(partUpdate("job", "1", 5, now), 2), feed.Accepted},
		{"the first attempt after the second one has begun", []feed.Update{inAttempt(stateUpdate("job", 55, began), 2)}, inAttempt(stateUpdate("job", 60, now), 1), feed.Ignored},
		{"the second attempt after it has failed, too", []feed.Update{failed(2, began)}, inAttempt(stateUpdate("job", 60, now), 2), feed.Ignored},
		{"the third attempt", []feed.Update{failed(2, began)}, inAttempt(stateUpdate("job", 60, now), 3), feed.Accepted},
		{"an attempt after a success", []feed.Update{inAttempt(ended(stateUpdate("job", 55, began)), 2)}, inAttempt(stateUpdate("job", 60, now), 3), feed.Ignored},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &model{}
			s := &dynamo.Feed{Client: m.client(), Table: "feed"}
			for _, u := range append([]feed.Update{inAttempt(stateUpdate("job", 10, began), 1), failed(1, began)}, tt.before...) {
				if _, outcome, err := s.Apply(t.Context(), "user/u", u); err != nil || outcome != feed.Accepted {
					t.Fatal(u.ID, outcome, err)
				}
			}
			m.deleteItem("user/u", "job#job")
			s = &dynamo.Feed{Client: m.client(), Table: "feed"} // without a cache
			row, outcome, err := s.Apply(t.Context(), "user/u", tt.u)
			if err != nil || outcome != tt.want {
				t.Fatalf("%q, %v, want %q", outcome, err, tt.want)
			}
			if tt.want == feed.Accepted && (row.Epoch != epochAt(began, 0) || row.Attempt != tt.u.State.Attempt) {
				t.Errorf("the row is %+v", row)
			}
		})
	}
}

// TestALateEndOfAnAttemptDoesNotReplaceThatOfALaterOne: the writer of the first attempt's end was suspended before it stored the end, and
// a repetition stores it after the run has succeeded.
func TestALateEndOfAnAttemptDoesNotReplaceThatOfALaterOne(t *testing.T) {
	m := &model{}
	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	at := time.Now().Add(-runAge)
	failed := ended(stateUpdate("job", 50, at))
	failed.State.Status, failed.State.Attempt, failed.Epoch = message.StatusFailed, 1, epochAt(at, 0)
	succeeded := ended(stateUpdate("job", 100, at))
	succeeded.State.Attempt, succeeded.Epoch = 2, epochAt(at, 0)
	if _, _, err := s.Apply(t.Context(), "user/u", failed); err != nil {
		t.Fatal(err)
	}
	row, end := m.item("user/u", "job#job"), m.item("user/u", "end#job")
	if _, outcome, err := s.Apply(t.Context(), "user/u", succeeded); err != nil || outcome != feed.Accepted {
		t.Fatal(outcome, err)
	}
	want := m.item("user/u", "end#job")
	if end == nil || want["failedAttempt"] != nil || numberOf(want["seq"]) != 2 {
		t.Fatalf("the ends are %v and %v", end, want)
	}
	m.items[[2]string{"user/u", "job#job"}] = row // The suspended writer sees the row as it was.
	s = &dynamo.Feed{Client: m.client(), Table: "feed"}
	if _, outcome, err := s.Apply(t.Context(), "user/u", failed); err != nil || outcome != feed.Duplicate {
		t.Fatal(outcome, err)
	}
	if got := m.item("user/u", "end#job"); numberOf(got["seq"]) != 2 || got["failedAttempt"] != nil {
		t.Errorf("the end is %v", got)
	}
}

// TestAnOlderEndDoesNotReplaceANewerOne ends the older of two runs last, as when its writer was suspended while the newer run began
// and ended.
func TestAnOlderEndDoesNotReplaceANewerOne(t *testing.T) {
	m := &model{}
	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	at := time.Now().Add(-runAge)
	for _, redrive := range []int{1, 0} { // The newer run first.
		u := ended(stateUpdate("job", 100, at))
		u.Epoch = epochAt(at, redrive)
		if _, _, err := s.Apply(t.Context(), "user/u", u); err != nil {
			t.Fatal(err)
		}
		m.deleteItem("user/u", "job#job")
	}
	if got := stringOf(m.item("user/u", "end#job")["epoch"]); got != epochAt(at, 1) {
		t.Errorf("the stored end is that of %s, want %s", got, epochAt(at, 1))
	}
}

// TestEndsCostReadersNothing stores 160,000 ends of a user. One query must still read the user's running jobs, and must read no
// ends. An update of a run that began less than a day ago must not read an end.
func TestEndsCostReadersNothing(t *testing.T) {
	m := &model{}
	requests := map[string]int{}
	m.mutate = func(request any) {
		requests[strings.TrimPrefix(fmt.Sprintf("%T", request), "*dynamodb.")]++
		if q, ok := request.(*dynamodb.QueryInput); ok && q.FilterExpression != nil {
			t.Error("the query reads items that its filter drops")
		}
	}
	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	if _, _, err := s.Apply(t.Context(), "user/u", ended(stateUpdate("job", 100, time.Now()))); err != nil {
		t.Fatal(err)
	}
	end := m.item("user/u", "end#job")
	m.deleteItem("user/u", "job#job")
	if size := len(fmt.Sprint(end)); size > 1000 || end == nil {
		t.Errorf("an end takes %d bytes", size)
	}
	for n := range 160_000 {
		other := clone(end)
		other["entry"] = &types.AttributeValueMemberS{Value: fmt.Sprintf("end#j%06d", n)}
		m.items[keyOf(other)] = other
	}
	clear(requests)
	const running = 50
	for n := range running {
		u := stateUpdate(fmt.Sprint("running ", n), 10, time.Now())
		u.Epoch = epochAt(time.Now().Add(-time.Hour), 0)
		if _, _, err := s.Apply(t.Context(), "user/u", u); err != nil {
			t.Fatal(err)
		}
	}
	// Each job begins with one read of its row, and none of an end.
	if requests["GetItemInput"] != running || requests["PutItemInput"] != running {
		t.Errorf("%d jobs begin with the requests %v", running, requests)
	}
	clear(requests)
	start := time.Now()
	page, err := s.JobsAfter(t.Context(), "user/u", "", 1000)
	if err != nil || len(page.Rows) != running || page.Next != "" || requests["QueryInput"] != 1 {
		t.Errorf("%d jobs, next %q, by the requests %v, error %v", len(page.Rows), page.Next, requests, err)
	}
	t.Logf("the query took %v", time.Since(start))
}

// TestARepeatedEndIsRemembered repeats the end of a job. The first try may have been killed after it wrote the job's row and before
// it wrote the end, so the repetition must write the end, too.
func TestARepeatedEndIsRemembered(t *testing.T) {
	m := &model{}
	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	u := ended(stateUpdate("job", 100, time.Now()))
	for _, want := range []feed.Outcome{feed.Accepted, feed.Duplicate} {
		if _, outcome, err := s.Apply(t.Context(), "user/u", u); err != nil || outcome != want {
			t.Fatalf("%q, %v, want %q", outcome, err, want)
		}
		if m.item("user/u", "end#job") == nil {
			t.Errorf("after an update that is %s, no end is stored", want)
		}
		m.deleteItem("user/u", "end#job")
	}
}
