package dynamo_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/feed/feedtest"
)

// openModelTables returns a function that opens new tables. They are all on one model, which each call empties. mutate changes
// requests, see [model]; it may be nil.
func openModelTables(mutate func(request any)) feedtest.Open {
	m := &model{mutate: mutate}
	client := m.client()
	return func(processes int, now func() time.Time) feedtest.Table {
		m.items = nil
		table := feedtest.Table{DeleteJob: func(owner, job string) { m.deleteItem(owner, "job#"+job) }, Check: m.checkExpiry}
		for range processes {
			table.Stores = append(table.Stores, &dynamo.Feed{Client: client, Table: "feed", Now: now})
		}
		return table
	}
}

// checkExpiry compares the TTL attribute of each job with the time at which its row expires. It returns a difference, or an empty
// string.
func (m *model) checkExpiry() string {
	for key, item := range m.items {
		if !strings.HasPrefix(key[1], "job#") {
			continue
		}
		_, hasExecution := item["execution"]
		_, terminal := item["terminal"]
		ttl := feed.JobTTL
		if hasExecution && !terminal {
			ttl = feed.PointerTTL
		} else if !terminal {
			ttl += time.Duration(numberOf(item["endAfter"])) * time.Second
		}
		at, err := time.Parse(time.RFC3339, stringOf(item["updatedAt"]))
		want := at.Add(ttl).Unix()
		if got := int64(numberOf(item["expiresAt"])); err != nil || got != want {
			return fmt.Sprintf("the row expires at %d, want %d", got, want)
		}
	}
	return ""
}

// extraFaults returns the number of additional faults in each schedule. There are some only if HERALD_RANDOM asks for a long run.
func extraFaults() int {
	if os.Getenv("HERALD_RANDOM") != "" {
		return 1
	}
	return 0
}

// TestFeedHoldsItsRulesInEverySchedule runs every order in which the requests of some processes reach DynamoDB, with faults.
func TestFeedHoldsItsRulesInEverySchedule(t *testing.T) {
	percent := debug.SetGCPercent(800) // Collect garbage rarely: a schedule leaves much of it, and hardly any live memory.
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	feedtest.RunInterleaved(t, extraFaults(), openModelTables(nil))
}

// weakenCondition returns a mutation that replaces terms of a request's condition by [anything], if the condition has all of them.
func weakenCondition(terms ...string) func(request any) {
	return replaceTerms(func(string) string { return anything }, terms...)
}

// replaceTerms returns a mutation that replaces terms of a request's condition, if the condition has all of them.
func replaceTerms(replace func(term string) string, terms ...string) func(request any) {
	return func(request any) {
		var condition **string
		switch in := request.(type) {
		case *dynamodb.PutItemInput:
			condition = &in.ConditionExpression
		case *dynamodb.UpdateItemInput:
			condition = &in.ConditionExpression
		case *dynamodb.DeleteItemInput:
			condition = &in.ConditionExpression
		}
		if condition == nil || *condition == nil {
			return
		}
		weaker := **condition
		for _, term := range terms {
			if !strings.Contains(weaker, term) {
				return
			}
			weaker = strings.Replace(weaker, term, replace(term), 1)
		}
		*condition = &weaker
	}
}

// forEntries applies a mutation to the requests whose sort key has a prefix.
func forEntries(prefix string, mutate func(request any)) func(request any) {
	return func(request any) {
		var key [2]string
		switch in := request.(type) {
		case *dynamodb.PutItemInput:
			key = keyOf(in.Item)
		case *dynamodb.UpdateItemInput:
			key = keyOf(in.Key)
		case *dynamodb.DeleteItemInput:
			key = keyOf(in.Key)
		}
		if strings.HasPrefix(key[1], prefix) {
			mutate(request)
		}
	}
}

