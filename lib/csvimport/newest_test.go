package csvimport_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

// These tests import two or more versions of one upload. The result must always be that of the newest version.

// versions stores two files of one upload and returns the inputs of their plan steps: the older one, then the newer one.
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

// runUntilFinish runs an import up to its last chunk and returns the input of its finish step.
func runUntilFinish(t *testing.T, c csvimport.Config, in csvimport.PlanInput) csvimport.FinishInput {
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

// finish runs a finish step, which must succeed.
func finish(t *testing.T, c csvimport.Config, in csvimport.FinishInput) {
	t.Helper()
	if _, err := csvimport.NewFinish(c).Handle(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// wantSuperseded requires that the error of a step is a *Superseded.
func wantSuperseded(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.As(err, new(*csvimport.Superseded)) {
		t.Errorf("%s ends with %v, want *Superseded", what, err)
	}
}

// wantResultsUnchanged fails the test if do changes the results.
func wantResultsUnchanged(t *testing.T, store *csvimport.Memory, do func()) {
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

func TestEachStepOfAnOlderImportEndsSuperseded(t *testing.T) {
	store, publisher := &csvimport.Memory{}, &recordingPublisher{t: t}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), older)
	if err != nil {
		t.Fatal(err)
	}
	lateFinish := runUntilFinish(t, c, older)
	finish(t, c, runUntilFinish(t, c, newer))
	c.Publisher = publisher
	wantResultsUnchanged(t, store, func() {
		_, err = csvimport.NewPlan(c).Handle(t.Context(), older)
		wantSuperseded(t, "plan", err)
		_, err = csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: plan.File, TotalRows: 4, Range: plan.Ranges[0]})
		wantSuperseded(t, "chunk", err)
		_, err = csvimport.NewFinish(c).Handle(t.Context(), lateFinish)
		wantSuperseded(t, "finish", err)
	})
	if left := store.Keys("staged/"); left != nil || len(publisher.requests) > 0 {
		t.Errorf("%v is left, the requests are %+v, want none", left, publisher.requests)
	}
}

// TestRetryOfAnOlderFinishDeletesNoResults calls the finish step of an older import again after the newer one.
func TestRetryOfAnOlderFinishDeletesNoResults(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	olderFinish, newerFinish := runUntilFinish(t, c, older), runUntilFinish(t, c, newer)
	finish(t, c, olderFinish)
	finish(t, c, newerFinish)
	wantResultsUnchanged(t, store, func() {
		for range 3 {
			_, err := csvimport.NewFinish(c).Handle(t.Context(), olderFinish)
			wantSuperseded(t, "finish again", err)
		}
	})
}

// TestMissingFileIsNotReportedWhenANewerVersionIsImported removes the file of an import, and runs each of its steps. The error must be
// about the file if no newer version was planned, and *Superseded otherwise.
func TestMissingFileIsNotReportedWhenANewerVersionIsImported(t *testing.T) {
	for name, removeFile := range map[string]func(*testing.T, *csvimport.Memory, string){
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
			for _, newerIsPlanned := range []bool{false, true} {
				store := &csvimport.Memory{}
				c := csvimport.Config{Store: store}
				older, newer := versions(t, store)
				in := runUntilFinish(t, c, older)
				if newerIsPlanned {
					runUntilFinish(t, c, newer)
				}
				removeFile(t, store, older.Detail.Object.Key)
				plan := func() error { _, err := csvimport.NewPlan(c).Handle(t.Context(), older); return err }
				chunk := func() error {
					_, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: in.File, TotalRows: 4})
					return err
				}
				finish := func() error { _, err := csvimport.NewFinish(c).Handle(t.Context(), in); return err }
				for step, do := range map[string]func() error{"plan": plan, "chunk": chunk, "finish": finish} {
					err := do()
					if newerIsPlanned {
						wantSuperseded(t, step, err)
						continue
					}
					if text := fmt.Sprint(err); !strings.Contains(text, "The file is no longer there: ") || !strings.Contains(text, name) {
						t.Errorf("%s says %q, want that the file was %s", step, text, name)
					}
				}
				if left := store.Keys("results/"); left != nil {
					t.Errorf("%v is left", left)
				}
			}
		})
	}
}

