package csvimport

import (
	"strings"
	"testing"
)

// TestFilesHaveFewRangesByDefault requires the size of the ranges by which the updates of the largest import cost one write unit each,
// see TestWritesOfPartsAreSmall.
func TestFilesHaveFewRangesByDefault(t *testing.T) {
	for _, tt := range []struct {
		rangeBytes, size, want int64
	}{
		{0, 0, 8 << 20}, {0, 512 << 20, 8 << 20}, {0, 512<<20 + 1, 8<<20 + 1}, {0, MaxBytes, 16 << 20}, {100, MaxBytes, 100},
	} {
		if got := (Config{RangeBytes: tt.rangeBytes}).rangeBytes(tt.size); got != tt.want {
			t.Errorf("RangeBytes %d, a file of %d bytes: ranges of %d, want %d", tt.rangeBytes, tt.size, got, tt.want)
		}
	}
}

func TestRangesAreBounded(t *testing.T) {
	const row, rows = "3001,Red,1000000\n", 12_800
	in := "part,color,quantity\n" + strings.Repeat(row, rows)
	size := int64(len(in))
	for _, tt := range []struct {
		name           string
		size, minBytes int64
		want           int // the most ranges
	}{
		{"ranges in proportion to the largest file's", size, size * DefaultRangeBytes / MaxBytes, 128},
		{"the most ranges", size, 1, MaxRanges},
		{"the size is not known", 0, 1, MaxRanges},
		{"the size is wrong", size / 10, 1, MaxRanges},
		{"a file as large as a range", size, size, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			split, err := splitRanges(strings.NewReader(in), tt.size, tt.minBytes, func(int64) {})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(split.ranges); n > tt.want || n < tt.want*9/10 {
				t.Errorf("there are %d ranges, want %d, or up to a tenth fewer", n, tt.want)
			}
			var sum int64
			for _, r := range split.ranges {
				sum += r.Rows
			}
			if sum != rows || split.rows != rows {
				t.Errorf("ranges have %d rows, want %d", sum, rows)
			}
		})
	}
}
