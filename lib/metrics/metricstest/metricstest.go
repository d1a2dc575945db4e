// Package metricstest reads metrics from the log of a function, for tests.
package metricstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/metrics"
)

// Limits of the embedded metric format
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
const (
	maxMetrics   = 100
	maxValues    = 100
	maxDimension = 1024 // bytes
	maxLine      = 1 << 20
)

// Value is a metric in one line of a log.
type Value struct {
	Metric, Unit, Stack string
	Values              []float64
}

// line is the part of a line that makes it a metric.
type line struct {
	AWS *struct {
		Timestamp         int64       `json:"Timestamp"`
		CloudWatchMetrics []directive `json:"CloudWatchMetrics"`
	} `json:"_aws"`
}

// directive names the members of a line that are metrics.
type directive struct {
	Namespace  string     `json:"Namespace"`
	Dimensions [][]string `json:"Dimensions"`
	Metrics    []struct {
		Name string `json:"Name"`
		Unit string `json:"Unit"`
	} `json:"Metrics"`
}

// Parse returns the metrics in a log, in the order of its lines. It fails the test if a line of the embedded metric format breaks a rule
// of the format, or has other dimensions than the stack. It skips all other lines.
func Parse(tb testing.TB, log []byte) []Value {
	tb.Helper()
	var out []Value
	for raw := range bytes.Lines(log) {
		if !bytes.Contains(raw, []byte(`"_aws"`)) {
			continue
		}
		values, err := parseLine(raw)
		if err != nil {
			tb.Errorf("%v: %s", err, raw)
		}
		out = append(out, values...)
	}

	return out
}

func parseLine(raw []byte) ([]Value, error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	switch {
	case l.AWS == nil:
		return nil, fmt.Errorf("_aws is missing")
	case len(raw) > maxLine:
		return nil, fmt.Errorf("%d bytes are more than %d", len(raw), maxLine)
	case time.UnixMilli(l.AWS.Timestamp).Year() < 1999: // the tests' virtual time begins in 2000
		return nil, fmt.Errorf("the timestamp %d is not in milliseconds", l.AWS.Timestamp)
	case len(l.AWS.CloudWatchMetrics) != 1:
		return nil, fmt.Errorf("%d directives, want 1", len(l.AWS.CloudWatchMetrics))
	}

	return values(l.AWS.CloudWatchMetrics[0], members)
}

// values returns the metrics that a directive names, from the members of its line.
func values(directive directive, members map[string]any) ([]Value, error) {
	if got, want := fmt.Sprint(directive.Namespace, directive.Dimensions), "Herald[[Stack]]"; got != want {
		return nil, fmt.Errorf("namespace and dimensions are %s, want %s", got, want)
	}
	stack, ok := members["Stack"].(string)
	if !ok || stack == "" || len(stack) > maxDimension {
		return nil, fmt.Errorf("the dimension is %v", members["Stack"])
	}
	if n := len(directive.Metrics); n == 0 || n > maxMetrics {
		return nil, fmt.Errorf("%d metrics", n)
	}
	if extra := len(members) - len(directive.Metrics) - 2; extra != 0 {
		return nil, fmt.Errorf("%d members are neither metrics nor the dimension", extra)
	}
	out := make([]Value, len(directive.Metrics))
	for i, m := range directive.Metrics {
		numbers, err := numbers(members[m.Name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		out[i] = Value{Metric: m.Name, Unit: m.Unit, Stack: stack, Values: numbers}
	}

	return out, nil
}

// numbers returns the values of a metric: one number or a list of numbers.
func numbers(value any) ([]float64, error) {
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	if len(list) == 0 || len(list) > maxValues {
		return nil, fmt.Errorf("%d values", len(list))
	}
	out := make([]float64, len(list))
	for i, v := range list {
		n, ok := v.(float64)
		if !ok {
			return nil, fmt.Errorf("%v is no number", v)
		}
		out[i] = n
	}

	return out, nil
}

// Log is a Recorder for tests, which can be asked for what it has recorded.
type Log struct {
	*metrics.Writer

	lines bytes.Buffer
}

// NewLog returns an empty Log.
func NewLog() *Log {
	l := &Log{}
	l.Writer = metrics.NewWriter(&l.lines, "Herald", nil)

	return l
}

// Take returns what was recorded since the last call: the values of each metric by its name, or the sum of a count.
func (l *Log) Take(tb testing.TB) map[string][]float64 {
	tb.Helper()
	l.Flush()
	values := map[string][]float64{}
	for _, v := range Parse(tb, l.lines.Bytes()) {
		values[v.Metric] = append(values[v.Metric], v.Values...)
	}
	l.lines.Reset()

	return values
}