// TestInvalidFileIsNotReportedWhenANewerVersionIsImported plans an invalid file that the user has already replaced by a newer one.
func TestInvalidFileIsNotReportedWhenANewerVersionIsImported(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	runUntilFinish(t, c, newer)
	older.Detail = put(t, store, []byte("part\n"))
	_, err := csvimport.NewPlan(c).Handle(t.Context(), older)
	wantSuperseded(t, "plan", err)
}

// TestEpochsFollowTheOrderOfVersions plans two versions of one key. The execution of the older version started later. The test runs
// the two plan steps in both orders. If the older version is planned first, the newer import must get a later OrderTime.
func TestEpochsFollowTheOrderOfVersions(t *testing.T) {
	for _, olderFirst := range []bool{true, false} {
		store, publisher := &csvimport.Memory{}, &recordingPublisher{t: t}
		c := csvimport.Config{Store: store, Publisher: publisher}
		e := put(t, store, []byte(fourRows))
		plan := func(sequencer, epoch, execution string) (csvimport.PlanOutput, error) {
			e.Object.Sequencer = sequencer
			return csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{
				Epoch: epoch, Execution: arnPrefix + execution, Detail: e,
			})
		}
		older := func() (csvimport.PlanOutput, error) { return plan("0062", "2026-11-22T10:00:05Z#3", "older") }
		newer := func() (csvimport.PlanOutput, error) { return plan("00620001", "2026-11-22T10:00:00Z#0", "newer") }
		if olderFirst {
			old, err := older()
			if err != nil || old.File.OrderTime != "2026-11-22T10:00:05.000Z" {
				t.Errorf("the OrderTime of the older import is %s, error %v", old.File.OrderTime, err)
			}
		}
		want := "2026-11-22T10:00:00.000Z"
		if olderFirst {
			want = "2026-11-22T10:00:05.001Z"
		}
		if got, err := newer(); err != nil || got.File.OrderTime != want {
			t.Errorf("older import first: %v: the OrderTime of the newer import is %s, error %v, want %s", olderFirst, got.File.OrderTime, err, want)
		}
		if last := publisher.requests[len(publisher.requests)-1]; last.Epoch != want+"#0000" {
			t.Errorf("the newer import reports in epoch %s, want %s", last.Epoch, want)
		}
		_, err := older()
		wantSuperseded(t, "the older one, planned again", err)
	}
}

// writeOrphanedPart writes one result of an import and no summary, as if its finish step was killed before the summary. It returns
// the key of the result.
func writeOrphanedPart(t *testing.T, store csvimport.Store, in csvimport.FinishInput) string {
	t.Helper()
	part := "results/YXV0aDB8NDcxMS_DpA/" + upload + "/" + in.File.Claim + "/part-00000.jsonl"
	if err := store.Copy(t.Context(), part, in.Chunks[0].Key+".jsonl"); err != nil {
		t.Fatal(err)
	}
	return part
}

// TestDiscardDeletesNoResultsThatMayBePublished discards an import during its finish step, and another one after its finish step.
func TestDiscardDeletesNoResultsThatMayBePublished(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	in := runUntilFinish(t, c, older)
	writeOrphanedPart(t, store, in)
	wantResultsUnchanged(t, store, func() { finish(t, c, csvimport.FinishInput{Step: csvimport.StepDiscard, File: in.File}) })
	if left := store.Keys("staged/"); left != nil {
		t.Errorf("%v is left", left)
	}
	in = runUntilFinish(t, c, newer)
	finish(t, c, in)
	wantResultsUnchanged(t, store, func() { finish(t, c, csvimport.FinishInput{Step: csvimport.StepDiscard, File: in.File}) })
}

