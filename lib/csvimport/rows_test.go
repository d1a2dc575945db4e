package csvimport_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/csvimport"
)

// importText imports a file and returns its summary and accepted rows. If all rows were rejected, it returns that error, too.
func importText(t *testing.T, store csvimport.Store, text string, rangeBytes int64) (csvimport.Summary, string, error) {
	t.Helper()
	s, err := run(t, csvimport.Config{Store: store, RangeBytes: rangeBytes}, put(t, store, []byte(text)), "x", 0)
	if s.Prefix == "" {
		t.Fatalf("import: %v", err)
	}
	return s, rows(t, store, s), err
}

// rejects returns the records of rejected.csv as encoding/csv reads them, without the header.
func rejects(t *testing.T, store csvimport.Store, s csvimport.Summary) [][]string {
	t.Helper()
	text, marked := strings.CutPrefix(object(t, store, s.Prefix+s.Rejects), "\uFEFF")
	table := csv.NewReader(strings.NewReader(text))
	table.FieldsPerRecord = -1
	records, err := table.ReadAll()
	if err != nil || !marked {
		t.Fatalf("rejected.csv begins with a byte order mark: %v, error %v", marked, err)
	}
	return records[1:]
}

func TestShortRowsAreFilledAndSurplusSeparatorsDropped(t *testing.T) {
	store := &csvimport.Memory{}
	s, got, err := importText(t, store, `part,color,quantity,price,note
3001,Red,4,0.1,spare
3002,Blue,5
3003,Blue,6,0.2
3004,Blue,7,0.3,new,
3005,Blue,8,0.4,new,,"  ",
3006,Blue
3007,Blue,9,0.5,new,other
`, 0)
	want := `{"line":2,"part":"3001","color":"Red","quantity":4,"extra":{"price":"0.1","note":"spare"}}
{"line":3,"part":"3002","color":"Blue","quantity":5}
{"line":4,"part":"3003","color":"Blue","quantity":6,"extra":{"price":"0.2"}}
{"line":5,"part":"3004","color":"Blue","quantity":7,"extra":{"price":"0.3","note":"new"}}
{"line":6,"part":"3005","color":"Blue","quantity":8,"extra":{"price":"0.4","note":"new"}}
`
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, rows (-want +got):\n%s", err, diff)
	}
	wantRejects := [][]string{
		{"7", "quantity", "missing value", "3006", "Blue"},
		{"8", "", "wrong number of fields: 6, the header has 5", "3007", "Blue", "9", "0.5", "new", "other"},
	}
	if diff := cmp.Diff(wantRejects, rejects(t, store, s)); diff != "" {
		t.Errorf("rejected.csv (-want +got):\n%s", diff)
	}
}

// TestRowsOfSeparatorsOnlyAreNoRows imports blank rows at each place, also where a range begins or ends.
func TestRowsOfSeparatorsOnlyAreNoRows(t *testing.T) {
	for _, sep := range []string{",", ";", "\t"} {
		blank := strings.ReplaceAll(",,\n,,,,,\r\n\" \",\"\",\n  \n \f,\"\n\",\r,\n", ",", sep)
		row := strings.ReplaceAll("3001,Red,4\n", ",", sep)
		text := strings.ReplaceAll("part,color,quantity\n", ",", sep) + blank + row + blank + row + strings.ReplaceAll("Total,,9\n", ",", sep) + blank + sep
		for _, rangeBytes := range []int64{0, 1} {
			store := &csvimport.Memory{}
			publisher := &recordingPublisher{t: t}
			s, err := run(t, csvimport.Config{Store: store, RangeBytes: rangeBytes, Publisher: publisher}, put(t, store, []byte(text)), "x", 0)
			want := csvimport.Counts{Rows: 3, Rejected: 1, Quantity: 8}
			if err != nil || s.Counts != want || s.Accepted != 2 {
				t.Errorf("separator %q, ranges of %d bytes: %+v, error %v, want %+v", sep, rangeBytes, s.Counts, err, want)
			}
			wantRows := `{"line":9,"part":"3001","color":"Red","quantity":4}` + "\n" + `{"line":17,"part":"3001","color":"Red","quantity":4}` + "\n"
			if diff := cmp.Diff(wantRows, rows(t, store, s)); diff != "" {
				t.Errorf("separator %q, ranges of %d bytes: rows (-want +got):\n%s", sep, rangeBytes, diff)
			}
		}
	}
}

// TestNoBreakSpacesAreNoBlanksInAnyEncoding: the plan counts the rows before it knows the encoding, so white space that is encoded in one
// way here and in another there must not decide what a row is.
func TestNoBreakSpacesAreNoBlanksInAnyEncoding(t *testing.T) {
	for _, text := range []string{"Größe,Red,1\n\u00a0,,\n\u2003,\u00a0,\n , ,\n", "Gr\xf6\xdfe,Red,1\n\xa0,,\n\xa0,\xa0,\n , ,\n"} {
		s, _, err := importText(t, &csvimport.Memory{}, "part,color,quantity\n"+text, 1)
		if s.Rows != 3 || s.Rejected != 2 || err != nil {
			t.Errorf("%q: %+v, error %v, want 3 rows, 2 of them rejected", text, s.Counts, err)
		}
	}
}

