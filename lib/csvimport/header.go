package csvimport

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// firstReadBytes is how many bytes are read first to find the header. The number doubles until the header is complete.
	firstReadBytes = 4 << 10
	// maxHeadBytes bounds the bytes that are read to find the header.
	maxHeadBytes = 1 << 20
	// sniffBytes is how many bytes at the start of the file decide whether it is text.
	sniffBytes = 1 << 10
)

// separators are the separators that a file may have without naming its separator, in order of preference.
var separators = []byte{',', ';', '\t', '|'}

// header is the record that names a file's columns, parsed.
type header struct {
	sep byte
	// names are the names of the columns, each a different one in any case.
	names []string
	// part, color and quantity are the indexes of these columns in a record. color is -1 if there is no such column. extra has the
	// indexes of the other columns.
	part, color, quantity int
	extra                 []int
	encoding              string      // of the file
	notes                 []string    // for the user, about how the header was read
	titles                []title     // the records before the header
	isRejects             bool        // the file is a rejected.csv; names does not have the rejectColumns
	strayQuotes           StrayQuotes // up to the end of the header
	line                  int64       // the physical line of the header
	bytes                 int64       // the offset at which the first row starts, in the text that was parsed
	nextLine              int64       // the physical line at which the first row starts
}

// parseHeader finds the header at the start of the file's text. Of the separators it takes the one with which the most columns are
// found, see columnNames. It returns nil if head ends too early to decide. complete is true if more bytes cannot change the result.
func parseHeader(head []byte, complete bool) (*header, error) {
	start := marksLength(head) // Some programs write two of them.
	sep, size := separatorLine(head[start:])
	size += marksLength(head[start+size:]) // A program that puts the separator line before a file leaves the file's mark behind it.
	candidates, firstLine := separators, int64(1)
	if size > 0 {
		firstLine = 2
	}
	if sep != 0 {
		candidates = []byte{sep}
	}
	h, err := bestHeader(head, start+size, firstLine, candidates, complete)
	if h == nil {
		return nil, err
	}
	return h, h.finish()
}

// marksLength returns the length of the byte order marks at the start of the text.
func marksLength(text []byte) int {
	return len(text) - len(bytes.TrimLeft(text, string(byteOrderMark)))
}

// bestHeader returns the header with which the most columns are found, of those that the candidates for the separator give. The other
// parameters are those of findHeader and parseHeader. It returns nil without an error if head ends too early to decide.
func bestHeader(head []byte, start int, firstLine int64, candidates []byte, complete bool) (*header, error) {
	var best *header
	var lastErr error
	truncated := false
	for _, sep := range candidates {
		h, ended, err := findHeader(head, start, firstLine, sep)
		if ended && !complete { // The header may stand, or continue, after head.
			truncated = true
			continue
		}
		if h == nil {
			lastErr = err
			continue
		}
		if h.color >= 0 && h.complete() {
			return h, nil
		}
		if h.betterThan(best) {
			best = h
		}
	}
	switch {
	case truncated:
		return nil, nil
	case best != nil && (best.columnsFound() > 0 || lastErr == nil):
		return best, nil
	case errors.Is(lastErr, io.EOF):
		return nil, &InvalidFile{Reason: "The file is empty"}
	default:
		return nil, lastErr
	}
}

// separatorLine returns the separator that the first line names, as Excel does ("sep=;"), and the length of this line with its end.
// The separator is 0 if the line names none. The length is 0 if the first line is any other, or does not end in head.
func separatorLine(head []byte) (byte, int) {
	const longest = len(`"sep=\t"`)
	end := bytes.IndexAny(head[:min(len(head), longest+1)], "\r\n")
	if end < 0 {
		return 0, 0
	}
	line := strings.Trim(string(head[:end]), `"`)
	size := end + 1
	if bytes.HasPrefix(head[end:], []byte("\r\n")) {
		size++
	}
	name, sep, ok := strings.Cut(line, "=")
	switch {
	case !ok || !strings.EqualFold(name, "sep"):
		return 0, 0
	case sep == "":
		return 0, size
	case sep == `\t`:
		return '\t', size
	case len(sep) == 1 && sep[0] < utf8.RuneSelf && foldName(sep) == "":
		return sep[0], size
	default:
		return 0, 0
	}
}

// findHeader finds the header in head[start:], whose first line has the number firstLine. The header is the first record that names all
// required columns, at most [message.MaxTitleLines] after the first record. If there is none, it is the record that names most of them, and of
// equal ones the one with most fields. If there is no record at all, the error says why. ended is true if the end of head, or an error
// there, came before the result was clear.
func findHeader(head []byte, start int, firstLine int64, sep byte) (best *header, ended bool, err error) {
	s := newScanner(bytes.NewReader(head[start:]), sep, int64(start), firstLine)
	s.maxLength, s.kind = MaxHeader, "header"
	var titles []title
	for {
		fields, line, err := s.next()
		if err != nil {
			return best, true, err
		}
		if len(titles) > 0 && line > titles[0].line+message.MaxTitleLines {
			return best, false, nil
		}
		if isBlankRecord(fields) {
			continue
		}
		h := newHeader(sep, fields)
		h.line, h.bytes, h.nextLine, h.strayQuotes = line, s.offset, s.line, s.strayQuotes
		if h.complete() {
			h.titles = titles
			return h, s.offset == int64(len(head)), nil
		}
		if h.betterThan(best) {
			best = h
		}
		titles = append(titles, newTitle(line, fields))
	}
}