func TestNextImportDeletesResultsOfAKilledImport(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	part := writeOrphanedPart(t, store, runUntilFinish(t, c, older))
	if err := store.Delete(t.Context(), store.Keys("claims/")...); err != nil { // Claims expire sooner than results.
		t.Fatal(err)
	}
	finish(t, c, runUntilFinish(t, c, newer))
	if left := store.Keys(part); left != nil {
		t.Errorf("%v is left", left)
	}
}

// TestFinishDeletesNoResultsOfARunningNewerImport finishes an older import while a newer one has results and no summary yet.
func TestFinishDeletesNoResultsOfARunningNewerImport(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	older, newer := versions(t, store)
	in := runUntilFinish(t, c, older)
	part := writeOrphanedPart(t, store, runUntilFinish(t, c, newer))
	finish(t, c, in)
	if store.Keys(part) == nil {
		t.Errorf("%s was deleted", part)
	}
}

// TestNewestVersionWinsAfterManyVersions imports many versions of one upload, then pairs of versions whose events come in
// the wrong order.
func TestNewestVersionWinsAfterManyVersions(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store}
	version := func(sequencer, startSecond int) csvimport.PlanInput {
		return versionOf(t, store, sequencer, startSecond)
	}
	n := 1
	for ; n <= 250; n++ { // more than maxClaims
		finish(t, c, runUntilFinish(t, c, version(n, n)))
	}
	for ; n <= 290; n += 2 { // The execution of each older version starts a second later.
		older, newer := version(n, n+1), version(n+1, n)
		in := runUntilFinish(t, c, newer)
		_, err := csvimport.NewPlan(c).Handle(t.Context(), older)
		wantSuperseded(t, fmt.Sprint("the plan of version ", n), err)
		finish(t, c, in)
	}
}

// versionOf uploads the same key again and returns the input of the plan. The execution starts startSecond seconds after
// 10:00.
func versionOf(t *testing.T, store csvimport.Store, sequencer, startSecond int) csvimport.PlanInput {
	t.Helper()
	e := put(t, store, fmt.Appendf(nil, "part,color,quantity\n3001,Red,%d\n", sequencer))
	e.Object.Sequencer = fmt.Sprintf("%06X1", sequencer)
	return csvimport.PlanInput{
		Epoch: fmt.Sprintf("2026-11-22T10:%02d:%02dZ#0", startSecond/60, startSecond%60), Execution: e.Object.Sequencer, Detail: e,
	}
}

// TestNextImportDeletesResultsOfAKilledImportAfterManyVersions kills the finish step of one of 150 versions. The last import
// must delete the results of the killed one, and must not delete those of a newer import that is still running.
func TestNextImportDeletesResultsOfAKilledImportAfterManyVersions(t *testing.T) {
	const versions = 150
	for _, killed := range []int{1, 30, 60, 120, 149} {
		store := &csvimport.Memory{}
		c := csvimport.Config{Store: store}
		var part string
		for n := 1; n < versions; n++ {
			in := runUntilFinish(t, c, versionOf(t, store, n, n))
			if n == killed {
				part = writeOrphanedPart(t, store, in)
			}
			if n < killed { // Later versions do not finish, so that only the last one can delete the part.
				finish(t, c, in)
			}
		}
		later := versionOf(t, store, versions+1, versions+1)
		later.Detail.Object.Key = csvimport.UploadKey(user, upload, "later.csv")
		if err := store.Copy(t.Context(), later.Detail.Object.Key, key); err != nil {
			t.Fatal(err)
		}
		in := runUntilFinish(t, c, versionOf(t, store, versions, versions))
		running := writeOrphanedPart(t, store, runUntilFinish(t, c, later))
		finish(t, c, in)
		if left := store.Keys(part); left != nil {
			t.Errorf("version %d was killed: %v is left", killed, left)
		}
		if store.Keys(running) == nil {
			t.Errorf("version %d was killed: %s of a newer import was deleted", killed, running)
		}
	}
}
