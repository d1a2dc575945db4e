package client

import (
	"bytes"
	gocmp "cmp"
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

type ruleFile struct {
	Rule  string
	Cases []ruleCase
}

type ruleCase struct {
	Name     string
	Answered bool
	Steps    []ruleStep
}

type ruleStep struct {
	At float64

	Frame  json.RawMessage
	Text   string
	Times  int
	Except []int
	Shown  *bool
	Lost   bool
	Refuse *int
	Token  *string
	Call   string

	Connects string
	Sends    json.RawMessage
	Have     *ruleHave
	Closes   bool
	Returns  string
	Stops    string
	Knows    *ruleKnows
	Quiet    bool
}

// ruleHave bounds the have of a sync.
type ruleHave struct {
	MaxBytes, MaxJobs, MinJobs int
	Names, Omits               []string
}

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

// ruleWorld is what a client of a case meets: a gateway, and an application.
type ruleWorld struct {
	t        *testing.T
	start    time.Time
	answered bool
	client   *Client

	mu     sync.Mutex
	refuse int
	token  string
	done   []ruleDone
	shown  [][]byte
	socket *ruleSocket // the newest
}

// ruleDone is what the client did, and when.
type ruleDone struct {
	At   time.Duration
	What string
	JSON any
}

func runRule(t *testing.T, c ruleCase) {
	t.Helper()
	time.Sleep(time.Until(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)))
	w := &ruleWorld{t: t, start: time.Now(), answered: c.Answered, token: "t1"}
	w.client = New(Config{
		URL: "wss://example.com/prod", Dial: w.dial, Token: w.newToken,
		OnFrame: func(_ message.Envelope, raw []byte) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.shown = append(w.shown, raw)
		},
	})
	w.client.random = func() float64 { return 0.5 }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := w.client.Run(ctx); ctx.Err() == nil {
			w.did("stops", reason(err))
		}
	}()
	for i, s := range c.Steps {
		time.Sleep(time.Until(w.start.Add(time.Duration(math.Round(s.At*1e3)) * time.Millisecond)))
		synctest.Wait()
		if !w.step(s) {
			t.Errorf("step %d, at %v s", i+1, s.At)
			break
		}
	}
	synctest.Wait()
	w.expectNothing()
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

// step does what a step says, or compares it with what the client did first, and reports whether all is as it says.
func (w *ruleWorld) step(s ruleStep) bool {
	switch {
	case s.Connects != "":
		return w.expect(s, "connects", s.Connects)
	case s.Sends != nil:
		return w.expectSync(s)
	case s.Closes:
		return w.expect(s, "closes", nil)
	case s.Returns != "":
		return w.expect(s, "returns", s.Returns)
	case s.Stops != "":
		if status := w.client.Status(); status.State != Stopped || reason(status.Err) != s.Stops {
			w.t.Errorf("its status is %+v", status)
		}
		return w.expect(s, "stops", s.Stops)
	}
	if !w.expectNothing() {
		return false
	}
	switch {
	case s.Frame != nil || s.Text != "":
		return w.frames(s)
	case s.Knows != nil:
		return w.knows(*s.Knows)
	case s.Lost:
		w.socket.end()
	case s.Refuse != nil:
		w.change(func() { w.refuse = *s.Refuse })
	case s.Token != nil:
		w.change(func() { w.token = *s.Token })
	case s.Call == "sync":
		go func() {
			if err := w.client.Sync(w.t.Context()); err == nil {
				w.did("returns", "sync")
			}
		}()
	case !s.Quiet:
		w.t.Error("a step without a verb")
		return false
	}

	return true
}

func (w *ruleWorld) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

func (w *ruleWorld) did(what string, v any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, ruleDone{At: time.Since(w.start), What: what, JSON: v})
}

func (w *ruleWorld) expectNothing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.done {
		w.t.Errorf("at %v the client also %s %v", d.At, d.What, d.JSON)
	}
	return len(w.done) == 0
}

