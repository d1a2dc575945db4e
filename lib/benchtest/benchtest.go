// Package benchtest measures code beside its floor, for the benchmarks of other packages.
package benchtest

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// Compare runs ours and floor in turns. It reports the medians of their durations in microseconds, divided by parts, and the median
// of the ratios of ours to the floor.
func Compare(b *testing.B, parts int, ours, floor func()) {
	b.Helper()
	var oursTimes, floorTimes, ratios []float64
	measure := func(f func()) float64 {
		start := time.Now()
		f()
		return float64(time.Since(start)) / float64(time.Microsecond) / float64(parts)
	}
	for b.Loop() {
		oursTime, floorTime := measure(ours), measure(floor)
		oursTimes, floorTimes, ratios = append(oursTimes, oursTime), append(floorTimes, floorTime), append(ratios, oursTime/floorTime)
	}
	b.ReportMetric(0, "ns/op") // 0 removes the default metric, which would be the sum of both durations.
	b.ReportMetric(Median(ratios), "ratio")
	b.ReportMetric(Median(oursTimes), "ours-µs")
	b.ReportMetric(Median(floorTimes), "floor-µs")
}

// Median returns the median of values, of which there must be one.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// Quantile returns the value that the share q of the values does not exceed. There must be a value.
func Quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))]
}

// ProcessorTime returns the processor time that this process has used, in user mode and in the kernel.
func ProcessorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Milliseconds returns d in milliseconds.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
