// Package metrics counts what the deployed functions do.
//
// A function counts through a [Recorder]. A [Writer] writes what was recorded during one event as one line of the function's log. CloudWatch
// makes metrics of such lines, in the namespace [Namespace], with one dimension: the stack. Alarms and the dashboard of the stack take
// their metrics from the table in this file, so that they name only metrics that are written.
//
// Metrics of AWS are not counted again: the invocations, errors and throttles of functions, the failed executions of workflows, and the
// messages in queues.
package metrics

import "time"

const (
	// Namespace is the CloudWatch namespace of the metrics.
	Namespace = "Herald"
	// Dimension is the name of the only dimension of a metric. Its value names the stack, so the number of metrics does not grow with the
	// number of users or jobs.
	Dimension = "Stack"
)

// Metric is one of the metrics of this package.
type Metric int

// The metrics. A count is the number since the line before.
const (
	// Delivered is the number of posts that reached a connection.
	Delivered Metric = iota
	// DeliveriesFailed is the number of posts that failed after all retries, or that did not start in time.
	DeliveriesFailed
	// ConnectionsGone is the number of posts to a connection that is closed.
	ConnectionsGone
	// PublishToPost is the time from the acceptance of a request to the end of its last post.
	PublishToPost
	// DynamoDBThrottles is the number of requests that DynamoDB throttled. A request that is sent again counts again.
	DynamoDBThrottles
	// SweeperFinds is the number of jobs that a scheduled sweep ended because their execution had ended, and no event about that came.
	SweeperFinds
	// ReaperLag is the time since the end of the oldest session that a run of the reaper has found. It is 0 if the run has found none,
	// and is not written if the run could not read the sessions.
	ReaperLag
	// SyncedPages is the number of answers to syncs. A long sync has several.
	SyncedPages
	// RateLimited is the number of messages and connects that were refused or shortened because a user's budget was spent.
	RateLimited
	// ConnectsFailed is the number of connects that failed because the keys of tokens or the table could not be read or written.
	ConnectsFailed

	numberOfMetrics = iota
)

// unit is a unit of CloudWatch.
type unit string

const (
	count        unit = "Count"
	milliseconds unit = "Milliseconds"
	seconds      unit = "Seconds"
)

// definitions has the name and the unit of each metric.
var definitions = [numberOfMetrics]struct {
	name string
	unit unit
}{
	Delivered:         {"Delivered", count},
	DeliveriesFailed:  {"DeliveriesFailed", count},
	ConnectionsGone:   {"ConnectionsGone", count},
	PublishToPost:     {"PublishToPost", milliseconds},
	DynamoDBThrottles: {"DynamoDBThrottles", count},
	SweeperFinds:      {"SweeperFinds", count},
	ReaperLag:         {"ReaperLag", seconds},
	SyncedPages:       {"SyncedPages", count},
	RateLimited:       {"RateLimited", count},
	ConnectsFailed:    {"ConnectsFailed", count},
}

// All returns all metrics.
func All() []Metric {
	all := make([]Metric, numberOfMetrics)
	for i := range all {
		all[i] = Metric(i)
	}

	return all
}

// Name returns the name in CloudWatch.
func (m Metric) Name() string { return definitions[m].name }

// Unit returns the unit in CloudWatch: Count, Milliseconds or Seconds.
func (m Metric) Unit() string { return string(definitions[m].unit) }

// IsCount reports whether the metric is a count. The others are times.
func (m Metric) IsCount() bool { return definitions[m].unit == count }

// Recorder records metrics. It may be used concurrently.
type Recorder interface {
	// Count adds n to a count. It does nothing if n is 0.
	Count(m Metric, n int)
	// Duration records a time, in the unit of the metric.
	Duration(m Metric, d time.Duration)
}

// OrNone returns r, or a Recorder that records nothing if r is nil.
func OrNone(r Recorder) Recorder {
	if r == nil {
		return none{}
	}

	return r
}

type none struct{}

func (none) Count(Metric, int)              {}
func (none) Duration(Metric, time.Duration) {}