// first takes the first thing that the client did.
func (w *ruleWorld) first() (ruleDone, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.done) == 0 {
		return ruleDone{}, false
	}
	d := w.done[0]
	w.done = w.done[1:]
	return d, true
}

func (w *ruleWorld) expect(s ruleStep, what string, v any) bool {
	w.t.Helper()
	got, ok := w.first()
	want := ruleDone{At: time.Duration(math.Round(s.At*1e3)) * time.Millisecond, What: what, JSON: v}
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		w.t.Errorf("the client's act (-want +got):\n%s", diff)
		return false
	}
	return true
}

// expectSync compares a message that the client sent. With bounds of its have that one is not compared.
func (w *ruleWorld) expectSync(s ruleStep) bool {
	w.t.Helper()
	var want any
	if err := json.Unmarshal(s.Sends, &want); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	if len(w.done) > 0 {
		if sent, ok := w.done[0].JSON.(map[string]any); ok {
			if s.Have != nil {
				w.compareHave(*s.Have, sent["have"])
				delete(sent, "have")
			}
			delete(sent, "overlap") // a client may name it, or not
		}
	}
	w.mu.Unlock()
	return w.expect(s, "sends", want)
}

func (w *ruleWorld) compareHave(bounds ruleHave, have any) {
	w.t.Helper()
	text, err := json.Marshal(have)
	jobs, ok := have.(map[string]any)
	if err != nil || !ok {
		w.t.Errorf("have is %v", have)
	}
	if len(text) >= bounds.MaxBytes || len(jobs) > bounds.MaxJobs || len(jobs) < bounds.MinJobs {
		w.t.Errorf("have has %d bytes and %d jobs, want %+v", len(text), len(jobs), bounds)
	}
	for _, job := range bounds.Names {
		if jobs[job] == nil {
			w.t.Errorf("have lacks %s", job)
		}
	}
	for _, job := range bounds.Omits {
		if jobs[job] != nil {
			w.t.Errorf("have names %s", job)
		}
	}
}

// frames sends a frame, or many, and compares what of them the application sees.
func (w *ruleWorld) frames(s ruleStep) bool {
	w.t.Helper()
	text := gocmp.Or(string(s.Frame), s.Text)
	if e, err := message.Parse([]byte(text)); err == nil && s.Shown == nil {
		switch e.Type {
		case message.TypeUploadProgress, message.TypeNotification, message.TypeError:
			w.t.Errorf("%s: say whether it is shown", text)
		}
	}
	ok := true
	for n := 1; n <= max(1, s.Times); n++ {
		if slices.Contains(s.Except, n) {
			continue
		}
		frame := []byte(strings.ReplaceAll(text, "{n}", fmt.Sprintf("%06d", n)))
		w.change(func() { w.shown = nil })
		w.socket.post(frame)
		synctest.Wait()
		w.mu.Lock()
		shown := slices.ContainsFunc(w.shown, func(raw []byte) bool { return bytes.Equal(raw, frame) })
		w.mu.Unlock()
		if s.Shown != nil && shown != *s.Shown {
			w.t.Errorf("%s: shown is %t", frame, shown)
			ok = false
		}
	}

	return ok
}

// knows compares the client's view with the case: the data of each job, as far as the case names it, and the ids of notes.
func (w *ruleWorld) knows(want ruleKnows) bool {
	w.t.Helper()
	view := w.client.View()
	ok := true
	for _, id := range slices.Sorted(maps.Keys(want.Jobs)) {
		var fields, data map[string]any
		e, _ := view.Job(id)
		text, err := json.Marshal(e.Data)
		if err := errors.Join(err, json.Unmarshal(text, &data), json.Unmarshal(want.Jobs[id], &fields)); err != nil {
			w.t.Fatal(err)
		}
		for name, v := range fields {
			if !reflect.DeepEqual(v, data[name]) {
				w.t.Errorf("job %s: %s is %v, want %v", id, name, data[name], v)
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
		w.t.Errorf("notes (-want +got):\n%s", diff)
		ok = false
	}

	return ok
}
