package csvimport

import (
	"encoding/binary"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/message"
)

// byteOrderMark is U+FEFF. At the start of a file it belongs to the encoding; anywhere else it is invisible and a mistake.
const byteOrderMark = '\uFEFF'

// checkText returns the reason for which the field is no text, and where in the field it applies. The reason is empty if the field is
// text: valid UTF-8 without control characters other than tabs and line ends, and without byte order marks.
func checkText(field []byte) (string, int) {
	if isPlain(field) {
		return "", 0
	}
	for i := 0; i < len(field); {
		r, size := utf8.DecodeRune(field[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return reasonUTF8, i
		case isInvisible(r):
			return reasonControl, i
		}
		i += size
	}
	return "", 0
}

// isInvisible reports whether nobody sees the character: a byte order mark, or a control character other than tabs and line ends.
func isInvisible(r rune) bool {
	return r == byteOrderMark || unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r'
}

// isPlain reports whether the field has printable ASCII characters only. It looks at eight bytes at once.
func isPlain(field []byte) bool {
	for len(field) >= word {
		if unprintableBytes(binary.LittleEndian.Uint64(field)) != 0 {
			return false
		}
		field = field[word:]
	}
	for _, c := range field {
		if c < ' ' || c >= 0x7F {
			return false
		}
	}
	return true
}

// quoteValue returns at most [message.MaxShown] bytes of a value from the file, in quotes, in one line and without control characters. The
// byte at the index is among them. An ellipsis stands for what is cut.
func quoteValue(value []byte, index int) string {
	from, to := 0, len(value)
	before, after := "", ""
	if to > message.MaxShown {
		if index >= message.MaxShown/2 {
			from = min(index-message.MaxShown/2, to-message.MaxShown)
		}
		to = from + message.MaxShown
		for from > 0 && from < index && !utf8.RuneStart(value[from]) {
			from++
		}
		for to < len(value) && to > index+1 && !utf8.RuneStart(value[to]) {
			to--
		}
		if from > 0 {
			before = "…"
		}
		if to < len(value) {
			after = "…"
		}
	}
	return before + strconv.Quote(string(value[from:to])) + after
}
