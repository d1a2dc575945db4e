package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/trace"
)

// task is the work on one execution for one event.
type task struct {
	*Observer

	machine   Machine
	arn       string
	execution message.Execution
	counts    *counts
	// described is what is known about the execution, or nil.
	described *Execution
	// redrives is the redrive count of a status change.
	redrives int64
}

// observe adds events to the row of the execution and publishes what the row then says. It publishes also if the row has all the events
// already, because the first try may have failed before it published.
func (t *task) observe(ctx context.Context, events []trace.Event) error {
	for range maxTries {
		row, tr, learned, err := t.store(ctx, events)
		switch {
		case errors.Is(err, trace.ErrConflict):
			pause(ctx)
			continue
		case err != nil:
			return err
		case row.Ignored:
			t.counts.add(&t.counts.ignored)
			return nil
		case row.User == "": // the start of an Express workflow is yet to come
			return nil
		}
		known, err := t.knowledgeOf(ctx, t.machine.ARN, t.execution, t.arn)
		if err != nil {
			return err
		}
		if err := t.publish(ctx, row, tr, known); err != nil {
			return err
		}
		if learned {
			return t.learn(ctx, t.machine.ARN, known, tr)
		}
		return nil
	}
	return errContention
}

// store adds the events to the row. It returns the row with its trace, and whether the row became complete with these events.
func (t *task) store(ctx context.Context, events []trace.Event) (trace.Row, *trace.Trace, bool, error) {
	row, err := t.Store.Row(ctx, t.arn)
	if err != nil {
		return row, nil, false, fmt.Errorf("read execution: %w", err)
	}
	if row.Ignored {
		return row, nil, false, nil
	}
	tr := t.decode(ctx, row)
	complete, changed := tr.Complete(), row.Version == 0
	changed = tr.Redrive(t.redrives) || changed
	for _, e := range events {
		changed = tr.Add(e) || changed
	}
	if row.User == "" {
		before := row
		if row, err = t.open(ctx, row, events); err != nil {
			return row, nil, false, err
		}
		changed = changed || row.User != before.User || row.Ignored
	}
	if !changed {
		return row, tr, false, nil
	}
	row.Ended, row.UpdatedAt = tr.End() != "", t.nextUpdate(row)
	if row.Trace, err = tr.Marshal(); err != nil {
		return row, nil, false, err
	}
	if row.Ignored {
		row = trace.Row{Execution: row.Execution, Version: row.Version, Ignored: true, UpdatedAt: row.UpdatedAt}
	}
	if row.Version, err = t.Store.PutRow(ctx, row); err != nil {
		return row, nil, false, fmt.Errorf("store execution: %w", err)
	}
	return row, tr, !complete && tr.Complete(), nil
}

// nextUpdate returns the time of the next write of a row: now, but after the last write. So the order of the times is that of the writes,
// whatever the clocks of the writers.
func (t *task) nextUpdate(row trace.Row) time.Time {
	now, earliest := t.now().UTC().Truncate(time.Millisecond), row.UpdatedAt.Add(time.Millisecond)
	if now.Before(earliest) {
		return earliest
	}
	return now
}

// decode returns the trace of a row. A trace that cannot be decoded counts as empty.
func (t *task) decode(ctx context.Context, row trace.Row) *trace.Trace {
	if len(row.Trace) == 0 {
		return &trace.Trace{}
	}
	tr, err := trace.Unmarshal(row.Trace)
	if err != nil {
		t.log().WarnContext(ctx, "trace not readable, so it starts again", "execution", t.arn, "err", err)
		return &trace.Trace{}
	}
	return tr
}

// open sets the start and the job of a row from the execution's input, or marks the row as ignored. The row of an Express workflow stays
// as it is until the event of its start comes.
func (t *task) open(ctx context.Context, row trace.Row, events []trace.Event) (trace.Row, error) {
	if t.execution.Express {
		for _, e := range events {
			if e.Type == "ExecutionStarted" {
				t.described = &Execution{Input: e.Input, Start: time.UnixMilli(e.Time).UTC()}
			}
		}
		if t.described == nil {
			return row, nil
		}
	}
	if t.described == nil {
		described, err := t.Workflows.Execution(ctx, t.arn)
		switch {
		case errors.Is(err, ErrUnknown):
			t.log().WarnContext(ctx, "execution ignored", "execution", t.arn, "err", err)
			row.Ignored = true
			return row, nil
		case err != nil:
			return row, fmt.Errorf("describe execution: %w", err)
		}
		t.described = &described
	}
	row.Start = t.described.Start
	decoder := json.NewDecoder(bytes.NewReader([]byte(t.described.Input)))
	decoder.UseNumber() // an id may be a large number
	var input any
	_ = decoder.Decode(&input) // an input that is missing has no user
	user, ok := lookUp(input, t.machine.User)
	job := executionName(t.arn, t.execution.Express)
	if t.machine.Job != "" && ok {
		job, ok = lookUp(input, t.machine.Job)
	}
	if !ok || !message.ValidID(user, message.MaxUserID) || !message.ValidID(job, message.MaxID) {
		row.Ignored = true
		return row, nil
	}
	title, ok := lookUp(input, t.machine.Title)
	if title = message.Truncate(title, message.MaxName); !ok || strings.TrimSpace(title) == "" {
		title = nameOf(t.machine.ARN)
	}
	row.User, row.Job, row.Title = user, job, title
	return row, nil
}

// publish publishes the state of the job. The time of sending is that of the last write of the row, because concurrent batches may
// publish in another order. A state that is refused is logged, because a retry would not help.
func (t *task) publish(ctx context.Context, row trace.Row, tr *trace.Trace, known knowledge) error {
	now := t.now()
	request := message.Request{
		UserID: row.User, Message: state(row, tr.View(known.plan, known.averages), end(t.execution, tr), now),
		Epoch: epoch(row.Start, int64(tr.Redrives())), Execution: t.arn, SentAt: row.UpdatedAt,
	}
	err := t.Publisher.Publish(ctx, request)
	switch {
	case errors.Is(err, message.ErrRefused):
		t.log().ErrorContext(ctx, "state refused", "execution", t.arn, "err", err)
	case err != nil:
		return fmt.Errorf("publish: %w", err)
	default:
		t.counts.add(&t.counts.published)
	}
	return nil
}

// epoch returns the epoch of a run, as the executions of workflows that notify by themselves have it.
func epoch(start time.Time, redrives int64) string {
	return fmt.Sprintf("%s#%04d", message.Time{Time: start}, redrives)
}

// end returns the end of an execution if the observer publishes it, or an empty status. The sweeper also ends the jobs of Standard
// workflows. So the observer publishes the end of a Standard workflow only if the trace is complete: the sweeper may have come before the
// job was open.
func end(x message.Execution, tr *trace.Trace) trace.Status {
	if x.Express || tr.Complete() {
		return tr.End()
	}
	return ""
}
