package csvimport_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

// versions are two files of one upload, in the order of their executions.
func versions(t *testing.T, store csvimport.Store) (csvimport.PlanInput, csvimport.PlanInput) {
	t.Helper()
	var in [2]csvimport.PlanInput
	for n, file := range []string{"a.csv", "b.csv"} {
		e := put(t, store, []byte(fourRows))
		e.Object.Key = csvimport.UploadKey(user, upload, file)
		if err := store.Copy(t.Context(), e.Object.Key, key); err != nil {
			t.Fatal(err)
		}
		in[n] = csvimport.PlanInput{Epoch: fmt.Sprintf("2026-11-22T10:00:0%dZ#0", n), Execution: file, Detail: e}
	}

	return in[0], in[1]
}

// planned is an import up to its last chunk.
func planned(t *testing.T, c csvimport.Config, in csvimport.PlanInput) csvimport.FinishInput {
	t.Helper()
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	finish := csvimport.FinishInput{File: plan.File, TotalRows: plan.TotalRows}
	for _, r := range plan.Ranges {
		out, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: plan.File, TotalRows: plan.TotalRows, Range: r})
		if err != nil {
			t.Fatal(err)
		}
		finish.Chunks = append(finish.Chunks, out)
	}

	return finish
}

func finish(t *testing.T, c csvimport.Config, in csvimport.FinishInput) {
	t.Helper()
	if _, err := csvimport.NewFinish(c).Handle(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func wantSuperseded(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.As(err, new(*csvimport.Superseded)) {
		t.Errorf("%s ends with %v, want *Superseded", what, err)
	}
}

// keepsResults fails the test when what do does changes the results.
func keepsResults(t *testing.T, store *csvimport.Memory, do func()) {
	t.Helper()
	contents := func() string {
		var all strings.Builder
		for _, key := range store.Keys("results/") {
			fmt.Fprintln(&all, key, object(t, store, key))
		}
		return all.String()
	}
	before := contents()
	do()
	if after := contents(); after != before {
		t.Errorf("results were\n%sand are\n%s", before, after)
	}
}

func TestEveryStepEndsQuietlyWhenResultsOfANewerVersionAreThere(t *testing.T) {
	store, to := &csvimport.Memory{}, &heard{t: t}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), older)
	if err != nil {
		t.Fatal(err)
	}
	late := planned(t, c, older)
	finish(t, c, planned(t, c, newer))
	c.Publisher = to
	keepsResults(t, store, func() {
		_, err = csvimport.NewPlan(c).Handle(t.Context(), older)
		wantSuperseded(t, "plan", err)
		_, err = csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: plan.File, TotalRows: 4, Range: plan.Ranges[0]})
		wantSuperseded(t, "chunk", err)
		_, err = csvimport.NewFinish(c).Handle(t.Context(), late)
		wantSuperseded(t, "finish", err)
	})
	if left := store.Keys("staged/"); left != nil || len(to.requests) > 0 {
		t.Errorf("%v is left, the user hears %+v, want nothing", left, to.requests)
	}
}

// TestALateRetryOfAnOlderFinishRemovesNothing retries every request of an older finish after the newer one.
func TestALateRetryOfAnOlderFinishRemovesNothing(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	old, in := planned(t, c, older), planned(t, c, newer)
	finish(t, c, old)
	finish(t, c, in)
	keepsResults(t, store, func() {
		for range 3 {
			_, err := csvimport.NewFinish(c).Handle(t.Context(), old)
			wantSuperseded(t, "finish again", err)
		}
	})
}

func TestAFileThatIsWrongIsNoNewsWhenANewerVersionIsImported(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *csvimport.Memory, string){
		"deleted": func(t *testing.T, store *csvimport.Memory, key string) {
			t.Helper()
			if err := store.Delete(t.Context(), key); err != nil {
				t.Error(err)
			}
		},
		"replaced": func(t *testing.T, store *csvimport.Memory, key string) {
			t.Helper()
			put(t, store, []byte("part\n"))
			if err := store.Copy(t.Context(), key, csvimport.UploadKey(user, upload, fileName)); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, begun := range []bool{false, true} {
				store := &csvimport.Memory{}
				c := csvimport.Config{Store: store}
				older, newer := versions(t, store)
				in := planned(t, c, older)
				if begun {
					planned(t, c, newer)
				}
				spoil(t, store, older.Detail.Object.Key)
				plan := func() error { _, err := csvimport.NewPlan(c).Handle(t.Context(), older); return err }
				chunk := func() error {
					_, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: in.File, TotalRows: 4})
					return err
				}
				finish := func() error { _, err := csvimport.NewFinish(c).Handle(t.Context(), in); return err }
				for step, do := range map[string]func() error{"plan": plan, "chunk": chunk, "finish": finish} {
					err := do()
					if begun {
						wantSuperseded(t, step, err)
						continue
					}
					if says := fmt.Sprint(err); !strings.Contains(says, "The file is no longer there: ") || !strings.Contains(says, name) {
						t.Errorf("%s says %q, want that the file was %s", step, says, name)
					}
				}
				if left := store.Keys("results/"); left != nil {
					t.Errorf("%v is left", left)
				}
			}
		})
	}
}

