package csvimport

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
)

// rejectColumns are the columns that rejected.csv has before the columns of the file.
var rejectColumns = [...]string{"line", "column", "reason"}

// rejectsNote is the note in the summary of such a file's import.
const rejectsNote = "The file is a rejected.csv: its first columns line, column and reason were not read, and an apostrophe before a formula was removed"

// detailSeparator stands between the reason of a rejected row and the detail, such as the value. No reason contains it.
const detailSeparator = ": "

// rejectFields returns the fields of a record's line in rejected.csv: line, column and reason, then the record's fields. It uses the
// memory of dst.
func rejectFields(dst []string, line int64, rejected *rejection, fields [][]byte) []string {
	reason := rejected.reason
	if rejected.detail != "" {
		reason += detailSeparator + rejected.detail
	}
	dst = append(dst[:0], strconv.FormatInt(line, 10), escapeFormula(rejected.column), reason)
	for _, f := range fields {
		dst = append(dst, escapeFormula(string(f)))
	}
	return dst
}

// RejectedRow is a row of rejected.csv, without the row's fields.
type RejectedRow struct {
	// Line is the physical line of the file, from 1, at which the row starts.
	Line int64
	// Column is empty if the reason is about the whole row.
	Column string
	// Reason has the value after it, if there is one to show.
	Reason string
}

// ReadRejected returns the first rejected rows of an import, at most limit of them.
func ReadRejected(ctx context.Context, store Store, s Summary, limit int) ([]RejectedRow, error) {
	body, err := store.Get(ctx, Object{Key: s.Prefix + s.Rejects}, 0, toEnd)
	if err != nil {
		return nil, &StoreError{Op: "read rejects", Err: err}
	}
	defer closeBody(body)
	table := csv.NewReader(body)
	table.FieldsPerRecord = -1 // The number of fields may vary.
	table.ReuseRecord = true
	var rows []RejectedRow
	for isHeader := true; len(rows) < limit; isHeader = false {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, &StoreError{Op: "read rejects", Err: err}
		}
		if isHeader {
			continue
		}
		line, err := strconv.ParseInt(record[0], 10, 64)
		if err != nil {
			return nil, &StoreError{Op: "read rejects", Err: err}
		}
		rows = append(rows, RejectedRow{Line: line, Column: string(unescapeFormula([]byte(record[1]))), Reason: record[2]})
	}
	return rows, nil
}

// parseReject returns the rejection in a line of rejected.csv, without its detail.
func parseReject(record []string) rejection {
	reason, _, _ := strings.Cut(record[2], detailSeparator)
	return rejection{column: string(unescapeFormula([]byte(record[1]))), reason: reason}
}

// escapeFormula puts an apostrophe before a cell that a spreadsheet would run as a formula
// (https://owasp.org/www-community/attacks/CSV_Injection), and before a cell that looks like the result. So unescapeFormula can restore
// every cell.
func escapeFormula(cell string) string {
	if isFormula(strings.TrimLeft(cell, "'")) {
		return "'" + cell
	}
	return cell
}

// unescapeFormula returns the cell from which escapeFormula made this one.
func unescapeFormula(cell []byte) []byte {
	if len(cell) > 0 && cell[0] == '\'' && isFormula(string(bytes.TrimLeft(cell, "'"))) {
		return cell[1:]
	}
	return cell
}

// isFormula reports whether a spreadsheet would run the cell as a formula.
func isFormula(cell string) bool { return cell != "" && strings.IndexByte("=+-@\t\r\n", cell[0]) >= 0 }

// hasRejectColumns reports whether a header with these names is that of a rejected.csv.
func hasRejectColumns(names [][]byte) bool {
	if len(names) < len(rejectColumns) {
		return false
	}
	for i, name := range rejectColumns {
		if string(bytes.TrimSpace(names[i])) != name {
			return false
		}
	}
	return true
}

// withoutRejectColumns returns the file's own fields of a record in rejected.csv, as they were in the file.
func withoutRejectColumns(record [][]byte) [][]byte {
	own := record[min(len(rejectColumns), len(record)):]
	for i := range own {
		own[i] = unescapeFormula(own[i])
	}
	return own
}
