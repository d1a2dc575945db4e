package csvimport

import (
	"bytes"
	"fmt"
	"io"
)

const (
	// firstBuffer is what a scanner starts with; only longer records make it grow.
	firstBuffer = 64 << 10
	// maxEmptyReads is how often a reader may return nothing before it counts as broken.
	maxEmptyReads = 100
)

// scanner splits text into records, as the package comment defines them. Unlike encoding/csv it knows the byte offset
// and the physical line at which each record starts, bounds a record, and forgives what Python's csv module forgives.
type scanner struct {
	in   io.Reader
	err  error // of in; io.EOF at its end
	stop [256]bool
	sep  byte
	max  int    // the length of the longest record, without its line end
	kind string // of the records, for errors

	buf      []byte
	pos, end int // buf[pos:end] is not consumed yet; a record being scanned starts at pos

	offset int64 // of buf[pos] in the file
	line   int64 // the physical line of buf[pos], from 1

	spans    []span
	inner    int64 // line ends inside the record being scanned
	inQuotes bool  // the scanner reads on inside quotes
	fields   [][]byte
}

// span places a field's text relative to the start of its record.
type span struct{ from, to int }

// newScanner returns a scanner of in, whose first byte is at offset and line of the file.
func newScanner(in io.Reader, sep byte, offset, line int64) *scanner {
	s := &scanner{in: in, sep: sep, max: maxRecord, kind: "record", buf: make([]byte, firstBuffer), offset: offset, line: line}
	s.stop[sep], s.stop['\r'], s.stop['\n'] = true, true, true
	return s
}

// next returns the fields of the next record that is not an empty line, and the line at which it starts: the first
// MaxColumns+1 of them. They are valid until the next call. The error is io.EOF after the last record, an *InvalidFile, or the reader's.
func (s *scanner) next() ([][]byte, int64, error) {
	for n := s.lineEnd(0); n > 0; n = s.lineEnd(0) {
		s.consume(n)
		s.line++
	}
	if _, ok := s.at(0); !ok {
		return nil, 0, s.err
	}
	s.spans, s.inner = s.spans[:0], 0
	end, err := s.record()
	if err != nil {
		return nil, 0, err
	}
	line, n := s.line, s.lineEnd(end)
	if s.err != nil && s.err != io.EOF { //nolint:errorlint // io.EOF is never wrapped by a Reader
		return nil, 0, s.err
	}
	if end > s.max {
		return nil, 0, s.tooLong()
	}
	s.fields = s.fields[:0]
	for _, f := range s.spans {
		s.fields = append(s.fields, s.window()[f.from:f.to])
	}
	s.consume(end + n)
	s.line += s.inner
	if n > 0 {
		s.line++
	}

	return s.fields, line, nil
}

// record scans one record into spans and returns where it ends.
func (s *scanner) record() (int, error) {
	for i := 0; ; i++ {
		var err error
		from := i
		if c, ok := s.at(i); ok && c == '"' {
			i, err = s.quoted(i)
		} else {
			i = s.plain(i)
			s.field(from, i)
		}
		if err != nil {
			return 0, err
		}
		if c, ok := s.at(i); !ok || c != s.sep {
			return i, nil
		}
	}
}

// field notes where a field's text is.
func (s *scanner) field(from, to int) {
	if len(s.spans) <= MaxColumns {
		s.spans = append(s.spans, span{from, to})
	}
}

// plain returns where the text that starts at i ends: at a separator, a line end, the end of the file, or where s.err is
// found.
func (s *scanner) plain(i int) int {
	for {
		b := s.window()
		for i < len(b) && !s.stop[b[i]] {
			i++
		}
		if i < len(b) || !s.more() {
			return i
		}
	}
}

// quoted scans the field whose opening quote is at i and returns where it ends. The text is brought together in place:
// w, where it is written, never passes r, where it is read.
func (s *scanner) quoted(i int) (int, error) {
	opened := s.line + s.inner
	w, r := i+1, i+1
	for {
		b := s.window()
		quote := bytes.IndexByte(b[r:], '"')
		n := quote
		if quote < 0 {
			n = len(b) - r
		}
		if w != r {
			copy(b[w:], b[r:r+n])
		}
		w, r = w+n, r+n
		if quote < 0 {
			if err := s.moreQuoted(opened); err != nil {
				return 0, err
			}
			continue
		}
		r++
		c, ok := s.at(r)
		if ok && c == '"' {
			s.window()[w] = '"'
			w, r = w+1, r+1
			continue
		}
		if ok && !s.stop[c] { // text after the closing quote
			end := s.plain(r)
			w += copy(s.window()[w:], s.window()[r:end])
			r = end
		}
		s.field(i+1, w)
		s.inner += lineEnds(s.window()[i+1 : w])
		return r, nil
	}
}

// moreQuoted reads on inside the quotes that were opened at the line.
func (s *scanner) moreQuoted(opened int64) error {
	s.inQuotes = true
	defer func() { s.inQuotes = false }()
	switch {
	case s.more():
		return nil
	case s.err == io.EOF: //nolint:errorlint // io.EOF is never wrapped by a Reader
		return &InvalidFile{Line: opened, Reason: "a quote is opened and never closed"}
	default:
		return s.err
	}
}

func (s *scanner) tooLong() error {
	size := fmt.Sprintf("%d KiB", s.max>>10)
	if s.max >= 1<<20 {
		size = fmt.Sprintf("%d MiB", s.max>>20)
	}
	reason := "the " + s.kind + " is longer than " + size
	if s.inQuotes {
		reason += "; perhaps a quote is never closed"
	}
	return &InvalidFile{Line: s.line, Reason: reason}
}

// lineEnd returns the length of the line end at i: LF, CR LF, or CR alone. It returns 0 where there is none.
func (s *scanner) lineEnd(i int) int {
	c, ok := s.at(i)
	if !ok || c != '\n' && c != '\r' {
		return 0
	}
	if c == '\r' {
		if after, ok := s.at(i + 1); ok && after == '\n' {
			return 2
		}
	}
	return 1
}

// lineEnds counts the line ends in a field's text.
func lineEnds(text []byte) int64 {
	n := bytes.Count(text, []byte{'\n'})
	if cr := bytes.Count(text, []byte{'\r'}); cr > 0 {
		n += cr - bytes.Count(text, []byte("\r\n"))
	}
	return int64(n)
}

// window returns the bytes from the start of the record on, as far as they were read.
func (s *scanner) window() []byte { return s.buf[s.pos:s.end] }

// at returns the byte i places after the start of the record; false means that the file ends before, or s.err.
func (s *scanner) at(i int) (byte, bool) {
	for s.pos+i >= s.end {
		if !s.more() {
			return 0, false
		}
	}
	return s.buf[s.pos+i], true
}

func (s *scanner) consume(n int) {
	s.pos += n
	s.offset += int64(n)
}

// more reads on, and reports whether there was anything. It moves the record in the buffer, hence all places are
// relative to its start. Here alone the buffer grows, and here it stops growing: a record that needs more than its longest
// form with a line end of two bytes is too long.
func (s *scanner) more() bool {
	if s.err != nil {
		return false
	}
	if s.end-s.pos > s.max+1 {
		s.err = s.tooLong()
		return false
	}
	if s.pos > 0 {
		s.end = copy(s.buf, s.window())
		s.pos = 0
	}
	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for range maxEmptyReads {
		n, err := s.in.Read(s.buf[s.end:])
		s.end += n
		s.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	s.err = io.ErrNoProgress
	return false
}
