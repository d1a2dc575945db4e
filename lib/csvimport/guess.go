package csvimport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// encodingGuess collects what decides between UTF-8, Windows-1252 and other encodings in a file without a byte order mark. The
// whole file decides, because its first byte that is not ASCII may stand anywhere.
type encodingGuess struct {
	valid   int64 // the bytes of characters of UTF-8 beyond ASCII, without their first bytes
	invalid int64 // the bytes that are not UTF-8
	odd     int64 // those of them that are unlikely in text in Windows-1252
	foreign bool  // there is one that Windows-1252 does not have

	split     [utf8.UTFMax]byte // the beginning of a character that continues in the next block
	splitSize int
}

// errForeign is the error of a file that is neither UTF-8 nor Windows-1252.
var errForeign = &InvalidFile{Reason: "The file is neither UTF-8 nor Windows-1252" + saveAsUTF8}

// encoding returns the encoding of the bytes so far. The error is errForeign.
//
//   - If all of them are UTF-8, or if more of them are UTF-8 than not, it is UTF-8. Rows that are not UTF-8 are rejected.
//   - If there is a byte that Windows-1252 does not have, or if a quarter of the bytes beyond ASCII are unlikely in Windows-1252, it is
//     another encoding.
//   - Otherwise it is Windows-1252.
func (g *encodingGuess) encoding() (string, error) {
	switch {
	case g.invalid == 0 || g.valid > g.invalid:
		return encodingUTF8, nil
	case g.foreign, 4*g.odd >= g.invalid:
		return "", errForeign
	default:
		return encodingWindows1252, nil
	}
}

// end adds the end of the file.
func (g *encodingGuess) end() {
	g.addInvalid(g.split[:g.splitSize], 0, g.splitSize)
	g.splitSize = 0
}

// add adds the next block of the file.
func (g *encodingGuess) add(block []byte) {
	for g.splitSize > 0 { // at most four times
		if split := g.split[:g.splitSize]; utf8.FullRune(split) {
			r, size := utf8.DecodeRune(split)
			if r == utf8.RuneError && size == 1 {
				g.addInvalid(split, 0, 1)
			}
			g.valid += int64(size - 1)
			g.splitSize = copy(g.split[:], split[size:])
			continue
		}
		if len(block) == 0 {
			return
		}
		g.split[g.splitSize] = block[0]
		g.splitSize++
		block = block[1:]
	}
	if isASCII(block) {
		return
	}
	for n := 1; n < utf8.UTFMax && n <= len(block); n++ {
		if last := block[len(block)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				g.splitSize = copy(g.split[:], last)
				block = block[:len(block)-n]
			}
			break
		}
	}
	if utf8.Valid(block) {
		g.valid += int64(len(block) - utf8.RuneCount(block))
		return
	}
	g.addMixed(block)
}

