package csvimport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// The encodings of a file, as they are called in a [Summary].
const (
	encodingUTF8        = "utf-8"
	encodingUTF16LE     = "utf-16le"
	encodingUTF16BE     = "utf-16be"
	encodingUTF32LE     = "utf-32le"
	encodingUTF32BE     = "utf-32be"
	encodingWindows1252 = "windows-1252"
)

// saveAsUTF8 is how a user mends a file in an encoding that the importer does not read.
const saveAsUTF8 = "; save it as CSV UTF-8"

// utf8Mark is the byte order mark in UTF-8.
const utf8Mark = "\xEF\xBB\xBF"

// byteOrderMarks are the marks that name an encoding. That of UTF-32 begins with that of UTF-16, so it comes first.
var byteOrderMarks = []struct{ mark, encoding string }{
	{utf8Mark, encodingUTF8},
	{"\xFF\xFE\x00\x00", encodingUTF32LE},
	{"\x00\x00\xFE\xFF", encodingUTF32BE},
	{"\xFF\xFE", encodingUTF16LE},
	{"\xFE\xFF", encodingUTF16BE},
}

// encodingOfMark returns the encoding that the file's byte order mark names, or "" if the file has none.
func encodingOfMark(head []byte) string {
	for _, m := range byteOrderMarks {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			return m.encoding
		}
	}
	return ""
}

// decode returns a reader of the text of in as UTF-8. Bytes of UTF-8 stay as they are, even if they are not valid. In UTF-16 and
// UTF-32, each unit that is not valid becomes U+FFFD.
func decode(in io.Reader, encoding string) io.Reader {
	switch encoding {
	case encodingUTF16LE:
		return &unitReader{in: in, size: 2, order: binary.LittleEndian}
	case encodingUTF16BE:
		return &unitReader{in: in, size: 2, order: binary.BigEndian}
	case encodingUTF32LE:
		return &unitReader{in: in, size: 4, order: binary.LittleEndian}
	case encodingUTF32BE:
		return &unitReader{in: in, size: 4, order: binary.BigEndian}
	case encodingWindows1252:
		return transform.NewReader(in, charmap.Windows1252.NewDecoder())
	default:
		return in
	}
}

// encodedLength returns the number of bytes that the file has for text, which decode has returned. Only at the end of a file in UTF-16
// or UTF-32 the file may have fewer bytes, because its last unit is not complete. Of a character that is cut, the first byte counts.
func encodedLength(text []byte, encoding string) int64 {
	var characters, pairs int64 // pairs are the characters that have two units in UTF-16
	if encoding == encodingUTF8 || encoding == "" {
		return int64(len(text))
	}
	for _, c := range text {
		if utf8.RuneStart(c) {
			characters++
		}
		if c >= 0xF0 { // the first of four bytes
			pairs++
		}
	}
	switch encoding {
	case encodingUTF16LE, encodingUTF16BE:
		return 2 * (characters + pairs)
	case encodingUTF32LE, encodingUTF32BE:
		return 4 * characters
	default:
		return characters
	}
}

// maxRecordIn returns the length of the longest record of a file in this encoding, after decode. A byte of Windows-1252 becomes up to
// three bytes.
func maxRecordIn(encoding string) int {
	if encoding == encodingWindows1252 {
		return 3 * maxRecord
	}
	return maxRecord
}

// unitReader decodes UTF-16 or UTF-32. It returns at most some 6 KiB of text per call, so that the text that is read ahead is short.
type unitReader struct {
	in    io.Reader
	size  int // of a unit, in bytes: 2 or 4
	order binary.ByteOrder

	raw      [4 << 10]byte
	rawBytes int    // raw[:rawBytes] is not decoded yet
	text     []byte // is decoded and not returned yet
	memory   []byte // of text
	read     int64  // the bytes that were read from in
	err      error
}

// Read implements io.Reader.
func (r *unitReader) Read(p []byte) (int, error) {
	for empty := 0; len(r.text) == 0; empty++ {
		if r.err != nil {
			return 0, r.err
		}
		if empty == maxEmptyReads {
			return 0, io.ErrNoProgress
		}
		n, err := r.in.Read(r.raw[r.rawBytes:])
		r.rawBytes, r.read, r.err = r.rawBytes+n, r.read+int64(n), err
		r.decode(errors.Is(err, io.EOF))
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}

// decode decodes the whole units of raw into text. At the end of the file, a unit that is not complete becomes U+FFFD.
func (r *unitReader) decode(atEOF bool) {
	text, rest := r.memory[:0], r.raw[:r.rawBytes]
	for len(rest) >= r.size {
		c := r.unit(rest)
		used := r.size
		if r.size == 2 && utf16.IsSurrogate(c) {
			if len(rest) < 4 && !atEOF { // The second unit of a pair may follow.
				break
			}
			pair := rune(utf8.RuneError)
			if len(rest) >= 4 {
				pair = utf16.DecodeRune(c, r.unit(rest[2:]))
			}
			if c = pair; pair != utf8.RuneError {
				used = 4
			}
		}
		text, rest = utf8.AppendRune(text, c), rest[used:]
	}
	if atEOF && len(rest) > 0 {
		text, rest = utf8.AppendRune(text, utf8.RuneError), nil
	}
	r.text, r.memory = text, text
	r.rawBytes = copy(r.raw[:], rest)
}

// unit returns the first unit of raw. A unit of UTF-32 that is no character is returned as one that utf8.AppendRune replaces.
func (r *unitReader) unit(raw []byte) rune {
	if r.size == 2 {
		return rune(r.order.Uint16(raw))
	}
	return rune(r.order.Uint32(raw))
}
