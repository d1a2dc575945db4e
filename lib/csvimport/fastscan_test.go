package csvimport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// scannerState is what a scanner returns for a record, and its state afterwards.
type scannerState struct {
	Fields           []string
	Line             int64
	Err              string
	NextLine, Offset int64
	StrayQuotes      StrayQuotes
}

// state returns the state of the scanner after it returned a record.
func (s *scanner) state(fields [][]byte, line int64, err error) scannerState {
	state := scannerState{Line: line, NextLine: s.line, Offset: s.offset, StrayQuotes: s.strayQuotes}
	if err != nil {
		return scannerState{Err: err.Error()}
	}
	for _, f := range fields {
		state.Fields = append(state.Fields, string(f))
	}
	return state
}

// newSmallScanner returns a scanner with a small buffer, which ends in many places of the input, and short records.
func newSmallScanner(in []byte, sep byte, bufferBytes, maxLength int, failure error) *scanner {
	r := io.Reader(bytes.NewReader(in))
	if failure != nil { // The last bytes come together with the error.
		r = iotest.DataErrReader(io.MultiReader(r, iotest.ErrReader(failure)))
	}
	s := newScanner(r, sep, 7, 3)
	s.buf, s.maxLength = make([]byte, bufferBytes), maxLength
	return s
}

// compareWithScan requires that next, and the skip of a rowReader, do what scan does. A scanner reads its first record with scan, so the
// input is also read after another line.
func compareWithScan(t *testing.T, in []byte, sep byte, bufferBytes, maxLength int, failure error) {
	t.Helper()
	compareRecords(t, in, sep, bufferBytes, maxLength, failure)
	compareRecords(t, slices.Concat([]byte("0\n"), in), sep, bufferBytes, maxLength, failure)
}

func compareRecords(t *testing.T, in []byte, sep byte, bufferBytes, maxLength int, failure error) {
	t.Helper()
	fast, reference := newSmallScanner(in, sep, bufferBytes, maxLength, failure), newSmallScanner(in, sep, bufferBytes, maxLength, failure)
	skipping := &rowReader{scanner: newSmallScanner(in, sep, bufferBytes, maxLength, failure)}
	for {
		fields, line, err := reference.scan()
		want := reference.state(fields, line, err)
		got := fast.state(fast.next())
		if !reflect.DeepEqual(want, got) { // much faster than cmp.Diff
			t.Fatalf("%q, separator %q, a buffer of %d bytes, records of %d, error %v (-scan +next):\n%s", in, sep, bufferBytes, maxLength, failure, cmp.Diff(want, got))
		}
		if fast.plain {
			requirePlain(t, fields)
		}
		if err == nil && isBlankRecord(fields) { // skip skips these, too
			continue
		}
		want.Fields, want.Line = nil, 0
		if got = skipping.state(nil, 0, skipping.skip()); !reflect.DeepEqual(want, got) {
			t.Fatalf("%q, separator %q, a buffer of %d bytes, records of %d, error %v (-scan +skip):\n%s", in, sep, bufferBytes, maxLength, failure, cmp.Diff(want, got))
		}
		if err != nil {
			return
		}
	}
}

// requirePlain requires that the fields are valid text, and the same text in JSON.
func requirePlain(t *testing.T, fields [][]byte) {
	t.Helper()
	for _, f := range fields {
		reason, _ := checkText(f)
		if quoted := appendString(nil, f); reason != "" || string(quoted) != `"`+string(f)+`"` {
			t.Fatalf("%q is no plain text: %s", f, reason)
		}
	}
}

// awkward are texts in which the fast path and scan could differ.
var awkward = []string{
	"", "a", "a\n", "a,b\nc,d\n", "a\r\n\r\nb\n\n\nc", "a\rb\nc\r", "\"a\"\n", "\"a,b\",c\n\"d\"\"e\",\"\"\"\"\r\n", "\"a\nb\",c\nd\n", "\"a\"b,c\n",
	"a\"b,\"c\n", "\"a\"\"\n", "a,\"b\nc\n", ",,\n \n\t,\n\"\",\" \"\nx\n", "\"\"\"\",\"\"\"\"\"\"\n", "caf\u00e9,\xff\na\\b,c\x00d\x7f\n", "\xEF\xBB\xBFa\n",
	"12345678,12345678\n1234567,123456789\n", "a,b,\n,,,\n", "\"5\"\" disc\",2\n5\" disc,2\n\"5\" disc\n1\n2\" x\",3\n", " \"a\",b\n", "a\r\r\nb\n\r\nc\n",
	"\"a\",\"b\nc\",d\n", "\"a\"\",b\n\",c\n", "a,\"b\" \nc\n", "\" \",\"\"\n\"x\",\" \"\n", "a\"b\",c\n\"\n", "a\",\",b\nc\"\n", "\"a\",b\"\n\"c\"\r\n",
}

