package notify_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// discard is a Sender that does nothing.
type discard struct{}

func (discard) Send(context.Context, string, []byte) error { return nil }

// BenchmarkPublish compares storing and posting a state to two tabs with posting a prepared frame. The two take turns; each
// iteration is one pair. It reports the median of the pairs' ratios, and both medians.
func BenchmarkPublish(b *testing.B) {
	n := worker(b, &feed.Memory{}, discard{})
	frame, err := message.New(halfWay, "01M82K5N32CPWX658G1ZTM36HQ", time.Now()).Encode()
	if err != nil {
		b.Fatal(err)
	}
	prepared := broadcast.Frame{ID: "01M82K5N32CPWX658G1ZTM36HQ", Body: frame}
	post := func() (broadcast.Report, error) {
		ctx, cancel := broadcast.WithBudget(b.Context())
		defer cancel()
		recipients, stop := n.Broadcaster.User("u1").Prefetch(ctx)
		defer stop()

		return recipients.Post(ctx, prepared)
	}
	var publishes, broadcasts, ratios []float64
	for i := 0; b.Loop(); i++ {
		r := inPhase(at(1), fmt.Sprint("phase ", i%2)) // a new phase is pushed at once
		start := time.Now()
		if err := n.Publish(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if report, err := post(); err != nil || report.Delivered != 2 {
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

// BenchmarkPublishPart stores the state of a part, which is not pushed.
func BenchmarkPublishPart(b *testing.B) {
	n := worker(b, &feed.Memory{}, discard{})
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if err := n.Publish(b.Context(), part("a", i, 1<<40)); err != nil {
			b.Fatal(err)
		}
	}
}

func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }
