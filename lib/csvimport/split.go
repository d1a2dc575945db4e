package csvimport

import (
	"errors"
	"io"
)

// rangeSplit is a file's header, its ranges, the number of its rows and its stray quotes.
type rangeSplit struct {
	header      *header
	headerBytes int64 // where the header ends in the file, and the first range starts
	ranges      []Range
	rows        int64
	strayQuotes StrayQuotes
}

// splitRanges splits a file of about size bytes into at most [MaxRanges] ranges, each of at least minBytes except the last. It calls
// onRecord with the offset of each record's end.
func splitRanges(in io.Reader, size, minBytes int64, onRecord func(offset int64)) (*rangeSplit, error) {
	src, err := newSource(in)
	if err != nil {
		return nil, err
	}
	h, s, err := src.readHeader()
	if err != nil {
		return nil, err
	}
	minBytes = max(minBytes, (size+MaxRanges-1)/MaxRanges) // rounded up
	result := &rangeSplit{headerBytes: src.offset(s.scanner)}
	current := Range{Offset: result.headerBytes, Line: s.line}
	for {
		err := s.skip()
		read := src.offsetRead(s.scanner)
		if read > MaxBytes {
			return nil, tooLarge()
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return nil, err
		}
		result.rows++
		current.Rows++
		// size may be less than the size of the file. So the last of MaxRanges ranges takes the whole rest, however long it is.
		if read-current.Offset >= minBytes && len(result.ranges) < MaxRanges-1 {
			if end := src.offset(s.scanner); end-current.Offset >= minBytes {
				current.Bytes = end - current.Offset
				result.ranges = append(result.ranges, current)
				current = Range{N: len(result.ranges), Offset: end, Line: s.line}
			}
		}
		onRecord(read)
	}
	if current.Rows > 0 {
		current.Bytes = src.offset(s.scanner) - current.Offset
		result.ranges = append(result.ranges, current)
	}
	result.strayQuotes = s.strayQuotes
	result.header, err = src.settle(h)
	return result, err
}

// tooLarge returns the error of a file that is larger than MaxBytes.
func tooLarge() error { return &InvalidFile{Reason: "The file is larger than 1 GiB"} }
