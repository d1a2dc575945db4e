package csvimport

import (
	"bytes"
	"fmt"
	"io"
)

const (
	// firstBuffer is the initial size of a scanner's buffer, in bytes. The buffer grows only for a longer record.
	firstBuffer = 64 << 10
	// maxEmptyReads is how many reads, one after the other, may return no bytes before the scanner gives up.
	maxEmptyReads = 100
)

// scanner splits text into records, as the package comment defines them. Unlike encoding/csv it knows the byte offset
// and the physical line at which each record starts, bounds a record, and accepts the quotes that Python's csv module
// accepts.
type scanner struct {
	in        io.Reader
	err       error     // of in: io.EOF at its end
	endsField [256]bool // true for the bytes that end an unquoted field
	sep       byte
	maxLength int    // the longest allowed record, in bytes without its line end
	kind      string // "record" or "header", for errors

	buf      []byte
	pos, end int // buf[pos:end] is not consumed yet; a record being scanned starts at pos

	offset int64 // of buf[pos] in the file
	line   int64 // the physical line of buf[pos], from 1

	spans         []span
	innerLineEnds int64    // line ends inside the record being scanned
	inQuotes      bool     // the scanner is inside quotes
	fields        [][]byte // what next returned last
	// plain says that the fields that next returned last have only printable characters of ASCII, and no quotes and backslashes: they are
	// valid text, and the same text in JSON.
	plain bool

	marks   marks
	doubled []int // memory of splitQuotedLine

	strayQuotes StrayQuotes // so far
}

// span is the position of a field's text relative to the start of its record.
type span struct{ from, to int }

// newScanner returns a scanner of in, whose first byte is at offset and line of the file.
func newScanner(in io.Reader, sep byte, offset, line int64) *scanner {
	s := &scanner{in: in, sep: sep, maxLength: maxRecord, kind: "record", buf: make([]byte, firstBuffer), offset: offset, line: line, marks: noMarks}
	s.endsField[sep], s.endsField['\r'], s.endsField['\n'] = true, true, true
	return s
}

// scan does what next does, for every record. It reads byte by byte.
func (s *scanner) scan() ([][]byte, int64, error) {
	for n := s.lineEndAt(0); n > 0; n = s.lineEndAt(0) {
		s.consume(n)
		s.line++
	}
	if _, ok := s.byteAt(0); !ok {
		return nil, 0, s.err
	}
	s.spans, s.innerLineEnds = s.spans[:0], 0
	end, err := s.scanRecord()
	if err != nil {
		return nil, 0, err
	}
	line, lineEnd := s.line, s.lineEndAt(end) // lineEndAt may read, and set s.err.
	if s.err != nil && s.err != io.EOF {
		return nil, 0, s.err
	}
	if end > s.maxLength {
		return nil, 0, s.tooLong()
	}
	s.fields = s.fields[:0]
	for _, f := range s.spans {
		s.fields = append(s.fields, s.pending()[f.from:f.to])
	}
	s.consume(end + lineEnd)
	s.line += s.innerLineEnds
	if lineEnd > 0 {
		s.line++
	}
	return s.fields, line, nil
}

// scanRecord scans one record into spans and returns where it ends. Positions, here and below, are relative to the start of the record.
func (s *scanner) scanRecord() (int, error) {
	for i := 0; ; i++ {
		var err error
		from := i
		if c, ok := s.byteAt(i); ok && c == '"' {
			i, err = s.scanQuoted(i)
		} else {
			i = s.scanUnquoted(i)
			s.addField(from, i)
		}
		if err != nil {
			return 0, err
		}
		if c, ok := s.byteAt(i); !ok || c != s.sep {
			return i, nil
		}
	}
}

// addField adds the position of a field's text.
func (s *scanner) addField(from, to int) {
	if len(s.spans) == maxFields {
		s.addSurplus(from, to)
		return
	}
	s.spans = append(s.spans, span{from, to})
}

// addSurplus adds a field to a record that has maxFields already: it replaces the last one if that is blank. So the last one is blank only
// if the rest of the record is.
func (s *scanner) addSurplus(from, to int) {
	if last := &s.spans[maxFields-1]; isBlank(s.pending()[last.from:last.to]) {
		*last = span{from, to}
	}
}