func TestAFileOfBlankRowsIsAHeaderWithoutRows(t *testing.T) {
	s, got, err := importText(t, &csvimport.Memory{}, "part,color,quantity\n,,\n , ,\n", 1)
	if err != nil || s.Rows != 0 || got != "" {
		t.Errorf("%d rows, %q, error %v, want none", s.Rows, got, err)
	}
}

// TestAReasonShowsTheValue requires one line without control characters, however long the value is and wherever the mistake is in it.
func TestAReasonShowsTheValue(t *testing.T) {
	const number, control = "not a whole number from 1 to 1,000,000: ", "holds a control character: "
	long := strings.Repeat("ä", 100)
	for _, tt := range []struct{ row, want string }{
		{"3001,Red,3 pcs", number + `"3 pcs"`},
		{"3001,Red, -2 ", number + `"-2"`},
		{"3001,Red,\"4\n\t5\"", number + `"4\n\t5"`},
		{"3001,Red," + long, number + `"` + long[:64] + `"…`},
		{"3001,Red,x" + long, number + `"x` + long[:62] + `"…`},
		{"30\x0001,Red,1", control + `"30\x0001"`},
		{"\uFEFF3001,Red,1", control + `"\ufeff3001"`},
		{"3001,Red,1,\x1b[2J", control + `"\x1b[2J"`},
		{"3001,Red,1,\u009b2J", control + `"\u009b2J"`},
		{long + "\x07" + long + ",Red,1", control + `…"` + long[:32] + `\a` + long[:30] + `"…`},
		{long + "\x07,Red,1", control + `…"` + long[:62] + `\a"`},
		{"3001,R\xf8d,1", `not valid UTF-8: "R\xf8d"`},
	} {
		store := &csvimport.Memory{}
		s, _, err := importText(t, store, "\uFEFFpart,color,quantity,note\n"+tt.row, 0)
		if got := rejects(t, store, s)[0][2]; got != tt.want {
			t.Errorf("%q is rejected for %q, want %q", tt.row, got, tt.want)
		}
		if reason := s.RejectedBy[0].Reason; err == nil || strings.Contains(reason, ": ") || !strings.HasPrefix(tt.want, reason+": ") {
			t.Errorf("%q: the summary counts %q, error %v, want the reason without the value", tt.row, reason, err)
		}
	}
}

func TestAStrayQuoteIsFoundWithTheLineWhereItOpens(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []int64
	}{
		{"text after the closing quote", "3001,Red,4,\"5 inch\n3002,Red,4,5\" disc\n", []int64{2}},
		{"not the first line of the record", "3001,Red,4,\"a\nb\",\"5 inch\n3002,Red,4,5\" disc\n", []int64{3}},
		{"in a rejected row", "3001,Red,\"4\n3002,Red,4,5\" disc\n3003,Red,1\n", []int64{2}},
		{"CR", "3001,Red,4,\"5 inch\r3002,Red,4,5\" disc\r", []int64{2}},
		{"a field with line breaks", "3001,Red,4,\"a\nb\"\n", nil},
		{"blanks after the closing quote", "3001,Red,4,\"a\nb\" \n", nil},
		{"no line break", "3001,Red,4,\"5\" disc\n", nil},
		{"quotes inside quotes", "3001,Red,4,\"a \"\"b\"\"\nc\"\n", nil},
	} {
		for _, rangeBytes := range []int64{0, 1} {
			store := &csvimport.Memory{}
			c := csvimport.Config{Store: store, RangeBytes: rangeBytes}
			plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Detail: put(t, store, []byte("part,color,quantity,note\n"+tt.text))})
			if diff := cmp.Diff(tt.want, plan.File.StrayQuotes.Lines); diff != "" || err != nil || plan.File.StrayQuotes.Count != int64(len(tt.want)) {
				t.Errorf("%s: %d quotes, error %v, lines (-want +got):\n%s", tt.name, plan.File.StrayQuotes.Count, err, diff)
			}
		}
	}
}

// TestTheSummaryNotesStrayQuotes has more of them than the note names. The ranges and retries of an import must not change the note.
func TestTheSummaryNotesStrayQuotes(t *testing.T) {
	const quotes = 12
	text := "part,color,quantity,note\n" + strings.Repeat("3001,Red,4,\"5 inch\n3002,Red,4,5\" disc\n", quotes)
	want := []string{"Check lines 2, 4, 6, 8, 10, 12, 14, 16, 18 and 20 (and 2 more): a quote there opens a value of several lines. " +
		"If these lines are rows of their own, remove the quote"}
	for _, rangeBytes := range []int64{0, 1, 100} {
		s, _, err := importText(t, &csvimport.Memory{}, text, rangeBytes)
		if diff := cmp.Diff(want, s.Notes); diff != "" || err != nil || s.Rows != quotes {
			t.Errorf("ranges of %d bytes: %d rows, error %v, notes (-want +got):\n%s", rangeBytes, s.Rows, err, diff)
		}
	}
	s, _, err := importText(t, &csvimport.Memory{}, "part,color,quantity,\"5 inch\nx\" disc\n3001,Red,4,x\n", 0)
	if err != nil || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "Check line 1: a quote") {
		t.Errorf("a stray quote in the header: error %v, notes %q", err, s.Notes)
	}
}

