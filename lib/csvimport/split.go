package csvimport

import (
	"errors"
	"io"
)

// rangeSplit is a file's header, its ranges and the number of its rows.
type rangeSplit struct {
	header *header
	ranges []Range
	rows   int64
}

// splitRanges splits a file of about size bytes into at most [MaxRanges] ranges, each of at least minBytes except the last. It calls
// onRecord with the offset of each record's end.
func splitRanges(in io.Reader, size, minBytes int64, onRecord func(offset int64)) (*rangeSplit, error) {
	h, rest, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	minBytes = max(minBytes, (size+MaxRanges-1)/MaxRanges) // rounded up
	result := &rangeSplit{header: h}
	s := newScanner(rest, h.sep, h.bytes, h.nextLine)
	current := Range{Offset: s.offset, Line: s.line}
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
		result.rows++
		current.Rows++
		current.Bytes = s.offset - current.Offset
		// size may be less than the size of the file. So the last of MaxRanges ranges takes the whole rest, however long it is.
		if current.Bytes >= minBytes && len(result.ranges) < MaxRanges-1 {
			result.ranges = append(result.ranges, current)
			current = Range{N: len(result.ranges), Offset: s.offset, Line: s.line}
		}
		onRecord(s.offset)
	}
	if current.Rows > 0 {
		result.ranges = append(result.ranges, current)
	}
	return result, nil
}

// tooLarge returns the error of a file that is larger than MaxBytes.
func tooLarge() error { return &InvalidFile{Reason: "The file is larger than 1 GiB"} }
