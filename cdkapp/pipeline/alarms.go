package pipeline

import (
	"maps"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lib/metrics"
)

// The thresholds of alarms.
const (
	// someFailures is how many failures in five minutes are more than what passes by itself: posts and requests are repeated.
	someFailures = 10
	// maxReaperLag is how long ago a session may have ended that the reaper finds, in seconds. The reaper runs each minute.
	maxReaperLag = 180
	// maxPublishToPost is how long a message may take from the notifier's acceptance to its last post, in milliseconds.
	maxPublishToPost = 1000
)

// The forms of what is told about an alarm.
var (
	topicPattern = regexp.MustCompile(`^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256})?$`)
	emailPattern = regexp.MustCompile(`^([^\s@,]{1,64}@[^\s@,]{1,255})?$`)
)

// alarmSettings returns the settings of what is watched.
func alarmSettings() []setting {
	return []setting{
		{key: "alarms", field: func(s *Settings) any { return &s.Props.Alarms }, fallback: true},
		{
			key: "alarmTopicArn", field: func(s *Settings) any { return &s.Props.AlarmTopicARN },
			check: matches(topicPattern, "the ARN of a topic, as arn:aws:sns:REGION:ACCOUNT:NAME"),
		},
		{key: "alarmEmail", field: func(s *Settings) any { return &s.Props.AlarmEmail }, check: checkAlarmEmail},
		{key: "dashboard", field: func(s *Settings) any { return &s.Props.Dashboard }},
	}
}

// checkAlarmEmail checks the address, and that it is used.
func checkAlarmEmail(c *checker, s setting, all *Settings) {
	props := all.Props
	c.match(s.key, props.AlarmEmail, emailPattern, "an address such as operators@example.com")
	if props.AlarmEmail != "" && props.AlarmTopicARN != "" {
		c.addf("%s: not used with alarmTopicArn; subscribe the address to that topic", s.key)
	}
	if !props.hasAlarms() && (props.AlarmEmail != "" || props.AlarmTopicARN != "") {
		c.addf("alarms: false, so alarmEmail and alarmTopicArn would never be used")
	}
}

// hasAlarms reports whether the stack has alarms.
func (props Props) hasAlarms() bool { return props.Alarms == nil || *props.Alarms }

// writesMetrics reports whether the functions write metrics: only if something in the stack reads them, because each costs money.
func (props Props) writesMetrics() bool { return props.hasAlarms() || props.Dashboard }

// alarm describes an alarm. It goes off if the metric is over a threshold in each of some periods.
type alarm struct {
	// id is the end of the alarm's name, and its heading in the runbook.
	id string
	// meaning is what has happened, for the alarm's description.
	meaning string
	metric  awscloudwatch.IMetric
	// over is the threshold, which the metric must exceed.
	over float64
	// periods is how many periods of the metric in a row must be over the threshold.
	periods float64
	// missing says what a period without data means.
	missing awscloudwatch.TreatMissingData
}

// Most metrics are written only when there is something to count, so that no data means that all is well.
const nothingHappened = awscloudwatch.TreatMissingData_NOT_BREACHING

// alarms returns the alarms of the stack, except those of queues.
func (p *Pipeline) alarms() []alarm {
	sum := func(m metrics.Metric) awscloudwatch.IMetric { return p.Metric(m, statistic("Sum", fiveMinutes)) }
	all := []alarm{
		{
			"NotifierErrors", "Notifications were refused or failed", p.Notifier.MetricErrors(statistic("Sum", fiveMinutes)), 0, 1, nothingHappened,
		},
		{
			"NotifierThrottles", "Lambda had no execution free for the notifier", p.Notifier.MetricThrottles(statistic("Sum", fiveMinutes)), 0, 1,
			nothingHappened,
		},
		{"ConnectFailures", "Browsers could not connect", sum(metrics.ConnectsFailed), someFailures, 1, nothingHappened},
		{"DeliveryFailures", "Posts to browsers failed", sum(metrics.DeliveriesFailed), someFailures, 1, nothingHappened},
		{"DynamoDBThrottles", "DynamoDB throttled requests", sum(metrics.DynamoDBThrottles), someFailures, 1, nothingHappened},
		{"SweeperFinds", "Jobs whose workflows had ended were shown as running", sum(metrics.SweeperFinds), 0, 1, nothingHappened},
		{
			// The reaper writes a lag each minute, so no data means that it does not run, or cannot read the sessions.
			"ReaperLag", "Sessions that have ended are still open", p.Metric(metrics.ReaperLag, statistic("Maximum", oneMinute)), maxReaperLag, 5,
			awscloudwatch.TreatMissingData_BREACHING,
		},
		{
			"PublishToPost", "Messages reach browsers late", p.Metric(metrics.PublishToPost, statistic("p99", fiveMinutes)), maxPublishToPost, 2,
			nothingHappened,
		},
	}
	for _, name := range slices.Sorted(maps.Keys(p.workflows)) {
		failed := p.workflows[name].MetricFailed(statistic("Sum", fiveMinutes)) // no workflow has a timeout of its own
		all = append(all, alarm{constructID(name) + "Failures", "Executions of " + name + " failed", failed, 0, 1, nothingHappened})
	}

	return all
}

