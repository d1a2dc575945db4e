package csvimport

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// source is an upload that the plan reads as text. Its scanner reads UTF-16 and UTF-32 as UTF-8, and any other file as it is, because
// the bytes that separate records are the same in UTF-8 and Windows-1252.
type source struct {
	in       io.Reader
	encoding string         // by the byte order mark; empty if there is none
	guess    *encodingGuess // nil if there is a mark
	units    *unitReader    // nil unless the file is UTF-16 or UTF-32
	head     []byte         // the text up to the end of the header
	text     int64          // the length in the file of the text that the scanner has read; only with units
}

// newSource returns a source of in. The error is an *InvalidFile if in is empty or starts with binary data.
func newSource(in io.Reader) (*source, error) {
	start := make([]byte, sniffBytes)
	n, err := io.ReadFull(in, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if n == 0 {
		return nil, &InvalidFile{Reason: "The file is empty"}
	}
	if err := sniffText(start[:n]); err != nil {
		return nil, err
	}
	s := &source{encoding: encodingOfMark(start[:n])}
	raw := io.MultiReader(bytes.NewReader(start[:n]), in)
	switch s.in = decode(raw, s.encoding); units := s.in.(type) {
	case *unitReader:
		s.units = units
	default:
		if s.encoding == "" {
			s.guess = &encodingGuess{}
			s.in = &guessReader{in: raw, guess: s.guess}
		}
	}
	return s, nil
}

// readHeader reads the header, and returns it with a reader of the rows.
func (s *source) readHeader() (*header, *rowReader, error) {
	var head []byte
	for size := firstReadBytes; ; size *= 2 {
		more := make([]byte, size-len(head))
		n, err := io.ReadFull(s.in, more)
		head = append(head, more[:n]...)
		atEOF := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !atEOF {
			return nil, nil, err
		}
		h, err := s.parseHeader(head, atEOF)
		if err != nil {
			return nil, nil, err
		}
		if h == nil {
			continue
		}
		s.head = bytes.Clone(head[:h.bytes])
		rest := io.MultiReader(bytes.NewReader(head[h.bytes:]), s.in)
		if s.units != nil {
			s.text = encodedLength(s.head, s.encoding)
			rest = &textMeter{in: rest, source: s}
		}
		rows := h.newRowReader(newScanner(rest, h.sep, h.bytes, h.nextLine))
		rows.strayQuotes = h.strayQuotes
		return h, rows, nil
	}
}

// parseHeader parses the header at the start of head. Without a byte order mark, head is read in the encoding that its bytes suggest.
// The offset of the header's end is that in head.
func (s *source) parseHeader(head []byte, atEOF bool) (*header, error) {
	// More bytes cannot change the result if there are none, or if head has the most bytes that are read.
	complete := atEOF || len(head) >= maxHeadBytes
	if s.guess == nil {
		return parseHeader(head, complete)
	}
	encoding, foreign := s.guess.encoding()
	if foreign != nil { // The rest of the file may still show that it is in UTF-8.
		encoding = encodingWindows1252
	}
	h, err := parseHeaderIn(head, encoding, complete)
	switch {
	case err == nil:
		return h, nil
	case foreign != nil:
		return nil, foreign
	case bytes.IndexByte(head[:min(len(head), sniffBytes)], 0) >= 0:
		return nil, errBinary
	default:
		return nil, err
	}
}

// parseHeaderIn parses the header at the start of head, which is in UTF-8 or Windows-1252. The offset of the header's end is that in head.
func parseHeaderIn(head []byte, encoding string, complete bool) (*header, error) {
	if encoding != encodingWindows1252 {
		return parseHeader(head, complete)
	}
	text, err := io.ReadAll(decode(bytes.NewReader(head), encoding))
	if err != nil {
		return nil, err //nolint:wrapcheck // a decoder of Windows-1252 does not fail
	}
	h, err := parseHeader(text, complete)
	if h != nil {
		h.bytes = encodedLength(text[:h.bytes], encoding)
	}
	return h, err
}

// settle returns the header in the encoding of the whole file, which has been read to its end. The error is an *InvalidFile if the file
// is in an encoding that the importer does not read.
func (s *source) settle(h *header) (*header, error) {
	encoding := s.encoding
	if s.guess != nil {
		s.guess.end()
		var err error
		if encoding, err = s.guess.encoding(); err != nil {
			return nil, err
		}
		end := h.bytes
		if h, err = parseHeaderIn(s.head, encoding, true); err != nil {
			return nil, err
		}
		if h.bytes != end { // Another header is found in the other encoding.
			return nil, errForeign
		}
	}
	h.encoding = encoding
	return h, nil
}

// offset returns the offset in the file of the next record of the scanner.
func (s *source) offset(rows *scanner) int64 {
	if s.units == nil {
		return rows.offset
	}
	return min(s.text-encodedLength(rows.pending(), s.encoding), s.units.read)
}

// offsetRead returns an offset that is at least that of the next record, without the work of offset. Only in UTF-16 and UTF-32 it is
// greater, by less than 64 KiB.
func (s *source) offsetRead(rows *scanner) int64 {
	if s.units == nil {
		return rows.offset
	}
	return min(s.text, s.units.read)
}

// textMeter counts what the scanner reads of a file in UTF-16 or UTF-32. It returns little text per call, so that offset is quick.
type textMeter struct {
	in     io.Reader
	source *source
}

// Read implements io.Reader.
func (m *textMeter) Read(p []byte) (int, error) {
	n, err := m.in.Read(p[:min(len(p), firstReadBytes)])
	m.source.text += encodedLength(p[:n], m.source.encoding)
	return n, err
}

// readFileHeader reads the header of a planned file again. The workflow does not pass the header from step to step, because it may be
// too long for a payload.
func (c Config) readFileHeader(ctx context.Context, file File) (*header, error) {
	body, err := c.Store.Get(ctx, file.object(), 0, file.HeaderBytes)
	if err != nil {
		return nil, asUploadError("read header", err)
	}
	defer closeBody(body)
	text, err := io.ReadAll(decode(body, file.Encoding))
	if err != nil {
		return nil, asStoreError("read header", err)
	}
	h, err := parseHeader(text, true)
	if err != nil {
		return nil, err
	}
	if file.Encoding != "" { // A plan of an older version of Herald did not name it; it read UTF-8 only.
		h.encoding = file.Encoding
	}
	if h.encoding == encodingWindows1252 {
		h.notes = append(h.notes, "The file is not UTF-8, so it was read as Windows-1252") // even if there are many other notes
	}
	return h, nil
}

// newRowReader returns a reader of a range of a planned file.
func newRowReader(in io.Reader, h *header, r Range) *rowReader {
	s := newScanner(decode(in, h.encoding), h.sep, r.Offset, r.Line)
	s.maxLength = maxRecordIn(h.encoding)
	return h.newRowReader(s)
}
