package notify_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// nowhere is a Sender that costs nothing.
type nowhere struct{}

func (nowhere) Send(context.Context, string, []byte) error { return nil }

// BenchmarkPublish compares a state that is stored and posted to two tabs with the bare broadcast of a prepared frame.
// The two take turns; each iteration is one pair. What is reported is the median of the pairs' ratios, and both medians.
func BenchmarkPublish(b *testing.B) {
	n := worker(b, &feed.Memory{}, nowhere{})
	frame, err := message.New(halfWay, "01M82K5N32CPWX658G1ZTM36HQ", time.Now()).Encode()
	if err != nil {
		b.Fatal(err)
	}
	prepared := func(context.Context) ([]byte, string, error) { return frame, "01M82K5N32CPWX658G1ZTM36HQ", nil }
	var publishes, broadcasts, ratios []float64
	for i := 0; b.Loop(); i++ {
		r := inPhase(at(1), fmt.Sprint("phase ", i%2)) // urgent: none waits
		start := time.Now()
		if err := n.Publish(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if report, err := n.Broadcaster.Deliver(b.Context(), "u1", prepared); err != nil || report.Delivered != 2 {
			b.Fatal(report, err)
		}
		x, y := float64(middle.Sub(start)), float64(time.Since(middle))
		publishes, broadcasts, ratios = append(publishes, x), append(broadcasts, y), append(ratios, x/y)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(publishes)/1e3, "publish-us")
	b.ReportMetric(median(broadcasts)/1e3, "broadcast-us")
	b.ReportMetric(median(ratios), "ratio")
}

// BenchmarkPublishPart is a part's state that is stored, and not pushed.
func BenchmarkPublishPart(b *testing.B) {
	n := worker(b, &feed.Memory{}, nowhere{})
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if err := n.Publish(b.Context(), part("a", i, 1<<40)); err != nil {
			b.Fatal(err)
		}
	}
}

func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }
