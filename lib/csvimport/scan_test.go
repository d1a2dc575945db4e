package csvimport

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// scanned is a record in the form that the tests compare.
type scanned struct {
	Line   int64
	Fields []string
}

// scanAll returns all records of in.
func scanAll(in io.Reader, sep byte) ([]scanned, error) { return readAll(newScanner(in, sep, 0, 1)) }

// readAll returns all records of a scanner or a rowReader.
func readAll(r interface {
	next() ([][]byte, int64, error)
}) ([]scanned, error) {
	var all []scanned
	for {
		fields, line, err := r.next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		one := scanned{Line: line}
		for _, f := range fields {
			one.Fields = append(one.Fields, string(f))
		}
		all = append(all, one)
	}
}

func TestScannerReturnsLinesAndFields(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []scanned
	}{
		{"nothing", "", nil},
		{"empty lines", "\n\r\n\r\n\n", nil},
		{"one field", "a", []scanned{{1, []string{"a"}}}},
		{"LF, CR LF, lone CR", "a\nb\r\nc\rd", []scanned{{1, []string{"a"}}, {2, []string{"b"}}, {3, []string{"c"}}, {4, []string{"d"}}}},
		{"no final line end", "a,b\nc,d", []scanned{{1, []string{"a", "b"}}, {2, []string{"c", "d"}}}},
		{"final lone CR", "a\r", []scanned{{1, []string{"a"}}}},
		{"empty lines between", "a\n\n\r\n\rb", []scanned{{1, []string{"a"}}, {5, []string{"b"}}}},
		{"a blank is no empty line", "a\n \nb", []scanned{{1, []string{"a"}}, {2, []string{" "}}, {3, []string{"b"}}}},
		{"empty fields", ",a,\n,\n", []scanned{{1, []string{"", "a", ""}}, {2, []string{"", ""}}}},
		{"a quoted empty field is a record", "\"\"\nb", []scanned{{1, []string{""}}, {2, []string{"b"}}}},
		{"quotes", `"a","b,c","d""e",""""`, []scanned{{1, []string{"a", "b,c", `d"e`, `"`}}}},
		{"quoted line ends", "\"a\nb\",\"c\r\nd\re\"\nf", []scanned{{1, []string{"a\nb", "c\r\nd\re"}}, {5, []string{"f"}}}},
		{"bare quotes", "a\"b,c\"\nd", []scanned{{1, []string{`a"b`, `c"`}}, {2, []string{"d"}}}},
		{"text after a closing quote", `"a"b,"c" "d"` + "\ne", []scanned{{1, []string{"ab", `c "d"`}}, {2, []string{"e"}}}},
		{"a blank before a quote", `a, "b"`, []scanned{{1, []string{"a", ` "b"`}}}},
		{"doubled quotes then text", `"a""b"c,d`, []scanned{{1, []string{`a"bc`, "d"}}}},
		{"invalid UTF-8", "a\xff,b", []scanned{{1, []string{"a\xff", "b"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for how, in := range map[string]io.Reader{
				"whole": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
				"last bytes together with EOF": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				got, err := scanAll(in, ',')
				if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
					t.Errorf("%s: error %v, records (-want +got):\n%s", how, err, diff)
				}
			}
		})
	}
}

