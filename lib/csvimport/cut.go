package csvimport

import (
	"errors"
	"io"
)

// cutting is a file's division into ranges.
type cutting struct {
	header *header
	ranges []Range
	rows   int64
}

// cut divides a file of about size bytes into ranges that are not below least. It calls seen with the offset of each
// record's end.
func cut(in io.Reader, size, least int64, seen func(offset int64)) (*cutting, error) {
	h, rest, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	least = max(least, (size+MaxRanges-1)/MaxRanges)
	c := &cutting{header: h}
	s := newScanner(rest, h.sep, h.bytes, h.nextLine)
	open := Range{Offset: s.offset, Line: s.line}
	for {
		_, _, err := s.next()
		if s.offset > MaxBytes {
			return nil, tooLarge()
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		c.rows++
		open.Rows++
		if open.Bytes = s.offset - open.Offset; open.Bytes >= least && len(c.ranges) < MaxRanges-1 {
			c.ranges = append(c.ranges, open)
			open = Range{N: len(c.ranges), Offset: s.offset, Line: s.line}
		}
		seen(s.offset)
	}
	if open.Rows > 0 {
		c.ranges = append(c.ranges, open)
	}

	return c, nil
}

func tooLarge() error { return &InvalidFile{Reason: "The file is larger than 1 GiB"} }
