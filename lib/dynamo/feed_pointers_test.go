package dynamo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/feed/feedtest"
)

// beginJobs begins n jobs with the executions "arn 0", "arn 1" and so on.
func beginJobs(t *testing.T, s *dynamo.Feed, n int) {
	t.Helper()
	for i := range n {
		u := stateUpdate(fmt.Sprint("job ", i), 1, time.Now())
		u.Execution = fmt.Sprint("arn ", i)
		if _, _, err := s.Apply(t.Context(), "user/u", u); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnreadablePointersHideNoOthers reads all pointers: once with a damaged item at the start of two shards, and once with a
// failing request.
func TestUnreadablePointersHideNoOthers(t *testing.T) {
	const jobs = 40
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, w := openFeed(t, variable, aws.NopRetryer{})
			beginJobs(t, store, jobs)
			for _, shard := range []string{"exec/03", "exec/0a"} {
				damaged := map[string]types.AttributeValue{"owner": str(shard), "entry": str("exec# ")}
				if _, err := store.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &store.Table, Item: damaged}); err != nil {
					t.Fatal(err)
				}
			}
			readAll := func() (read int, failed []error) { // counts the pointers and collects the errors
				for p, err := range store.AllPointers(t.Context()) {
					if err != nil {
						failed = append(failed, err)
					} else if strings.HasPrefix(p.Execution, "arn ") {
						read++
					}
				}
				return read, failed
			}
			if read, failed := readAll(); read != jobs || len(failed) != 2 {
				t.Errorf("with two damaged pointers %d pointers are read, want %d; the errors are %v", read, jobs, failed)
			}
			// The shard whose query fails may be one with a damaged item. Then there are only two errors.
			w.setFault(failNth("Query", 5, feedtest.NotApplied))
			if read, failed := readAll(); read == 0 || read > jobs || len(failed) < 2 || !errors.Is(errors.Join(failed...), feedtest.ErrInjected) {
				t.Errorf("with a failing query %d pointers are read, the errors are %v", read, failed)
			}
			w.setFault(nil)
			w.requests() // Forget the requests so far.
			if pointers := collectPointers(t, store, "arn 7"); len(pointers) != 1 || w.requests() != "Query" {
				t.Errorf("the pointers of an execution are %v, want one, read by one query", pointers)
			}
		})
	}
}

// collectPointers returns the pointers of an execution.
func collectPointers(t *testing.T, s *dynamo.Feed, arn string) []feed.Pointer {
	t.Helper()
	var all []feed.Pointer
	for p, err := range s.PointersOf(t.Context(), arn) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// TestPointersOfMatchesTheWholeARN stores pointers of two executions. The sort keys of the pointers of "arn" have a prefix that
// those of "arn#1" have, too.
func TestPointersOfMatchesTheWholeARN(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, _ := openFeed(t, variable, nil)
			for _, execution := range []string{"arn", "arn#1"} {
				u := stateUpdate("job of "+execution, 1, time.Now())
				u.Execution = execution
				if _, _, err := store.Apply(t.Context(), "user/u", u); err != nil {
					t.Fatal(err)
				}
			}
			if p := onlyPointer(t, store); p.Job != "job of arn" {
				t.Errorf("the pointer is %+v", p)
			}
		})
	}
}

// TestAllPointersStartsAtARandomShard reads the first pointer of 30 sweeps. A sweep may have too little time for all shards. So the next
// sweep must begin with another shard.
func TestAllPointersStartsAtARandomShard(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, _ := openFeed(t, variable, nil)
			beginJobs(t, store, 30)
			first := map[string]bool{} // the executions of the first pointers that were read
			for range 30 {             // The probability that all 30 start at the same of 16 shards is 16^-29.
				for p, err := range store.AllPointers(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
					first[p.Execution] = true
					break
				}
			}
			if len(first) < 2 {
				t.Errorf("30 sweeps began with %v", first)
			}
		})
	}
}

// TestPartsWithoutExecutionExtendTheExpiryOfTheirRow writes a part in a process that does not know the execution of the job. The process
// must read the row once, because the expiry of the row depends on the execution.
func TestPartsWithoutExecutionExtendTheExpiryOfTheirRow(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, w := openFeed(t, variable, aws.NopRetryer{})
			at := time.Now()
			beginJobs(t, store, 1)
			other := &dynamo.Feed{Client: store.Client, Table: store.Table}
			for step := range int64(2) {
				w.requests()
				row, outcome, err := other.Apply(t.Context(), "user/u", partUpdate("job 0", "1", step+1, at))
				if err != nil || outcome != feed.Accepted || row.Execution != "arn 0" {
					t.Fatalf("Apply: %+v, %q, %v", row, outcome, err)
				}
				if sent := strings.Fields(w.requests()); step == 1 && len(sent) != 1 {
					t.Errorf("once the execution is known, a part costs %v", sent)
				}
				out, err := store.Client.GetItem(t.Context(), &dynamodb.GetItemInput{
					TableName: &store.Table, ConsistentRead: aws.Bool(true), Key: map[string]types.AttributeValue{
						"owner": &types.AttributeValueMemberS{Value: "user/u"}, "entry": &types.AttributeValueMemberS{Value: "job#job 0"},
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				want := fmt.Sprint(row.ExpiresAt().Unix())
				if got, ok := out.Item["expiresAt"].(*types.AttributeValueMemberN); !ok || got.Value != want || row.ExpiresAt().Before(at.Add(feed.PointerTTL-time.Second)) {
					t.Errorf("the row expires at %v, want %s", out.Item["expiresAt"], want)
				}
			}
		})
	}
}
