package csvimport_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

// findViolations checks the store and the errors after two or more imports, of which the last is the newest. It returns
// what is wrong.
func (w *simulation) findViolations(t *testing.T) []string {
	t.Helper()
	var violations []string
	report := func(format string, args ...any) { violations = append(violations, fmt.Sprintf(format, args...)) }
	newest := w.imports[len(w.imports)-1]
	dead, failed := false, false
	for _, i := range w.imports {
		dead, failed = dead || i.dead, failed || errors.As(i.err, new(*csvimport.FileReplaced))
		quiet := errors.As(i.err, new(*csvimport.Superseded)) || errors.As(i.err, new(*csvimport.FileReplaced))
		if i.err != nil && !i.dead && (!quiet || i == newest) {
			report("%s ends with %v", i.name, i.err)
		}
	}
	prefix := "results/YXV0aDB8NDcxMS_DpA/" + upload + "/"
	var s csvimport.Summary
	if content, _, err := w.Read(t.Context(), prefix+"summary.json"); err == nil {
		if err := json.Unmarshal(content, &s); err != nil {
			report("summary: %v", err)
		}
	} else if !newest.dead {
		report("no summary: %v", err)
	}
	if !newest.dead && s.Claim != newest.claim {
		report("the results are those of %s %s, want the newest", s.FileName, s.Claim)
	}
	named := map[string]bool{prefix + "summary.json": true}
	for _, name := range append([]string{s.Rejects}, s.Results...) {
		if s.Claim == "" {
			continue
		}
		named[s.Prefix+name] = true
		content, _, err := w.Read(t.Context(), s.Prefix+name)
		if err != nil {
			report("%s, which the summary names: %v", name, err)
		}
		if lines := int64(strings.Count(string(content), "\n")); name != s.Rejects && lines != s.Accepted || name == s.Rejects && lines != s.Rejected+1 {
			report("%s has %d lines, the summary says %d accepted, %d rejected", name, lines, s.Accepted, s.Rejected)
		}
	}
	for _, key := range append(w.Keys("results/"), w.Keys("staged/")...) {
		if !named[key] && !dead && (!failed || strings.HasPrefix(key, "results/")) {
			report("%s is left", key)
		}
	}
	if dead && violations == nil { // the next import deletes the results of a killed one; staged objects expire
		if err := w.Delete(t.Context(), w.Keys("staged/")...); err != nil {
			report("delete: %v", err)
		}
		next := &simulatedImport{name: "next", event: w.imports[0].event, epoch: "2026-11-22T11:00:00Z#0", execution: "next"}
		next.event.Object.Key, next.event.Object.Sequencer = csvimport.UploadKey(user, upload, "next.csv"), "0099"
		w.versions[next.event.Object.Key+"?"+next.event.Object.VersionID] = []byte(fourRows)
		w.imports = []*simulatedImport{next}
		w.runHistory(t, &choiceSequence{}, 0, 0)
		return w.findViolations(t)
	}

	return violations
}

// TestResultsAreThoseOfTheNewestVersionInAllOrders runs concurrent imports of one upload in all orders of their requests,
// with failing requests and killed functions. The number of switches between imports and of faults is bounded.
func TestResultsAreThoseOfTheNewestVersionInAllOrders(t *testing.T) {
	inAllOrders(t, bounds{{2, 0}, {0, 1}}, bounds{{1, 0}})
}

// bounds are pairs: the number of switches between imports that could continue, and the number of faults.
type bounds [][2]int

// inAllOrders runs two imports within the bounds ofTwo, three within ofThree.
func inAllOrders(t *testing.T, ofTwo, ofThree bounds) {
	t.Helper()
	const before, after = fourRows, "part,color,quantity\n1,Red,9\n"
	event := func(file, content, sequencer, version string) csvimport.Event {
		var e csvimport.Event
		e.Object.Key, e.Object.Size, e.Object.ETag = csvimport.UploadKey(user, upload, file), int64(len(content)), csvimport.ETag([]byte(content))
		e.Object.Sequencer, e.Object.VersionID = sequencer, version
		return e
	}
	const first, second = "2026-11-22T10:00:00.000Z#0000", "2026-11-22T10:00:01.000Z#0000"
	for _, tt := range []struct {
		name    string
		imports func() []*simulatedImport
	}{
		{"two files", func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: event("a.csv", before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event("b.csv", after, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
		{"two files, the sequencers say nothing", func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: event("a.csv", before, "0064", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event("b.csv", after, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
		{"two files at the same time", func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: event("a.csv", before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event("b.csv", after, "0063", "v2"), epoch: first, execution: "b"},
			}
		}},
		{"the same key again", func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: event(fileName, before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event(fileName, after, "00621", "v2"), epoch: second, execution: "b"},
			}
		}},
		{"the same key again, and the older event comes later", func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: event(fileName, before, "0062", "v1"), epoch: second, execution: "a"},
				{name: "b", event: event(fileName, after, "0063", "v2"), epoch: first, execution: "b"},
			}
		}},
		{"the same key again, in a bucket without versions", func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: event(fileName, before, "0062", ""), epoch: first, execution: "a"},
				{name: "b", event: event(fileName, after, "0063", ""), epoch: second, execution: "b", content: after, uploads: true},
			}
		}},
		{"events without sequencers", func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: event(fileName, before, "", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event(fileName, after, "", "v2"), epoch: second, execution: "b"},
			}
		}},
		{"a step that runs twice at once", func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: event("a.csv", before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "a again", event: event("a.csv", before, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: event("b.csv", after, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			within := ofTwo
			if len(tt.imports()) > 2 {
				within = ofThree
			}
			histories := 0
			for _, b := range within {
				for c := (&choiceSequence{}); ; {
					w := &simulation{imports: tt.imports(), versions: map[string][]byte{}}
					put(t, &w.Memory, []byte(before))
					w.versions[csvimport.UploadKey(user, upload, fileName)+"?v1"] = []byte(before)
					w.versions[csvimport.UploadKey(user, upload, fileName)+"?v2"] = []byte(after)
					w.versions[csvimport.UploadKey(user, upload, "a.csv")+"?v1"] = []byte(before)
					w.versions[csvimport.UploadKey(user, upload, "b.csv")+"?v2"] = []byte(after)
					log := w.runHistory(t, c, b[0], b[1])
					if violations := w.findViolations(t); violations != nil {
						t.Fatalf("%s\nafter\n%s", strings.Join(violations, "\n"), strings.Join(log, "\n"))
					}
					histories++
					if !c.next() {
						break
					}
				}
			}
			t.Logf("%d histories", histories)
		})
	}
}
