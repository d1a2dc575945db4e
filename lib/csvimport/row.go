package csvimport

import (
	"bytes"
	"fmt"
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
// the header are ignored.
func (h *header) parseRow(fields [][]byte) (row, rejection) {
	for i, f := range fields {
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
}

func newRowEncoder(h *header) *rowEncoder {
	e := &rowEncoder{header: h}
	for _, column := range h.extra {
		e.extraKeys = append(e.extraKeys, append(appendString(nil, []byte(h.names[column])), ':'))
	}
	return e
}

// encode returns the row as JSON with a line end, without empty extra columns, and without color if the file has no such column. The
// bytes are valid until the next call.
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
		if column >= len(fields) || len(fields[column]) == 0 {
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
