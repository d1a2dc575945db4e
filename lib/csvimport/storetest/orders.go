package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/csvimport"
)

const (
	user     = "auth0|4711/\u00e4"
	upload   = "up-1"
	fileName = "parts list.csv"

	// The contents of an older and a newer version of the upload.
	older = "part,color,quantity\n3001,Red,1\n3001,Red,0\n3002,Blue,3\n,,\n,Red,\n"
	newer = "part,color,quantity\n1,Red,9\n"

	// The epochs of the imports: before is that of an import before the history, third that of an import after it.
	before = "2026-11-22T09:00:00.000Z#0000"
	first  = "2026-11-22T10:00:00.000Z#0000"
	second = "2026-11-22T10:00:01.000Z#0000"
	third  = "2026-11-22T11:00:00.000Z#0000"
)

// Orders says which histories [Orders.Run] runs. A history is one order of the requests of concurrent imports, with their faults.
type Orders struct {
	// OfTwo and OfThree are the limits of the histories of two and of three imports.
	OfTwo, OfThree []Limits
	// PerCase is for slow stores: all histories run in memory first, and then at most PerCase histories of each case, evenly
	// spread over all, run on the store. Zero means that all histories run on the store.
	PerCase int
}

// Limits bounds one history.
type Limits struct {
	// Switches is how often the history switches from an import that could continue to another.
	Switches int
	// Faults is how many requests fail, or kill the function that makes them.
	Faults int
}

// Few returns Orders with 2,300 histories. perCase is [Orders].PerCase. In each Limits the first number is Switches, the second Faults.
func Few(perCase int) Orders {
	return Orders{OfTwo: []Limits{{2, 0}, {0, 1}}, OfThree: []Limits{{1, 0}}, PerCase: perCase}
}

// More returns Orders with 16,000 histories.
func More() Orders {
	return Orders{OfTwo: []Limits{{3, 0}, {1, 1}}, OfThree: []Limits{{2, 0}, {0, 1}}}
}

// Many returns Orders whose histories take about a minute in memory.
func Many() Orders {
	return Orders{OfTwo: []Limits{{4, 0}, {2, 1}}, OfThree: []Limits{{2, 0}, {1, 1}}}
}

// Run runs concurrent imports of one upload in all orders of their requests, with failing requests and killed functions. It calls open
// for a new, empty store for each subtest. At the end of each history the results must be all results of the newest version, and no
// other results or staged objects may be left.
func (o Orders) Run(t *testing.T, open func(t *testing.T) csvimport.Store) {
	t.Helper()
	for _, tt := range orderCases() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := o.OfTwo
			if len(tt.imports()) > 2 {
				limits = o.OfThree
			}
			store := open(t)
			if o.PerCase == 0 {
				count := 0
				runAll(t, store, tt, limits, func(history) { count++ })
				t.Logf("%d histories", count)
				return
			}
			var all []history
			runAll(t, &csvimport.Memory{}, tt, limits, func(h history) { all = append(all, h) })
			count := min(o.PerCase, len(all))
			for n := range count {
				h := all[n*len(all)/count]
				log := runOne(t, store, tt, &choiceSequence{taken: h.taken, counts: make([]int, len(h.taken))}, h.limits)
				if diff := cmp.Diff(h.log, log); diff != "" {
					t.Errorf("the requests on this store differ from those in memory (-memory +store):\n%s", diff)
				}
			}
			t.Logf("%d of %d histories", count, len(all))
		})
	}
}

// history is a history that was run: its limits, the options that it took, and the log of its requests.
type history struct {
	limits Limits
	taken  []int
	log    []string
}

// runAll runs all histories of a case within limits, and calls done after each.
func runAll(t *testing.T, store csvimport.Store, tt orderCase, limits []Limits, done func(history)) {
	t.Helper()
	for _, l := range limits {
		for c := (&choiceSequence{}); ; {
			log := runOne(t, store, tt, c, l)
			done(history{l, slices.Clone(c.taken), log})
			if !c.next() {
				break
			}
		}
	}
}