// isASCII reports whether the block has only bytes of ASCII.
func isASCII(block []byte) bool {
	const high = 0x8080808080808080
	for len(block) >= 32 {
		if (binary.LittleEndian.Uint64(block)|binary.LittleEndian.Uint64(block[8:])|
			binary.LittleEndian.Uint64(block[16:])|binary.LittleEndian.Uint64(block[24:]))&high != 0 {
			return false
		}
		block = block[32:]
	}
	for _, c := range block {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// addMixed adds a block that is not valid UTF-8. A run is a sequence of bytes that are not UTF-8.
func (g *encodingGuess) addMixed(block []byte) {
	for i := 0; i < len(block); {
		if block[i] < utf8.RuneSelf {
			i++
			continue
		}
		from := i
		for i < len(block) && block[i] >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(block[i:])
			if r != utf8.RuneError || size > 1 {
				g.valid += int64(size - 1)
				if from == i {
					i += size
					from = i
					continue
				}
				break
			}
			i++
		}
		if i > from {
			g.addInvalid(block, from, i)
		}
	}
}

const (
	// undefined1252 are the bytes that Windows-1252 does not have.
	undefined1252 = "\x81\x8D\x8F\x90\x9D"
	// besideNoLetter are signs of Windows-1252 that do not stand beside a letter.
	besideNoLetter = "ƒˆ˜†‡‰¤¦¨¬¯¶¸¢¥"
	// withinWords are signs of Windows-1252 that may stand between two letters.
	withinWords = "‘’´·®™©×–—…\u00a0\u00ad"
	// frequentLetters are the letters that Western languages use most, so that a run of them is likely.
	frequentLetters = "ÄÖÜäöüßéèêëàâîïôûùçáíóúñåæøÅÆØÉÈÀÇÑ"
)

// byteClass says what a byte is in Windows-1252.
type byteClass struct {
	letter, upper, lower, frequent bool
	undefined, lonely, ordinal     bool // lonely: one of besideNoLetter
	opens, closes                  bool // a sign that stands before a word, or after it
	sign                           bool // any sign that does not stand within a word, but lonely ones
}

// classes1252 has the class of each byte.
var classes1252 = func() [256]byteClass {
	var all [256]byteClass
	for i := range all {
		r := charmap.Windows1252.DecodeByte(byte(i))
		c := byteClass{
			letter: unicode.IsLetter(r), upper: unicode.IsUpper(r), lower: unicode.IsLower(r), frequent: strings.ContainsRune(frequentLetters, r),
			undefined: strings.IndexByte(undefined1252, byte(i)) >= 0, lonely: strings.ContainsRune(besideNoLetter, r),
			ordinal: r == 'ª' || r == 'º', opens: strings.ContainsRune("«‹¿¡", r), closes: strings.ContainsRune("»›", r),
		}
		c.sign = !c.letter && !c.lonely && !strings.ContainsRune(withinWords, r)
		all[i] = c
	}
	return all
}()

// addInvalid adds the run block[from:to], and counts its odd bytes: letters and signs that no Western text has in this place.
func (g *encodingGuess) addInvalid(block []byte, from, to int) {
	if from == to {
		return
	}
	size := int64(to - from)
	var odd int64
	for i := from; i < to; i++ {
		c, before, after := &classes1252[block[i]], classAt(block, i-1), classAt(block, i+1)
		g.foreign = g.foreign || c.undefined
		if c.oddBetween(before, after) {
			odd++
		} else if c.sign && (i > from && c.oddAfter(before) || i+1 < to && c.oddBefore(after)) {
			odd += 2 // the sign, and the letter beyond ASCII
		}
	}
	if isOddWord(block, from, to) {
		odd = size
	}
	g.invalid += size
	g.odd += min(odd, size)
}

// isOddWord reports whether the run is three letters or more, or a word of two, of which one is not frequent.
func isOddWord(block []byte, from, to int) bool {
	frequent := true
	for _, b := range block[from:to] {
		if !classes1252[b].letter {
			return false
		}
		frequent = frequent && classes1252[b].frequent
	}
	alone := !classAt(block, from-1).letter && !classAt(block, to).letter
	return !frequent && (to-from > 2 || to-from == 2 && alone)
}

// oddAfter and oddBefore report whether a sign is unlikely beside a letter beyond ASCII: unless it closes or opens a word.
func (c *byteClass) oddAfter(before *byteClass) bool { return before.letter && !c.closes }
func (c *byteClass) oddBefore(after *byteClass) bool { return after.letter && !c.opens }

// oddBetween reports whether the byte is unlikely between these two.
func (c *byteClass) oddBetween(before, after *byteClass) bool {
	switch {
	case c.lonely:
		return before.letter || after.letter
	case c.ordinal:
		return after.letter
	case c.sign:
		return before.letter && after.letter
	default: // A capital after a small letter, or a rare one between a capital and a small letter.
		return c.upper && (before.lower || before.upper && after.lower && !c.frequent)
	}
}

// classAt returns the class of the byte at index i of the block, or of a blank beyond the ends of the block.
func classAt(block []byte, i int) *byteClass {
	if i < 0 || i >= len(block) {
		return &classes1252[' ']
	}
	return &classes1252[block[i]]
}

// guessReader adds what it reads to a guess. Each Read fills p, except at the end of the file: so the blocks, and with them the guess,
// depend on the file only.
type guessReader struct {
	in    io.Reader
	guess *encodingGuess
}

// Read implements io.Reader.
func (r *guessReader) Read(p []byte) (int, error) {
	n, err := io.ReadFull(r.in, p)
	r.guess.add(p[:n])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// sniffText returns an *InvalidFile if the file starts with binary data, or with UTF-16 or UTF-32 without a byte order mark: these
// have many zero bytes.
func sniffText(head []byte) error {
	start := head[:min(len(head), sniffBytes)]
	text := bytes.TrimRight(start, "\x00") // A program that crashed may have left zeros at the end. They are a row that is rejected.
	switch zeros := bytes.Count(text, []byte{0}); {
	case encodingOfMark(head) != "":
		return nil
	case len(text) == 0, zeros > 0 && zeros*minZeroShare >= len(text), hasBinaryMagic(start):
		return errBinary
	default:
		return nil
	}
}

// errBinary is the error of a file that is not text.
var errBinary = &InvalidFile{Reason: "This is not a CSV file: it holds binary data, or is UTF-16 without a byte order mark" + saveAsUTF8}

// minZeroShare: in UTF-16 at least one of this many bytes is zero.
const minZeroShare = 5

// hasBinaryMagic reports whether the file starts as an archive, a workbook of Excel, a PDF or an image does.
func hasBinaryMagic(head []byte) bool {
	for _, magic := range []string{"PK\x03\x04", "PK\x05\x06", "\xD0\xCF\x11\xE0", "\x1F\x8B", "%PDF-", "\x89PNG", "\xFF\xD8\xFF", "GIF8"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}
