package progress_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/progress"
)

// TestScenarios runs the scenarios that the Reporters of all languages pass.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("../../testdata/reporter/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range files {
		file, err := readScenarios(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, c := range file.Cases {
			if !slices.Contains(c.Not, "go") {
				t.Run(filepath.Base(path)+"/"+c.Name, func(t *testing.T) { synctest.Test(t, c.run) })
			}
		}
	}
}

// scenarioRun is the Publisher of a scenario.
type scenarioRun struct {
	scenario

	start       time.Time
	frozenUntil atomic.Pointer[time.Time] // nil until the first freeze
	middle      runtime.MemStats          // in the middle of the updates of a scenario that is Bounded
	count       int
	published   []map[string]any // all of them, or only the last if the scenario counts them
	invalid     []string
}

func (c scenario) run(t *testing.T) {
	s := &scenarioRun{scenario: c, start: time.Now()}
	r := progress.New(t.Context(), progress.Config{
		Publisher: s, NoWait: true, UserID: "u1",
		UploadID: cmp.Or(c.Config.UploadID, "up-1"), FileName: cmp.Or(c.Config.FileName, "f.csv"),
		JobID: c.Config.JobID, Title: c.Config.Title, Attempt: c.Config.Attempt, MaxAttempts: c.Config.MaxAttempts,
		ExpectEvery: time.Duration(c.Config.ExpectEvery), EndAfter: time.Duration(c.Config.EndAfter),
		Epoch: c.Config.Epoch, Execution: c.Config.Execution, Part: c.Config.Part, FailedRows: c.Config.FailedRows,
	})
	defer r.Close(t.Context()) // a scenario without a close has crashed: what follows does not count

	var raises, says string
	var after runtime.MemStats
	for _, step := range c.Steps {
		time.Sleep(time.Until(s.start.Add(time.Duration(step.At))))
		synctest.Wait()
		began := time.Now()
		s.do(r, step)
		if took := time.Since(began); step.Takes != nil && took != time.Duration(*step.Takes) {
			t.Errorf("at %v: took %v, want %v", time.Duration(step.At), took, time.Duration(*step.Takes))
		}
		synctest.Wait()
		if raises == "" {
			raises, says = step.Raises, step.Says
		}
	}
	if runtime.GC(); c.Bounded {
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(s.middle.HeapAlloc); grown > 64<<10 {
			t.Errorf("the heap has grown by %d bytes", grown)
		}
	}
	if err := r.Err(); (err != nil) != (raises != "") || err != nil && (!errors.Is(err, message.ErrRefused) || !strings.Contains(err.Error(), says)) {
		t.Errorf("refused: %v, want %s: %s", err, raises, says)
	}
	s.check(t)
}

// do makes the call of a step.
func (s *scenarioRun) do(r *progress.Reporter, step scenarioStep) {
	ctx := context.Background()
	switch {
	case step.Phase != nil:
		r.Phase(step.Phase.phase())
	case step.Update != nil:
		r.Update(*step.Update)
	case step.Updates != nil:
		for n := step.Updates.First; n <= step.Updates.Last; n++ {
			if n > step.Updates.First && step.Updates.Every > 0 {
				time.Sleep(time.Duration(step.Updates.Every))
				synctest.Wait()
			}
			r.Update(n)
			if s.Bounded && n == step.Updates.Last/2 {
				runtime.GC()
				runtime.ReadMemStats(&s.middle)
			}
		}
	case step.Reject != 0:
		r.Reject(step.Reject)
	case step.Error != nil:
		r.Error(message.Error{Code: step.Error.Code, Message: step.Error.Message})
	case step.Result != "":
		r.SetResult(step.Result)
	case step.ListSteps != nil:
		r.ListSteps(*step.ListSteps...)
	case step.End != "":
		r.End(step.End, step.Text)
	case step.Flush:
		r.Flush(ctx)
	case step.Close:
		r.Close(ctx)
	case step.Freeze > 0:
		thaw := time.Now().Add(time.Duration(step.Freeze))
		s.frozenUntil.Store(&thaw)
	}
}

