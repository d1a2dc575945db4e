package csvimport

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// partsList returns a CSV file of n rows, some of them with quoted fields.
func partsList(n int) []byte {
	var b bytes.Buffer
	b.WriteString("part,color,quantity,description,category\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,Dark Bluish Gray,%d,", 3001+i%5000, 1+i%40)
		if i%8 == 0 {
			b.WriteString("\"Brick 2 x 4, \"\"classic\"\"\",Bricks\n")
		} else {
			b.WriteString("Plate 1 x 2 with Groove,Plates\n")
		}
	}
	return b.Bytes()
}

// BenchmarkParse compares these things with encoding/csv reading the same bytes: the scanner alone, the plan, the plan of a file
// that is not UTF-8, and one chunk.
func BenchmarkParse(b *testing.B) {
	in := partsList(50_000)
	for _, bb := range []struct {
		name string
		run  func() error
	}{
		{"encoding/csv", func() error {
			r := csv.NewReader(bytes.NewReader(in))
			r.ReuseRecord = true
			for {
				if _, err := r.Read(); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
			}
		}},
		{"scan", func() error {
			s := newScanner(bytes.NewReader(in), ',', 0, 1)
			for {
				if _, _, err := s.next(); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
			}
		}},
		{"plan", func() error {
			_, err := splitRanges(bytes.NewReader(in), int64(len(in)), DefaultRangeBytes, func(int64) {})
			return err
		}},
		{"plan, Windows-1252", func() error {
			_, err := splitRanges(io.MultiReader(bytes.NewReader(in), strings.NewReader("1,\xE9,1,,\n")), int64(len(in)), DefaultRangeBytes, func(int64) {})
			return err
		}},
		{"chunk", func() error { return stageAll(in) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if err := bb.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// discardStore is a store whose writers discard everything.
type discardStore struct{ Memory }

func (*discardStore) Create(context.Context, string, Mode) Writer { return discardWriter{io.Discard} }

// discardWriter is the writer of a discardStore.
type discardWriter struct{ io.Writer }

func (discardWriter) Close() error { return nil }
func (discardWriter) Abort()       {}

// stageAll does the work of a chunk with a range that is the whole file.
func stageAll(in []byte) error {
	h, err := parseHeader(in[:bytes.IndexByte(in, '\n')+1], true)
	if err != nil {
		return err
	}
	return h.stage(in, newRangeWriter(context.Background(), &discardStore{}, h, "k", int64(len(in))))
}

// stage writes the rows of a file with this header.
func (h *header) stage(in []byte, w *rangeWriter) error {
	s := newRowReader(bytes.NewReader(in[h.bytes:]), h, Range{Offset: h.bytes, Line: h.nextLine})
	for {
		fields, line, err := s.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return w.close()
			}
			return err
		}
		if _, err := w.add(line, fields, s.plain); err != nil {
			return err
		}
	}
}
