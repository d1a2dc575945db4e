package csvimport

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
)

// This file reads the records that most files consist of: a record that is one whole line of the buffer, without quotes or with quotes
// around whole fields. It returns exactly what scan returns for them, in a fraction of the time. Every other record is left to scan.

// marks are the positions in the buffer of the next byte of each kind. A position before the scanner's is not up to date, and that
// of the buffer's end means that the buffer has no such byte.
type marks struct{ lf, cr, quote, backslash int }

// noMarks are not up to date.
var noMarks = marks{-1, -1, -1, -1}

// nextMark returns the position of the next byte c, whose mark is that one. It brings the mark up to date.
func (s *scanner) nextMark(mark *int, c byte) int {
	if *mark < s.pos {
		*mark = s.find(c)
	}
	return *mark
}

// find returns the position of the next byte c in the buffer, or the buffer's end.
func (s *scanner) find(c byte) int {
	if i := bytes.IndexByte(s.pending(), c); i >= 0 {
		return s.pos + i
	}
	return s.end
}

// next returns the first maxFields fields of the next record, and the line at which the record starts. It skips empty
// lines. The fields are valid until the next call. The error is io.EOF after the last record, an *InvalidFile, or an error of the
// reader. It sets plain.
func (s *scanner) next() ([][]byte, int64, error) {
	if text, size := s.wholeLine(); size > 0 && s.splitLine(text) {
		line := s.line
		s.consumeLine(size)
		return s.fields, line, nil
	}
	s.plain = false
	return s.scan()
}

// skipLine consumes the next record if it is one line that has more than separators, blanks and quotes, and reports whether it did.
func (s *scanner) skipLine() bool {
	text, size := s.wholeLine()
	if size == 0 || !s.hasText(text) || s.nextMark(&s.marks.quote, '"') < s.pos+size && !s.isRecord(text) {
		return false
	}
	s.consumeLine(size)
	return true
}

// hasText reports whether a line has a byte that is no separator, blank or quote.
func (s *scanner) hasText(line []byte) bool {
	for _, c := range line {
		if c != s.sep && !isBlankByte(c) && c != '"' {
			return true
		}
	}
	return false
}

// isRecord reports whether the quotes of a line open at the starts of fields, and close in the line. Then the record ends with the line.
func (s *scanner) isRecord(line []byte) bool {
	for {
		opening := bytes.IndexByte(line, '"')
		if opening < 0 {
			return true
		}
		size, _ := quotedSize(line[opening:])
		if size == 0 || opening > 0 && line[opening-1] != s.sep {
			return false
		}
		line = line[opening+size:]
	}
}

// consumeLine removes a line of size bytes, with its end, from pending.
func (s *scanner) consumeLine(size int) {
	s.consume(size)
	s.line++
}

// wholeLine skips empty lines. Then it returns the next line without its end, and its size with the end. The size is 0 if the
// buffer has no LF, or if the line has a lone CR or is too long.
func (s *scanner) wholeLine() ([]byte, int) {
	if s.err != nil && s.err != io.EOF {
		return nil, 0
	}
	for {
		lf := s.nextMark(&s.marks.lf, '\n')
		if lf == s.end {
			return nil, 0
		}
		end := lf
		if cr := s.nextMark(&s.marks.cr, '\r'); cr < lf {
			if end = cr; cr != lf-1 {
				return nil, 0
			}
		}
		size := lf + 1 - s.pos
		if end == s.pos {
			s.consumeLine(size)
			continue
		}
		if end-s.pos > s.maxLength {
			return nil, 0
		}
		return s.buf[s.pos:end], size
	}
}

// splitLine splits the text of the next line into fields, and sets plain. It reports false if scan must do it, because the line has too
// many fields or stray quotes.
func (s *scanner) splitLine(text []byte) bool {
	end := s.pos + len(text)
	s.fields = s.fields[:0]
	if s.nextMark(&s.marks.quote, '"') < end {
		if !s.splitQuotedLine(text) {
			return false
		}
	} else if !s.splitPlainLine(text) {
		return false
	}
	s.plain = s.plain && s.nextMark(&s.marks.backslash, '\\') >= end
	return true
}