func TestScannerRejectsInvalidFiles(t *testing.T) {
	mib := strings.Repeat("x", maxRecord)
	for _, tt := range []struct {
		name, in string
		want     error // nil: valid
	}{
		{"unclosed quote", "a\nb,\"c\n", &InvalidFile{Line: 2, Reason: "a quote is opened and never closed"}},
		{"the line is that of the quote", "\"a\nb\",\"c", &InvalidFile{Line: 2, Reason: "a quote is opened and never closed"}},
		{"a closing quote is doubled", `"a""`, &InvalidFile{Line: 1, Reason: "a quote is opened and never closed"}},
		{"1 MiB", "a\n" + mib + "\r\nb", nil},
		{"1 MiB quoted", "a\n\"" + mib[2:] + "\"\nb", nil},
		{"over 1 MiB", "a\n" + mib + "x\nb", &InvalidFile{Line: 2, Reason: "the record is longer than 1 MiB"}},
		{"over 1 MiB at the end", mib + "x", &InvalidFile{Line: 1, Reason: "the record is longer than 1 MiB"}},
		{"over 1 MiB in fields", strings.Repeat("x,", maxRecord), &InvalidFile{Line: 1, Reason: "the record is longer than 1 MiB"}},
		{"over 1 MiB of quotes", "a\n" + strings.Repeat(`"`, 2*maxRecord), &InvalidFile{Line: 2, Reason: "the record is longer than 1 MiB"}},
		{"1 MiB of quotes", "a\n" + strings.Repeat(`"`, maxRecord) + "\r\nb", nil},
		{"over 1 MiB quoted", "a\n\"" + mib + "\"\nb", &InvalidFile{Line: 2, Reason: "the record is longer than 1 MiB"}},
		{"over 1 MiB in quotes", "a\n\"" + mib + mib, &InvalidFile{Line: 2, Reason: "the record is longer than 1 MiB; perhaps a quote is never closed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := scanAll(strings.NewReader(tt.in), ',')
			if diff := cmp.Diff(fmt.Sprint(tt.want), fmt.Sprint(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScannerReturnsReadErrors(t *testing.T) {
	for _, in := range []string{"", "a,b", "a,b\n", "\"a", "a\r", "a\nb,\"c\""} {
		_, err := scanAll(io.MultiReader(strings.NewReader(in), iotest.ErrReader(io.ErrClosedPipe)), ',')
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after %q the error is %v, want the reader's", in, err)
		}
	}
}

// repeated is a reader that repeats a text until it has returned a number of bytes.
type repeated struct {
	text []byte
	at   int // the position in text
	left int // the bytes that are not read yet
}

func (r *repeated) Read(p []byte) (int, error) {
	n := 0
	for n < min(len(p), r.left) {
		c := copy(p[n:min(len(p), r.left)], r.text[r.at:])
		n += c
		r.at = (r.at + c) % len(r.text)
	}
	if r.left -= n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// FuzzScannerMemory checks that a scanner's memory is bounded, whatever text the input repeats.
func FuzzScannerMemory(f *testing.F) {
	for _, text := range []string{`"`, `""`, `"""`, ",", `"",`, "x", "\"\n", `"a"b`, "\r", "\"\r\n,", " \"", "x\n"} {
		f.Add([]byte(text), ",\"x")
	}
	f.Fuzz(func(t *testing.T, text []byte, before string) {
		if len(text) == 0 {
			return
		}
		const size = 3 * maxRecord
		s := newScanner(io.MultiReader(strings.NewReader(before), &repeated{text: text, left: size}), ',', 0, 1)
		for {
			fields, _, err := s.next()
			if len(s.buf) > 2*maxRecord || cap(s.spans) > 2*MaxColumns || cap(s.fields) > 2*MaxColumns {
				t.Fatalf("%q again and again takes a buffer of %d bytes and %d fields", text, len(s.buf), cap(s.spans))
			}
			if err != nil {
				return
			}
			if len(fields) > MaxColumns+1 {
				t.Fatalf("%q again and again has a record of %d fields", text, len(fields))
			}
		}
	})
}

// FuzzScanner compares the scanner with encoding/csv, except where the two differ: encoding/csv takes a lone CR as text, rejects bare
// quotes, and converts CR LF inside quotes to LF.
func FuzzScanner(f *testing.F) {
	for _, in := range []string{"a,b\r\nc,\"d\"\"e\"\n\n\"f\ng\",h", ",\n\"\",", "\"a\r\nb\"\r\n\r\nc", "ä,\xff", "\"a\"b", "a\rb"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, gotErr := scanAll(bytes.NewReader(in), ',')
		slow, slowErr := scanAll(iotest.OneByteReader(bytes.NewReader(in)), ',')
		if diff := cmp.Diff(got, slow); diff != "" || fmt.Sprint(gotErr) != fmt.Sprint(slowErr) {
			t.Fatalf("byte by byte %q gives %v, at once %v:\n%s", in, slowErr, gotErr, diff)
		}
		if bytes.Contains(bytes.ReplaceAll(in, []byte("\r\n"), nil), []byte("\r")) {
			return
		}
		want, err := parseWithEncodingCSV(in)
		if err != nil {
			return
		}
		for i := range got {
			for j, field := range got[i].Fields {
				got[i].Fields[j] = strings.ReplaceAll(field, "\r\n", "\n")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || gotErr != nil {
			t.Fatalf("%q: error %v, records (-encoding/csv +ours):\n%s", in, gotErr, diff)
		}
	})
}

// parseWithEncodingCSV parses records with encoding/csv. It returns as many fields of each as a scanner does.
func parseWithEncodingCSV(in []byte) ([]scanned, error) {
	r := csv.NewReader(bytes.NewReader(in))
	r.FieldsPerRecord = -1
	var all []scanned
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		for len(fields) > maxFields { // The scanner has one field for the rest, which is blank only if all of the rest is.
			if strings.TrimSpace(fields[maxFields-1]) != "" {
				fields = fields[:maxFields]
				break
			}
			fields = slices.Delete(fields, maxFields-1, maxFields)
		}
		all = append(all, scanned{Line: int64(line), Fields: fields})
	}
}

// FuzzSplitRanges checks that parsing a file range by range gives the same records as parsing it at once.
func FuzzSplitRanges(f *testing.F) {
	for _, in := range []string{"3001,Red,4\n\n\"30\n03\",Blue,5\r\n,,\r1,2,3", "a,b,c\n\n\n", "\"a\"\"b\"x,c,\"1\"\rd\r\n\ne"} {
		f.Add([]byte(in), uint16(1))
	}
	f.Fuzz(func(t *testing.T, rows []byte, minBytes uint16) {
		in := append([]byte("\xEF\xBB\xBFpart,color,quantity\n"), rows...)
		split, err := splitRanges(bytes.NewReader(in), int64(len(in)), int64(minBytes), func(int64) {})
		if err != nil {
			return
		}
		h := &header{sep: ','}
		whole, err := readAll(h.newRowReader(newScanner(bytes.NewReader(rows), h.sep, 0, 2))) // The header is line 1.
		if err != nil {
			t.Fatalf("%q can be split and not parsed: %v", rows, err)
		}
		var parts []scanned
		for n, r := range split.ranges {
			if r.N != n || r.Rows < 1 {
				t.Errorf("range %d has the index %d and %d rows, want at least 1", n, r.N, r.Rows)
			}
			part, err := readAll(h.newRowReader(newScanner(bytes.NewReader(in[r.Offset:r.Offset+r.Bytes]), h.sep, r.Offset, r.Line)))
			if err != nil || int64(len(part)) != r.Rows {
				t.Fatalf("range %+v of %q has %d rows, error %v", r, in, len(part), err)
			}
			parts = append(parts, part...)
		}
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("%q in ranges of %d (-whole +ranges):\n%s", in, minBytes, diff)
		}
		if split.rows != int64(len(whole)) || len(split.ranges) > MaxRanges {
			t.Errorf("%d rows in %d ranges, want %d rows", split.rows, len(split.ranges), len(whole))
		}
	})
}