// runOne runs one history of a case, checks it, and empties the store. It returns the log of the requests.
func runOne(t *testing.T, store csvimport.Store, tt orderCase, c *choiceSequence, l Limits) []string {
	t.Helper()
	s := &simulation{Store: store, imports: tt.imports(), versions: map[string][]byte{}}
	key := func(name string) string { return csvimport.UploadKey(user, upload, name) }
	put(t, store, key(fileName), []byte(older))
	s.versions[key(fileName)+"?v1"], s.versions[key(fileName)+"?v2"] = []byte(older), []byte(newer)
	s.versions[key("a.csv")+"?v1"], s.versions[key("b.csv")+"?v2"] = []byte(older), []byte(newer)
	if tt.imported { // Run one import alone, before the others.
		imports := s.imports
		s.imports = []*simulatedImport{{name: "before", event: newEvent(fileName, older, "0061", "v1"), epoch: before, execution: "before"}}
		s.runHistory(t, &choiceSequence{}, 0, 0)
		s.imports = imports
	}
	log := s.runHistory(t, c, l.Switches, l.Faults)
	if violations := s.findViolations(t); violations != nil {
		t.Fatalf("%s\nafter\n%s", strings.Join(violations, "\n"), strings.Join(log, "\n"))
	}
	if err := store.Delete(t.Context(), s.keys(t, "")...); err != nil {
		t.Fatal(err)
	}
	return log
}