const (
	ones  = 0x0101010101010101
	lows  = 0x7F * ones // the lower seven bits of each byte
	highs = 0x80 * ones // the highest bit of each byte
	word  = 8           // bytes
)

// zeroBytes returns the highest bit of each byte of x that is zero.
func zeroBytes(x uint64) uint64 { return ^((x&lows + lows) | x) & highs }

// unprintableBytes returns the highest bit of each byte of x that is no printable character of ASCII.
func unprintableBytes(x uint64) uint64 {
	low := x & lows
	return (x | ^(low + 0x60*ones) | (low + ones)) & highs
}

// splitPlainLine splits a line without quotes, eight bytes at a time.
func (s *scanner) splitPlainLine(text []byte) bool {
	fields, from, seps, unprintable := s.fields, 0, ones*uint64(s.sep), uint64(0)
	for i := 0; i < len(text); i += word {
		var x, valid uint64 = 0, highs
		switch rest := len(text) - i; {
		case rest >= word:
			x = binary.LittleEndian.Uint64(text[i:])
		case i > 0: // Shift out what was read before.
			x = binary.LittleEndian.Uint64(text[len(text)-word:]) >> ((word - rest) * 8)
			valid >>= (word - rest) * 8
		default:
			for j, c := range text {
				x |= uint64(c) << (j * 8)
			}
			valid >>= (word - rest) * 8
		}
		found := zeroBytes(x^seps) & valid
		unprintable |= unprintableBytes(x) & valid &^ found
		for ; found != 0; found &= found - 1 {
			to := i + bits.TrailingZeros64(found)/8
			fields = append(fields, text[from:to])
			from = to + 1
		}
		if len(fields) >= maxFields {
			return false
		}
	}
	fields = append(fields, text[from:])
	s.fields, s.plain = fields, unprintable == 0
	return true
}

// splitQuotedLine splits a line with quotes. It reports false, and leaves the line as it is, if a quote neither opens nor closes a whole
// field and is not doubled inside of one.
func (s *scanner) splitQuotedLine(text []byte) bool {
	doubled := s.doubled[:0] // the indexes of the fields with doubled quotes
	for more := true; more; {
		size, hasDoubled, ok := s.fieldSize(text)
		if !ok || len(s.fields) == maxFields {
			return false
		}
		field := text[:size]
		if size > 0 && text[0] == '"' {
			field = text[1 : size-1]
		}
		if hasDoubled {
			doubled = append(doubled, len(s.fields))
		}
		s.fields = append(s.fields, field)
		if more = size < len(text); more {
			text = text[size+1:]
		}
	}
	for _, i := range doubled {
		s.fields[i] = joinDoubledQuotes(s.fields[i])
	}
	s.doubled, s.plain = doubled, len(doubled) == 0
	for _, field := range s.fields {
		s.plain = s.plain && isPlain(field)
	}
	return true
}

// fieldSize returns the size of the field at the start of text, with its quotes, and whether there are doubled quotes in it. ok is false if
// there are other quotes in it, or if it does not end in text.
func (s *scanner) fieldSize(text []byte) (size int, hasDoubled, ok bool) {
	if len(text) > 0 && text[0] == '"' {
		size, hasDoubled = quotedSize(text)
		return size, hasDoubled, size == len(text) || size > 0 && text[size] == s.sep
	}
	if size = bytes.IndexByte(text, s.sep); size < 0 {
		size = len(text)
	}
	return size, false, bytes.IndexByte(text[:size], '"') < 0
}

// quotedSize returns the size of the quoted field at the start of text, with its quotes, and whether there are doubled quotes in it.
// The size is 0 if the field does not end in text.
func quotedSize(text []byte) (size int, hasDoubled bool) {
	for size = 1; ; size++ {
		n := bytes.IndexByte(text[size:], '"')
		if n < 0 {
			return 0, false
		}
		size += n + 1
		if size == len(text) || text[size] != '"' {
			return size, hasDoubled
		}
		hasDoubled = true
	}
}

// joinDoubledQuotes makes one quote of each doubled quote, in place.
func joinDoubledQuotes(field []byte) []byte {
	joined := field[:0]
	for {
		n := bytes.IndexByte(field, '"')
		if n < 0 {
			return append(joined, field...)
		}
		joined, field = append(joined, field[:n+1]...), field[n+2:]
	}
}