// TestInterleavingsFindWeakenedConditions tests that the rules find bugs: it weakens one condition at a time, and exploring the
// history that is named beside it must find a violation.
func TestInterleavingsFindWeakenedConditions(t *testing.T) {
	histories := map[string]feedtest.History{}
	for _, h := range feedtest.Histories() {
		histories[h.Name] = h
	}
	for _, tt := range []struct {
		fault   string
		history string
		mutate  func(request any)
	}{
		{"a state replaces a row of any message", "TTL deletes the row", weakenCondition("#id = :id")},
		{"a state replaces a row of any seq", "two ends and a state", weakenCondition("#seq = :seq", "#id = :id")},
		{"a state replaces a row of any run", "two begin an expired job anew, without epochs", weakenCondition("#epoch = :epoch", "#id = :id")},
		{"a state replaces a row whose push is newer", "three push", weakenCondition("#pushedSeq = :pushedSeq")},
		{"a first state replaces any row", "two begin a job", forEntries("job#", weakenCondition("attribute_not_exists(#entry)"))},
		{"a state erases the token of a push", "a push, and states that are not pushed", erasePush},
		{"a part counts after the end", "a part and an end", weakenCondition("attribute_not_exists(#terminal)")},
		{"a part counts in any run", "a part of the run before", weakenCondition("attribute_exists(#parts)", "#epoch = :epoch")},
		{"a part counts twice", "two work on one part", weakenCondition("#parts.#part = :hadDone")},
		{"a part's failures count twice", "a part that had no failures has some", weakenCondition("attribute_not_exists(#failures.#part)")},
		{"a part's further failures count twice", "more of a part has failed", weakenCondition("#failures.#part = :hadFailed")},
		{"a part counts twice in a row of an older version", "two work on one part", both(asOlderVersion, weakenCondition("#parts.#part[0] = :hadDone"))},
		{"a part's failures count twice in a row of an older version", "more of a part has failed", both(asOlderVersion, weakenCondition("#parts.#part[1] = :hadFailed"))},
		{"a part begins twice", "three work on one part", weakenCondition("attribute_not_exists(#parts.#part)")},
		{"a job has 257 parts", "the last part of 256", weakenCondition("size(#parts) < :max")},
		{"a part's row lives for any execution", "a part of a job that gets an execution", weakenCondition("attribute_not_exists(#execution)")},
		{"a push replaces another that was claimed", "three push", weakenCondition("#pushedSeq = :seen")},
		{"a push is of any run", "a push of the run before", weakenCondition("#pushedSeq < #seq", "#epoch = :epoch")},
		{"a part's message replaces one that was sent later", "parts that were sent before and after a state", weakenCondition("#sentAt <= :sentAt")},
		{"a job is marked as stalled although there is news", "a mark of a stalled job, and parts", weakenCondition("#seq = :seq", "#id = :id")},
		{"a part's row does not wait for the end of the job", "a part of a job that gets a time after which it ends", weakenCondition("attribute_not_exists(#endAfter)")},
		{"a part's row ends after an earlier time", "a part of a job that gets a later time after which it ends", weakenCondition("#endAfter = :endAfter")},
		{"a part's execution is not stored", "a part that names an execution, and a state", weakenCondition("#execution = :execution")},
		{"an attempt's end deletes the next attempt's pointer", "the end of an attempt, and the next attempt", weakenCondition("#attempt <= :attempt")},
		{"a part of an earlier attempt counts", "a part of an attempt, and the next attempt", weakenCondition("#attempt <= :attempt")},
		{"an older run's pointer replaces a newer one", "two runs of one execution begin", weakenCondition("attribute_not_exists(#entry) OR #epoch <= :epoch OR #at <= :old")},
		{"an older run's end deletes a newer pointer", "the end of a run, and its redrive", forEntries("exec#", weakenCondition("#epoch <= :epoch", "#epoch < :epoch"))},
		{"a state's type is lost", "states of two types, and a part", eraseAttribute("type")},
		{"a row has all keys but the newest", "more keys than a row has", withoutNewestKey},
		{"a mark replaces a state of another status", "a status that is not an end, and a mark of a stalled job", weakenCondition("#seq = :seq", "#id = :id", "#pushedSeq = :pushedSeq")},
		{"a status comes after a newer one", "statuses that are not ends, and a part", weakenCondition("#seq = :seq", "#id = :id")},
		{"a page begins with the last job of the one before", "pages of two jobs, and a writer", queries(func(in *dynamodb.QueryInput) {
			if entry := stringOf(in.ExclusiveStartKey["entry"]); entry != "" {
				in.ExclusiveStartKey = attributes{"owner": in.ExclusiveStartKey["owner"], "entry": str(entry[:len(entry)-1])}
			}
		})},
		{"a page begins after the job that follows the one before", "pages of one job, and a writer", queries(func(in *dynamodb.QueryInput) {
			if entry := stringOf(in.ExclusiveStartKey["entry"]); entry != "" {
				in.ExclusiveStartKey = attributes{"owner": in.ExclusiveStartKey["owner"], "entry": str(entry[:len(entry)-1] + string(entry[len(entry)-1]+2))}
			}
		})},
		{"a page has more jobs than its limit", "pages of two jobs, and a writer", queries(func(in *dynamodb.QueryInput) {
			if in.Limit != nil {
				in.Limit = nil
			}
		})},
		{"a key has two notes", "two notes of one key", forEntries("key#", weakenCondition("attribute_not_exists(#entry)"))},
		{"a key whose note was lost gets two new notes", "two repeat a note whose writer died long ago", weakenCondition("#note = :from")},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := histories[tt.history]
				v := h.Explore(h.Faults, openModelTables(tt.mutate))
				if v.What == "" {
					t.Fatalf("none of %d schedules found a violation", v.Schedules)
				}
				t.Logf("schedule %d: %s", v.Schedules, v.What)
			})
		})
	}
}

