package feedtest

import (
	"context"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// historyTime is the time of the updates of histories.
var historyTime = time.Date(2026, 11, 22, 10, 0, 10, 0, time.UTC)

// writer is the sequence of updates of one process. The process applies and pushes each update as the notifier does.
type writer []feed.Update

// jobHistory returns a history of writers that update one job. The updates in before are applied to the job first.
func jobHistory(name string, faults int, before []feed.Update, writers ...writer) History {
	return History{
		Name: name, Faults: faults, writers: len(writers),
		// By this clock, a year earlier, no row has expired. So the verifier can read every row.
		now: func() time.Time { return historyTime.AddDate(-1, 0, 0) },
		begin: func(table Table) ([]func(context.Context), verifier) {
			v := newJobVerifier(table)
			for _, u := range before {
				row, _, err := v.store.Apply(context.Background(), jobOwner, u)
				if err != nil {
					v.failf("the history does not begin: %v", err)
				}
				v.post(row)
			}
			v.readRow(len(writers))
			var all []func(context.Context)
			for n, updates := range writers {
				all = append(all, func(ctx context.Context) {
					for _, u := range updates {
						v.publish(ctx, n, u)
					}
				})
			}
			return all, v
		},
	}
}

// edit returns u after it has applied the edits in their order.
func edit(u feed.Update, edits ...func(*feed.Update)) feed.Update {
	for _, change := range edits {
		change(&u)
	}
	return u
}

// inEpoch, withExecution, asEndOf, atTime, ofType and withStatus return edits of an update.
func inEpoch(epoch string) func(*feed.Update) {
	return func(u *feed.Update) { u.Epoch, u.ID = epoch, u.ID+" of "+epoch }
}

// withFailed returns the update of a part with another number of failed steps.
func withFailed(u feed.Update, failed int64) feed.Update {
	p := *u.Part
	p.Failed = failed
	u.Part, u.ID = &p, fmt.Sprint(u.ID, " with ", failed, " failed")
	return u
}

func withExecution(arn string) func(*feed.Update) { return func(u *feed.Update) { u.Execution = arn } }
func asEndOf(arn string) func(*feed.Update)       { return func(u *feed.Update) { u.EndedExecution = arn } }

func ofType(t message.Type) func(*feed.Update) { return func(u *feed.Update) { u.Type = t } }

func withStatus(s message.Status) func(*feed.Update) {
	return func(u *feed.Update) { u.State.Status = s }
}

// aboutSeq returns an edit of an update: it is about the state of a Seq only.
func aboutSeq(seq int64) func(*feed.Update) { return func(u *feed.Update) { u.OnlySeq = seq } }

// sentAfter returns an edit of an update: its state was sent some seconds after the time of histories, and has a message of its own.
func sentAfter(seconds int) func(*feed.Update) {
	return func(u *feed.Update) {
		u.SentAt, u.State.Message = historyTime.Add(time.Duration(seconds)*time.Second), "message of "+u.ID
	}
}
func atTime(at time.Time) func(*feed.Update) { return func(u *feed.Update) { u.At = at } }

// jobHistories returns the histories of jobs. Each can find a bug that the others cannot. The arguments of jobHistory are the name, the
// number of faults, the updates before the history, and the writers.
func jobHistories() []History {
	// keyed and end return an update with an idempotency key, which is its ID.
	keyed := func(progress float64) feed.Update {
		u := update(progress, historyTime)
		u.Key = u.ID
		return u
	}
	end := func(status message.Status) feed.Update {
		return edit(ended(status, historyTime), func(u *feed.Update) { u.Key = u.ID })
	}
	one, two := part("one", 5, 1, historyTime), part("two", 7, 0, historyTime)
	openJob := []feed.Update{keyed(10)}
	nextPush := historyTime.Add(message.MinPushInterval) // when the next push of the job is due
	expired := historyTime.Add(-feed.JobTTL - time.Hour)
	allPartsButOne := make([]feed.Update, 0, feed.MaxParts-1)
	for n := range feed.MaxParts - 1 {
		allPartsButOne = append(allPartsButOne, part(fmt.Sprint("part ", n), 1, 0, historyTime))
	}
	sixteenKeys := make([]feed.Update, 0, 16)
	for n := range 16 {
		sixteenKeys = append(sixteenKeys, keyed(float64(n)))
	}

	return []History{
		jobHistory("two begin a job", 1, nil, writer{keyed(20)}, writer{keyed(30)}),
		jobHistory("a part and an end begin a job", 1, nil, writer{one}, writer{end(message.StatusFailed)}),
		jobHistory("two begin an expired job anew", 1, []feed.Update{update(10, expired)}, writer{one}, writer{end(message.StatusFailed)}),
		jobHistory("two begin an expired job anew, without epochs", 1, []feed.Update{update(10, expired)},
			writer{edit(one, inEpoch(""))}, writer{edit(end(message.StatusFailed), inEpoch(""))}),
		jobHistory("a workflow names the epoch of a job that has begun", 0, nil,
			writer{edit(one, inEpoch(""))}, writer{keyed(20), end(message.StatusSucceeded)}),
		jobHistory("parts add up", 1, openJob, writer{one, part("one", 6, 1, historyTime)}, writer{two}),
		jobHistory("two work on one part", 1, openJob, writer{one}, writer{part("one", 7, 1, historyTime)}),
		jobHistory("more of a part has failed", 1, append(openJob[:1:1], one), writer{withFailed(one, 2)}, writer{withFailed(one, 3)}),
		jobHistory("a part that had no failures has some", 1, append(openJob[:1:1], withFailed(one, 0)), writer{withFailed(one, 2)}, writer{withFailed(one, 3)}),
		jobHistory("three work on one part", 0, openJob, writer{one}, writer{part("one", 7, 1, historyTime)}, writer{part("one", 9, 3, historyTime)}),
		jobHistory("the last part of 256", 0, allPartsButOne, writer{one}, writer{two}),
		jobHistory("a part and an end", 1, openJob, writer{one}, writer{end(message.StatusSucceeded)}),
		manySchedules(jobHistory("two ends and a state", 0, openJob, writer{end(message.StatusFailed)}, writer{end(message.StatusSucceeded)}, writer{keyed(20)})),
		jobHistory("a part of the run before", 1, append(openJob[:1:1], part("one", 2, 0, historyTime)),
			writer{one}, writer{edit(keyed(1), inEpoch(epoch(1))), edit(part("one", 2, 0, historyTime), inEpoch(epoch(1)))}),
		jobHistory("a part of a job that gets an execution", 1, openJob, writer{one}, writer{edit(keyed(20), withExecution("arn"))}),
		jobHistory("a push, and states that are not pushed", 1, openJob,
			writer{part("one", 100, 0, nextPush)}, writer{edit(keyed(10.5), atTime(nextPush)), edit(keyed(10.6), atTime(nextPush))}),
		jobHistory("three push", 0, append(openJob[:1:1], part("one", 100, 0, historyTime)),
			writer{edit(two, atTime(nextPush))}, writer{edit(part("three", 100, 0, nextPush), atTime(nextPush))}, writer{edit(keyed(60), atTime(nextPush))}),
		jobHistory("a push of the run before", 1, openJob, writer{edit(part("one", 100, 0, nextPush), atTime(nextPush))},
			writer{edit(keyed(1), inEpoch(epoch(1)), atTime(nextPush)), edit(part("two", 50, 0, nextPush), inEpoch(epoch(1)), atTime(historyTime))}),
		jobHistory("the end of one execution, and the next", 0, []feed.Update{edit(keyed(10), withExecution("arn"))},
			writer{edit(end(message.StatusFailed), asEndOf("arn"))}, writer{edit(keyed(20), withExecution("next"))}),
		jobHistory("the end of a run, and its redrive", 0, []feed.Update{edit(keyed(10), withExecution("arn"))},
			writer{end(message.StatusFailed)}, writer{edit(keyed(20), withExecution("arn"), inEpoch(epoch(1)))}),
		jobHistory("two runs of one execution begin", 0, nil,
			writer{edit(keyed(10), withExecution("arn"))}, writer{edit(keyed(20), withExecution("arn"), inEpoch(epoch(1)))}),
		jobHistory("states that were sent in another order", 1, openJob,
			writer{edit(keyed(20), sentAfter(3))}, writer{edit(keyed(30), sentAfter(1)), edit(keyed(25), sentAfter(2))}),
		jobHistory("parts that were sent before and after a state", 1, append(openJob[:1:1], part("one", 2, 0, historyTime)),
			writer{edit(keyed(20), sentAfter(2))}, writer{edit(one, sentAfter(1)), edit(part("one", 6, 1, historyTime), sentAfter(3))}),
		jobHistory("the end of an attempt, and the next attempt", 1, []feed.Update{edit(keyed(10), withExecution("arn"))},
			writer{edit(end(message.StatusFailed), inAttempt(1))}, writer{edit(keyed(5), inAttempt(2), withExecution("arn"))}),
		jobHistory("a part of an attempt, and the next attempt", 1, append(openJob[:1:1], part("one", 2, 0, historyTime)),
			writer{edit(one, inAttempt(1))}, writer{edit(keyed(5), inAttempt(2)), edit(part("one", 6, 1, historyTime), inAttempt(2))}),
		jobHistory("a mark of a stalled job, and a state", 1, []feed.Update{edit(keyed(10), expecting(60, 0))},
			writer{stalledMark(1, historyTime)}, writer{keyed(20), keyed(30)}),
		jobHistory("a mark of a stalled job, and parts", 1, []feed.Update{edit(keyed(10), expecting(60, 0))},
			writer{stalledMark(1, historyTime)}, writer{one, part("one", 6, 1, historyTime)}),
		jobHistory("the end of a silent job, and a state", 1, []feed.Update{edit(keyed(10), expecting(0, 600))},
			writer{edit(end(message.StatusFailed), aboutSeq(1))}, writer{keyed(20)}),
		jobHistory("a part of a job that gets a time after which it ends", 1, openJob, writer{one}, writer{edit(keyed(20), expecting(0, 600))}),
		jobHistory("a part of a job that gets a later time after which it ends", 1, []feed.Update{edit(keyed(10), expecting(0, 600))},
			writer{one}, writer{edit(keyed(20), expecting(0, 6000))}),
		jobHistory("a part that names an execution, and a state", 1, openJob, writer{edit(one, withExecution("arn"))}, writer{keyed(20)}),
		jobHistory("steps, and states and parts without steps", 1, []feed.Update{edit(keyed(10), withSteps("a"))},
			writer{edit(keyed(20), withSteps("a", "b"))}, writer{one, keyed(15)}),
		jobHistory("steps that were sent in another order", 1, openJob,
			writer{edit(keyed(20), sentAfter(2), withSteps("a", "b"))}, writer{edit(keyed(30), sentAfter(1), withSteps("a")), edit(keyed(25), sentAfter(3))}),
		manySchedules(jobHistory("states of two types, and a part", 1, openJob,
			writer{edit(keyed(20), ofType(message.TypeJobProgress)), edit(keyed(25), ofType(message.TypeUploadProgress))}, writer{one})),
		manySchedules(jobHistory("statuses that are not ends, and a part", 1, []feed.Update{edit(keyed(10), withStatus(message.StatusQueued))},
			writer{edit(keyed(20), withStatus(message.StatusWaiting)), edit(keyed(25), withStatus(message.StatusRetrying))}, writer{one})),
		jobHistory("a status that is not an end, and a mark of a stalled job", 1, []feed.Update{edit(keyed(10), expecting(60, 0))},
			writer{edit(keyed(20), withStatus(message.StatusRetrying))}, writer{stalledMark(1, historyTime)}),
		jobHistory("more keys than a row has", 1, sixteenKeys, writer{keyed(20)}, writer{keyed(30)}),
		withDeletion("TTL deletes the row", 0, openJob, writer{keyed(20)}, writer{keyed(15)}),
	}
}

// manySchedules marks a history that would have too many schedules with more faults.
func manySchedules(h History) History {
	h.manySchedules = true
	return h
}

// withDeletion returns a job history with one more writer: TTL, which deletes the job's row at any time.
func withDeletion(name string, faults int, before []feed.Update, writers ...writer) History {
	h := jobHistory(name, faults, before, writers...)
	begin := h.begin
	h.writers, h.deletesJob = h.writers+1, true
	h.begin = func(table Table) ([]func(context.Context), verifier) {
		all, v := begin(table)
		jobs, _ := v.(*jobVerifier)
		return append(all, func(ctx context.Context) {
			const reads = true // A read has the fewest faults, and the error of the step is ignored: TTL never fails.
			_ = Step(ctx, reads, func() error {
				table.DeleteJob(jobOwner, "job")
				jobs.deleted = true
				return nil
			})
		}), v
	}
	return h
}
