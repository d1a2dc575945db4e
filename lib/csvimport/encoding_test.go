package csvimport

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// encoders make files in each encoding with a byte order mark.
var encoders = map[string]encoding.Encoding{
	encodingUTF8:    unicode.UTF8BOM,
	encodingUTF16LE: unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), encodingUTF16BE: unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	encodingUTF32LE: utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), encodingUTF32BE: utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
}

// encode returns text in an encoding.
func encode(t *testing.T, e encoding.Encoding, text string) []byte {
	t.Helper()
	out, err := e.NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatalf("encode %q: %v", text, err)
	}
	return out
}

// readRanges returns all rows of a file, range by range, and the plan of the file.
func readRanges(t *testing.T, file []byte, minBytes int64) ([]scanned, *rangeSplit, error) {
	t.Helper()
	split, err := splitRanges(bytes.NewReader(file), int64(len(file)), minBytes, func(int64) {})
	if err != nil {
		return nil, nil, err
	}
	var rows []scanned
	end := split.headerBytes
	for _, r := range split.ranges {
		if r.Offset != end {
			t.Errorf("range %+v starts at %d, want %d, where the one before it ends", r, r.Offset, end)
		}
		end = r.Offset + r.Bytes
		if end > int64(len(file)) {
			t.Fatalf("range %+v ends after the file of %d bytes", r, len(file))
		}
		all, err := readAll(newRowReader(bytes.NewReader(file[r.Offset:end]), split.header, r))
		if err != nil || int64(len(all)) != r.Rows {
			t.Fatalf("range %+v of %q has %d rows, error %v", r, file, len(all), err)
		}
		rows = append(rows, all...)
	}
	return rows, split, nil
}

func TestOneFileHasTheSameRowsInEveryEncoding(t *testing.T) {
	text := "Größe;part;Farbe;color;quantity\r\n8;3001;Weiß;\"R\r\n\"\"é\"\"\";4\r\n\r\n" + strings.Repeat("9;3002;€;œ™;5\r\n", 2000)
	want, split, err := readRanges(t, []byte(text), 1)
	if err != nil || len(want) != 2001 || split.header.encoding != encodingUTF8 {
		t.Fatalf("%d rows, error %v", len(want), err)
	}
	for name, e := range encoders {
		for _, minBytes := range []int64{1, 1000, 1 << 20} {
			got, split, err := readRanges(t, encode(t, e, text), minBytes)
			if err != nil || split.header.encoding != name {
				t.Fatalf("%s: %+v, error %v", name, split, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-utf-8 +got):\n%s", name, diff)
			}
			if most := len(encode(t, e, text))/int(minBytes) + 1; len(split.ranges) > min(most, MaxRanges) {
				t.Errorf("%s: %d ranges of at least %d bytes", name, len(split.ranges), minBytes)
			}
		}
	}
	got, split, err := readRanges(t, encode(t, charmap.Windows1252, text), 1)
	if err != nil || split.header.encoding != encodingWindows1252 || split.header.names[0] != "Größe" {
		t.Fatalf("windows-1252: %+v, error %v", split, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("windows-1252 (-utf-8 +got):\n%s", diff)
	}
}

func TestTheLongestRecordIsReadInEveryEncoding(t *testing.T) {
	const head = "part,quantity\n"
	for name, file := range map[string][]byte{
		encodingWindows1252: []byte(head + "3001," + strings.Repeat("\xE9", maxRecord-len("3001,")) + "\n3002,1\n"),
		encodingUTF16LE:     encode(t, encoders[encodingUTF16LE], head+"3001,"+strings.Repeat("x", maxRecord-len("3001,"))+"\n3002,1\n"),
		encodingUTF32BE:     encode(t, encoders[encodingUTF32BE], head+"3001,"+strings.Repeat("x", maxRecord-len("3001,"))+"\n3002,1\n"),
	} {
		rows, split, err := readRanges(t, file, 1)
		if err != nil || len(rows) != 2 || split.header.encoding != name {
			t.Errorf("%s: %d rows, error %v, want 2", name, len(rows), err)
		}
	}
	for _, e := range []encoding.Encoding{charmap.Windows1252, encoders[encodingUTF16BE]} {
		_, _, err := readRanges(t, encode(t, e, head+strings.Repeat("x", maxRecord+1)+"\n"), 1)
		if fmt.Sprint(err) != "Line 2: the record is longer than 1 MiB" {
			t.Errorf("a longer record: error is %v", err)
		}
	}
}

func TestTheWholeFileDecidesTheEncoding(t *testing.T) {
	const head = "part,color,quantity,note\n"
	ascii := strings.Repeat("3001,Red,4,spare\n", 10_000) // longer than the scanner's buffer
	for _, tt := range []struct{ name, in, want string }{
		{"ASCII", head + ascii, encodingUTF8},
		{"UTF-8 at the end", head + ascii + "3001,Red,4,né", encodingUTF8},
		{"Windows-1252 at the end", head + ascii + "3001,Red,4,n\xE9", encodingWindows1252},
		{"Windows-1252 in the middle", head + ascii + "3001,Red,4,n\xE9\n" + ascii, encodingWindows1252},
		{"more UTF-8 than not", head + "1,é,1,é\n1,Red,1,n\xE9\n", encodingUTF8},
		{"less UTF-8 than not", head + "1,é,1,n\xE9\n1,Red,1,n\xE9\n", encodingWindows1252},
		{"a mark, and not UTF-8", utf8Mark + head + "1,Red,1,n\xE9\n", encodingUTF8},
		{"Windows-1252 cut as UTF-8 would be", head + "1,Red,1,n\xC3", encodingWindows1252},
		{"umlauts alone", head + "1,\xE4\xF6\xFC\xC4\xD6\xDC\xDF,1,\n", encodingWindows1252},
		{"quotes, dashes and signs", head + "1,\x84Wei\xDF\x93 \x96 don\x92t,1,LEGO\xAE 5 \x80 2\xD74 \xBD\n", encodingWindows1252},
		{"all characters", head + "1,\x80\x82\x83\x84\x85\x86\x87\x88\x89\x8A\x8B\x8C\x8E\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9A\x9B\x9C\x9E\x9F" +
			string(seq(0xA0, 0xFF)) + ",1,\n", encodingWindows1252},
		{"quoted words", head + "1,\xAB\xE9t\xE9\xBB,1,\n", encodingWindows1252},
		{"French", head + "1,Pi\xE8ce \xE0 cr\xE9er \xAB\xA0bleu\xA0\xBB,1,na\xEFve \x9Cuvre\n", encodingWindows1252},
		{"Spanish", head + "1,Rojo, 1,\xBFA\xF1o? \xA1S\xED! Azul n\xBA 5\n", encodingWindows1252},
		{"Icelandic", head + "1,Rau\xF0ur,1,\xDE\xF3r\xF0ur \xE1 \xCDslandi\n", encodingWindows1252},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, split, err := readRanges(t, []byte(tt.in), 1000)
			if err != nil || split.header.encoding != tt.want {
				t.Errorf("split is %+v, error %v, want %s", split, err, tt.want)
			}
		})
	}
}

