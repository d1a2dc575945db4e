package csvimport_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

// wideHeader returns a header with the given number of columns: part, color and quantity, then columns whose names have at
// least nameLength bytes.
func wideHeader(columns, nameLength int) string {
	var b strings.Builder
	b.WriteString("part,color,quantity")
	for i := 3; i < columns; i++ {
		fmt.Fprintf(&b, ",%0*d", nameLength, i)
	}
	return b.String()
}

func TestHeaderIsBounded(t *testing.T) {
	long := "part,color,quantity," + strings.Repeat("x", csvimport.MaxHeader)
	for _, tt := range []struct{ name, header, want string }{
		{"64 KiB", long[:csvimport.MaxHeader], ""},
		{"64 KiB after a byte order mark and empty lines, before CR LF", "\xEF\xBB\xBF\n\n" + long[:csvimport.MaxHeader] + "\r", ""},
		{"over 64 KiB", long[:csvimport.MaxHeader+1], "Line 1: the header is longer than 64 KiB"},
		{"over 64 KiB of quotes", "part,color,quantity," + strings.Repeat(`"`, 1<<20), "Line 1: the header is longer than 64 KiB"},
		{"over 64 KiB, tabs", strings.ReplaceAll(long, ",", "\t"), "Line 1: the header is longer than 64 KiB"},
		{"1,000 columns", wideHeader(1000, 1), ""},
		{"over 1,000 columns", wideHeader(1001, 1), "Line 1: the header has more than 1000 columns"},
		{"over 1,000 columns, tabs", strings.ReplaceAll(wideHeader(1001, 1), ",", "\t"), "Line 1: the header has more than 1000 columns"},
		{"1,000 columns before the required ones", strings.Repeat(",", 1000) + "part,color,quantity", "Line 1: the header has more than 1000 columns"},
		{"columns without names", "part,color,quantity" + strings.Repeat(",", 998), "Line 1: the header has more than 1000 columns"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := &csvimport.Memory{}
			_, err := run(t, csvimport.Config{Store: store}, put(t, store, []byte(tt.header+"\n")), "x", 0)
			got := "" // no error
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("error is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEmptyExtraColumnsAreOmitted(t *testing.T) {
	store := &csvimport.Memory{}
	in := "a,part,b,color,quantity,c\n,1,,Red,1,\nx,1,,Red,1,\n,1,y,Red,1, \n,1,,Red,1,\"\"\n"
	s, err := run(t, csvimport.Config{Store: store}, put(t, store, []byte(in)), "x", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"line":2,"part":"1","color":"Red","quantity":1}
{"line":3,"part":"1","color":"Red","quantity":1,"extra":{"a":"x"}}
{"line":4,"part":"1","color":"Red","quantity":1,"extra":{"b":"y","c":" "}}
{"line":5,"part":"1","color":"Red","quantity":1}
`
	if got := rows(t, store, s); got != want {
		t.Errorf("rows are\n%swant\n%s", got, want)
	}
}

// TestOutputIsBoundedByInput imports files whose output is as large as possible for each byte of input.
func TestOutputIsBoundedByInput(t *testing.T) {
	const (
		size = 1 << 20
		// allowance is for what MaxGrowth does not count: growthAllowance of the range, the row with which the output exceeds the
		// limit, the header in rejected.csv and the summary.
		allowance = 10 << 20
	)
	longName := strings.Repeat("n", csvimport.MaxHeader-len("part,color,quantity,"))
	required := "part,color,quantity"
	for _, tt := range []struct {
		name, header, row string
		refused           bool
	}{
		{"short rows", required, "1,a,1\n", false},
		{"the shortest records", required, " \n", false},
		{"blank records, quoted again", required, "\"\"\n", false},
		{"the most columns, none filled", wideHeader(1000, 60), "1,a,1" + strings.Repeat(",", 997) + "\n", false},
		{"the most columns, all filled", wideHeader(1000, 60), "1,a,1" + strings.Repeat(",x", 997) + "\n", false},
		{"one column with a long name", required + "," + longName, "1,a,1,x\n", true},
		{"long names, one column filled", wideHeader(100, 600), "1,a,1,x" + strings.Repeat(",", 96) + "\n", false},
		{"names of quotes", required + "," + strings.Repeat("\\\"", 300), "1,a,1,x\n", true},
		{"a long name in each rejected row", required + "," + longName, "1,a,1,\xff\n", true},
		{"names that HTML would escape", required + "," + strings.Repeat("<", 100), "1,a,1,x\n", false},
		{"control characters", required + ",x", "1,a,1," + strings.Repeat("\x01", 1000) + "\n", false},
		{"a record of control characters", required + ",x", "1,a,1," + strings.Repeat("\x01", 1<<20-6) + "\n", false},
		{"control characters in parts", required, "\x01,\x02,1\n", false},
		{"formulas that are rejected", required, "=,=,=\n", false},
		{"quotes that are rejected", required, "\"\"\"\"\n", false},
		{"not UTF-8", required, "\xff,\xff,1\n", false},
		{"many fields", required, strings.Repeat(",", 1<<19) + "\n", false},
		{"columns without names", required + strings.Repeat(",", 997), "1,a,1" + strings.Repeat(",x", 997) + "\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := tt.header + "\n" + strings.Repeat(tt.row, max(1, size/len(tt.row)))
			store := &csvimport.Memory{}
			_, err := run(t, csvimport.Config{Store: store}, put(t, store, []byte(in)), "x", 0)
			var invalid *csvimport.InvalidFile
			refused := errors.As(err, &invalid) && strings.Contains(err.Error(), "shorten the names of the columns")
			allRejected := err != nil && store.Keys("results/") != nil
			if refused != tt.refused || err != nil && !refused && !allRejected {
				t.Errorf("error is %v, want a refusal: %v", err, tt.refused)
			}
			var out int
			for _, key := range store.Keys("") {
				if !strings.HasPrefix(key, "uploads/") {
					out += len(object(t, store, key))
				}
			}
			if limit := csvimport.MaxGrowth*len(in) + allowance; out > limit {
				t.Errorf("%d bytes become %d, want at most %d", len(in), out, limit)
			}
			t.Logf("%d bytes become %d, %.1f times as many, error %v", len(in), out, float64(out)/float64(len(in)), err)
		})
	}
}
