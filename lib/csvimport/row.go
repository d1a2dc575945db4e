package csvimport

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
)

// The reasons for which rows are rejected.
const (
	reasonUTF8     = "not valid UTF-8"
	reasonControl  = "holds a control character"
	reasonFields   = "wrong number of fields"
	reasonMissing  = "missing value"
	reasonQuantity = "not a whole number from 1 to 1,000,000"
	reasonPoint    = "the point may mean thousands, so write the number without it"
)

// row is an accepted record. Its color is empty if the file has no column for it.
type row struct {
	part, color []byte
	quantity    int64
}

// rejection says why a record is rejected. column is empty if the reason is about the whole record. detail is empty or shows what is
// wrong, such as the value.
type rejection struct{ column, reason, detail string }

// parseRow parses the record into r, or returns its rejection. Fields that the record lacks at its end are empty. Blank fields after those of
// the header are ignored. plain is that of the scanner: then the fields are text.
func (h *header) parseRow(r *row, fields [][]byte, plain bool) *rejection {
	for i := 0; i < len(fields) && !plain; i++ {
		f := fields[i]
		if reason, at := checkText(f); reason != "" {
			return &rejection{h.columnName(i), reason, quoteValue(f, at)}
		}
	}
	if len(fields) > len(h.names) && !isBlankRecord(fields[len(h.names):]) {
		return &rejection{"", reasonFields, h.countFields(fields)}
	}
	r.part, r.color = trimmedField(fields, h.part), trimmedField(fields, h.color)
	quantity := trimmedField(fields, h.quantity)
	switch {
	case len(r.part) == 0:
		return &rejection{h.columnName(h.part), reasonMissing, ""}
	case h.color >= 0 && len(r.color) == 0:
		return &rejection{h.columnName(h.color), reasonMissing, ""}
	case len(quantity) == 0:
		return &rejection{h.columnName(h.quantity), reasonMissing, ""}
	}
	var reason string
	if r.quantity, reason = parseQuantity(quantity); reason != "" {
		return &rejection{h.columnName(h.quantity), reason, quoteValue(quantity, 0)}
	}
	return nil
}

// trimmedField returns the field with this index without blanks around it. It returns nil if there is no such field.
func trimmedField(fields [][]byte, index int) []byte {
	if index < 0 || index >= len(fields) {
		return nil
	}
	f := fields[index]
	if len(f) > 0 && isGraph(f[0]) && isGraph(f[len(f)-1]) { // the usual case
		return f
	}
	return bytes.TrimSpace(f)
}

// isGraph reports whether c is a visible character of ASCII.
func isGraph(c byte) bool { return c > ' ' && c < 0x7F }

// countFields says how many fields the record has, and how many the header has.
func (h *header) countFields(fields [][]byte) string {
	count := strconv.Itoa(len(fields))
	if len(fields) > MaxColumns { // The scanner may have left some out.
		count = "over " + strconv.Itoa(MaxColumns)
	}
	return fmt.Sprintf("%s, the header has %d", count, len(h.names))
}

// columnName returns the name of the column with this index, or "" if the header has fewer columns.
func (h *header) columnName(index int) string {
	if index < len(h.names) {
		return h.names[index]
	}
	return ""
}

// rowEncoder encodes accepted rows as JSON lines.
type rowEncoder struct {
	header    *header
	extraKeys [][]byte // the extra columns' names as JSON, with all that is between the text before and the column's text
	buf       []byte   // the encoded rows that are not written yet
	plain     bool     // no field needs to be escaped
	tens      int64    // the last line's number without its last digit
	tensText  []byte   // the digits of tens
}

func newRowEncoder(h *header) *rowEncoder {
	e := &rowEncoder{header: h}
	for _, column := range h.extra {
		e.extraKeys = append(e.extraKeys, append(appendString([]byte(`",`), []byte(h.names[column])), `:"`...))
	}
	return e
}

// appendLine appends the number of a line. It uses the digits of the number before, because few of them change from row to row.
func (e *rowEncoder) appendLine(b []byte, line int64) []byte {
	const ten = 10
	if tens := line / ten; tens != e.tens {
		e.tens, e.tensText = tens, strconv.AppendInt(e.tensText[:0], tens, ten)
	}
	if e.tens == 0 {
		return append(b, byte('0'+line))
	}
	return append(append(b, e.tensText...), byte('0'+line%ten))
}

// appendText appends a field of the row as the text of a JSON string, without its quotes.
func (e *rowEncoder) appendText(b, field []byte) []byte {
	if e.plain {
		return append(b, field...)
	}
	return appendEscaped(b, field)
}

// encode appends the row to buf as JSON with a line end, without empty extra columns, and without color if the file has no such column.
// plain is that of the scanner. A string's last quote is appended with what follows it.
func (e *rowEncoder) encode(line int64, r *row, fields [][]byte, plain bool) {
	e.plain = plain
	b := e.appendLine(append(e.buf, `{"line":`...), line)
	b = e.appendText(append(b, `,"part":"`...), r.part)
	if e.header.color >= 0 {
		b = e.appendText(append(b, `","color":"`...), r.color)
	}
	b = strconv.AppendInt(append(b, `","quantity":`...), r.quantity, 10)
	end := "}\n"
	for i, column := range e.header.extra {
		if column >= len(fields) || len(fields[column]) == 0 {
			continue
		}
		key := e.extraKeys[i]
		if end == "}\n" { // the first one
			b, key, end = append(b, `,"extra":{`...), key[len(`",`):], "\"}}\n"
		}
		b = e.appendText(append(b, key...), fields[column])
	}
	b = append(b, end...)
	e.buf = b
}

// appendString appends valid UTF-8 as a JSON string (RFC 8259, section 7).
func appendString(b, s []byte) []byte { return append(appendEscaped(append(b, '"'), s), '"') }

// appendEscaped appends valid UTF-8 as the text of a JSON string, without its quotes.
func appendEscaped(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	for {
		n := indexEscaped(s)
		b = append(b, s[:n]...)
		if n == len(s) {
			return b
		}
		switch c := s[n]; c {
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
		s = s[n+1:]
	}
}

// indexEscaped returns the index of the first byte that a JSON string must escape, or the length of s.
func indexEscaped(s []byte) int {
	i := 0
	for ; len(s)-i >= word; i += word {
		x := binary.LittleEndian.Uint64(s[i:])
		low := ^((x&lows + 0x60*ones) | x) & highs // bytes below a blank
		if found := low | zeroBytes(x^'"'*ones) | zeroBytes(x^'\\'*ones); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return i
}
