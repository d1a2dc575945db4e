package observe_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/observe"
)

// redriven returns the status change of a redrive.
func redriven() json.RawMessage {
	return json.RawMessage(strings.Replace(string(running(input)), `"redriveCount":0`, `"redriveCount":1`, 1))
}

// inRedrive returns a log line of the first redrive.
func inRedrive(id int, kind, name string) string {
	return strings.Replace(line(runARN, id, kind, name), `"redrive_count":"0"`, `"redrive_count":"1"`, 1)
}

// TestARedriveTakesTheEndBack redrives an execution of which the trace has all events, its failure included.
func TestARedriveTakesTheEndBack(t *testing.T) {
	f := &fake{input: input, definition: definition}
	o := newObserver(f)
	handle(t, o, batch(t,
		line(runARN, 1, "ExecutionStarted", ""), line(runARN, 2, "TaskStateEntered", "A"), line(runARN, 3, "TaskFailed", ""),
		line(runARN, 4, "ExecutionFailed", "")))
	if s := f.last(t); s.Status != message.StatusFailed {
		t.Fatalf("the state before the redrive is %+v", s)
	}
	handle(t, o, redriven())
	if r, s := f.published[len(f.published)-1], f.last(t); s.Status.Terminal() || !strings.HasSuffix(r.Epoch, "#0001") {
		t.Errorf("the redrive begins as %+v in %s", s, r.Epoch)
	}
	handle(t, o, batch(t, line(runARN, 4, "ExecutionFailed", ""))) // CloudWatch Logs may repeat a batch
	if r, s := f.published[len(f.published)-1], f.last(t); s.Status.Terminal() || !strings.HasSuffix(r.Epoch, "#0001") {
		t.Errorf("a repeated batch makes the state %+v in %s", s, r.Epoch)
	}
	handle(t, o, batch(t, inRedrive(5, "ExecutionRedriven", ""), inRedrive(6, "TaskStateExited", "A"), inRedrive(7, "ExecutionSucceeded", "")))
	if r, s := f.published[len(f.published)-1], f.last(t); s.Status != message.StatusSucceeded || !strings.HasSuffix(r.Epoch, "#0001") {
		t.Errorf("the redrive ends as %+v in %s", s, r.Epoch)
	}
}

// slowFirst delays its first Publish until a later one has returned.
type slowFirst struct {
	*fake

	once           sync.Once
	began, release chan struct{}
}

func (s *slowFirst) Publish(ctx context.Context, r message.Request) error {
	s.once.Do(func() {
		close(s.began)
		<-s.release
	})
	return s.fake.Publish(ctx, r)
}

// TestAStateThatIsPublishedLateIsOlder lets a batch store its events first and publish last: the feed must see which state is newer,
// although the clock of the observers stands still.
func TestAStateThatIsPublishedLateIsOlder(t *testing.T) {
	f := &slowFirst{fake: &fake{input: input, definition: definition}, began: make(chan struct{}), release: make(chan struct{})}
	o := newObserver(f.fake)
	o.Publisher = f
	var group sync.WaitGroup
	first := batch(t, line(runARN, 1, "ExecutionStarted", ""), line(runARN, 2, "TaskStateEntered", "A"))
	group.Go(func() {
		if err := o.Handle(t.Context(), first); err != nil {
			t.Error(err)
		}
	})
	<-f.began
	handle(t, &observe.Observer{Machines: o.Machines, Store: o.Store, Workflows: f, Publisher: f.fake, Now: o.Now},
		batch(t, line(runARN, 3, "TaskStateExited", "A"), line(runARN, 4, "TaskStateEntered", "B")))
	close(f.release)
	group.Wait()
	newer, late := f.published[0], f.published[1]
	if state, _ := message.AsUploadProgress(newer.Message); state.Message != "B" {
		t.Fatalf("the first published state is %+v", state)
	}
	if !late.SentAt.Before(newer.SentAt) {
		t.Errorf("the older state was sent at %v, the newer one at %v", late.SentAt, newer.SentAt)
	}
}
