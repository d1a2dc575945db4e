package csvimport

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Why a row is rejected.
const (
	reasonUTF8     = "not valid UTF-8"
	reasonFields   = "wrong number of fields"
	reasonMissing  = "missing value"
	reasonQuantity = "not a whole number from 1 to 1,000,000"
)

// row is an accepted record.
type row struct {
	part, color []byte
	quantity    int64
}

// rejection says why a record is not accepted. The zero value means that it is.
type rejection struct{ column, reason string }

// read returns the record as a row, or the first reason to reject it.
func (h *header) read(fields [][]byte) (row, rejection) {
	for i, f := range fields {
		if !utf8.Valid(f) {
			return row{}, rejection{h.name(i), reasonUTF8}
		}
	}
	if len(fields) != len(h.names) {
		return row{}, rejection{"", reasonFields}
	}
	r := row{part: bytes.TrimSpace(fields[h.part]), color: bytes.TrimSpace(fields[h.color])}
	quantity := bytes.TrimSpace(fields[h.quantity])
	switch {
	case len(r.part) == 0:
		return row{}, rejection{columnPart, reasonMissing}
	case len(r.color) == 0:
		return row{}, rejection{columnColor, reasonMissing}
	case len(quantity) == 0:
		return row{}, rejection{columnQuantity, reasonMissing}
	}
	if r.quantity = parseQuantity(quantity); r.quantity == 0 {
		return row{}, rejection{columnQuantity, reasonQuantity}
	}

	return r, rejection{}
}

// name returns the name of the column at a place, which may lie beyond the header.
func (h *header) name(place int) string {
	if place < len(h.names) {
		return h.names[place]
	}
	return ""
}

// parseQuantity returns the number that the digits make, or 0 where it is not a quantity.
func parseQuantity(digits []byte) int64 {
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0
		}
		if n = n*10 + int64(c-'0'); n > MaxQuantity {
			return 0
		}
	}
	return n
}

// lines writes accepted rows as JSON, one a line.
type lines struct {
	header *header
	keys   [][]byte // the extra columns' names as JSON, with the colon
	buf    []byte
}

func newLines(h *header) *lines {
	l := &lines{header: h}
	for _, place := range h.extra {
		l.keys = append(l.keys, append(appendString(nil, []byte(h.names[place])), ':'))
	}
	return l
}

// line returns the row as JSON with a line end, without the extra columns that are empty. It is valid until the next call.
func (l *lines) line(line int64, r row, fields [][]byte) []byte {
	b := l.buf[:0]
	b = append(b, `{"line":`...)
	b = strconv.AppendInt(b, line, 10)
	b = appendString(append(b, `,"part":`...), r.part)
	b = appendString(append(b, `,"color":`...), r.color)
	b = strconv.AppendInt(append(b, `,"quantity":`...), r.quantity, 10)
	before := `,"extra":{`
	for i, place := range l.header.extra {
		if len(fields[place]) == 0 {
			continue
		}
		b = append(append(b, before...), l.keys[i]...)
		b = appendString(b, fields[place])
		before = ","
	}
	if before == "," {
		b = append(b, '}')
	}
	b = append(b, '}', '\n')
	l.buf = b
	return b
}

// appendString appends valid UTF-8 as a JSON string (RFC 8259, section 7).
func appendString(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i, c := range s {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&0xF])
		}
	}

	return append(append(b, s[from:]...), '"')
}

// rejectFields returns what rejected.csv says of a record, its own fields last.
func rejectFields(dst []string, line int64, why rejection, fields [][]byte) []string {
	dst = append(dst[:0], strconv.FormatInt(line, 10), why.column, why.reason)
	for _, f := range fields {
		dst = append(dst, harmless(strings.ToValidUTF8(string(f), "\uFFFD")))
	}
	return dst
}

// harmless puts an apostrophe before what a spreadsheet would run as a formula
// (https://owasp.org/www-community/attacks/CSV_Injection).
func harmless(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}
