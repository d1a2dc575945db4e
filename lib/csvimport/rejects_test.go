package csvimport_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/csvimport"
)

func TestAMendedRejectedFileImports(t *testing.T) {
	store := &csvimport.Memory{}
	s, _, _ := importText(t, store, `part,color,quantity,note,=sum,line
3001,-1,x,a,'quoted,7
'-3002,'Red,y,''@b,"+1
-2",
`, 0)
	mended := strings.NewReplacer(",x,", ",3,", ",y,", ",4,").Replace(object(t, store, s.Prefix+s.Rejects))
	s, got, err := importText(t, store, mended, 1)
	want := `{"line":2,"part":"3001","color":"-1","quantity":3,"extra":{"note":"a","=sum":"'quoted","line":"7"}}
{"line":3,"part":"'-3002","color":"'Red","quantity":4,"extra":{"note":"''@b","=sum":"+1\n-2"}}
`
	if diff := cmp.Diff(want, got); diff != "" || err != nil || s.Rejected != 0 {
		t.Errorf("%d rows are rejected, error %v, rows (-want +got):\n%s", s.Rejected, err, diff)
	}
}

// TestARejectedFileThatASpreadsheetHasSavedImports has the separators and encodings with which spreadsheets write CSV.
func TestARejectedFileThatASpreadsheetHasSavedImports(t *testing.T) {
	for _, sep := range []string{",", ";", "\t"} {
		text := strings.ReplaceAll("line,column,reason,part,color,quantity\r\n2,quantity,missing value,3001,'-1,3\r\n,,,3002,Red,4\r\n,,,,,\r\n", ",", sep)
		_, got, err := importText(t, &csvimport.Memory{}, text, 0)
		want := `{"line":2,"part":"3001","color":"-1","quantity":3}` + "\n" + `{"line":3,"part":"3002","color":"Red","quantity":4}` + "\n"
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("separator %q: error %v, rows (-want +got):\n%s", sep, err, diff)
		}
	}
}

// TestAFileOfItsOwnWithAnApostropheKeepsIt: only in a rejected.csv does an apostrophe stand for something else.
func TestAFileOfItsOwnWithAnApostropheKeepsIt(t *testing.T) {
	_, got, err := importText(t, &csvimport.Memory{}, "part,color,quantity,line,column,reason\n'-1,Red,1,a,b,c\n", 0)
	want := `{"line":2,"part":"'-1","color":"Red","quantity":1,"extra":{"line":"a","column":"b","reason":"c"}}` + "\n"
	if got != want || err != nil {
		t.Errorf("row is %s, error %v, want %s", got, err, want)
	}
}

// roundTrip imports the file, of which no row may be accepted, and then its rejected.csv. It requires that the second import rejects the
// same rows for the same reasons. It returns both contents of rejected.csv without the line numbers.
func roundTrip(t *testing.T, text string) {
	t.Helper()
	store := &csvimport.Memory{}
	var before [][]string
	var header string
	for trip := range 3 {
		s, accepted, _ := importText(t, store, text, 1)
		if accepted != "" {
			t.Fatalf("trip %d: rows are accepted: %s", trip, accepted)
		}
		got := rejects(t, store, s)
		for i := range got {
			got[i] = got[i][1:] // The line is that of the file that was read.
		}
		text = object(t, store, s.Prefix+s.Rejects)
		gotHeader, _, _ := strings.Cut(text, "\n")
		if trip > 0 {
			if diff := cmp.Diff(before, got); diff != "" || gotHeader != header {
				t.Errorf("trip %d: the header is %q, was %q, records (-before +after):\n%s", trip, gotHeader, header, diff)
			}
		}
		before, header = got, gotHeader
	}
}

// FuzzRejectedRowsComeBackAsTheyWere imports any fields in a row that is rejected, and then rejected.csv.
func FuzzRejectedRowsComeBackAsTheyWere(f *testing.F) {
	f.Add(`["-1","'-1","''=a","'","a\"b"," x","\r","\n","'\t","+","@",""]`, true)
	f.Add(`["\u0000","\ufeff",",;\t","\\.","\u00e4"]`, true)
	f.Add(`["\ufffd"]`, false)
	f.Fuzz(func(t *testing.T, list string, quoted bool) {
		var fields []string
		if json.Unmarshal([]byte(list), &fields) != nil || len(fields) > 900 || len(list) > 10_000 {
			return
		}
		header, row := "\uFEFFpart,color,quantity", "3001,Red,none"
		for i, field := range fields {
			header += ",c" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
			if quoted {
				row += `,"` + strings.ReplaceAll(field, `"`, `""`) + `"`
			} else if !strings.ContainsAny(field, ",\r\n") && !strings.HasPrefix(field, `"`) {
				row += "," + field
			}
		}
		roundTrip(t, header+"\n"+row+"\n"+row+",\xff\n")
	})
}

// TestRejectedRowsKeepTheirBytes has rows that no other rule covers: more fields than the header, fewer, and bytes that are no UTF-8.
func TestRejectedRowsKeepTheirBytes(t *testing.T) {
	const header = "\uFEFFpart,color,quantity,'=x,column\n"
	store := &csvimport.Memory{}
	s, _, _ := importText(t, store, header+"3001\n\xff\xfe,Red,1\n3001,Red,1,2,3,4,'5\n\x00,\"a\r\nb\rc\"\n", 0)
	want := [][]string{
		{"2", "color", "missing value", "3001"}, {"3", "part", `not valid UTF-8: "\xff\xfe"`, "\xff\xfe", "Red", "1"},
		{"4", "", "wrong number of fields: 7, the header has 5", "3001", "Red", "1", "2", "3", "4", "'5"},
		{"5", "part", `holds a control character: "\x00"`, "\x00", "a\nb\rc"}, // encoding/csv reads CR LF as LF
	}
	if diff := cmp.Diff(want, rejects(t, store, s)); diff != "" {
		t.Errorf("rejected.csv (-want +got):\n%s", diff)
	}
	if text := object(t, store, s.Prefix+s.Rejects); !strings.Contains(text, "\"a\r\nb\rc\"\n") || !strings.Contains(text, ",''=x,") {
		t.Errorf("rejected.csv is %q, want its bytes kept", text)
	}
	roundTrip(t, object(t, store, s.Prefix+s.Rejects))
}

// TestARowOfTheLargestSizeComesBack has a row that grows most when it is quoted and escaped.
func TestARowOfTheLargestSizeComesBack(t *testing.T) {
	const size = 1 << 20
	for _, field := range []string{`="`, `x"`, "=", "\xff"} {
		row := "3001,Red,none" + strings.Repeat(","+field, csvimport.MaxColumns-3)
		row += strings.Repeat(`"`, size-len(row))
		roundTrip(t, "\uFEFF"+wideHeader(csvimport.MaxColumns, 1)+"\n"+row+"\n")
	}
}
