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

// sinceDays is how long ago the runs of these tests began.
const sinceDays = 3 * 24 * time.Hour

func epochAt(at time.Time, redrive int) string {
	return fmt.Sprintf("%s#%04d", at.UTC().Format("2006-01-02T15:04:05.000Z"), redrive)
}

func over(u feed.Update) feed.Update {
	u.State.Status, u.ID = message.StatusSucceeded, u.ID+" end"

	return u
}

// TestAnEndIsRememberedWhenItsRowIsGone: TTL deletes the row of an ended job after a day. An update that comes later does
// not open the job again; a redrive, and a later run, do.
func TestAnEndIsRememberedWhenItsRowIsGone(t *testing.T) {
	now := time.Now()
	began := now.Add(-sinceDays)
	in := func(u feed.Update, epoch string) feed.Update {
		u.Epoch = epoch

		return u
	}
	for _, tt := range []struct {
		name string
		u    feed.Update
		want feed.Outcome
	}{
		{"a state", in(stateUpdate("job", 50, now), epochAt(began, 0)), feed.Ignored},
		{"a part", in(partUpdate("job", "1", 5, now), epochAt(began, 0)), feed.Ignored},
		{"an end", over(in(stateUpdate("job", 50, now), epochAt(began, 0))), feed.Ignored},
		{"a state of an earlier run", in(stateUpdate("job", 50, now), epochAt(began.Add(-time.Hour), 0)), feed.Stale},
		{"a redrive", in(stateUpdate("job", 50, now), epochAt(began, 1)), feed.Accepted},
		{"a part of a redrive", in(partUpdate("job", "1", 5, now), epochAt(began, 1)), feed.Accepted},
		{"a later run", in(stateUpdate("job", 50, now), epochAt(now, 0)), feed.Accepted},
		{"a run without an epoch", in(stateUpdate("job", 50, now), ""), feed.Accepted},
		{"another job", in(stateUpdate("other", 50, now), epochAt(began, 0)), feed.Accepted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &model{}
			s := &dynamo.Feed{Client: m.client(), Table: "feed"}
			for _, u := range []feed.Update{stateUpdate("job", 10, began), over(stateUpdate("job", 100, began.Add(time.Hour)))} {
				if _, outcome, err := s.Apply(t.Context(), "user/u", in(u, epochAt(began, 0))); err != nil || outcome != feed.Accepted {
					t.Fatal(outcome, err)
				}
			}
			end := m.item("user/u", "end#job")["expiresAt"]
			if want := began.Add(time.Hour + feed.JobTTL + feed.EndedRunRetention).Unix(); int64(numberOf(end)) != want {
				t.Errorf("the end is remembered until %v, want %d", end, want)
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

// TestAnOlderEndForgetsNoNewer: its writer stood still while the next run began and ended.
func TestAnOlderEndForgetsNoNewer(t *testing.T) {
	m := &model{}
	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	at := time.Now().Add(-sinceDays)
	for _, redrive := range []int{1, 0} {
		u := over(stateUpdate("job", 100, at))
		u.Epoch = epochAt(at, redrive)
		if _, _, err := s.Apply(t.Context(), "user/u", u); err != nil {
			t.Fatal(err)
		}
		m.deleteItem("user/u", "job#job")
	}
	if got := stringOf(m.item("user/u", "end#job")["epoch"]); got != epochAt(at, 1) {
		t.Errorf("the end of %s is remembered", got)
	}
}

// TestEndsCostReadersNothing: the running jobs of a user come by one request that reads nothing else, beside 160,000 ends
// of the last fourteen days. What is written of a run that is no day old asks for no end.
func TestEndsCostReadersNothing(t *testing.T) {
	m := &model{}
	requests := map[string]int{}
	m.mutate = func(request any) {
		requests[strings.TrimPrefix(fmt.Sprintf("%T", request), "*dynamodb.")]++
		if q, ok := request.(*dynamodb.QueryInput); ok && q.FilterExpression != nil {
			t.Error("a filter hides what is read")
		}
	}
	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	if _, _, err := s.Apply(t.Context(), "user/u", over(stateUpdate("job", 100, time.Now()))); err != nil {
		t.Fatal(err)
	}
	end := m.item("user/u", "end#job")
	m.deleteItem("user/u", "job#job")
	if size := len(fmt.Sprint(end)); size > 1000 || m.items[[2]string{"user/u", "end#job"}] == nil {
		t.Errorf("an end takes %d bytes", size)
	}
	for n := range 160_000 {
		one := clone(end)
		one["entry"] = &types.AttributeValueMemberS{Value: fmt.Sprintf("end#j%06d", n)}
		m.items[keyOf(one)] = one
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
	if requests["GetItemInput"] != running || requests["PutItemInput"] != running {
		t.Errorf("%d jobs begin with %v", running, requests)
	}
	clear(requests)
	start := time.Now()
	page, err := s.JobsAfter(t.Context(), "user/u", "", 1000)
	if err != nil || len(page.Rows) != running || page.Next != "" || requests["QueryInput"] != 1 {
		t.Errorf("%d jobs come, next %q, by %v, %v", len(page.Rows), page.Next, requests, err)
	}
	t.Logf("%v", time.Since(start))
}

// TestARepeatedEndIsRemembered: its first try died after it had written the job's row.
func TestARepeatedEndIsRemembered(t *testing.T) {
	m := &model{}
	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	u := over(stateUpdate("job", 100, time.Now()))
	for _, want := range []feed.Outcome{feed.Accepted, feed.Duplicate} {
		if _, outcome, err := s.Apply(t.Context(), "user/u", u); err != nil || outcome != want {
			t.Fatalf("%q, %v, want %q", outcome, err, want)
		}
		if m.item("user/u", "end#job") == nil {
			t.Errorf("the %s end is not remembered", want)
		}
		m.deleteItem("user/u", "end#job")
	}
}