func TestWholeLinesAreReadAsScanReadsThem(t *testing.T) {
	for _, in := range awkward {
		for _, sep := range separators {
			in := strings.ReplaceAll(in, ",", string(sep))
			for _, bufferBytes := range []int{1, 2, 3, 8, 100} {
				for _, maxLength := range []int{3, 17, maxRecord} {
					for _, failure := range []error{nil, io.ErrClosedPipe} {
						compareWithScan(t, []byte(in), sep, bufferBytes, maxLength, failure)
					}
				}
			}
		}
	}
}

// TestWideLinesAreReadAsScanReadsThem reads records with about as many fields as a scanner returns.
func TestWideLinesAreReadAsScanReadsThem(t *testing.T) {
	for n := maxFields - 2; n <= maxFields+12; n++ {
		for _, cell := range []string{"x,", ",", " ,", `"x",`, `"",`} {
			for _, end := range []string{"\n", "x\r\n", "\"x\"\n", `"x""y"` + "\n"} {
				compareWithScan(t, []byte(strings.Repeat(cell, n-1)+end+"a,b\n"), ',', firstBuffer, maxRecord, nil)
			}
		}
	}
}

// FuzzWholeLines compares the fast path of the scanner with scan: fields, lines, offsets, stray quotes and errors.
func FuzzWholeLines(f *testing.F) {
	for _, in := range awkward {
		f.Add([]byte(in), byte(','), uint8(3), uint16(20), false)
		f.Add([]byte(in), byte('\t'), uint8(64), uint16(500), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, sep byte, bufferBytes uint8, maxLength uint16, fails bool) {
		if sep == '"' || sep == '\n' || sep == '\r' || sep >= utf8.RuneSelf { // no header names these
			return
		}
		var failure error
		if fails {
			failure = io.ErrClosedPipe
		}
		compareWithScan(t, in, sep, int(bufferBytes)+1, int(maxLength)+1, failure)
	})
}

// FuzzStrings compares appendString with encoding/json.
func FuzzStrings(f *testing.F) {
	for _, in := range []string{"", "plain text", `a "quote" and a back\slash`, "\x00\x1f\x20\x7f\u0080\ufeff\u2028<&>", "1234567\"", "12345678\\", "\t\r\n"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if !utf8.ValidString(in) {
			return
		}
		var got string
		quoted := appendString(nil, []byte(in))
		if err := json.Unmarshal(quoted, &got); err != nil || got != in {
			t.Errorf("%q becomes %s, which is %q, error %v", in, quoted, got, err)
		}
		if shortest := len(in) + 2 + strings.Count(in, `"`) + strings.Count(in, `\`); len(quoted) < shortest {
			t.Errorf("%q becomes %s, want at least %d bytes", in, quoted, shortest)
		}
		if bytes.IndexFunc(quoted, func(r rune) bool { return r < ' ' }) >= 0 {
			t.Errorf("%q becomes %q, which has a control character", in, quoted)
		}
	})
}

// TestPlanAndChunkReadTheSameRowsAsScan compares the rows of a file of many kinds of records with those of scan alone.
func TestPlanAndChunkReadTheSameRowsAsScan(t *testing.T) {
	var in bytes.Buffer
	in.WriteString("part,color,quantity\n")
	for i := range 20_000 {
		fmt.Fprintf(&in, "%d,%s,%d\n", i, awkwardField(i), i%7)
	}
	split, err := splitRanges(bytes.NewReader(in.Bytes()), int64(in.Len()), 1000, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	reference := newScanner(bytes.NewReader(in.Bytes()[split.headerBytes:]), ',', split.headerBytes, 2)
	for _, r := range split.ranges {
		if reference.offset != r.Offset || reference.line != r.Line {
			t.Fatalf("range %d starts at %d, line %d, want %d, line %d", r.N, r.Offset, r.Line, reference.offset, reference.line)
		}
		rows := newRowReader(bytes.NewReader(in.Bytes()[r.Offset:r.Offset+r.Bytes]), split.header, r)
		for range r.Rows {
			fields, line, err := reference.scan()
			got, gotLine, gotErr := rows.next()
			if !slices.EqualFunc(fields, got, bytes.Equal) || line != gotLine || err != nil || gotErr != nil {
				t.Fatalf("line %d, error %v, want %d, error %v (-scan +next):\n%s", gotLine, gotErr, line, err, cmp.Diff(fields, got))
			}
		}
		if _, _, err := rows.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("range %d has more rows than %d, or fails: %v", r.N, r.Rows, err)
		}
	}
	if _, _, err := reference.scan(); !errors.Is(err, io.EOF) {
		t.Errorf("the ranges miss rows, or there is an error: %v", err)
	}
}

// awkwardField returns the i-th field of a color, one after the other of all kinds.
func awkwardField(i int) string {
	kinds := []string{"Red", `"Dark Bluish Gray"`, `"a ""quote"""`, "\"two\nlines\"", `5" disc`, "caf\u00e9", `back\slash`, "a longer one than eight", ""}
	return kinds[i%len(kinds)]
}
