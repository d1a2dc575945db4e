package pipeline

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lib/metrics"
)

// The size of a graph: two in a row of 24 columns.
const (
	graphWidth  = 12
	graphHeight = 6
)

// addDashboard creates the dashboard.
func (p *Pipeline) addDashboard() {
	if !p.props.Dashboard {
		return
	}
	dashboard := awscloudwatch.NewDashboard(p.Construct, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName: jsii.String(p.namePrefix),
	})
	written := func(all ...metrics.Metric) []awscloudwatch.IMetric {
		var out []awscloudwatch.IMetric
		for _, m := range all {
			out = append(out, p.Metric(m, nil))
		}

		return out
	}
	byStatistic := func(m metrics.Metric, statistics ...string) []awscloudwatch.IMetric {
		var out []awscloudwatch.IMetric
		for _, name := range statistics {
			options := statistic(name, fiveMinutes)
			options.Label = jsii.String(m.Name() + " " + name)
			out = append(out, p.Metric(m, options))
		}

		return out
	}
	dashboard.AddWidgets(
		graph("Requests to the notifier", p.Notifier.MetricInvocations(nil), p.Notifier.MetricErrors(nil), p.Notifier.MetricThrottles(nil)),
		graph("From publishing to the last post, in milliseconds", byStatistic(metrics.PublishToPost, "p50", "p99", "Maximum")...),
	)
	dashboard.AddWidgets(
		graph("Posts to browsers", written(metrics.Delivered, metrics.DeliveriesFailed, metrics.ConnectionsGone)...),
		graph("Browsers", slices.Concat(written(metrics.SyncedPages, metrics.RateLimited, metrics.ConnectsFailed),
			[]awscloudwatch.IMetric{p.Connect.MetricInvocations(nil), p.Connect.MetricErrors(nil), p.Default.MetricErrors(nil)})...),
	)
	ends := written(metrics.SweeperFinds)
	for _, name := range slices.Sorted(maps.Keys(p.workflows)) {
		machine := p.workflows[name]
		ends = append(ends, machine.MetricSucceeded(nil), machine.MetricFailed(nil), machine.MetricAborted(nil))
	}
	ids := slices.Sorted(maps.Keys(p.deadLetters))
	queues := make([]awscloudwatch.IMetric, len(ids))
	for i, id := range ids {
		queues[i] = p.deadLetterMetric(id)
	}
	p.deadLetterGraph = graph("Dead letters", queues...)
	dashboard.AddWidgets(
		graph("Workflows, and jobs that the sweeper had to end", ends...),
		p.deadLetterGraph,
	)
	dashboard.AddWidgets(
		graph("How long ago the oldest session ended, in seconds", byStatistic(metrics.ReaperLag, "Maximum")...),
		graph("Throttled requests to DynamoDB", written(metrics.DynamoDBThrottles)...),
	)
}

// graph returns a graph of metrics over time.
func graph(title string, all ...awscloudwatch.IMetric) awscloudwatch.GraphWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: jsii.String(title), Left: &all, Width: jsii.Number(graphWidth), Height: jsii.Number(graphHeight),
		LiveData: jsii.Bool(true),
	})
}
