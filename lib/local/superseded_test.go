package local_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// TestASupersededImportIsNotDone replaces a file during its import. The newer import's plan step claims the upload before the older
// import's plan step returns, and itself returns three seconds after the older execution has ended. So the sweeper gets the event of that end before the newer import reports.
func TestASupersededImportIsNotDone(t *testing.T) {
	const olderRows, newerRows = 30_000, 2
	olderPlanned, newerClaimed, olderEnded := make(chan struct{}), make(chan struct{}), make(chan struct{})
	steps := &importSteps{}
	plan := func(ctx context.Context, in csvimport.PlanInput) (csvimport.PlanOutput, error) {
		out, err := csvimport.NewPlan(steps.config()).Handle(ctx, in)
		switch out.TotalRows {
		case olderRows:
			close(olderPlanned)
			await(ctx, newerClaimed)
		case newerRows:
			close(newerClaimed)
			await(ctx, olderEnded)
			time.Sleep(3 * time.Second)
		}

		return out, err
	}
	twin, ended := startWithEnds(t, local.Config{Functions: map[string]any{"csvplan": plan}})
	steps.twin = twin
	ann := openTab(t, twin, "ann")
	putFile(t, twin, "ann", "u-42", "a.csv", bytes.NewReader(partsOf(olderRows)))
	<-olderPlanned
	putFile(t, twin, "ann", "u-42", "a.csv", bytes.NewReader([]byte("part,color,quantity\n1,Red,1\n2,Blue,2\n")))
	if x := <-ended; x.Status != asl.StatusSucceeded || x.Output != `{"superseded":true}` {
		t.Fatalf("the older execution ends %s: %s, want it superseded", x.Status, x.Output)
	}
	close(olderEnded)
	for _, e := range until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeNotification }) {
		if state, ok := message.AsUploadProgress(e.Data); ok && state.Status.Terminal() && state.TotalRows != newerRows {
			t.Errorf("the tab is sent %+v, which the newer import did not report", state)
		}
	}
}