// seq returns the bytes from first to last.
func seq(first, last byte) []byte {
	var all []byte
	for c := int(first); c <= int(last); c++ {
		all = append(all, byte(c))
	}
	return all
}

func TestOtherEncodingsAreRefused(t *testing.T) {
	const head = "part,color,quantity,name\n"
	refused := func(name string, file []byte) {
		t.Helper()
		_, split, err := readRanges(t, file, 1)
		if err == nil || !strings.Contains(err.Error(), "save it as CSV UTF-8") {
			t.Errorf("%s is read: %t, error %v, want a refusal", name, split != nil, err)
		}
	}
	for name, tt := range map[string]struct {
		e          encoding.Encoding
		text, head string
	}{
		"Shift-JIS":    {japanese.ShiftJIS, "赤いブロック", "部品,色,数量\n"},
		"EUC-JP":       {japanese.EUCJP, "赤いブロック", "部品,色,数量\n"},
		"GBK":          {simplifiedchinese.GBK, "红色积木", "零件,颜色,数量\n"},
		"Big5":         {traditionalchinese.Big5, "紅色積木", "零件,顏色,數量\n"},
		"EUC-KR":       {korean.EUCKR, "빨간색 블록, 큰 것", "부품,색상,수량\n"},
		"Mac Roman":    {charmap.Macintosh, "Größe für Bäder", "Größe für Bäder\n"},
		"Mac Roman 2":  {charmap.Macintosh, "Türkis, Bügel, fünf Räder", "Türkis, Bügel\n"},
		"CP437":        {charmap.CodePage437, "Größe für Bäder", "Größe für Bäder\n"},
		"CP850":        {charmap.CodePage850, "Größe für Bäder", "Größe für Bäder\n"},
		"KOI8-R":       {charmap.KOI8R, "Красный кирпич", "деталь,цвет\n"},
		"Windows-1251": {charmap.Windows1251, "Красный кирпич", "деталь,цвет\n"},
		"Windows-1253": {charmap.Windows1253, "Κόκκινο τουβλάκι", "κομμάτι\n"},
	} {
		refused(name, encode(t, tt.e, head+strings.Repeat("3001,Red,4,"+tt.text+"\n", 3)))
		refused(name+", late", encode(t, tt.e, head+strings.Repeat("3001,Red,4,\n", 20_000)+"3001,Red,4,"+tt.text+"\n"))
		refused(name+" in the header", encode(t, tt.e, tt.head))
	}
	refused("UTF-16LE without a mark", encode(t, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), head+"3001,Red,4,x\n"))
	refused("UTF-16BE without a mark", encode(t, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), head+"3001,赤,4,赤いブロック\n"))
	refused("UTF-32 without a mark", encode(t, utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), head+"3001,Red,4,x\n"))
	refused("an empty workbook", []byte("PK\x05\x06part,color,quantity\n"))
	refused("an old workbook", []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"))
}