func TestAnImportThatAcceptsNoRowFailsAndLeavesItsRejects(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"3001,Red,x\n3002,Red,\n3003,Red,y\n", `None of the 3 rows was imported. The most frequent reason (2 rows): column "quantity": not a whole number from 1 to 1,000,000`},
		{"3001,,1\n,Red,1\n", `None of the 2 rows was imported. The most frequent reason (1 row): column "color": missing value`},
		{"3001,Red,1,x\n", `The only row was not imported: wrong number of fields`},
		{"3001,Red,0\n", `The only row was not imported: column "quantity": not a whole number from 1 to 1,000,000`},
	} {
		store := &csvimport.Memory{}
		for _, call := range []string{"first", "again"} { // Finish may be called again.
			s, got, err := importText(t, store, "part,color,quantity\n"+tt.text, 1)
			if err == nil || err.Error() != tt.want {
				t.Errorf("%s: error is %v, want %s", call, err, tt.want)
			}
			if lines := strings.Count(tt.text, "\n"); int64(lines) != s.Rejected || len(rejects(t, store, s)) != lines || got != "" {
				t.Errorf("%s: the summary has %d rejected rows, rejected.csv has %d, want %d", call, s.Rejected, len(rejects(t, store, s)), lines)
			}
			if left := store.Keys("staged/"); left != nil {
				t.Errorf("%s: staged objects are left: %v", call, left)
			}
		}
	}
}

// TestTheErrorOfAnImportWithoutRowsIsBounded makes the message as long as the names of the file allow.
func TestTheErrorOfAnImportWithoutRowsIsBounded(t *testing.T) {
	text := "\uFEFFpart,color,quantity,\"" + strings.Repeat(`""`, 30_000) + "\"\n" + strings.Repeat("3001,Red,1,\xff\n", 10)
	_, _, err := importText(t, &csvimport.Memory{}, text, 0)
	const maxText = 480
	if err == nil || len(err.Error()) > maxText*2/3 { // In JSON, quotes and backslashes take two bytes.
		t.Errorf("error has %d bytes: %v", len(fmt.Sprint(err)), err)
	}
}

func TestQuantitiesAreRead(t *testing.T) {
	var text bytes.Buffer
	text.WriteString("part;color;quantity\n")
	var want strings.Builder
	line := 1
	for quantity, n := range map[string]int{
		"1": 1, "0001": 1, "1000000": 1_000_000, "1,000": 1000, "12,345": 12_345, "1,000,000": 1_000_000, "1 000": 1000, "1\u00a0000": 1000,
		"1\u202f000": 1000, "1\u2009000": 1000, "1'000": 1000, "1\u2019000": 1000, "2.0": 2, "2.00": 2, "4.0000": 4, "1,000.0": 1000, "1,000.000": 1000,
		"1 000.00": 1000, " 3 ": 3, "\u00a03": 3,
	} {
		line++
		fmt.Fprintf(&text, "3001;Red;%s\n", quantity)
		fmt.Fprintf(&want, `{"line":%d,"part":"3001","color":"Red","quantity":%d}`+"\n", line, n)
	}
	_, got, err := importText(t, &csvimport.Memory{}, text.String(), 0)
	if diff := cmp.Diff(want.String(), got); diff != "" || err != nil {
		t.Errorf("error %v, file\n%s\nrows (-want +got):\n%s", err, &text, diff)
	}
}

func TestOtherQuantitiesAreRejected(t *testing.T) {
	const number, point = "not a whole number from 1 to 1,000,000", "the point may mean thousands, so write the number without it"
	for quantity, want := range map[string]string{
		"0": number, "0.0": number, "1,000,001": number, "10,000,000": number, "3 pcs": number, "3x": number, "1,00": number, "1,0000": number,
		"1,000 000": number, "1,,000": number, ",000": number, "1,000,": number, "1000,000": number, "0,500": number, "1,0": number, "1.5": number,
		"2.": number, ".0": number, ".000": number, "1.0.0": number, "1.000.000": number, "1e3": number, "-1": number, "+1": number, "1,000.5": number,
		"1  000": number, "1\t000": number, "1_000": number, "½": number, "1\u2028000": number, "1.00x": number, "1,000.": number,
		"1.000": point, "1.234": point, "12.000": point,
	} {
		store := &csvimport.Memory{}
		s, _, err := importText(t, store, "part\tcolor\tquantity\n3001\tRed\t\""+quantity+"\"\n", 0)
		if len(s.RejectedBy) != 1 || s.RejectedBy[0].Reason != want {
			t.Errorf("%q: rejected by %v, error %v, want %q", quantity, s.RejectedBy, err, want)
		}
	}
}
