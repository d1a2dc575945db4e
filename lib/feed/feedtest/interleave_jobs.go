package feedtest

import (
	"context"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// raceAt is when the writers of histories work.
var raceAt = time.Date(2026, 11, 22, 10, 0, 10, 0, time.UTC)

// writer is what one process does: updates, one after the other, each pushed as the notifier does it.
type writer []feed.Update

// jobHistory returns the history of writers of one job, which stands before as some updates made it.
func jobHistory(name string, faults int, before []feed.Update, writers ...writer) History {
	return History{
		Name: name, Faults: faults, writers: len(writers),
		// No row is past its life by this clock, so that the verifier sees all.
		now: func() time.Time { return raceAt.AddDate(-1, 0, 0) },
		begin: func(w World) ([]func(context.Context), verifier) {
			v := newJobVerifier(w)
			for _, u := range before {
				row, _, err := v.store.Apply(context.Background(), jobOwner, u)
				if err != nil {
					v.wrongf("the history does not begin: %v", err)
				}
				v.post(row)
			}
			v.look(len(writers))
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

// edit returns an update that is changed.
func edit(u feed.Update, edits ...func(*feed.Update)) feed.Update {
	for _, change := range edits {
		change(&u)
	}

	return u
}

func inEpoch(epoch string) func(*feed.Update) {
	return func(u *feed.Update) { u.Epoch, u.ID = epoch, u.ID+" of "+epoch }
}

// failing returns a part's update of which more has failed.
func failing(u feed.Update, failed int64) feed.Update {
	p := *u.Part
	p.Failed = failed
	u.Part, u.ID = &p, fmt.Sprint(u.ID, " with ", failed)

	return u
}

func by(arn string) func(*feed.Update)      { return func(u *feed.Update) { u.Execution = arn } }
func endOf(arn string) func(*feed.Update)   { return func(u *feed.Update) { u.EndOf = arn } }
func dated(at time.Time) func(*feed.Update) { return func(u *feed.Update) { u.At = at } }

// jobHistories are small, and each has a way to break a promise that no other has.
func jobHistories() []History {
	keyed := func(progress float64) feed.Update {
		u := update(progress, raceAt)
		u.Key = u.ID

		return u
	}
	end := func(status message.Status) feed.Update {
		return edit(ended(status, raceAt), func(u *feed.Update) { u.Key = u.ID })
	}
	one, two := part("one", 5, 1, raceAt), part("two", 7, 0, raceAt)
	begun := []feed.Update{keyed(10)}
	soon := raceAt.Add(message.MinPushInterval) // its push is due
	old := raceAt.Add(-feed.JobLife - time.Hour)
	full := make([]feed.Update, 0, feed.MaxParts)
	for n := range feed.MaxParts - 1 {
		full = append(full, part(fmt.Sprint("full ", n), 1, 0, raceAt))
	}

	return []History{
		jobHistory("two begin a job", 1, nil, writer{keyed(20)}, writer{keyed(30)}),
		jobHistory("a part and an end begin a job", 1, nil, writer{one}, writer{end(message.StatusFailed)}),
		jobHistory("two begin an expired job anew", 1, []feed.Update{update(10, old)}, writer{one}, writer{end(message.StatusFailed)}),
		jobHistory("two begin an expired job anew, without epochs", 1, []feed.Update{update(10, old)},
			writer{edit(one, inEpoch(""))}, writer{edit(end(message.StatusFailed), inEpoch(""))}),
		jobHistory("a workflow names the epoch of a job that has begun", 0, nil,
			writer{edit(one, inEpoch(""))}, writer{keyed(20), end(message.StatusSucceeded)}),
		jobHistory("parts add up", 1, begun, writer{one, part("one", 6, 1, raceAt)}, writer{two}),
		jobHistory("two work on one part", 1, begun, writer{one}, writer{part("one", 7, 1, raceAt)}),
		jobHistory("more of a part has failed", 1, append(begun[:1:1], one), writer{failing(one, 2)}, writer{failing(one, 3)}),
		jobHistory("three work on one part", 0, begun, writer{one}, writer{part("one", 7, 1, raceAt)}, writer{part("one", 9, 3, raceAt)}),
		jobHistory("the last part of 256", 0, full, writer{one}, writer{two}),
		jobHistory("a part and an end", 1, begun, writer{one}, writer{end(message.StatusSucceeded)}),
		dense(jobHistory("two ends and a state", 0, begun, writer{end(message.StatusFailed)}, writer{end(message.StatusSucceeded)}, writer{keyed(20)})),
		jobHistory("a part of the run before", 1, append(begun[:1:1], part("one", 2, 0, raceAt)),
			writer{one}, writer{edit(keyed(1), inEpoch(epoch(1))), edit(part("one", 2, 0, raceAt), inEpoch(epoch(1)))}),
		jobHistory("a part of a job that gets an execution", 1, begun, writer{one}, writer{edit(keyed(20), by("arn"))}),
		jobHistory("a push, and states that are not pushed", 1, begun,
			writer{part("one", 100, 0, soon)}, writer{edit(keyed(10.5), dated(soon)), edit(keyed(10.6), dated(soon))}),
		jobHistory("three push", 0, append(begun[:1:1], part("one", 100, 0, raceAt)),
			writer{edit(two, dated(soon))}, writer{edit(part("three", 100, 0, soon), dated(soon))}, writer{edit(keyed(60), dated(soon))}),
		jobHistory("a push of the run before", 1, begun, writer{edit(part("one", 100, 0, soon), dated(soon))},
			writer{edit(keyed(1), inEpoch(epoch(1)), dated(soon)), edit(part("two", 50, 0, soon), inEpoch(epoch(1)), dated(raceAt))}),
		jobHistory("the end of one execution, and the next", 0, []feed.Update{edit(keyed(10), by("arn"))},
			writer{edit(end(message.StatusFailed), endOf("arn"))}, writer{edit(keyed(20), by("next"))}),
		jobHistory("the end of a run, and its redrive", 0, []feed.Update{edit(keyed(10), by("arn"))},
			writer{end(message.StatusFailed)}, writer{edit(keyed(20), by("arn"), inEpoch(epoch(1)))}),
		jobHistory("two runs of one execution begin", 0, nil,
			writer{edit(keyed(10), by("arn"))}, writer{edit(keyed(20), by("arn"), inEpoch(epoch(1)))}),
		forgotten("a row is forgotten", 0, begun, writer{keyed(20)}, writer{keyed(15)}),
	}
}

// dense marks a history that is large enough.
func dense(h History) History {
	h.dense = true

	return h
}

// forgotten is a history in which TTL deletes the job's row at some time.
func forgotten(name string, faults int, before []feed.Update, writers ...writer) History {
	h := jobHistory(name, faults, before, writers...)
	begin := h.begin
	h.writers, h.forgets = h.writers+1, true
	h.begin = func(w World) ([]func(context.Context), verifier) {
		all, v := begin(w)
		jobs, _ := v.(*jobVerifier)

		return append(all, func(ctx context.Context) {
			_ = Step(ctx, true, func() error { // it is certain
				w.Forget(jobOwner, "job")
				jobs.forgotten = true

				return nil
			})
		}), v
	}

	return h
}
