package csvimport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	// headBytes is how much of a file is first read to find its header; it doubles until the header is whole.
	headBytes = 4 << 10
	// textBytes is how much of a file's start must look like text.
	textBytes = 1 << 10
	// maxShown bounds a column name in a message, in bytes.
	maxShown = 64
)

// The columns that every parts list has.
const (
	columnPart     = "part"
	columnColor    = "color"
	columnQuantity = "quantity"
)

// separators in the order in which they are preferred.
var separators = []byte{',', ';', '\t'}

// header is a file's first record and what follows from it.
type header struct {
	sep   byte
	names []string
	// part, color and quantity are places in a record, extra those of the other columns.
	part, color, quantity int
	extra                 []int
	line                  int64 // the physical line of the header
	// bytes and nextLine say where what follows the header starts.
	bytes, nextLine int64
}

// readHeader reads the header from the start of in. It returns with it a reader of all that follows.
func readHeader(in io.Reader) (*header, io.Reader, error) {
	var head []byte
	for size := headBytes; ; size *= 2 {
		more := make([]byte, size-len(head))
		n, err := io.ReadFull(in, more)
		head = append(head, more[:n]...)
		whole := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !whole {
			return nil, nil, err //nolint:wrapcheck // the caller knows what it reads
		}
		if size == headBytes {
			if err := text(head); err != nil {
				return nil, nil, err
			}
		}
		h, err := parseHeader(head, whole)
		if err != nil {
			return nil, nil, err
		}
		if h != nil {
			return h, io.MultiReader(bytes.NewReader(head[h.bytes:]), in), nil
		}
	}
}

// text refuses a file that is empty, or whose start cannot be that of a text in UTF-8.
func text(head []byte) error {
	start := head[:min(len(head), textBytes)]
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

// parseHeader returns the header that head starts with: under the first separator that finds all three columns, else
// under the one that finds most. It returns nil where head ends too soon to tell; whole says that head is all there is.
func parseHeader(head []byte, whole bool) (*header, error) {
	var best *header
	var bad error
	cut, enough := false, whole || len(head) > maxRecord+headBytes
	for _, sep := range separators {
		h, err := headerUnder(sep, head)
		switch {
		case !enough && (err != nil || h.bytes == int64(len(head))):
			cut = true
		case err != nil:
			bad = err
		case h.found() == len(h.required()):
			return h, h.check()
		case h.better(best):
			best = h
		}
	}
	switch {
	case cut:
		return nil, nil
	case best != nil && (best.found() > 0 || bad == nil):
		return best, best.check()
	case errors.Is(bad, io.EOF):
		return nil, &InvalidFile{Reason: "The file is empty"}
	default:
		return nil, bad
	}
}

// better reports whether h is more likely than other, which may be nil, to be what was meant.
func (h *header) better(other *header) bool {
	return other == nil || h.found() > other.found() || h.found() == other.found() && len(h.names) > len(other.names)
}

// headerUnder reads the first record of head with the separator.
func headerUnder(sep byte, head []byte) (*header, error) {
	skip := 0
	if bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")) {
		skip = len("\xEF\xBB\xBF")
	}
	s := newScanner(bytes.NewReader(head[skip:]), sep, int64(skip), 1)
	s.max, s.kind = MaxHeader, "header"
	fields, line, err := s.next()
	if err != nil {
		return nil, err
	}
	h := &header{sep: sep, part: -1, color: -1, quantity: -1, line: line, bytes: s.offset, nextLine: s.line}
	for i, f := range fields {
		name := string(bytes.TrimSpace(f))
		if name == "" { // spreadsheets write columns without a name
			name = fmt.Sprintf("column %d", i+1)
		}
		h.names = append(h.names, name)
		if place := h.required()[strings.ToLower(name)]; place != nil && *place < 0 {
			*place = i
		} else {
			h.extra = append(h.extra, i)
		}
	}

	return h, nil
}

// required returns where the places of the columns are kept that must be there.
func (h *header) required() map[string]*int {
	return map[string]*int{columnPart: &h.part, columnColor: &h.color, columnQuantity: &h.quantity}
}

// found returns how many of the required columns there are.
func (h *header) found() int { return len(h.names) - len(h.extra) }

// check returns an *InvalidFile unless the names are text, each there once, the required ones among them.
func (h *header) check() error {
	for _, name := range h.names {
		if !utf8.ValidString(name) || strings.ContainsFunc(name, isBinary) {
			return &InvalidFile{Reason: "This is not a CSV file: its first line is not text in UTF-8"}
		}
	}
	if len(h.names) > MaxColumns {
		return h.invalid(fmt.Sprintf("the header has more than %d columns", MaxColumns))
	}
	if h.found() == 0 {
		return h.invalid("there is no header; the first line must name the columns part, color and quantity")
	}
	seen := map[string]bool{}
	for _, name := range h.names {
		key := strings.ToLower(name)
		if seen[key] {
			return h.invalid(fmt.Sprintf("the column %q appears twice", clip(name)))
		}
		seen[key] = true
	}
	var missing []string
	for _, name := range []string{columnPart, columnColor, columnQuantity} {
		if !seen[name] {
			missing = append(missing, name)
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

func (h *header) invalid(reason string) error { return &InvalidFile{Line: h.line, Reason: reason} }

// isBinary reports whether r is a control character that no text holds.
func isBinary(r rune) bool { return r < ' ' && r != '\t' && r != '\r' && r != '\n' }

// clip bounds a name that a stranger chose.
func clip(name string) string {
	if len(name) > maxShown {
		name = strings.ToValidUTF8(name[:maxShown], "") + "…"
	}
	return name
}
