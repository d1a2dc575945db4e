package metrics

import (
	"encoding/json"
	"io"
	"strconv"
	"sync"
	"time"
)

// maxValues is how many values a metric has in one line at most
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
const maxValues = 100

// Writer is the [Recorder] of a deployed function. It collects what is recorded until Flush writes it as one line of the embedded metric
// format. A nil Writer records nothing.
type Writer struct {
	out io.Writer
	// stack is the value of the dimension, as a JSON string.
	stack string
	now   func() time.Time

	mu     sync.Mutex
	counts [numberOfMetrics]int
	times  [numberOfMetrics][]float64
	line   []byte // is used again for each line
}

var _ Recorder = (*Writer)(nil)

// NewWriter returns a Writer that writes lines to out. stack is the value of the dimension. A nil now means time.Now.
func NewWriter(out io.Writer, stack string, now func() time.Time) *Writer {
	quoted, err := json.Marshal(stack)
	if err != nil {
		quoted = []byte(`""`) // impossible: a string can be encoded
	}
	if now == nil {
		now = time.Now
	}

	return &Writer{out: out, stack: string(quoted), now: now}
}

// Count adds n to a count.
func (w *Writer) Count(m Metric, n int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[m] += n
}

// Duration records a time. It writes a line if there are as many times as a line may have.
func (w *Writer) Duration(m Metric, d time.Duration) {
	if w == nil {
		return
	}
	value := float64(d.Milliseconds())
	if definitions[m].unit == seconds {
		value = d.Truncate(time.Second).Seconds()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times[m] = append(w.times[m], value)
	if len(w.times[m]) == maxValues {
		w.flush()
	}
}

// Flush writes what was recorded since the last line, if anything was. It is called at the end of each event: Lambda may end the
// process after it.
func (w *Writer) Flush() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
}

// flush is Flush. Its caller has locked w.mu.
func (w *Writer) flush() {
	recorded := false
	line := w.line[:0]
	line = append(line, `{"_aws":{"Timestamp":`...)
	line = strconv.AppendInt(line, w.now().UnixMilli(), 10)
	line = append(line, `,"CloudWatchMetrics":[{"Namespace":"`+Namespace+`","Dimensions":[["`+Dimension+`"]],"Metrics":[`...)
	for m := range Metric(numberOfMetrics) {
		if !w.has(m) {
			continue
		}
		if recorded {
			line = append(line, ',')
		}
		recorded = true
		line = append(line, `{"Name":"`+definitions[m].name...)
		line = append(line, `","Unit":"`+string(definitions[m].unit)...)
		line = append(line, `"}`...)
	}
	if !recorded {
		return
	}
	line = append(line, `]}]},"`+Dimension+`":`+w.stack...)
	for m := range Metric(numberOfMetrics) {
		if w.has(m) {
			line = w.appendValue(line, m)
		}
	}
	line = append(line, '}', '\n')
	w.line = line
	_, _ = w.out.Write(w.line) // a function has nowhere to report that its log cannot be written
}

func (w *Writer) has(m Metric) bool { return w.counts[m] != 0 || len(w.times[m]) > 0 }

// appendValue appends the member of a metric to a line, and forgets its value.
func (w *Writer) appendValue(line []byte, m Metric) []byte {
	line = append(line, `,"`+definitions[m].name...)
	line = append(line, `":`...)
	switch times := w.times[m]; len(times) {
	case 0:
		line = strconv.AppendInt(line, int64(w.counts[m]), 10)
	case 1:
		line = strconv.AppendFloat(line, times[0], 'f', -1, 64)
	default:
		separator := byte('[')
		for _, value := range times {
			line = strconv.AppendFloat(append(line, separator), value, 'f', -1, 64)
			separator = ','
		}
		line = append(line, ']')
	}
	w.counts[m], w.times[m] = 0, w.times[m][:0]

	return line
}