// title is a record before the header.
type title struct {
	line   int64
	fields [][]byte
}

// newTitle returns a title with a copy of the fields.
func newTitle(line int64, fields [][]byte) title {
	t := title{line: line}
	for _, f := range fields {
		t.fields = append(t.fields, bytes.Clone(f))
	}
	return t
}

// newHeader finds the known columns among the fields of a record.
func newHeader(sep byte, fields [][]byte) *header {
	h := &header{sep: sep, encoding: encodingUTF8, isRejects: hasRejectColumns(fields)}
	if h.isRejects {
		fields = withoutRejectColumns(fields)
		h.note(rejectsNote)
	}
	folded := make([]string, 0, len(fields))
	for _, f := range fields {
		name := cleanName(string(f))
		h.names, folded = append(h.names, name), append(folded, foldName(name))
	}
	h.part, h.color, h.quantity = findColumn(columnPart, folded), findColumn(columnColor, folded), findColumn(columnQuantity, folded)
	for i := range h.names {
		if i != h.part && i != h.color && i != h.quantity {
			h.extra = append(h.extra, i)
		}
	}
	return h
}

// complete reports whether the header has all required columns.
func (h *header) complete() bool { return h.part >= 0 && h.quantity >= 0 }

// columnsFound returns the number of known columns that the header has.
func (h *header) columnsFound() int { return len(h.names) - len(h.extra) }

// betterThan reports whether h has more known columns than other, or as many and more columns, without unnamed ones at the end. other may
// be nil.
func (h *header) betterThan(other *header) bool {
	if other == nil {
		return true
	}
	return cmp.Or(cmp.Compare(h.columnsFound(), other.columnsFound()), cmp.Compare(h.width(), other.width())) > 0
}

// width returns the number of columns up to the last one that has a name.
func (h *header) width() int {
	width := len(h.names)
	for width > 0 && h.names[width-1] == "" {
		width--
	}
	return width
}

// knownColumn is a known column and its index in a record, which is -1 if the file does not have it.
type knownColumn struct {
	name  string
	index int
}

// knownColumns returns the known columns of h.
func (h *header) knownColumns() [3]knownColumn {
	return [...]knownColumn{{columnPart, h.part}, {columnColor, h.color}, {columnQuantity, h.quantity}}
}

// columns returns the names that the file has for the known columns.
func (h *header) columns() map[string]string {
	names := map[string]string{}
	for _, column := range h.knownColumns() {
		if column.index >= 0 {
			names[column.name] = h.names[column.index]
		}
	}
	return names
}

// finish returns an *InvalidFile unless the names are text and include the required ones. It makes the names unique and notes what the
// user should know.
func (h *header) finish() error {
	if len(h.names) > MaxColumns {
		return h.invalid(fmt.Sprintf("the header has more than %d columns", MaxColumns))
	}
	if !h.complete() {
		return h.missing()
	}
	for _, name := range h.names {
		if !utf8.ValidString(name) {
			return h.invalid("the header is not text in UTF-8" + saveAsUTF8)
		}
	}
	if err := h.checkTitles(); err != nil {
		return err
	}
	for _, column := range h.knownColumns() {
		switch {
		case column.index < 0:
			h.note("There is no column for the " + column.name)
		case !strings.EqualFold(h.names[column.index], column.name):
			h.note(truncateName(h.names[column.index]) + " was read as " + column.name)
		}
	}
	h.makeUnique()
	return nil
}

// checkTitles notes that lines were skipped. The error is an *InvalidFile if one of them is a row, because a row must not be lost. A row has
// as many fields as the header, and at most half of them are blank: so "Component Count:,42,,,," is a title, as spreadsheets save it.
func (h *header) checkTitles() error {
	for _, t := range h.titles {
		if len(t.fields) != len(h.names) || 2*countBlank(t.fields) > len(t.fields) {
			continue
		}
		if h.parseRow(&row{}, t.fields, false) == nil {
			return &InvalidFile{Line: t.line, Reason: fmt.Sprintf("a row stands before the header, which is in line %d; move the header up", h.line)}
		}
	}
	if len(h.titles) > 0 {
		h.note(fmt.Sprintf("The header is in line %d; the lines before it were skipped", h.line))
	}
	return nil
}

// missing returns the error of a header without a required column: what is missing, what was found, and how to mend it.
func (h *header) missing() error {
	var missing, quoted []string
	for _, column := range h.knownColumns() {
		if column.index < 0 && column.name != columnColor {
			missing, quoted = append(missing, column.name), append(quoted, `"`+column.name+`"`)
		}
	}
	found := ". The columns found are " + listNames(h.names) + ". "
	switch {
	case h.columnsFound() == 0:
		return h.invalid("there is no header with the columns part and quantity" + found + "Put a line such as part,color,quantity before the rows")
	case len(missing) == 1:
		return h.invalid("the column " + missing[0] + " is missing" + found + "Name the column that holds it " + quoted[0])
	default:
		return h.invalid("the columns " + strings.Join(missing, " and ") + " are missing" + found + "Name the columns that hold them " + strings.Join(quoted, " and "))
	}
}

// invalid returns an *InvalidFile about the line of the header.
func (h *header) invalid(reason string) error { return &InvalidFile{Line: h.line, Reason: reason} }