// scanUnquoted returns where the unquoted text that starts at i ends: at a separator, a line end, the end of the file, or
// where reading failed with s.err.
func (s *scanner) scanUnquoted(i int) int {
	for {
		b := s.pending()
		for i < len(b) && !s.endsField[b[i]] {
			i++
		}
		if i < len(b) || !s.readMore() {
			return i
		}
	}
}

// scanQuoted scans the field whose opening quote is at i and returns where it ends. It removes the quotes from the text in
// place: the position w, where it writes, is never after the position r, where it reads.
func (s *scanner) scanQuoted(i int) (int, error) {
	openedAt := s.line + s.innerLineEnds // the line of the opening quote
	w, r := i+1, i+1
	for {
		b := s.pending()
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
			if err := s.readMoreQuoted(openedAt); err != nil {
				return 0, err
			}
			continue
		}
		r++
		c, ok := s.byteAt(r)
		if ok && c == '"' { // A doubled quote stands for one.
			s.pending()[w] = '"'
			w, r = w+1, r+1
			continue
		}
		if ok && !s.endsField[c] { // Text after the closing quote belongs to the field.
			end := s.scanUnquoted(r)
			if !isBlank(s.pending()[r:end]) && bytes.ContainsAny(s.pending()[i+1:w], "\r\n") {
				s.strayQuotes = s.strayQuotes.with(openedAt)
			}
			w += copy(s.pending()[w:], s.pending()[r:end])
			r = end
		}
		s.addField(i+1, w)
		s.innerLineEnds += countLineEnds(s.pending()[i+1 : w])
		return r, nil
	}
}

// readMoreQuoted reads more text inside quotes. openedAt is the line of the opening quote.
func (s *scanner) readMoreQuoted(openedAt int64) error {
	s.inQuotes = true
	defer func() { s.inQuotes = false }()
	switch {
	case s.readMore():
		return nil
	case s.err == io.EOF:
		return &InvalidFile{Line: openedAt, Reason: "a quote is opened and never closed"}
	default:
		return s.err
	}
}

// tooLong returns the error of a record or header that is longer than maxLength.
func (s *scanner) tooLong() error {
	size := fmt.Sprintf("%d KiB", s.maxLength>>10)
	if s.maxLength >= 1<<20 {
		size = fmt.Sprintf("%d MiB", s.maxLength>>20)
	}
	reason := "the " + s.kind + " is longer than " + size
	if s.inQuotes {
		reason += "; perhaps a quote is never closed"
	}
	return &InvalidFile{Line: s.line, Reason: reason}
}

// lineEndAt returns the length of the line end at i: LF, CR LF, or CR alone. It returns 0 if there is none.
func (s *scanner) lineEndAt(i int) int {
	c, ok := s.byteAt(i)
	if !ok || c != '\n' && c != '\r' {
		return 0
	}
	if c == '\r' {
		if after, ok := s.byteAt(i + 1); ok && after == '\n' {
			return 2
		}
	}
	return 1
}

// countLineEnds counts the line ends in a field's text.
func countLineEnds(text []byte) int64 {
	n := bytes.Count(text, []byte{'\n'})
	if cr := bytes.Count(text, []byte{'\r'}); cr > 0 {
		n += cr - bytes.Count(text, []byte("\r\n"))
	}
	return int64(n)
}

// pending returns the bytes that were read and not consumed. They begin at the start of the record.
func (s *scanner) pending() []byte { return s.buf[s.pos:s.end] }

// byteAt returns the byte at position i. It returns false if the file ends before it, or if reading failed with s.err.
func (s *scanner) byteAt(i int) (byte, bool) {
	for s.pos+i >= s.end {
		if !s.readMore() {
			return 0, false
		}
	}
	return s.buf[s.pos+i], true
}

// consume removes n bytes from pending.
func (s *scanner) consume(n int) {
	s.pos += n
	s.offset += int64(n)
}

// readMore reads more bytes and reports whether there were any. It may move the record to the start of the buffer or to a larger buffer:
// positions in the record stay valid, but not slices of pending. It fails if the record is longer than maxLength and a line end of two
// bytes.
func (s *scanner) readMore() bool {
	if s.err != nil {
		return false
	}
	if s.end-s.pos > s.maxLength+1 {
		s.err = s.tooLong()
		return false
	}
	s.marks = noMarks
	if s.pos > 0 {
		s.end = copy(s.buf, s.pending())
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
