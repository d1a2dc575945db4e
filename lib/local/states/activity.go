package states

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/durable"
)

// pollTimeout is how long GetActivityTask waits for a task.
const pollTimeout = time.Minute

// An activity is a queue of tasks, which workers take. StepFunctions.mu guards tasks and waiting.
type activity struct {
	item    ActivityListItem
	tasks   []*activityTask
	waiting []chan *activityTask // Each of capacity 1: a worker that polls.
}

// An activityTask is a task that no worker has taken yet.
type activityTask struct{ token, input string }

// ActivityARN returns the ARN of the activity with the given name.
func ActivityARN(name string) string {
	return "arn:aws:states:" + awswire.Region + ":" + awswire.Account + ":activity:" + name
}

// CreateActivity creates an activity. It returns the activity of that name if there is one.
func (s *StepFunctions) CreateActivity(_ context.Context, in CreateActivityInput) (CreateActivityOutput, error) {
	if !validName(in.Name) {
		return CreateActivityOutput{}, awswire.NewError("InvalidName", "Invalid Name: '"+in.Name+"'")
	}
	if _, err := withTags(nil, in.Tags); err != nil { // The tags are accepted, and not stored.
		return CreateActivityOutput{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	arn := ActivityARN(in.Name)
	a, ok := s.activities[arn]
	if !ok {
		a = &activity{item: ActivityListItem{arn, in.Name, Timestamp{time.Now()}}}
		s.activities[arn] = a
		s.add(durable.JSON(tableActivities, arn, activityRecord{in.Name, a.item.CreationDate.Time}))
	}
	return CreateActivityOutput{arn, a.item.CreationDate}, nil
}

// DescribeActivity describes an activity.
func (s *StepFunctions) DescribeActivity(_ context.Context, in ActivityInput) (ActivityListItem, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.activity(in.ActivityArn)
	if err != nil {
		return ActivityListItem{}, err
	}
	return a.item, nil
}

// DeleteActivity deletes an activity. Its tasks run into their timeouts. It succeeds for an activity that does not exist.
func (s *StepFunctions) DeleteActivity(_ context.Context, in ActivityInput) (EmptyOutput, error) {
	if err := validateARN(in.ActivityArn, "activity"); err != nil {
		return EmptyOutput{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.activities, in.ActivityArn)
	s.add(durable.Change{Table: tableActivities, Key: in.ActivityArn})
	return EmptyOutput{}, nil
}

// ListActivities lists a page of the activities, in the order of their names.
func (s *StepFunctions) ListActivities(_ context.Context, in ListActivitiesInput) (ListActivitiesOutput, error) {
	skip, size, err := in.parse() // skip is the number of activities on earlier pages.
	if err != nil {
		return ListActivitiesOutput{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	arns := slices.Sorted(maps.Keys(s.activities))
	arns = arns[min(skip, int64(len(arns))):]
	out := ListActivitiesOutput{Activities: []ActivityListItem{}}
	for i, arn := range arns {
		if i == size {
			out.NextToken = pageToken(skip + int64(size))
			break
		}
		out.Activities = append(out.Activities, s.activities[arn].item)
	}
	return out, nil
}

// GetActivityTask returns the oldest task of an activity. It waits up to a minute for one; then its output is empty.
func (s *StepFunctions) GetActivityTask(ctx context.Context, in GetActivityTaskInput) (ActivityTask, error) {
	s.mu.Lock()
	a, err := s.activity(in.ActivityArn)
	if err != nil {
		s.mu.Unlock()
		return ActivityTask{}, err
	}
	if len(a.tasks) > 0 {
		task := a.tasks[0]
		a.tasks = a.tasks[1:]
		s.mu.Unlock()
		return ActivityTask{task.token, task.input}, nil
	}
	arrived := make(chan *activityTask, 1)
	a.waiting = append(a.waiting, arrived)
	s.mu.Unlock()

	timeout := time.NewTimer(pollTimeout)
	defer timeout.Stop()
	select {
	case task := <-arrived:
		return ActivityTask{task.token, task.input}, nil
	case <-timeout.C:
	case <-ctx.Done():
	case <-s.closing:
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	a.waiting = slices.DeleteFunc(a.waiting, func(c chan *activityTask) bool { return c == arrived })
	select {
	case task := <-arrived: // It came in the last moment.
		if ctx.Err() == nil {
			return ActivityTask{task.token, task.input}, nil
		}
		a.add(task)
	default:
	}
	return ActivityTask{}, nil
}

// add gives a task to a worker that polls, or stores it for the next one. The caller holds the lock.
func (a *activity) add(task *activityTask) {
	if len(a.waiting) > 0 {
		a.waiting[0] <- task
		a.waiting = a.waiting[1:]
		return
	}
	a.tasks = append(a.tasks, task)
}

// activity returns the activity with the given ARN. The caller holds the lock.
func (s *StepFunctions) activity(arn string) (*activity, error) {
	if err := validateARN(arn, "activity"); err != nil {
		return nil, err
	}
	a, ok := s.activities[arn]
	if !ok {
		return nil, awswire.NewError("ActivityDoesNotExist", "Activity Does Not Exist: '"+arn+"'")
	}
	return a, nil
}

// runActivity runs a task whose Resource is an activity's ARN: it waits until a worker has sent back the task's token.
func (r *taskRunner) runActivity(ctx context.Context, t asl.Task) (json.RawMessage, error) {
	s := r.states
	t.Token = randomToken()
	pending := s.addPendingTask(r.executionARN, t)
	defer s.closePendingTask(pending)

	s.mu.Lock()
	a, err := s.activity(t.Resource)
	if err != nil {
		s.mu.Unlock()
		return nil, &asl.Error{Name: "States.Runtime", Cause: fmt.Sprintf("The activity %s does not exist.", t.Resource)}
	}
	task := &activityTask{t.Token, string(t.Arguments)}
	a.add(task)
	s.mu.Unlock()

	select {
	case result := <-pending.result:
		return result.output, result.err
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		a.tasks = slices.DeleteFunc(a.tasks, func(other *activityTask) bool { return other == task })
		return nil, context.Cause(ctx)
	}
}

// randomToken returns a new task token.
func randomToken() string { return "activity-" + awswire.NewUUID() + awswire.NewUUID() }