// TestTheGuessDoesNotDependOnReads reads files in small pieces.
func TestTheGuessDoesNotDependOnReads(t *testing.T) {
	for _, in := range []string{
		"part,quantity\né,1\nn\xE9,1\n\xE9\xE9\xE9", "part,quantity\n赤赤赤,1\nn\xE9,1\n", "part,quantity\n\xF0\x9F\xA7", "part,quantity\n\xF0\x9F\xA7\xB1\xE4\xF6\xFC\xDF",
	} {
		var at, slow encodingGuess
		at.add([]byte(in))
		at.end()
		for i := range len(in) {
			slow.add([]byte(in[i : i+1]))
		}
		slow.end()
		if at.valid != slow.valid || at.invalid != slow.invalid || at.foreign != slow.foreign {
			t.Errorf("%q: at once %+v, byte by byte %+v", in, at, slow)
		}
		whole, _, err := readRanges(t, []byte(in), 1)
		split, slowErr := splitRanges(iotest.OneByteReader(strings.NewReader(in)), 0, 1, func(int64) {})
		if fmt.Sprint(err) != fmt.Sprint(slowErr) || err == nil && int64(len(whole)) != split.rows {
			t.Errorf("%q: at once %v, byte by byte %v", in, err, slowErr)
		}
	}
}

// FuzzEncodings checks that a text has the same rows in every encoding.
func FuzzEncodings(f *testing.F) {
	for _, in := range []string{"3001,Röd,4\n\n\"30\n\"\"03\",Blue,5\r\n,,\r1,2,3", "🧱,赤,4\na\"\u00a0", "\uFEFF\x00,a,1\n\xff"} {
		f.Add(in, uint16(1))
	}
	f.Fuzz(func(t *testing.T, rows string, minBytes uint16) {
		text := "part,color,quantity,Größe\n" + strings.ToValidUTF8(rows, "?")
		want, _, err := readRanges(t, []byte(utf8Mark+text), int64(minBytes))
		for name, e := range encoders {
			got, split, gotErr := readRanges(t, encode(t, e, text), int64(minBytes))
			if fmt.Sprint(err) != fmt.Sprint(gotErr) || err == nil && split.header.encoding != name {
				t.Fatalf("%s of %q: %+v, error %v, in UTF-8 %v", name, text, split, gotErr, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %q (-utf-8 +got):\n%s", name, text, diff)
			}
		}
		file, err1252 := charmap.Windows1252.NewEncoder().Bytes([]byte(text))
		if err != nil || err1252 != nil {
			return
		}
		got, split, err := readRanges(t, file, int64(minBytes))
		if err != nil || split.header.encoding != encodingWindows1252 { // The text is unlikely, or is UTF-8 by chance.
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("windows-1252 of %q (-utf-8 +got):\n%s", text, diff)
		}
	})
}

// FuzzDecoders checks that any bytes, valid or not, have the same rows range by range as at once.
func FuzzDecoders(f *testing.F) {
	f.Add([]byte("\x00\xDC\x00\xDC1\x00\n\x00x"), uint8(1), uint16(1))
	f.Add([]byte("\xD8\x00\xD8\x00\xDC\x00\n\n\x00"), uint8(2), uint16(3))
	f.Add([]byte("\xFF\xFF\xFF\xFF\n\x00\x00\x00ab"), uint8(3), uint16(1))
	f.Add([]byte("\xE9\xE9,\n\x81\n\"\xA0"), uint8(5), uint16(1))
	names := []string{encodingUTF8, encodingUTF16LE, encodingUTF16BE, encodingUTF32LE, encodingUTF32BE, encodingWindows1252}
	f.Fuzz(func(t *testing.T, rows []byte, n uint8, minBytes uint16) {
		name := names[int(n)%len(names)]
		file := []byte("part,color,quantity,e\n")
		if e := encoders[name]; e != nil {
			file = encode(t, e, string(file))
		}
		header := int64(len(file))
		file = append(file, rows...)
		got, split, err := readRanges(t, file, int64(minBytes))
		if err != nil {
			return
		}
		if split.headerBytes != header {
			t.Fatalf("%s: the header ends at %d, want %d", name, split.headerBytes, header)
		}
		want, err := readAll(newRowReader(bytes.NewReader(rows), split.header, Range{Line: 2}))
		if err != nil {
			t.Fatalf("%s: %q can be split and not parsed: %v", name, file, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %q (-at once +ranges):\n%s", name, file, diff)
		}
	})
}
