package csvimport

// rowReader returns the rows of a file: its records after the header, except blank ones. The plan and the chunks read rows with it, so
// that they count the same rows.
type rowReader struct {
	*scanner

	isRejects bool // the file is a rejected.csv
}

// newRowReader returns a reader of the rows that the scanner scans.
func (h *header) newRowReader(s *scanner) *rowReader {
	if h.isRejects {
		s.maxLength *= rejectedGrowth
	}
	return &rowReader{s, h.isRejects}
}

// next returns the fields of the next row and the line at which it starts, as the scanner does.
func (r *rowReader) next() ([][]byte, int64, error) {
	for {
		fields, line, err := r.scanner.next()
		if err != nil {
			return nil, 0, err
		}
		if isBlankRecord(fields) {
			continue
		}
		if r.isRejects {
			fields = withoutRejectColumns(fields)
		}
		return fields, line, nil
	}
}

// skip does what next does, but returns only the error. It is faster, because it splits few records into fields.
func (r *rowReader) skip() error {
	if r.skipLine() {
		return nil
	}
	_, _, err := r.next()
	return err
}

// isBlankRecord reports whether all fields are blank.
func isBlankRecord(fields [][]byte) bool {
	for _, f := range fields {
		if !isBlank(f) {
			return false
		}
	}
	return true
}

// countBlank returns the number of blank fields.
func countBlank(fields [][]byte) int {
	count := 0
	for _, f := range fields {
		if isBlank(f) {
			count++
		}
	}
	return count
}

// isBlank reports whether the field has white space of ASCII only. The result is the same in each encoding. So the plan, which reads a file
// before it knows the encoding, counts the same rows as the chunks.
func isBlank(field []byte) bool {
	for _, c := range field {
		if !isBlankByte(c) {
			return false
		}
	}
	return true
}

func isBlankByte(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
