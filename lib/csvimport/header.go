package csvimport

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	// firstReadBytes is how many bytes are read first to find the header. The number doubles until the header is complete.
	firstReadBytes = 4 << 10
	// sniffBytes is how many bytes at the start of the file must not contain a zero byte.
	sniffBytes = 1 << 10
	// maxNameShown is the length to which a column name in a message is cut, in bytes.
	maxNameShown = 64
)

// The required columns.
const (
	columnPart     = "part"
	columnColor    = "color"
	columnQuantity = "quantity"
)

// separators are the accepted separators, in order of preference.
var separators = []byte{',', ';', '\t'}

// header is a file's first record, parsed.
type header struct {
	sep   byte
	names []string
	// part, color and quantity are the indexes of these columns in a record. color is -1 if there is no such column. extra has the
	// indexes of the other columns.
	part, color, quantity int
	extra                 []int
	encoding              string   // of the file
	notes                 []string // for the user, about how the header was read
	line                  int64    // the physical line of the header
	bytes                 int64    // the offset at which the first row starts
	nextLine              int64    // the physical line at which the first row starts
}

// readHeader reads the header from the start of in. It also returns a reader of everything after the header.
func readHeader(in io.Reader) (*header, io.Reader, error) {
	var head []byte
	for size := firstReadBytes; ; size *= 2 {
		more := make([]byte, size-len(head))
		n, err := io.ReadFull(in, more)
		head = append(head, more[:n]...)
		atEOF := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !atEOF {
			return nil, nil, err //nolint:wrapcheck // the caller knows what it reads
		}
		if size == firstReadBytes {
			if err := sniffText(head); err != nil {
				return nil, nil, err
			}
		}
		h, err := parseHeader(head, atEOF)
		if err != nil {
			return nil, nil, err
		}
		if h != nil {
			return h, io.MultiReader(bytes.NewReader(head[h.bytes:]), in), nil
		}
	}
}

// sniffText returns an *InvalidFile if the file is empty or starts with UTF-16 or binary data.
func sniffText(head []byte) error {
	start := head[:min(len(head), sniffBytes)]
	switch {
	case len(head) == 0:
		return &InvalidFile{Reason: "The file is empty"}
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}), bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return &InvalidFile{Reason: "This is not a CSV file in UTF-8 but in UTF-16; save it as CSV UTF-8"}
	case bytes.IndexByte(start, 0) >= 0:
		return &InvalidFile{Reason: "This is not a CSV file: it holds binary data"}
	default:
		return nil
	}
}

// parseHeader parses the header at the start of head with the first separator that finds all three required columns, otherwise
// with the separator that finds most. It returns nil if head ends too early to decide. atEOF is true if head is the whole file.
func parseHeader(head []byte, atEOF bool) (*header, error) {
	var best *header
	var lastErr error
	// More bytes cannot change the result if there are none, or if head has more bytes than a scanner reads for one record.
	complete := atEOF || len(head) > maxRecord+firstReadBytes
	truncated := false
	for _, sep := range separators {
		h, err := parseHeaderWith(sep, head)
		switch {
		case !complete && (err != nil || h.bytes == int64(len(head))): // The header may continue after head.
			truncated = true
		case err != nil:
			lastErr = err
		case h.requiredFound() == len(h.requiredColumns()):
			return h, h.validate()
		case h.betterThan(best):
			best = h
		}
	}
	switch {
	case truncated:
		return nil, nil
	case best != nil && (best.requiredFound() > 0 || lastErr == nil):
		return best, best.validate()
	case errors.Is(lastErr, io.EOF):
		return nil, &InvalidFile{Reason: "The file is empty"}
	default:
		return nil, lastErr
	}
}

// betterThan reports whether h has more required columns than other, or as many and more columns. other may be nil.
func (h *header) betterThan(other *header) bool {
	if other == nil {
		return true
	}
	return cmp.Or(cmp.Compare(h.requiredFound(), other.requiredFound()), cmp.Compare(len(h.names), len(other.names))) > 0
}

// parseHeaderWith parses the first record of head with the separator.
func parseHeaderWith(sep byte, head []byte) (*header, error) {
	skip := 0 // the length of the byte order mark
	if bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")) {
		skip = len("\xEF\xBB\xBF")
	}
	s := newScanner(bytes.NewReader(head[skip:]), sep, int64(skip), 1)
	s.maxLength, s.kind = MaxHeader, "header"
	fields, line, err := s.next()
	if err != nil {
		return nil, err
	}
	h := &header{sep: sep, encoding: "utf-8", part: -1, color: -1, quantity: -1, line: line, bytes: s.offset, nextLine: s.line}
	for i, f := range fields {
		name := string(bytes.TrimSpace(f))
		if name == "" { // Spreadsheets write columns without a name.
			name = fmt.Sprintf("column %d", i+1)
		}
		h.names = append(h.names, name)
		if index := h.requiredIndex(name); index != nil && *index < 0 {
			*index = i
		} else {
			h.extra = append(h.extra, i)
		}
	}
	return h, nil
}

// requiredColumn is the name of a required column and the field of a header that holds its index, which is -1 until the
// column is found.
type requiredColumn struct {
	name  string
	index *int
}

// requiredColumns returns the required columns of h.
func (h *header) requiredColumns() [3]requiredColumn {
	return [...]requiredColumn{{columnPart, &h.part}, {columnColor, &h.color}, {columnQuantity, &h.quantity}}
}

// columns returns the names that the file has for part, color and quantity.
func (h *header) columns() map[string]string {
	names := map[string]string{}
	for _, column := range h.requiredColumns() {
		if *column.index >= 0 {
			names[column.name] = h.names[*column.index]
		}
	}
	return names
}

// requiredIndex returns the field of h that holds the index of the required column with this name. The case of the name does not
// matter. It returns nil for the name of any other column.
func (h *header) requiredIndex(name string) *int {
	name = strings.ToLower(name)
	for _, column := range h.requiredColumns() {
		if column.name == name {
			return column.index
		}
	}
	return nil
}

// requiredFound returns the number of required columns that the header has.
func (h *header) requiredFound() int { return len(h.names) - len(h.extra) }

// validate returns an *InvalidFile unless the names are text and unique and include the required ones.
func (h *header) validate() error {
	for _, name := range h.names {
		if !utf8.ValidString(name) || strings.ContainsFunc(name, isBinary) {
			return &InvalidFile{Reason: "This is not a CSV file: its first line is not text in UTF-8"}
		}
	}
	if len(h.names) > MaxColumns {
		return h.invalid(fmt.Sprintf("the header has more than %d columns", MaxColumns))
	}
	if h.requiredFound() == 0 {
		return h.invalid("there is no header; the first line must name the columns part, color and quantity")
	}
	seen := map[string]bool{}
	for _, name := range h.names {
		key := strings.ToLower(name)
		if seen[key] {
			return h.invalid(fmt.Sprintf("the column %q appears twice", truncateName(name)))
		}
		seen[key] = true
	}
	var missing []string
	for _, column := range h.requiredColumns() {
		if *column.index < 0 {
			missing = append(missing, column.name)
		}
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return h.invalid("the column " + missing[0] + " is missing")
	default:
		return h.invalid("the columns " + strings.Join(missing, " and ") + " are missing")
	}
}

// invalid returns an *InvalidFile about the line of the header.
func (h *header) invalid(reason string) error { return &InvalidFile{Line: h.line, Reason: reason} }

// isBinary reports whether r is a control character other than a tab or a line end.
func isBinary(r rune) bool { return r < ' ' && r != '\t' && r != '\r' && r != '\n' }

// truncateName limits a column name from the file to maxNameShown bytes.
func truncateName(name string) string {
	if len(name) > maxNameShown {
		name = strings.ToValidUTF8(name[:maxNameShown], "") + "…"
	}
	return name
}
