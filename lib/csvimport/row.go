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
	reasonPoint    = "a point before three digits has two meanings, so write the number without it"
)

// row is an accepted record. Its color is empty if the file has no column for it.
type row struct {
	part, color []byte
	quantity    int64
}

// rejection says why a record is rejected. column is empty if the reason is about the whole record. detail is empty or shows what is
// wrong, such as the value. Without a reason, the record is accepted.
type rejection struct{ column, reason, detail string }

// parseRow returns the record as a row, or its rejection. Fields that the record lacks at its end are empty. Blank fields after those of
// the header are ignored. plain is that of the scanner: then the fields are text.
func (h *header) parseRow(fields [][]byte, plain bool) (row, rejection) {
	for i := 0; i < len(fields) && !plain; i++ {
		f := fields[i]
		if reason, at := checkText(f); reason != "" {
			return row{}, rejection{h.columnName(i), reason, quoteValue(f, at)}
		}
	}
	if len(fields) > len(h.names) && !isBlankRecord(fields[len(h.names):]) {
		return row{}, rejection{"", reasonFields, h.countFields(fields)}
	}
	r := row{part: trimmedField(fields, h.part), color: trimmedField(fields, h.color)}
	quantity := trimmedField(fields, h.quantity)
	switch {
	case len(r.part) == 0:
		return row{}, rejection{columnPart, reasonMissing, ""}
	case h.color >= 0 && len(r.color) == 0:
		return row{}, rejection{columnColor, reasonMissing, ""}
	case len(quantity) == 0:
		return row{}, rejection{columnQuantity, reasonMissing, ""}
	}
	var reason string
	if r.quantity, reason = parseQuantity(quantity); reason != "" {
		return row{}, rejection{columnQuantity, reason, quoteValue(quantity, 0)}
	}
	return r, rejection{}
}

// trimmedField returns the field with this index without blanks around it. It returns nil if there is no such field.
func trimmedField(fields [][]byte, index int) []byte {
	if index < 0 || index >= len(fields) {
		return nil
	}
	return bytes.TrimSpace(fields[index])
}

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
	extraKeys [][]byte // the extra columns' names as JSON, with the colon
	buf       []byte   // the last encoded row
	plain     bool     // no field needs to be escaped
}

func newRowEncoder(h *header) *rowEncoder {
	e := &rowEncoder{header: h}
	for _, column := range h.extra {
		e.extraKeys = append(e.extraKeys, append(appendString(nil, []byte(h.names[column])), ':'))
	}
	return e
}

// appendText appends a field of the row as a JSON string.
func (e *rowEncoder) appendText(b, field []byte) []byte {
	if e.plain {
		return append(append(append(b, '"'), field...), '"')
	}
	return appendString(b, field)
}

// encode returns the row as JSON with a line end, without empty extra columns, and without color if the file has no such column. The
// bytes are valid until the next call. plain is that of the scanner.
func (e *rowEncoder) encode(line int64, r row, fields [][]byte, plain bool) []byte {
	e.plain = plain
	b := e.buf[:0]
	b = append(b, `{"line":`...)
	b = strconv.AppendInt(b, line, 10)
	b = e.appendText(append(b, `,"part":`...), r.part)
	if e.header.color >= 0 {
		b = e.appendText(append(b, `,"color":`...), r.color)
	}
	b = strconv.AppendInt(append(b, `,"quantity":`...), r.quantity, 10)
	separator := `,"extra":{`
	for i, column := range e.header.extra {
		if column >= len(fields) || len(fields[column]) == 0 {
			continue
		}
		b = append(append(b, separator...), e.extraKeys[i]...)
		b = e.appendText(b, fields[column])
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
	for {
		n := indexEscaped(s)
		b = append(b, s[:n]...)
		if n == len(s) {
			return append(b, '"')
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
