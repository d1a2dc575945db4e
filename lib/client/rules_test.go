package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

// rulesDir holds the table of client rules; its README.md says what the fields mean.
const rulesDir = "../../testdata/client"

// ruleFile is one file of the table: a rule, and the cases that test it.
type ruleFile struct {
	Rule  string
	Cases []ruleCase
}

type ruleCase struct {
	Name     string
	Answered bool
	Steps    []ruleStep
}

// ruleStep is one step of a case: something that happens to the client, or what the client must do.
type ruleStep struct {
	At float64 // seconds since the start of the case

	// What happens to the client, and whether the application sees it.

	Frame  json.RawMessage
	Text   string
	Times  int
	Except []int
	Shown  *bool
	Shows  []bool // of the frames in a batch
	Lost   bool
	Refuse *int
	Token  *string
	Call   string

	// What the client must do.

	Connects string
	Sends    json.RawMessage
	Have     *ruleHave
	Closes   bool
	Returns  string
	Stops    string
	Knows    *ruleKnows
	Quiet    bool
}

// ruleHave bounds the field have of a sync.
type ruleHave struct {
	MaxBytes, MaxJobs, MinJobs int
	Names, Omits               []string
}

// ruleKnows is what the client's view must hold.
type ruleKnows struct {
	Jobs  map[string]json.RawMessage
	Notes []string
}

// TestClientRules tests the client with the table of client rules, in virtual time.
func TestClientRules(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rulesDir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules in %s: %v", rulesDir, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		var file ruleFile
		if err := decoder.Decode(&file); err != nil || file.Rule == "" || len(file.Cases) == 0 {
			t.Fatalf("%s: %v; want a rule and its cases", name, err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			for _, c := range file.Cases {
				t.Run(c.Name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { runRule(t, c) })
				})
			}
		})
	}
}

// ruleFixture is the environment of the client in a case: a gateway and an application.
type ruleFixture struct {
	t     *testing.T
	start time.Time
	// answered means that the gateway answers each sync and ping by itself, and that the case does not list what the client sends.
	answered bool
	client   *Client

	mu      sync.Mutex
	refuse  int          // the status of a refused handshake; 0: handshakes succeed
	token   string       // what Config.Token returns
	actions []ruleAction // that the client did and the case has not compared yet
	shown   [][]byte     // the frames for which the client called OnFrame
	socket  *ruleSocket  // the newest connection
}

// ruleAction is an action of the client, and its time since the start of the case.
type ruleAction struct {
	At   time.Duration
	What string
	JSON any
}

// runRule runs a case: it starts a client, and runs the steps at their times.
func runRule(t *testing.T, c ruleCase) {
	t.Helper()
	time.Sleep(time.Until(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))) // virtual time; the start of each case
	f := &ruleFixture{t: t, start: time.Now(), answered: c.Answered, token: "t1"}
	f.client = New(Config{
		URL: "wss://example.com/prod", Dial: f.dial, Token: f.newToken,
		OnFrame: func(_ message.Envelope, raw []byte) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.shown = append(f.shown, raw)
		},
	})
	f.client.random = func() float64 { return 0.5 } // each pause is half of its bound, as the cases assume
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f.client.Run(ctx); ctx.Err() == nil {
			f.record("stops", reason(err))
		}
	}()
	for i, s := range c.Steps {
		time.Sleep(time.Until(f.start.Add(time.Duration(math.Round(s.At*1e3)) * time.Millisecond)))
		synctest.Wait()
		if !f.step(s) {
			t.Errorf("step %d, at %v s", i+1, s.At)
			break
		}
	}
	synctest.Wait()
	f.expectNothing()
	cancel()
	<-ended
}

// reason names why a client has stopped.
func reason(err error) string {
	var closed *Closed
	var refused *Refused
	switch {
	case errors.As(err, &closed):
		return closed.Code
	case errors.As(err, &refused):
		return fmt.Sprint("REFUSED ", refused.Status)
	case errors.Is(err, ErrTokenExpired):
		return message.CloseTokenExpired
	default:
		return fmt.Sprint(err)
	}
}

// step runs one step: it changes the environment, or compares the client's next action with the step. It reports whether the
// client did what the step says.
func (f *ruleFixture) step(s ruleStep) bool {
	switch {
	case s.Connects != "":
		return f.expect(s, "connects", s.Connects)
	case s.Sends != nil:
		return f.expectSync(s)
	case s.Closes:
		return f.expect(s, "closes", nil)
	case s.Returns != "":
		return f.expect(s, "returns", s.Returns)
	case s.Stops != "":
		if status := f.client.Status(); status.State != Stopped || reason(status.Err) != s.Stops {
			f.t.Errorf("the client's status is %+v", status)
		}
		return f.expect(s, "stops", s.Stops)
	}
	if !f.expectNothing() {
		return false
	}
	switch {
	case s.Frame != nil || s.Text != "":
		return f.frames(s)
	case s.Knows != nil:
		return f.knows(*s.Knows)
	case s.Lost:
		f.socket.end()
	case s.Refuse != nil:
		f.change(func() { f.refuse = *s.Refuse })
	case s.Token != nil:
		f.change(func() { f.token = *s.Token })
	case s.Call == "sync":
		go func() {
			if err := f.client.Sync(f.t.Context()); err == nil {
				f.record("returns", "sync")
			}
		}()
	case !s.Quiet:
		f.t.Error("the step has no field that says what happens")
		return false
	}

	return true
}

