package metrics_test

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/metrics"
	"github.com/herald-progress/herald/lib/metrics/metricstest"
)

// at is the time of the test's clock.
var at = time.UnixMilli(1_793_000_000_123)

func newWriter(stack string) (*metrics.Writer, *bytes.Buffer) {
	var out bytes.Buffer
	return metrics.NewWriter(&out, stack, func() time.Time { return at }), &out
}

func TestWhatOneEventBringsIsOneLine(t *testing.T) {
	w, out := newWriter("Herald")
	w.Count(metrics.Delivered, 2)
	w.Count(metrics.Delivered, 1)
	w.Count(metrics.DeliveriesFailed, 0)
	w.Duration(metrics.PublishToPost, 34_900*time.Microsecond)
	if out.Len() > 0 {
		t.Fatalf("the line is written before the event has ended: %s", out)
	}
	w.Flush()
	const want = `{"_aws":{"Timestamp":1793000000123,"CloudWatchMetrics":[{"Namespace":"Herald","Dimensions":[["Stack"]],` +
		`"Metrics":[{"Name":"Delivered","Unit":"Count"},{"Name":"PublishToPost","Unit":"Milliseconds"}]}]},` +
		`"Stack":"Herald","Delivered":3,"PublishToPost":34}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestAnEventThatBringsNothingWritesNothing(t *testing.T) {
	w, out := newWriter("Herald")
	w.Flush()
	w.Count(metrics.RateLimited, 0)
	w.Flush()
	w.Count(metrics.RateLimited, 1)
	w.Flush()
	out.Reset()
	w.Flush()
	if out.Len() > 0 {
		t.Errorf("a line is written: %s", out)
	}
}

// TestALagOfZeroIsWritten checks that a time of 0 is a value: an alarm distinguishes it from a function that does not run.
func TestALagOfZeroIsWritten(t *testing.T) {
	w, out := newWriter("Herald")
	w.Duration(metrics.ReaperLag, 0)
	w.Flush()
	want := []metricstest.Value{{Metric: "ReaperLag", Unit: "Seconds", Stack: "Herald", Values: []float64{0}}}
	if diff := cmp.Diff(want, metricstest.Parse(t, out.Bytes())); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// TestALineHasAtMost100Values checks the bound of the format: CloudWatch ignores a line that exceeds it.
func TestALineHasAtMost100Values(t *testing.T) {
	for _, n := range []int{99, 100, 101, 250} {
		w, out := newWriter("Herald")
		for i := range n {
			w.Duration(metrics.PublishToPost, time.Duration(i)*time.Millisecond)
		}
		w.Flush()
		if lines, want := strings.Count(out.String(), "\n"), (n+99)/100; lines != want {
			t.Errorf("%d values are in %d lines, want %d", n, lines, want)
		}
		values := 0
		for _, v := range metricstest.Parse(t, out.Bytes()) {
			if len(v.Values) > 100 {
				t.Errorf("a line has %d values", len(v.Values))
			}
			values += len(v.Values)
		}
		if values != n {
			t.Errorf("%d values are written, want %d", values, n)
		}
	}
}

// TestEachMetricIsWrittenAsTheTableSays writes all metrics in one line, for a stack whose name needs escaping in JSON.
func TestEachMetricIsWrittenAsTheTableSays(t *testing.T) {
	const stack = `Herald-"quoted" \`
	w, out := newWriter(stack)
	var want []metricstest.Value
	for i, m := range metrics.All() {
		v := metricstest.Value{Metric: m.Name(), Unit: m.Unit(), Stack: stack, Values: []float64{float64(i + 1)}}
		want = append(want, v)
		switch m.Unit() {
		case "Count":
			w.Count(m, i+1)
		case "Milliseconds":
			w.Duration(m, time.Duration(i+1)*time.Millisecond)
		case "Seconds":
			w.Duration(m, time.Duration(i+1)*time.Second)
		default:
			t.Errorf("%s has the unit %s", m.Name(), m.Unit())
		}
	}
	w.Flush()
	if diff := cmp.Diff(want, metricstest.Parse(t, out.Bytes())); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	names := map[string]bool{}
	for _, m := range metrics.All() {
		if m.Name() == "" || names[m.Name()] {
			t.Errorf("metric %d has the name %q, which is empty or not its own", m, m.Name())
		}
		names[m.Name()] = true
	}
}

func TestWithoutAWriterNothingIsRecorded(t *testing.T) {
	var w *metrics.Writer
	for _, r := range []metrics.Recorder{w, metrics.OrNone(nil)} {
		r.Count(metrics.Delivered, 1)
		r.Duration(metrics.PublishToPost, time.Second)
	}
	w.Flush()
	recorder, _ := newWriter("Herald")
	if metrics.OrNone(recorder) != metrics.Recorder(recorder) {
		t.Error("OrNone replaces a recorder")
	}
}

func TestConcurrentCountsAddUp(t *testing.T) {
	w, out := newWriter("Herald")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 250 {
				w.Count(metrics.Delivered, 1)
				w.Duration(metrics.PublishToPost, time.Millisecond)
			}
		})
	}
	all.Wait()
	w.Flush()
	sums := map[string]float64{}
	for _, v := range metricstest.Parse(t, out.Bytes()) {
		for _, value := range v.Values {
			sums[v.Metric] += value
		}
	}
	if diff := cmp.Diff(map[string]float64{"Delivered": 2000, "PublishToPost": 2000}, sums); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
}

// BenchmarkNotification writes what one notification brings.
func BenchmarkNotification(b *testing.B) {
	w := metrics.NewWriter(io.Discard, "Herald", nil)
	b.ReportAllocs()
	for b.Loop() {
		w.Count(metrics.Delivered, 2)
		w.Count(metrics.DeliveriesFailed, 0)
		w.Count(metrics.ConnectionsGone, 0)
		w.Duration(metrics.PublishToPost, 34*time.Millisecond)
		w.Flush()
	}
}