// keys returns the keys of the store that start with prefix.
func (s *simulation) keys(t *testing.T, prefix string) []string {
	t.Helper()
	keys, err := s.List(t.Context(), prefix, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// findViolations checks the store and the errors after the imports of s, the last of which is the newest. It returns
// every rule that does not hold.
func (s *simulation) findViolations(t *testing.T) []string {
	t.Helper()
	var violations []string
	report := func(format string, args ...any) { violations = append(violations, fmt.Sprintf(format, args...)) }
	anyKilled, anyReplaced := s.checkErrors(report)
	resultKeys := s.checkResults(t, report)
	for _, key := range append(s.keys(t, "results/"), s.keys(t, "staged/")...) {
		// A killed import may leave anything, and an import whose file was replaced may leave staged objects.
		mayBeLeft := anyKilled || anyReplaced && strings.HasPrefix(key, "staged/")
		if !resultKeys[key] && !mayBeLeft {
			report("%s is left", key)
		}
	}
	if !anyKilled || violations != nil {
		return violations
	}
	// Run one more import, which must delete the results of the killed one. Staged objects expire.
	if err := s.Delete(t.Context(), s.keys(t, "staged/")...); err != nil {
		t.Fatal(err)
	}
	next := &simulatedImport{name: "next", event: newEvent("next.csv", older, "0099", "v1"), epoch: third, execution: "next"}
	s.versions[next.event.Object.Key+"?v1"] = []byte(older)
	s.imports = []*simulatedImport{next}
	s.runHistory(t, &choiceSequence{}, 0, 0)
	return s.findViolations(t)
}

// checkErrors checks that the newest import succeeded, unless it was killed. An older import may also be superseded, or end because
// its file was replaced. checkErrors returns whether an import was killed, and whether one ended because its file was replaced.
func (s *simulation) checkErrors(report func(format string, args ...any)) (bool, bool) {
	newest := s.imports[len(s.imports)-1]
	anyKilled, anyReplaced := false, false
	for _, imp := range s.imports {
		replaced := errors.As(imp.err, new(*csvimport.FileReplaced))
		mayFail := imp.killed || imp != newest && (replaced || errors.As(imp.err, new(*csvimport.Superseded)))
		if imp.err != nil && !mayFail {
			report("%s ends with %v", imp.name, imp.err)
		}
		anyKilled, anyReplaced = anyKilled || imp.killed, anyReplaced || replaced
	}
	return anyKilled, anyReplaced
}

// checkResults checks that the summary is that of the newest import, and that the objects which the summary names exist and
// have as many rows as it counts. It returns the keys of these objects and of the summary.
func (s *simulation) checkResults(t *testing.T, report func(format string, args ...any)) map[string]bool {
	t.Helper()
	newest := s.imports[len(s.imports)-1]
	key := strings.Replace(csvimport.UploadKey(user, upload, "summary.json"), "uploads/", "results/", 1)
	resultKeys := map[string]bool{key: true}
	content, _, err := s.Read(t.Context(), key)
	if errors.Is(err, csvimport.ErrNotFound) && newest.killed {
		return resultKeys
	}
	var summary csvimport.Summary
	if err = errors.Join(err, json.Unmarshal(content, &summary)); err != nil {
		report("summary: %v", err)
		return resultKeys
	}
	if !newest.killed && summary.Claim != newest.claim {
		report("the results are those of %s %s, want the newest", summary.FileName, summary.Claim)
	}
	lines := map[string]int64{summary.Rejects: summary.Rejected + 1}
	for _, part := range summary.Results {
		lines[part] = summary.Accepted // Each file has one range.
	}
	for name, want := range lines {
		resultKeys[summary.Prefix+name] = true
		content, _, err := s.Read(t.Context(), summary.Prefix+name)
		if got := int64(strings.Count(string(content), "\n")); err != nil || got != want {
			report("%s has %d lines, %v, the summary says %d", name, got, err, want)
		}
	}
	return resultKeys
}

// orderCase is a set of concurrent imports of one upload. The last of them is the newest.
type orderCase struct {
	name    string
	imports func() []*simulatedImport
	// imported is true if an older version has been imported before.
	imported bool
}

// newEvent returns the event of a file with this content.
func newEvent(file, content, sequencer, version string) csvimport.Event {
	var e csvimport.Event
	e.Object.Key, e.Object.Size, e.Object.ETag = csvimport.UploadKey(user, upload, file), int64(len(content)), csvimport.ETag([]byte(content))
	e.Object.Sequencer, e.Object.VersionID = sequencer, version
	return e
}

// orderCases returns the cases that [Orders.Run] runs.
func orderCases() []orderCase {
	return []orderCase{
		{name: "two files", imports: func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: newEvent("a.csv", older, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: newEvent("b.csv", newer, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
		{name: "two files, and an older one was imported", imported: true, imports: func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: newEvent("a.csv", older, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: newEvent("b.csv", newer, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
		{name: "two files whose sequencers have the opposite order", imports: func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: newEvent("a.csv", older, "0064", "v1"), epoch: first, execution: "a"},
				{name: "b", event: newEvent("b.csv", newer, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
		{name: "two files at the same time", imports: func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: newEvent("a.csv", older, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: newEvent("b.csv", newer, "0063", "v2"), epoch: first, execution: "b"},
			}
		}},
		{name: "the same key again", imports: func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: newEvent(fileName, older, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: newEvent(fileName, newer, "00621", "v2"), epoch: second, execution: "b"},
			}
		}},
		{name: "the same key again, and the older event comes later", imports: func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: newEvent(fileName, older, "0062", "v1"), epoch: second, execution: "a"},
				{name: "b", event: newEvent(fileName, newer, "0063", "v2"), epoch: first, execution: "b"},
			}
		}},
		{name: "the same key again, in a bucket without versions", imports: func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: newEvent(fileName, older, "0062", ""), epoch: first, execution: "a"},
				{name: "b", event: newEvent(fileName, newer, "0063", ""), epoch: second, execution: "b", content: newer, uploads: true},
			}
		}},
		{name: "events without sequencers", imports: func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: newEvent(fileName, older, "", "v1"), epoch: first, execution: "a"},
				{name: "b", event: newEvent(fileName, newer, "", "v2"), epoch: second, execution: "b"},
			}
		}},
		{name: "a step that runs twice at once", imports: func() []*simulatedImport {
			return []*simulatedImport{
				{name: "a", event: newEvent("a.csv", older, "0062", "v1"), epoch: first, execution: "a"},
				{name: "a again", event: newEvent("a.csv", older, "0062", "v1"), epoch: first, execution: "a"},
				{name: "b", event: newEvent("b.csv", newer, "0063", "v2"), epoch: second, execution: "b"},
			}
		}},
	}
}