// change changes the fixture while it holds the lock.
func (f *ruleFixture) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// record records an action of the client, for the case to compare.
func (f *ruleFixture) record(what string, v any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.actions = append(f.actions, ruleAction{At: time.Since(f.start), What: what, JSON: v})
}

// expectNothing reports whether the case has compared all actions of the client so far.
func (f *ruleFixture) expectNothing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, action := range f.actions {
		f.t.Errorf("at %v the client also %s %v", action.At, action.What, action.JSON)
	}
	return len(f.actions) == 0
}

// takeFirst removes the first action and returns it.
func (f *ruleFixture) takeFirst() (ruleAction, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.actions) == 0 {
		return ruleAction{}, false
	}
	first := f.actions[0]
	f.actions = f.actions[1:]
	return first, true
}

// expect removes the client's first action, and reports whether it is the given one at the time of the step.
func (f *ruleFixture) expect(s ruleStep, what string, v any) bool {
	f.t.Helper()
	got, ok := f.takeFirst()
	want := ruleAction{At: time.Duration(math.Round(s.At*1e3)) * time.Millisecond, What: what, JSON: v}
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		f.t.Errorf("the client's action (-want +got):\n%s", diff)
		return false
	}
	return true
}

// expectSync compares a message that the client sent with the step. If the step has bounds for have, it checks these bounds
// and does not compare have.
func (f *ruleFixture) expectSync(s ruleStep) bool {
	f.t.Helper()
	var want map[string]any
	if err := json.Unmarshal(s.Sends, &want); err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	if len(f.actions) > 0 {
		if sent, ok := f.actions[0].JSON.(map[string]any); ok {
			if s.Have != nil {
				f.compareHave(*s.Have, sent["have"])
				delete(sent, "have")
			}
			ignoreOptional(sent, want)
		}
	}
	f.mu.Unlock()
	return f.expect(s, "sends", any(want))
}

// ignoreOptional removes the fields of a sync that are not compared: overlap, and batch if the case does not name it. A batch of
// null in the case means that the sync has none.
func ignoreOptional(sent, want map[string]any) {
	delete(sent, "overlap")
	if _, named := want["batch"]; !named {
		delete(sent, "batch")
	} else if sent["batch"] == nil {
		sent["batch"] = nil
	}
}

// compareHave compares the field "have" of a sync with its bounds.
func (f *ruleFixture) compareHave(bounds ruleHave, have any) {
	f.t.Helper()
	text, err := json.Marshal(have)
	jobs, ok := have.(map[string]any)
	if err != nil || !ok {
		f.t.Errorf("have is %v", have)
	}
	if len(text) >= bounds.MaxBytes || len(jobs) > bounds.MaxJobs || len(jobs) < bounds.MinJobs {
		f.t.Errorf("have has %d bytes and %d jobs, want %+v", len(text), len(jobs), bounds)
	}
	for _, job := range bounds.Names {
		if jobs[job] == nil {
			f.t.Errorf("have lacks %s", job)
		}
	}
	for _, job := range bounds.Omits {
		if jobs[job] != nil {
			f.t.Errorf("have names %s", job)
		}
	}
}

// knows compares the client's view with the case: the fields of jobs that the case names, and the ids of notes.
func (f *ruleFixture) knows(want ruleKnows) bool {
	f.t.Helper()
	view := f.client.View()
	ok := true
	for _, id := range slices.Sorted(maps.Keys(want.Jobs)) {
		var fields, data map[string]any
		e, _ := view.Job(id)
		text, err := json.Marshal(e.Data)
		if err := errors.Join(err, json.Unmarshal(text, &data), json.Unmarshal(want.Jobs[id], &fields)); err != nil {
			f.t.Fatal(err)
		}
		for name, v := range fields {
			if !reflect.DeepEqual(v, data[name]) {
				f.t.Errorf("job %s: %s is %v, want %v", id, name, data[name], v)
				ok = false
			}
		}
	}
	if want.Notes == nil {
		return ok
	}
	ids := []string{}
	for _, e := range view.Notes() {
		ids = append(ids, e.ID)
	}
	if diff := cmp.Diff(want.Notes, ids); diff != "" {
		f.t.Errorf("notes (-want +got):\n%s", diff)
		ok = false
	}

	return ok
}
