package asltest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl"
)

// The limits of a timeline that a failed test prints.
const (
	maxValue = 160 // Characters of a value.
	maxLines = 200
)

// Timeline returns what the execution did, state by state, with the time since its start: at most 200 lines, in which each value is cut
// after 160 characters.
func (e *Execution) Timeline() string {
	lines := e.lines(shorten)
	if more := len(lines) - maxLines; more > 0 {
		const head = maxLines / 2
		lines = append(append(lines[:head:head], fmt.Sprintf("… %d more lines", more)), lines[len(lines)-head:]...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// lines returns the timeline. show returns a value as the timeline shows it.
func (e *Execution) lines(show func(string) string) []string {
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	w := &timelineWriter{start: e.recorder.start, show: show, ids: map[string]string{}}
	w.visits(e.recorder.root, "")
	end := fmt.Sprintf("%s after %v", e.Status, e.Duration)
	if e.Error != nil {
		end += ": " + errorText(e.Error)
	} else {
		end += " " + compact(e.Output)
	}
	w.lines = append(w.lines, w.value(end))
	return w.lines
}

// A timelineWriter writes the lines of a timeline.
type timelineWriter struct {
	start time.Time
	show  func(string) string
	ids   map[string]string // A stable text for each random id.
	lines []string
	last  string // The time that was written last.
}

// step is the indentation of what is inside a state.
const indentation = "  "

// offsetWidth is the width of the column with the times.
const offsetWidth = 10

// linef adds a line. at is when it happened, which is written if it differs from the line before; the zero time is not written.
func (w *timelineWriter) linef(at time.Time, indent, format string, args ...any) {
	offset := ""
	if now := "+" + at.Sub(w.start).String(); !at.IsZero() && now != w.last {
		offset, w.last = now, now
	}
	w.lines = append(w.lines, strings.TrimRight(fmt.Sprintf("%-*s %s", offsetWidth, offset, indent+fmt.Sprintf(format, args...)), " "))
}

// randomID matches what differs from execution to execution: a UUID, such as that of a task token.
var randomID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// value returns a text as the timeline shows it. Each random id becomes uuid-1, uuid-2 and so on.
func (w *timelineWriter) value(text string) string {
	return w.show(randomID.ReplaceAllStringFunc(text, func(id string) string {
		if w.ids[id] == "" {
			w.ids[id] = fmt.Sprintf("uuid-%d", len(w.ids)+1)
		}
		return w.ids[id]
	}))
}

// json returns JSON text as the timeline shows it.
func (w *timelineWriter) json(text json.RawMessage) string { return w.value(compact(text)) }

// visits writes the states of a thread. Only the first shows its input: that of another is the output of the one before.
func (w *timelineWriter) visits(visits []*visit, indent string) {
	for i, v := range visits {
		input := ""
		if i == 0 {
			input = " " + w.json(v.input)
		}
		w.last = "" // The line of a state always has its time.
		w.linef(v.entered, indent, "%s%s", v.state, input)
		for _, a := range v.attempts {
			w.attempt(a, indent+indentation)
		}
		w.exit(v, indent+indentation)
	}
}

// attempt writes an attempt of a state.
func (w *timelineWriter) attempt(a *attempt, indent string) {
	if a.arguments != nil {
		w.linef(a.began, indent, "call %s", w.json(a.arguments))
	}
	for _, t := range a.sorted() {
		w.linef(time.Time{}, indent, "[%d]", t.index())
		w.visits(t.visits, indent+indentation)
	}
	if a.result != nil {
		w.linef(time.Time{}, indent, "result %s", w.json(a.result))
	}
	switch f := a.failed; {
	case f == nil:
	case f.Kind == asl.StepRetried:
		w.linef(f.Time, indent, "error %s; %s waits %v", w.value(errorText(f.Error)), f.Field, f.Wait)
	default:
		w.linef(f.Time, indent, "error %s; %s has no attempt left", w.value(errorText(f.Error)), f.Field)
	}
}

// exit writes the end of a state.
func (w *timelineWriter) exit(v *visit, indent string) {
	end := v.end
	next := ""
	if end.Next != "" {
		next = " -> " + end.Next
	}
	output := ""
	if changed := compact(end.Data); changed != compact(v.input) {
		output = " " + w.value(changed)
	}
	switch {
	case end.Kind == asl.StepAborted:
		w.linef(end.Time, indent, "aborted")
	case end.Kind == asl.StepFailed:
		w.linef(end.Time, indent, "failed %s", w.value(errorText(end.Error)))
	case end.Error != nil:
		w.linef(end.Time, indent, "caught %s; %s%s%s", w.value(errorText(end.Error)), end.Field, next, output)
	case end.Field != "" || output != "":
		w.linef(end.Time, indent, "%s", strings.TrimSpace(end.Field+next+output))
	}
}

// errorText returns the name and the cause of an error.
func errorText(err *asl.Error) string {
	name := cmp.Or(err.Name, "without a name")
	if err.Cause == "" {
		return name
	}
	return name + ": " + err.Cause
}

// shorten returns text with at most maxValue characters.
func shorten(text string) string {
	runes := []rune(text)
	if len(runes) <= maxValue {
		return text
	}
	return fmt.Sprintf("%s… (%d characters)", string(runes[:maxValue]), len(runes))
}