func (p scenarioPhase) phase() progress.Phase {
	phase := progress.Phase{
		Name: p.Name, From: p.From, To: p.To, Steps: p.Steps, Done: p.Done, Rows: p.Rows, CurrentRow: p.CurrentRow, TotalRows: p.TotalRows,
		Status: p.Status,
	}
	if p.Text != "" {
		phase.Text = func(done, steps int64) string {
			return strings.NewReplacer("{done}", strconv.FormatInt(done, 10), "{steps}", strconv.FormatInt(steps, 10)).Replace(p.Text)
		}
	}
	return phase
}

// Publish records the request, and answers as the scenario says. A process that is frozen publishes when it goes on.
func (s *scenarioRun) Publish(ctx context.Context, r message.Request) error {
	if thaw := s.frozenUntil.Load(); thaw != nil {
		time.Sleep(time.Until(*thaw))
	}
	s.count++
	at := math.Round(time.Since(s.start).Seconds()*1e6) / 1e6
	published := wire(r)
	published["at"] = at
	if s.Count > 0 {
		s.published = s.published[:0]
	}
	s.published = append(s.published, published)
	if err := r.Validate(); err != nil {
		s.invalid = append(s.invalid, err.Error())
	}
	if r.SentAt.IsZero() && r.Key == "" {
		s.invalid = append(s.invalid, "no sentAt")
	}
	for _, answer := range s.Answers {
		if s.count < answer.Calls[0] || s.count > answer.Calls[1] {
			continue
		}
		if answer.Takes > 0 {
			select {
			case <-time.After(time.Duration(answer.Takes)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		switch {
		case answer.Pending:
			return progress.ErrPending
		case answer.Error == "InvalidMessage" || answer.Error == "PayloadTooLarge":
			return refusal{answer.Text}
		case answer.Error != "":
			return errors.New(answer.Error)
		}
	}
	return nil
}

// refusal is an error of a notifier that refuses a request.
type refusal struct{ text string }

func (r refusal) Error() string      { return r.text }
func (refusal) Is(target error) bool { return target == message.ErrRefused }

// wire returns what the request is in JSON, as the notifier's function gets it. A key is only its number.
func wire(r message.Request) map[string]any {
	all := map[string]any{"userId": r.UserID, "type": string(r.Message.Type()), "data": r.Message}
	if r.Epoch != "" {
		all["epoch"] = r.Epoch
	}
	if r.Execution != "" {
		all["execution"] = r.Execution
	}
	if r.Key != "" {
		all["key"] = "#" + r.Key[strings.LastIndex(r.Key, " ")+1:]
	}
	if r.Part != nil {
		all["part"] = r.Part
	}
	if r.NoWait {
		all["wait"] = false
	}
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(raw, &decoded); err != nil {
		panic(err)
	}
	return decoded
}

// check compares what was published with what the scenario expects.
func (s *scenarioRun) check(t *testing.T) {
	t.Helper()
	want := s.Publishes
	if s.Count > 0 {
		if s.count != s.Count {
			t.Errorf("%d publishes, want %d", s.count, s.Count)
		}
		want = []map[string]any{s.Last}
	}
	for i, got := range s.published {
		if i >= len(want) {
			t.Errorf("publish %d is not expected: %v", i+1, got)
		} else if diff := missing(want[i], got); len(diff) > 0 {
			t.Errorf("publish %d: %s\nin %.1000v", i+1, strings.Join(diff, "; "), got)
		}
	}
	if len(s.published) < len(want) {
		t.Errorf("%d publishes, want %d", len(s.published), len(want))
	}
	for i, invalid := range s.invalid {
		if len(s.Answers) == 0 || s.Answers[0].Error != "InvalidMessage" {
			t.Errorf("request %d: %s", i+1, invalid)
		}
	}
}

// missing returns how got differs from the fields of want. A nil in want means that the field is absent.
func missing(want, got map[string]any) []string {
	var diff []string
	for _, field := range slices.Sorted(maps.Keys(want)) {
		w, g := want[field], got[field]
		wantObject, isObject := w.(map[string]any)
		gotObject, _ := g.(map[string]any)
		switch {
		case field == "fits": // checked for each request
		case isObject:
			diff = append(diff, missing(wantObject, gotObject)...)
		case !reflect.DeepEqual(w, g):
			diff = append(diff, fmt.Sprintf("%s is %v, want %v", field, g, w))
		}
	}
	return diff
}
