package local

import (
	"context"
	"fmt"
	"strings"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/states"
)

// maxTimelineStates is how many states a timeline has at most: the last ones.
const maxTimelineStates = 50

// historyPage is how many events are read at once.
const historyPage = 1000

// timeline is what an execution went through. Times are in milliseconds since 1970. End is zero while the execution or state runs.
type timeline struct {
	Status asl.Status      `json:"status"`
	Start  int64           `json:"start"`
	End    int64           `json:"end,omitempty"`
	States []timelineState `json:"states"`
}

// timelineState is one state that the execution entered. The states inside a Map or Parallel are not listed; their events count for
// the Map or Parallel.
type timelineState struct {
	Name string `json:"name"`
	// Type is Task, Map, Choice and so on.
	Type string `json:"type"`
	// Status is running, succeeded or failed.
	Status string `json:"status"`
	Start  int64  `json:"start"`
	End    int64  `json:"end,omitempty"`
	// Done and Total count the iterations of a Map.
	Done  int `json:"done,omitempty"`
	Total int `json:"total,omitempty"`
}

// readTimeline reads the timeline of an execution from its history.
func readTimeline(ctx context.Context, s *states.StepFunctions, arn string) (timeline, error) {
	execution, err := s.DescribeExecution(ctx, states.DescribeExecutionInput{ExecutionArn: arn, IncludedData: "METADATA_ONLY"})
	if err != nil {
		return timeline{}, fmt.Errorf("timeline: %w", err)
	}
	var events []states.HistoryEvent
	in := states.GetExecutionHistoryInput{ExecutionArn: arn, Page: states.Page{MaxResults: historyPage}}
	for {
		out, err := s.GetExecutionHistory(ctx, in)
		if err != nil {
			return timeline{}, fmt.Errorf("timeline: %w", err)
		}
		events = append(events, out.Events...)
		if in.NextToken = out.NextToken; in.NextToken == "" {
			break
		}
	}
	t := timeline{Status: execution.Status, Start: execution.StartDate.UnixMilli(), States: statesOf(events)}
	if !execution.StopDate.IsZero() {
		t.End = execution.StopDate.UnixMilli()
	}
	for i := range t.States {
		if t.End > 0 && t.States[i].End == 0 { // the execution ended inside the state
			t.States[i].Status, t.States[i].End = "failed", t.End
		}
	}

	return t, nil
}

// statesOf returns the states of a history. An event belongs to the same state as its previous event. An event StateEntered begins a
// new state if its previous event has no state or a state that has ended. If that state has not ended, it is a Map or Parallel, and the
// execution enters a state inside it, which has no place of its own in the list.
func statesOf(events []states.HistoryEvent) []timelineState {
	list := []timelineState{}
	owners := map[int64]int{} // the index in list of an event's state
	for _, e := range events {
		owner, owned := owners[e.PreviousID]
		kind, entered := strings.CutSuffix(e.Type, "StateEntered")
		if entered && (!owned || list[owner].End > 0) {
			owner, owned = len(list), true
			list = append(list, timelineState{Name: detail(e, "stateEnteredEventDetails", "name"), Type: kind, Status: "running", Start: e.Time.UnixMilli()})
		}
		if !owned {
			continue
		}
		owners[e.ID] = owner
		list[owner].apply(e)
	}

	return list[max(0, len(list)-maxTimelineStates):]
}

// apply applies an event of the state, or of a state inside it.
func (s *timelineState) apply(e states.HistoryEvent) {
	switch {
	case e.Type == "MapStateStarted":
		s.Total, _ = field(e, "mapStateStartedEventDetails", "length").(int)
	case e.Type == "MapIterationSucceeded":
		s.Done++
	case strings.HasSuffix(e.Type, "Succeeded"):
		s.Status = "running" // a retry may have succeeded after a failure; the state has not exited yet
	case strings.HasSuffix(e.Type, "Failed"), strings.HasSuffix(e.Type, "TimedOut"):
		s.Status = "failed" // unless a retry succeeds
	case strings.HasSuffix(e.Type, "StateExited") && detail(e, "stateExitedEventDetails", "name") == s.Name:
		s.End = max(e.Time.UnixMilli(), 1) // not 0, which means that the state has not ended
		if s.Status == "running" {
			s.Status = "succeeded"
		}
	}
}

// field returns the field called name of the event's details; details is their key, such as stateEnteredEventDetails.
func field(e states.HistoryEvent, details, name string) any {
	fields, _ := e.Details.Map()[details].(map[string]any)
	return fields[name]
}

// detail returns a field, like field, if it is a string. Otherwise it returns "".
func detail(e states.HistoryEvent, details, name string) string {
	text, _ := field(e, details, name).(string)
	return text
}
