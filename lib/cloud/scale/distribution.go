package scale

import "time"

// Distribution counts durations, in whole milliseconds.
type Distribution struct {
	// counts has how many durations have so many milliseconds.
	counts []int
	n      int
}

// add counts a duration.
func (d *Distribution) add(duration time.Duration) {
	ms := int(max(duration, 0).Round(time.Millisecond) / time.Millisecond)
	for len(d.counts) <= ms {
		d.counts = append(d.counts, make([]int, ms+1-len(d.counts))...)
	}
	d.counts[ms]++
	d.n++
}

// Count returns how many durations were counted.
func (d *Distribution) Count() int { return d.n }

// Quantile returns the least duration that at least the share q of all durations do not exceed: 0.5 is the median, and 1 the longest.
// It returns 0 if nothing was counted.
func (d *Distribution) Quantile(q float64) time.Duration {
	seen := 0
	for ms, n := range d.counts {
		seen += n
		if n > 0 && float64(seen) >= q*float64(d.n) {
			return time.Duration(ms) * time.Millisecond
		}
	}
	return 0
}