// TestPartsOfAnOlderVersionHoldTheRulesInEverySchedule runs the histories about the counts of parts in rows that an older version
// began.
func TestPartsOfAnOlderVersionHoldTheRulesInEverySchedule(t *testing.T) {
	aboutCounts := map[string]bool{
		"parts add up": true, "two work on one part": true, "three work on one part": true, "more of a part has failed": true,
		"a part that had no failures has some": true,
	}
	n := 0
	for _, h := range feedtest.Histories() {
		if !aboutCounts[h.Name] {
			continue
		}
		n++
		t.Run(h.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if v := h.Explore(h.Faults, openModelTables(asOlderVersion)); v.What != "" {
					t.Errorf("schedule %d: %s", v.Schedules, v.What)
				}
			})
		})
	}
	if n != len(aboutCounts) {
		t.Errorf("%d of %d histories have run", n, len(aboutCounts))
	}
}

// both returns a mutation that applies two mutations.
func both(first, second func(request any)) func(request any) {
	return func(request any) {
		first(request)
		second(request)
	}
}

// asOlderVersion gives the item of a job the form of an older version: each part is a list, and there are no failures.
func asOlderVersion(request any) {
	in, ok := request.(*dynamodb.PutItemInput)
	if !ok || in.Item["failures"] == nil {
		return
	}
	in.Item = clone(in.Item)
	parts, _ := in.Item["parts"].(*types.AttributeValueMemberM)
	failures, _ := in.Item["failures"].(*types.AttributeValueMemberM)
	delete(in.Item, "failures")
	lists := attributes{}
	for id, part := range parts.Value {
		failed := failures.Value[id]
		if failed == nil {
			failed = num("0")
		}
		lists[id] = list(part, failed)
	}
	in.Item["parts"] = &types.AttributeValueMemberM{Value: lists}
}

// queries returns a mutation of queries.
func queries(mutate func(in *dynamodb.QueryInput)) func(request any) {
	return func(request any) {
		if in, ok := request.(*dynamodb.QueryInput); ok {
			mutate(in)
		}
	}
}

// erasePush removes the token of the last claimed push from an item that is written.
func erasePush(request any) { eraseAttribute("push")(request) }

// eraseAttribute returns a mutation that removes an attribute from an item that is written.
func eraseAttribute(name string) func(request any) {
	return func(request any) {
		if in, ok := request.(*dynamodb.PutItemInput); ok {
			in.Item = clone(in.Item)
			delete(in.Item, name)
		}
	}
}

// withoutNewestKey drops the newest key of a row that has 16.
func withoutNewestKey(request any) {
	in, ok := request.(*dynamodb.PutItemInput)
	if !ok {
		return
	}
	if keys, _ := in.Item["keys"].(*types.AttributeValueMemberL); keys != nil && len(keys.Value) == 16 {
		in.Item = clone(in.Item)
		in.Item["keys"] = &types.AttributeValueMemberL{Value: keys.Value[:15]}
	}
}
