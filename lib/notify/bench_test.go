package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/benchtest"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// discardingSender is a Sender whose posts succeed at once.
type discardingSender struct{}

func (discardingSender) Send(context.Context, string, []byte) error { return nil }

// BenchmarkPublish compares two durations: that of Publish, which stores a state and posts it to two tabs, and that of a broadcast
// of a frame that is already encoded. Each iteration measures one of each, and their ratio. The benchmark reports the medians.
func BenchmarkPublish(b *testing.B) {
	n := newNotifier(b, &feed.Memory{}, discardingSender{})
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
		r := inPhase(stateAt(1), fmt.Sprint("phase ", i%2)) // a new phase is pushed at once
		start := time.Now()
		if err := n.Publish(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if report, err := post(); err != nil || report.Delivered != 2 {
			b.Fatal(report, err)
		}
		publishTime, broadcastTime := float64(middle.Sub(start)), float64(time.Since(middle)) // nanoseconds
		publishes, broadcasts = append(publishes, publishTime), append(broadcasts, broadcastTime)
		ratios = append(ratios, publishTime/broadcastTime)
	}
	b.ReportMetric(0, "ns/op") // 0 removes the default metric, which would be the sum of both durations
	b.ReportMetric(benchtest.Median(publishes)/1e3, "publish-us")
	b.ReportMetric(benchtest.Median(broadcasts)/1e3, "broadcast-us")
	b.ReportMetric(benchtest.Median(ratios), "ratio")
}

// BenchmarkPublishPart measures storing states of a part. A part of so many steps never moves the progress far enough for a push.
func BenchmarkPublishPart(b *testing.B) {
	n := newNotifier(b, &feed.Memory{}, discardingSender{})
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if err := n.Publish(b.Context(), partState("a", i, 1<<40)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHandle measures one call of the notifier task, from its input to its output: it stores a state and posts it to two tabs.
// The floor is decoding the same input into structs. Each iteration measures one of each, and their ratio; the benchmark reports the
// medians. It also reports the memory of a call.
func BenchmarkHandle(b *testing.B) {
	n := newNotifier(b, &feed.Memory{}, discardingSender{})
	inputs := make([]json.RawMessage, 2)
	for i := range inputs { // a new phase is pushed at once
		inputs[i] = json.RawMessage(strings.Replace(`{"userId":"u1","epoch":"2026-11-22T10:00:00.100Z",`+progressMessage+`}`,
			`"progress"`, fmt.Sprintf(`"phase":"phase %d","progress"`, i), 1))
	}
	var input struct {
		UserID, Epoch string
		Message       struct {
			Type string
			Data message.UploadProgress
		}
	}
	var handles, floors, ratios []float64
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if out, err := n.Handle(b.Context(), inputs[i%2]); err != nil || out.Delivered != 2 {
			b.Fatal(out, err)
		}
		middle := time.Now()
		if err := json.Unmarshal(inputs[i%2], &input); err != nil {
			b.Fatal(err)
		}
		handleTime, floorTime := float64(middle.Sub(start)), float64(time.Since(middle)) // nanoseconds
		handles, floors = append(handles, handleTime), append(floors, floorTime)
		ratios = append(ratios, handleTime/floorTime)
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(0, "ns/op") // 0 removes the default metric, which would be the sum of both durations
	b.ReportMetric(benchtest.Median(handles)/1e3, "handle-us")
	b.ReportMetric(benchtest.Median(floors)/1e3, "decode-us")
	b.ReportMetric(benchtest.Median(ratios), "ratio")
	// The floor makes a few of these allocations.
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(len(handles)), "handle-allocs")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(len(handles)), "handle-bytes")
}
