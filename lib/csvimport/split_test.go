package csvimport

import (
	"strings"
	"testing"
)

func TestRangesAreBounded(t *testing.T) {
	const row, rows = "3001,Red,1000000\n", 12_800
	in := "part,color,quantity\n" + strings.Repeat(row, rows)
	size := int64(len(in))
	for _, tt := range []struct {
		name        string
		size, least int64
		want        int
	}{
		{"the largest file", size, size * DefaultRangeBytes / MaxBytes, 128},
		{"as many as there may be", size, 1, MaxRanges},
		{"the size is not known", 0, 1, MaxRanges},
		{"the size is wrong", size / 10, 1, MaxRanges},
		{"a file as large as a range", size, size, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := splitRanges(strings.NewReader(in), tt.size, tt.least, func(int64) {})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(c.ranges); n > tt.want || n < tt.want*9/10 {
				t.Errorf("there are %d ranges, want %d or little less", n, tt.want)
			}
			var sum int64
			for _, r := range c.ranges {
				sum += r.Rows
			}
			if sum != rows || c.rows != rows {
				t.Errorf("ranges have %d rows, want %d", sum, rows)
			}
		})
	}
}