// TestAnInvalidFileIsNoNewsWhenANewerVersionIsImported: its user has replaced it already.
func TestAnInvalidFileIsNoNewsWhenANewerVersionIsImported(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	planned(t, c, newer)
	bad := put(t, store, []byte("part\n"))
	older.Detail = bad
	_, err := csvimport.NewPlan(c).Handle(t.Context(), older)
	wantSuperseded(t, "plan", err)
}

// TestTheRunsOfAJobFollowItsVersions plans two versions of one key whose events came in disorder, in both orders.
func TestTheRunsOfAJobFollowItsVersions(t *testing.T) {
	for _, olderFirst := range []bool{true, false} {
		store, to := &csvimport.Memory{}, &heard{t: t}
		c := csvimport.Config{Store: store, Publisher: to}
		e := put(t, store, []byte(fourRows))
		plan := func(sequencer, epoch, execution string) (csvimport.PlanOutput, error) {
			e.Object.Sequencer = sequencer
			return csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{
				Epoch: epoch, Execution: "arn:aws:states:us-east-1:123456789012:execution:csv_import:" + execution, Detail: e,
			})
		}
		older := func() (csvimport.PlanOutput, error) { return plan("0062", "2026-11-22T10:00:05Z#3", "older") }
		newer := func() (csvimport.PlanOutput, error) { return plan("00620001", "2026-11-22T10:00:00Z#0", "newer") }
		if olderFirst {
			old, err := older()
			if err != nil || old.File.Began != "2026-11-22T10:00:05.000Z" {
				t.Errorf("the older began at %s, error %v", old.File.Began, err)
			}
		}
		want := "2026-11-22T10:00:00.000Z"
		if olderFirst {
			want = "2026-11-22T10:00:05.001Z"
		}
		if got, err := newer(); err != nil || got.File.Began != want {
			t.Errorf("the older first: %v: the newer began at %s, error %v, want %s", olderFirst, got.File.Began, err, want)
		}
		if last := to.requests[len(to.requests)-1]; last.Epoch != want+"#0000" {
			t.Errorf("the newer reports in epoch %s, want %s", last.Epoch, want)
		}
		_, err := older()
		wantSuperseded(t, "the older one, planned again", err)
	}
}

// leave puts a part where an import that was killed would have left it.
func leave(t *testing.T, store csvimport.Store, in csvimport.FinishInput) string {
	t.Helper()
	part := "results/YXV0aDB8NDcxMS_DpA/" + upload + "/" + in.File.Claim + "/part-00000.jsonl"
	if err := store.Copy(t.Context(), part, in.Chunks[0].Key+".jsonl"); err != nil {
		t.Fatal(err)
	}
	return part
}

// TestDiscardLeavesWhatMayBePublished: another try of finish may be at work, or may have ended.
func TestDiscardLeavesWhatMayBePublished(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	in := planned(t, c, older)
	leave(t, store, in)
	keepsResults(t, store, func() { finish(t, c, csvimport.FinishInput{Step: csvimport.StepDiscard, File: in.File}) })
	if left := store.Keys("staged/"); left != nil {
		t.Errorf("%v is left", left)
	}
	in = planned(t, c, newer)
	finish(t, c, in)
	keepsResults(t, store, func() { finish(t, c, csvimport.FinishInput{Step: csvimport.StepDiscard, File: in.File}) })
}

func TestTheNextImportRemovesWhatAKilledOneLeft(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	part := leave(t, store, planned(t, c, older))
	if err := store.Delete(t.Context(), store.Keys("claims/")...); err != nil { // they expire sooner than results
		t.Fatal(err)
	}
	finish(t, c, planned(t, c, newer))
	if left := store.Keys(part); left != nil {
		t.Errorf("%v is left", left)
	}
}

// TestAnImportUnderWayKeepsItsResults finishes an older import while a newer one has results and no summary yet.
func TestAnImportUnderWayKeepsItsResults(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	in := planned(t, c, older)
	part := leave(t, store, planned(t, c, newer))
	finish(t, c, in)
	if store.Keys(part) == nil {
		t.Errorf("%s was removed", part)
	}
}

// TestTheNewestVersionWinsHoweverManyCameBefore imports many versions of one upload. Then come two whose events are in the
// wrong order.
func TestTheNewestVersionWinsHoweverManyCameBefore(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	version := func(sequencer, startedAt int) csvimport.PlanInput {
		e := put(t, store, fmt.Appendf(nil, "part,color,quantity\n3001,Red,%d\n", sequencer))
		e.Object.Sequencer = fmt.Sprintf("%06X1", sequencer)

		return csvimport.PlanInput{
			Epoch: fmt.Sprintf("2026-11-22T10:%02d:%02dZ#0", startedAt/60, startedAt%60), Execution: e.Object.Sequencer, Detail: e,
		}
	}
	n := 1
	for ; n <= 250; n++ {
		finish(t, c, planned(t, c, version(n, n)))
	}
	for ; n <= 290; n += 2 {
		older, newer := version(n, n+1), version(n+1, n)
		in := planned(t, c, newer)
		_, err := csvimport.NewPlan(c).Handle(t.Context(), older)
		wantSuperseded(t, fmt.Sprint("the plan of version ", n), err)
		finish(t, c, in)
	}
}
