package csvimport

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTitleLinesBeforeTheHeaderAreSkipped(t *testing.T) {
	const head = "part,color,quantity\n"
	for _, tt := range []struct {
		name, in string
		line     int64 // of the header; 0: there is none
	}{
		{"one title", "My parts\n" + head, 1 + 1},
		{"a title and an empty line", "My parts\n\n" + head, 3},
		{"the title lines of KiCad", "Source:,\"C:\\x, y.xml\"\nDate:,today\nTool:,Eeschema\nGenerator:,x.py\nComponent Count:,42\n\nIndividual Components:\n" + head, 8},
		{"a title of two lines", "\"My\nparts\"\n" + head, 3},
		{"the title lines of KiCad, saved by a spreadsheet", "Component Count:,42,,,,,\n,,,,,,\nItem,Qty,Reference,color of the board,Value,Footprint,Datasheet\n", 3},
		{"ten lines", strings.Repeat("x\n", 10) + head, 11},
		{"eleven lines", strings.Repeat("x\n", 11) + head, 0},
		{"empty lines and a title", strings.Repeat("\n", 20) + "x\n" + head, 22},
		{"a long title", strings.Repeat("x", 3*firstReadBytes) + "\n" + head, 2},
		{"title with a separator line", "sep=;\r\nMy parts;;\r\n" + strings.ReplaceAll(head, ",", ";"), 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			split, err := splitRanges(strings.NewReader(tt.in+strings.ReplaceAll("1,Red,1\n", ",", string(tt.in[strings.Index(tt.in, "color")-1]))), 0, 1, func(int64) {})
			if tt.line == 0 {
				if err == nil {
					t.Errorf("the header is in line %d, want an error", split.header.line)
				}
				return
			}
			if err != nil || split.header.line != tt.line || split.rows != 1 || split.ranges[0].Line != tt.line+1 {
				t.Fatalf("split is %+v, error %v, want the header in line %d", split, err, tt.line)
			}
			if note := fmt.Sprintf("The header is in line %d; the lines before it were skipped", tt.line); split.header.notes[0] != note {
				t.Errorf("notes are %q, want %q", split.header.notes, note)
			}
		})
	}
}

func TestARowIsNeverTakenForAHeaderOrATitle(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"3001,Red,4\npart,color,quantity\n3002,Red,1\n", "Line 1: a row stands before the header, which is in line 2; move the header up"},
		{"List\n3001,Red,4\npart,color,quantity\n", "Line 2: a row stands before the header, which is in line 3; move the header up"},
		{"3001,Red,4\nspare part,part,4\n", `Line 2: the column quantity is missing`},
		{"3001,number,4\n3002,number,5\n", `Line 1: the column quantity is missing`},
		{"3001,Red,4\n3002,count,5\n", `Line 2: the column part is missing`},
		{"3001,4\n3002,4\n", `Line 1: there is no header`},
		{"Teil;Farbe;Anzahl\n3001;Rot;4;\n", `Line 1: there is no header with the columns part and quantity. The columns found are "Teil", "Farbe", "Anzahl". `},
		{"part,color,quantity,\xC3\xA4\xFF\n", "Line 1: the header is not text in UTF-8; save it as CSV UTF-8"},
	} {
		if _, err := parseHeader([]byte(tt.in), true); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: error is %v, want %s", tt.in, err, tt.want)
		}
	}
}

func TestASeparatorLineNamesTheSeparator(t *testing.T) {
	for _, tt := range []struct{ line, sep string }{
		{"sep=;\r\n", ";"}, {"sep=;\n", ";"}, {"SEP=,\r", ","}, {"sep=\t\n", "\t"}, {"sep=\\t\n", "\t"}, {"sep=|\n", "|"}, {"\"sep=;\"\n", ";"},
		{"sep=:\n", ":"}, {"sep=\n", ";"}, {"\xEF\xBB\xBFsep=;\r\n", ";"}, {"sep=;\r\n\xEF\xBB\xBF\"a;\";", ";"}, {"", "|"}, {"", ";"}, {"", "\t"},
	} {
		in := tt.line + strings.ReplaceAll("Part,Color,Quantity\n3001,Red,4\n", ",", tt.sep)
		split, err := splitRanges(strings.NewReader(in), 0, 1, func(int64) {})
		if err != nil || string(split.header.sep) != tt.sep || split.rows != 1 || split.header.notes != nil {
			t.Errorf("%q: split is %+v, error %v, want the separator %q", in, split, err, tt.sep)
		}
	}
	if _, err := parseHeader([]byte("sep=;\npart,color,quantity\n"), true); fmt.Sprint(err) != `Line 2: there is no header with the columns part and quantity. `+
		`The columns found are "part,color,quantity". Put a line such as part,color,quantity before the rows` {
		t.Errorf("a separator line that is wrong: %v", err)
	}
}

func TestInvisibleCharactersInNamesAreRemoved(t *testing.T) {
	h, err := parseHeader([]byte("\xEF\xBB\xBF\xEF\xBB\xBF\"pa\x00rt\",\uFEFFcolor,quantity\x7f,a\x1b\u0086b\n"), true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"part", "color", "quantity", "ab"}, h.names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// FuzzHeader checks that each header that is found is complete and unique, and is found again in the bytes up to its end.
func FuzzHeader(f *testing.F) {
	for _, in := range []string{
		"part,color,quantity\n1,2,3", "sep=;\r\nPart;Qty\r\n", "\xEF\xBB\xBFx\n\nBLItemNo|Qty|a|a|\n", "a,A,a.1,,column 4,part,qty,num\n", "\"pa\nrt\",qty", "1,1,1\npart,color,qty\n",
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := parseHeader(in, true)
		if err != nil {
			return
		}
		again, err := parseHeader(in[:h.bytes], true)
		if err != nil {
			t.Fatalf("%q has a header up to %d, and there is %v", in, h.bytes, err)
		}
		if diff := cmp.Diff(fmt.Sprintf("%+v", h), fmt.Sprintf("%+v", again)); diff != "" {
			t.Errorf("%q (-first +again):\n%s", in, diff)
		}
		seen := map[string]bool{}
		for _, name := range h.names {
			if key := strings.ToLower(name); seen[key] || name == "" {
				t.Errorf("%q: the name %q is empty or appears twice in %q", in, name, h.names)
			} else {
				seen[key] = true
			}
		}
		if !h.complete() || len(h.extra)+len(h.columns()) != len(h.names) {
			t.Errorf("%q: header is %+v", in, h)
		}
	})
}
