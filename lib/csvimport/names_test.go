package csvimport

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

func TestTheREADMEListsTheNamesOfColumns(t *testing.T) {
	text, err := os.ReadFile("../../statemachines/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columnNames {
		if row := fmt.Sprintf("| `%s` | `%s` |\n", c.column, strings.Join(c.names, "`, `")); !strings.Contains(string(text), row) {
			t.Errorf("statemachines/README.md has not the row\n%s", row)
		}
	}
}

func TestEachNameBelongsToOneColumn(t *testing.T) {
	owner := map[string]string{}
	for _, c := range columnNames {
		for _, name := range c.names {
			if other := owner[foldName(name)]; other != "" {
				t.Errorf("%q is a name of %s and of %s", name, other, c.column)
			}
			owner[foldName(name)] = c.column
		}
	}
}

func TestColumnsAreFoundByTheirCommonNames(t *testing.T) {
	for _, c := range columnNames {
		for _, name := range c.names {
			for _, written := range []string{name, strings.ToUpper(name), " " + strings.ReplaceAll(name, " ", "_") + ". ", strings.ReplaceAll(name, " ", "")} {
				names := map[string]string{columnPart: "part", columnColor: "color", columnQuantity: "quantity"}
				names[c.column] = written
				h, err := parseHeader([]byte("x,"+names[columnQuantity]+","+names[columnColor]+","+names[columnPart]+"\n"), true)
				if err != nil {
					t.Errorf("%q: %v", written, err)
					continue
				}
				names[c.column] = strings.TrimSpace(written)
				if diff := cmp.Diff(names, h.columns()); diff != "" {
					t.Errorf("%q (-want +got):\n%s", written, diff)
				}
			}
		}
	}
}

func TestThePreferredOfSeveralNamesIsTaken(t *testing.T) {
	for _, c := range columnNames {
		for i := range len(c.names) - 1 {
			required := map[string]string{columnPart: "quantity,color", columnColor: "part,quantity", columnQuantity: "part,color"}[c.column]
			h, err := parseHeader([]byte(c.names[i+1]+","+c.names[i]+","+required+"\n"), true)
			if err != nil || h.columns()[c.column] != c.names[i] || len(h.extra) != 1 {
				t.Errorf("of %q and %q: %v, error %v, want the second", c.names[i+1], c.names[i], h.columns(), err)
			}
		}
	}
}

func TestNamesAreMadeUniqueAsByPandas(t *testing.T) {
	for _, tt := range []struct {
		header      string
		want, notes []string
	}{
		{"part,quantity,color,a,a,a", []string{"part", "quantity", "color", "a", "a.1", "a.2"}, []string{
			`Column 5 is called "a.1", because another column is called "a"`, `Column 6 is called "a.2", because another column is called "a"`,
		}},
		{"part,quantity,color,a,a.1,a", []string{"part", "quantity", "color", "a", "a.1", "a.2"}, []string{`Column 6 is called "a.2", because another column is called "a"`}},
		{"part,quantity,color,a,a,a.1", []string{"part", "quantity", "color", "a", "a.2", "a.1"}, []string{`Column 5 is called "a.2", because another column is called "a"`}},
		{"part,quantity,color,x,X", []string{"part", "quantity", "color", "x", "X.1"}, []string{`Column 5 is called "X.1", because another column is called "x"`}},
		{"part,,color,quantity,Column 2", []string{"part", "column 2.1", "color", "quantity", "Column 2"}, []string{`Column 2 is called "column 2.1", because another column is called "Column 2"`}},
		{"part,color,quantity,Part", []string{"part", "color", "quantity", "Part.1"}, []string{`Column 4 is called "Part.1", because another column is called "part"`}},
		{"part,quantity,color,", []string{"part", "quantity", "color", "column 4"}, nil},
	} {
		h, err := parseHeader([]byte(tt.header+"\n"), true)
		if err != nil {
			t.Errorf("%q: %v", tt.header, err)
			continue
		}
		if diff := cmp.Diff(tt.want, h.names) + cmp.Diff(tt.notes, h.notes); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.header, diff)
		}
	}
}

func TestNotesAreBounded(t *testing.T) {
	h, err := parseHeader([]byte("part,color,quantity"+strings.Repeat(",x", MaxColumns-3)), true)
	if err != nil || len(h.notes) != message.MaxHeaderNotes+1 || len(h.names) != MaxColumns {
		t.Errorf("%d notes on %d columns, error %v, want %d notes", len(h.notes), len(h.names), err, message.MaxHeaderNotes+1)
	}
}

func TestAMissingColumnIsNamedWithTheColumnsFound(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{
			"Reference,Value,Datasheet,Footprint,Qty,DNP\nR1,10k,,R_0805,1,\n",
			`Line 1: the column part is missing. The columns found are "Reference", "Value", "Datasheet", "Footprint", "Qty", "DNP". Name the column that holds it "part"`,
		},
		{
			"Title\n\nRef;Value;Qnty\nR1;10k;1\n",
			`Line 3: the column part is missing. The columns found are "Ref", "Value", "Qnty". Name the column that holds it "part"`,
		},
		{
			strings.Repeat("abcdefghij,", 900) + "\n",
			`Line 1: there is no header with the columns part and quantity. The columns found are ` + strings.Repeat(`"abcdefghij", `, 16) + `"abcdefghij" and 884 more. Put a line such as part,color,quantity before the rows`,
		},
	} {
		_, err := parseHeader([]byte(tt.in), true)
		if diff := cmp.Diff(tt.want, fmt.Sprint(err)); diff != "" {
			t.Errorf("%.40q (-want +got):\n%s", tt.in, diff)
		}
		if err != nil && len(err.Error()) > 480 { // message.MaxText, which always fits
			t.Errorf("%.40q: the message has %d bytes", tt.in, len(err.Error()))
		}
	}
}
