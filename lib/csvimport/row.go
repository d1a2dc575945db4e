package csvimport

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The reasons for which rows are rejected.
const (
	reasonUTF8     = "not valid UTF-8"
	reasonFields   = "wrong number of fields"
	reasonMissing  = "missing value"
	reasonQuantity = "not a whole number from 1 to 1,000,000"
)

// row is an accepted record. Its color is empty if the file has no column for it.
type row struct {
	part, color []byte
	quantity    int64
}

// rejection says why a record is rejected. column is empty if the reason is about the whole record. The zero value means that the
// record is accepted.
type rejection struct{ column, reason string }

// parseRow returns the record as a row, or its rejection.
func (h *header) parseRow(fields [][]byte) (row, rejection) {
	for i, f := range fields {
		if !utf8.Valid(f) {
			return row{}, rejection{h.columnName(i), reasonUTF8}
		}
	}
	if len(fields) != len(h.names) {
		return row{}, rejection{"", reasonFields}
	}
	r := row{part: bytes.TrimSpace(fields[h.part])}
	if h.color >= 0 {
		r.color = bytes.TrimSpace(fields[h.color])
	}
	quantity := bytes.TrimSpace(fields[h.quantity])
	switch {
	case len(r.part) == 0:
		return row{}, rejection{columnPart, reasonMissing}
	case h.color >= 0 && len(r.color) == 0:
		return row{}, rejection{columnColor, reasonMissing}
	case len(quantity) == 0:
		return row{}, rejection{columnQuantity, reasonMissing}
	}
	if r.quantity = parseQuantity(quantity); r.quantity == 0 {
		return row{}, rejection{columnQuantity, reasonQuantity}
	}
	return r, rejection{}
}

// columnName returns the name of the column with this index, or "" if the header has fewer columns.
func (h *header) columnName(index int) string {
	if index < len(h.names) {
		return h.names[index]
	}
	return ""
}

// parseQuantity parses digits as a number from 1 to MaxQuantity. It returns 0 if they are no such number.
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

// rowEncoder encodes accepted rows as JSON lines.
type rowEncoder struct {
	header    *header
	extraKeys [][]byte // the extra columns' names as JSON, with the colon
	buf       []byte   // the last encoded row
}

func newRowEncoder(h *header) *rowEncoder {
	e := &rowEncoder{header: h}
	for _, column := range h.extra {
		e.extraKeys = append(e.extraKeys, append(appendString(nil, []byte(h.names[column])), ':'))
	}
	return e
}

// encode returns the row as JSON with a line end, without empty extra columns, and without color if the file has no such column. The bytes are valid until the next call.
func (e *rowEncoder) encode(line int64, r row, fields [][]byte) []byte {
	b := e.buf[:0]
	b = append(b, `{"line":`...)
	b = strconv.AppendInt(b, line, 10)
	b = appendString(append(b, `,"part":`...), r.part)
	if e.header.color >= 0 {
		b = appendString(append(b, `,"color":`...), r.color)
	}
	b = strconv.AppendInt(append(b, `,"quantity":`...), r.quantity, 10)
	separator := `,"extra":{`
	for i, column := range e.header.extra {
		if len(fields[column]) == 0 {
			continue
		}
		b = append(append(b, separator...), e.extraKeys[i]...)
		b = appendString(b, fields[column])
		separator = ","
	}
	if separator == "," { // There is an extra column, so the object "extra" is open.
		b = append(b, '}')
	}
	b = append(b, '}', '\n')
	e.buf = b
	return b
}

// appendString appends valid UTF-8 as a JSON string (RFC 8259, section 7).
func appendString(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0 // s[:from] is appended
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

// rejectFields returns the fields of a record's line in rejected.csv: line, column and reason, then the record's fields. It uses the
// memory of dst.
func rejectFields(dst []string, line int64, rejected rejection, fields [][]byte) []string {
	dst = append(dst[:0], strconv.FormatInt(line, 10), rejected.column, rejected.reason)
	for _, f := range fields {
		dst = append(dst, escapeFormula(strings.ToValidUTF8(string(f), "\uFFFD")))
	}
	return dst
}

// escapeFormula puts an apostrophe before a cell that a spreadsheet would run as a formula
// (https://owasp.org/www-community/attacks/CSV_Injection).
func escapeFormula(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}
