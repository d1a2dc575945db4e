package csvimport

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/benchtest"
)

// BenchmarkRows compares the processor time of plan and chunk, per row, with the floor: a scanner that only finds records and fields, and
// writes the JSON. It checks nothing. Each iteration runs all three in turn. It reports the medians, and the median ratio.
func BenchmarkRows(b *testing.B) {
	const rows = 100_000
	in := partsList(rows)
	steps := []struct {
		unit string
		run  func() error
	}{
		{"ns/row-floor", func() error { return (&floor{}).convert(bytes.NewReader(in), io.Discard) }},
		{"ns/row-plan", func() error {
			_, err := splitRanges(bytes.NewReader(in), int64(len(in)), DefaultRangeBytes, func(int64) {})
			return err
		}},
		{"ns/row-chunk", func() error { return stageAll(in) }},
	}
	times, ratios := make([][]float64, len(steps)), []float64(nil)
	for b.Loop() {
		for i, step := range steps {
			before := benchtest.ProcessorTime(b)
			if err := step.run(); err != nil {
				b.Fatal(err)
			}
			times[i] = append(times[i], float64(benchtest.ProcessorTime(b)-before)/rows)
		}
		last := len(ratios)
		ratios = append(ratios, (times[1][last]+times[2][last])/times[0][last])
	}
	b.ReportMetric(0, "ns/op") // 0 hides the time of an iteration, which other processes make longer.
	for i, step := range steps {
		b.ReportMetric(benchtest.Median(times[i]), step.unit)
	}
	b.ReportMetric(benchtest.Median(ratios), "ratio")
}

// floor converts a file as the importer does, but only what BenchmarkRows needs: the file has five columns, no mistakes, and no line
// ends in its fields.
type floor struct {
	fields [][]byte
	out    []byte
	line   int64
}

// convert writes the file's rows as JSON lines.
func (f *floor) convert(in io.Reader, out io.Writer) error {
	buf, end := make([]byte, firstBuffer), 0
	for {
		n, err := in.Read(buf[end:])
		end += n
		pos := 0
		for {
			n := bytes.IndexByte(buf[pos:end], '\n')
			if n < 0 {
				break
			}
			if f.line++; f.line > 1 {
				f.split(buf[pos : pos+n])
				if _, err := out.Write(f.encode()); err != nil {
					return err
				}
			}
			pos += n + 1
		}
		end = copy(buf, buf[pos:end])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// split splits a line into fields.
func (f *floor) split(line []byte) {
	f.fields = f.fields[:0]
	for more := true; more; {
		var n int
		if len(line) > 0 && line[0] == '"' {
			field := line[:0]
			for n = 1; n < len(line) && (line[n] != '"' || n+1 < len(line) && line[n+1] == '"'); n++ {
				if line[n] == '"' {
					n++
				}
				field = append(field, line[n])
			}
			n++
			f.fields = append(f.fields, field)
		} else {
			if n = bytes.IndexByte(line, ','); n < 0 {
				n = len(line)
			}
			f.fields = append(f.fields, line[:n])
		}
		if more = n < len(line); more {
			line = line[n+1:]
		}
	}
}

// encode returns the fields as a line of JSON.
func (f *floor) encode() []byte {
	b := f.out[:0]
	b = append(b, `{"line":`...)
	b = strconv.AppendInt(b, f.line, 10)
	b = appendFloorString(append(b, `,"part":`...), f.fields[0])
	b = appendFloorString(append(b, `,"color":`...), f.fields[1])
	b = append(append(b, `,"quantity":`...), f.fields[2]...)
	b = appendFloorString(append(b, `,"extra":{"description":`...), f.fields[3])
	b = appendFloorString(append(b, `,"category":`...), f.fields[4])
	b = append(b, "}}\n"...)
	f.out = b
	return f.out
}

// appendFloorString appends a string of JSON that has no control characters.
func appendFloorString(b, s []byte) []byte {
	b = append(b, '"')
	from := 0
	for i, c := range s {
		if c == '"' || c == '\\' {
			b = append(append(b, s[from:i]...), '\\')
			from = i
		}
	}
	return append(append(b, s[from:]...), '"')
}

// TestFloorConvertsAsTheImporterDoes requires that the floor does the same work.
func TestFloorConvertsAsTheImporterDoes(t *testing.T) {
	in := partsList(1000)
	var got bytes.Buffer
	if err := (&floor{}).convert(bytes.NewReader(in), &got); err != nil {
		t.Fatal(err)
	}
	store := &Memory{}
	h, err := parseHeader(in, true)
	if err != nil {
		t.Fatal(err)
	}
	w := newRangeWriter(t.Context(), store, h, "k", int64(len(in)))
	if err := h.stage(in, w); err != nil {
		t.Fatal(err)
	}
	want, _, err := store.Read(t.Context(), "k"+rowsSuffix)
	if diff := cmp.Diff(string(want), got.String()); diff != "" || err != nil || !json.Valid(want[:bytes.IndexByte(want, '\n')]) {
		t.Errorf("error %v (-importer +floor):\n%s", err, diff)
	}
}