// addQueueAlarm creates the alarm of a dead-letter queue. A queue has data while it holds a message.
func (p *Pipeline) addQueueAlarm(id string) {
	p.addAlarm(alarm{id, "Events were given up", p.deadLetterMetric(id), 0, 1, nothingHappened})
}

// deadLetterMetric returns how many messages a dead-letter queue has.
func (p *Pipeline) deadLetterMetric(id string) awscloudwatch.IMetric {
	return p.MetricDeadLetters(id, statistic("Maximum", fiveMinutes))
}

// The periods of metrics, in minutes.
const (
	oneMinute   = 1
	fiveMinutes = 5
)

// statistic returns the options of a metric.
func statistic(name string, minutes float64) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Statistic: jsii.String(name), Period: awscdk.Duration_Minutes(jsii.Number(minutes))}
}

// Metric returns one of the metrics that the functions write: the sum of a count or the average of a time over 5 minutes, unless
// props says otherwise. Props may be nil. The functions write metrics only in a stack with alarms or a dashboard.
func (p *Pipeline) Metric(m metrics.Metric, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	name := "Average"
	if m.IsCount() {
		name = "Sum"
	}
	metric := awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace:     jsii.String(metrics.Namespace),
		MetricName:    jsii.String(m.Name()),
		DimensionsMap: &map[string]*string{metrics.Dimension: jsii.String(p.namePrefix)},
		Statistic:     jsii.String(name),
	})
	if props == nil {
		return metric
	}

	return metric.With(props)
}

// addAlarm creates an alarm, unless the stack has none.
func (p *Pipeline) addAlarm(a alarm) {
	if !p.props.hasAlarms() {
		return
	}
	created := awscloudwatch.NewAlarm(p.Construct, jsii.String(a.id+"Alarm"), &awscloudwatch.AlarmProps{
		AlarmName:          jsii.String(p.namePrefix + "-" + a.id),
		AlarmDescription:   jsii.String(a.meaning + ". What to do: " + a.id + " in cdkapp/RUNBOOK.md"),
		Metric:             a.metric,
		Threshold:          jsii.Number(a.over),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(a.periods),
		TreatMissingData:   a.missing,
	})
	if p.alarmTopic != nil {
		action := awscloudwatchactions.NewSnsAction(p.alarmTopic)
		created.AddAlarmAction(action)
		created.AddOkAction(action)
	}
}

// newAlarmTopic returns the topic that alarms notify: yours, or a new one to which AlarmEmail is subscribed. It returns nil if there is
// none.
func (p *Pipeline) newAlarmTopic() awssns.ITopic {
	switch {
	case p.props.AlarmTopicARN != "":
		return awssns.Topic_FromTopicArn(p.Construct, jsii.String("AlarmTopic"), jsii.String(p.props.AlarmTopicARN))
	case p.props.AlarmEmail == "":
		return nil
	}
	topic := awssns.NewTopic(p.Construct, jsii.String("AlarmTopic"), &awssns.TopicProps{
		DisplayName: topicTitle(p.namePrefix),
		EnforceSSL:  jsii.Bool(true),
		MasterKey:   p.key,
	})
	// A topic with a policy of its own lets nobody publish who is not named.
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("AllowAlarms"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
		Conditions: &map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(p.Construct).Account()},
			"ArnLike": map[string]any{"aws:SourceArn": awscdk.Stack_Of(p.Construct).FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("cloudwatch"), Resource: jsii.String("alarm"),
				ResourceName: jsii.String(p.namePrefix + "-*"), ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
			})},
		},
	}))
	topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(jsii.String(p.props.AlarmEmail), nil))

	return topic
}
