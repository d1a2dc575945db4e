package dynamo_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/feed/feedtest"
)

// decisionTime is how long the check of one history may take. It mostly takes some milliseconds. It takes long if many requests failed
// that nobody saw the effects of.
const decisionTime = 5 * time.Second

// recordOnDynalite records a history of processes on a new table. Some of the requests fail. mutate may be nil; it changes requests.
func recordOnDynalite(t *testing.T, seed uint64, works []feedtest.Work, mutate func(request any)) []porcupine.Operation {
	t.Helper()
	const rate = 0.04
	opened, w := openFeed(t, dynamotest.Dynalite, aws.NopRetryer{})
	options := opened.Client.Options()
	if mutate != nil {
		change := middleware.InitializeMiddlewareFunc("mutate", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			mutate(in.Parameters)
			return next.HandleInitialize(ctx, in)
		})
		options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error { return stack.Initialize.Add(change, middleware.Before) })
	}
	client := dynamodb.New(options)
	options.HTTPClient = nil
	clean := dynamodb.New(options)
	stores, readers := make([]feed.Store, feedtest.LinearWriters), make([]feed.Store, feedtest.LinearWriters)
	now := func() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) } // before all rows expire
	for n := range stores {
		stores[n] = &dynamo.Feed{Client: client, Table: opened.Table, Now: now}
		readers[n] = &dynamo.Feed{Client: clean, Table: opened.Table, Now: now}
	}
	faults := feedtest.NewFaults(seed, rate)
	w.setFault(func(string) feedtest.Fault { return faults.Next() })
	return feedtest.Record(t.Context(), stores, readers, works, seed)
}

// TestHistoriesOfFiftyWritersAreLinearizable records what 50 processes do with one job on an emulator that fails now and then. There must
// be an order in which all their calls make sense. If the check of a history takes too long, another one is recorded.
func TestHistoriesOfFiftyWritersAreLinearizable(t *testing.T) {
	const wanted, most = 3, 9
	decided := 0
	for n := 0; n < most && decided < wanted; n++ {
		seed := rand.Uint64N(1e6)
		startedAt := time.Now()
		history := recordOnDynalite(t, seed, feedtest.AllWorks(), nil)
		recorded := time.Since(startedAt)
		startedAt = time.Now()
		ok, err := feedtest.Linearizable(history, decisionTime)
		t.Logf("seed %d: %d calls %v, recorded in %v, checked in %v, error %v", seed, len(history), feedtest.Mix(history), recorded, time.Since(startedAt), err)
		if err != nil {
			continue
		}
		decided++
		if !ok {
			t.Errorf("the history with the seed %d is not linearizable", seed)
		}
	}
	if decided < wanted {
		t.Errorf("%d histories were decided, want %d", decided, wanted)
	}
}

// weaken returns a mutation that makes terms of a request's condition hold always, if the condition has all of them. An emulator refuses
// a condition without a placeholder that the request defines, so the terms stay in it.
func weaken(terms ...string) func(request any) {
	return replaceTerms(func(term string) string { return "(" + term + " OR NOT " + term + ")" }, terms...)
}

// TestHistoriesFindWeakenedConditions weakens one condition of the requests at a time. A history of the 50 processes must then have no
// order in which it makes sense: one of the first histories shows it.
func TestHistoriesFindWeakenedConditions(t *testing.T) {
	for _, tt := range []struct {
		fault  string
		works  []feedtest.Work
		mutate func(request any)
	}{
		{"a state replaces a row of any seq", []feedtest.Work{feedtest.StatesInAnyOrder, feedtest.StatesOfAllKinds, feedtest.SharedParts}, weaken("#seq = :seq", "#id = :id")},
		{"a state replaces a row whose push is newer", []feedtest.Work{feedtest.StatesInAnyOrder, feedtest.PushedParts, feedtest.PushedParts}, weaken("#pushedSeq = :pushedSeq")},
		{"a first state replaces any row", []feedtest.Work{feedtest.StatesOfAllKinds, feedtest.SharedParts, feedtest.NextRuns}, forEntries("job#", weaken("attribute_not_exists(#entry)"))},
		{"a part counts twice", []feedtest.Work{feedtest.SharedParts, feedtest.StatesOfAllKinds}, weaken("#parts.#part = :hadDone")},
		{"a part begins twice", []feedtest.Work{feedtest.SharedParts, feedtest.StatesOfAllKinds}, weaken("attribute_not_exists(#parts.#part)")},
		{"a part's further failures count twice", []feedtest.Work{feedtest.FailingParts}, weaken("#failures.#part = :hadFailed")},
		{"a part's failures count twice", []feedtest.Work{feedtest.FailingParts}, weaken("attribute_not_exists(#failures.#part)")},
		{"a push replaces another that was claimed", []feedtest.Work{feedtest.PushedParts, feedtest.Claims}, weaken("#pushedSeq = :seen")},
		{"a part's message replaces one that was sent later", []feedtest.Work{feedtest.PartsInAnyOrder, feedtest.StatesInAnyOrder}, weaken("#sentAt <= :sentAt")},
		{"a part of an earlier attempt counts", []feedtest.Work{feedtest.PartsOfAttempts, feedtest.Attempts}, weaken("#attempt <= :attempt")},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			const histories = 20
			for n := range histories {
				seed := rand.Uint64N(1e6)
				ok, err := feedtest.Linearizable(recordOnDynalite(t, seed, tt.works, tt.mutate), time.Second)
				if err != nil {
					t.Log(err)
				}
				if err == nil && !ok {
					t.Logf("found in history %d, seed %d", n+1, seed)
					return
				}
			}
			t.Errorf("none of %d histories shows it", histories)
		})
	}
}
