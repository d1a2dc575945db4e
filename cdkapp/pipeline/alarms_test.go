package pipeline_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/metrics"
)

// alarmsOf describes the alarms of a template by their ids: the metric with its dimensions, the condition, and what no data means.
func alarmsOf(t template) map[string]string {
	out := map[string]string{}
	for _, a := range t.ofType("AWS::CloudWatch::Alarm") {
		get := func(path ...any) string { return withoutCDKHashes(lookUp(a.properties, path...)) }
		var dimensions []string
		for _, d := range asList(lookUp(a.properties, "Dimensions")) {
			dimensions = append(dimensions, withoutCDKHashes(lookUp(d, "Name"))+"="+withoutCDKHashes(lookUp(d, "Value")))
		}
		statistic := get("Statistic")
		if statistic == noValue {
			statistic = get("ExtendedStatistic")
		}
		id := strings.TrimPrefix(get("AlarmName"), "Herald-")
		out[id] = fmt.Sprintf("%s %s %s: %s over %s s > %s, %s times; no data: %s", get("Namespace"), get("MetricName"),
			strings.Join(dimensions, ","), statistic, get("Period"), get("Threshold"), get("EvaluationPeriods"), get("TreatMissingData"))
		if got := get("ComparisonOperator"); got != "GreaterThanThreshold" {
			out[id] += ", but " + got
		}
	}

	return out
}

// TestAlarms checks the alarms of a stack with all of them: their conditions, and that each notifies the topic.
func TestAlarms(t *testing.T) { checkAlarms(t, fullTemplate(t)) }

func checkAlarms(tb testing.TB, template template) {
	tb.Helper()
	want := map[string]string{
		"NotifierErrors":     "AWS/Lambda Errors FunctionName=<HeraldNotifierFunction>: Sum over 300 s > 0, 1 times; no data: notBreaching",
		"NotifierThrottles":  "AWS/Lambda Throttles FunctionName=<HeraldNotifierFunction>: Sum over 300 s > 0, 1 times; no data: notBreaching",
		"ConnectFailures":    "Herald ConnectsFailed Stack=Herald: Sum over 300 s > 10, 1 times; no data: notBreaching",
		"DeliveryFailures":   "Herald DeliveriesFailed Stack=Herald: Sum over 300 s > 10, 1 times; no data: notBreaching",
		"DynamoDBThrottles":  "Herald DynamoDBThrottles Stack=Herald: Sum over 300 s > 10, 1 times; no data: notBreaching",
		"SweeperFinds":       "Herald SweeperFinds Stack=Herald: Sum over 300 s > 0, 1 times; no data: notBreaching",
		"ReaperLag":          "Herald ReaperLag Stack=Herald: Maximum over 60 s > 180, 5 times; no data: breaching",
		"PublishToPost":      "Herald PublishToPost Stack=Herald: p99 over 300 s > 1000, 2 times; no data: notBreaching",
		"CsvImportFailures":  "AWS/States ExecutionsFailed StateMachineArn=<HeraldCsvImport>: Sum over 300 s > 0, 1 times; no data: notBreaching",
		"SweeperDeadLetters": "AWS/SQS ApproximateNumberOfMessagesVisible QueueName=<HeraldSweeperDeadLetters.QueueName>: Maximum over 300 s > 0, 1 times; no data: notBreaching",
		"UploadDeadLetters":  "AWS/SQS ApproximateNumberOfMessagesVisible QueueName=<HeraldUploadDeadLetters.QueueName>: Maximum over 300 s > 0, 1 times; no data: notBreaching",
	}
	want["ObserverDeadLetters"] = strings.Replace(want["SweeperDeadLetters"], "HeraldSweeper", "HeraldObserver", 1)
	if diff := cmp.Diff(want, alarmsOf(template)); diff != "" {
		tb.Errorf("alarms (-want +got):\n%s", diff)
	}
	for _, a := range template.ofType("AWS::CloudWatch::Alarm") {
		for _, actions := range []string{"AlarmActions", "OKActions"} {
			if got := strings.Join(valueTexts(lookUp(a.properties, actions)), ","); logicalIDHash.ReplaceAllString(got, "$1$2") != "<HeraldAlarmTopic>" {
				tb.Errorf("%s of %s are %s, want the topic", actions, a.id, got)
			}
		}
		name := fmt.Sprint(lookUp(a.properties, "AlarmName"))
		if got := fmt.Sprint(lookUp(a.properties, "AlarmDescription")); !strings.HasSuffix(got, ". What to do: "+strings.TrimPrefix(name, "Herald-")+" in cdkapp/RUNBOOK.md") {
			tb.Errorf("the description of %s does not lead to the runbook: %s", name, got)
		}
	}
}

// TestAlarmsAndTheDashboardReadMetricsThatFunctionsWrite compares the metrics of the namespace Herald with the table in package metrics,
// and their dimension with the variable by which each function writes it.
func TestAlarmsAndTheDashboardReadMetricsThatFunctionsWrite(t *testing.T) {
	settings := watching(hs256())
	settings.StackName, settings.Props.Dashboard = "HeraldStaging", true
	checkMetrics(t, synthesise(t, settings), "HeraldStaging")
	checkMetrics(t, fullTemplate(t), "Herald")
}

// checkMetrics checks the metrics of a stack with this name.
func checkMetrics(tb testing.TB, template template, stackName string) {
	tb.Helper()
	written := map[string]bool{}
	for _, m := range metrics.All() {
		written[m.Name()] = true
	}
	for _, f := range template.ofType("AWS::Lambda::Function") {
		if got := lookUp(f.properties, "Environment", "Variables", lambdas.EnvMetrics); got != stackName {
			tb.Errorf("%s writes metrics of the stack %v, want %s", f.id, got, stackName)
		}
	}
	for id, description := range alarmsOf(template) {
		fields := strings.Fields(description)
		if fields[0] != metrics.Namespace {
			continue
		}
		if !written[fields[1]] || fields[2] != metrics.Dimension+"="+stackName+":" {
			tb.Errorf("%s: nothing writes %s", id, description)
		}
	}
	body := valueText(lookUp(template.one(tb, "AWS::CloudWatch::Dashboard", "Herald").properties, "DashboardBody"))
	shown := map[string]bool{}
	for _, found := range regexp.MustCompile(`\["Herald","(\w+)","(\w+)","([\w-]+)"`).FindAllStringSubmatch(body, -1) {
		shown[found[1]] = true
		if !written[found[1]] || found[2] != metrics.Dimension || found[3] != stackName {
			tb.Errorf("the dashboard shows %s, which nothing writes", found[0])
		}
	}
	if diff := cmp.Diff(written, shown); diff != "" {
		tb.Errorf("metrics on the dashboard (-written +shown):\n%s", diff)
	}
}

func TestAlarmsNotifyATopicByChoice(t *testing.T) {
	for name, tt := range map[string]struct {
		topic, email, want string
	}{
		"nobody":         {"", "", noValue},
		"your topic":     {topicARN, "", "[" + topicARN + "]"},
		"a topic of its": {"", "operators@example.com", "[map[Ref:"},
	} {
		settings := hs256()
		settings.Props.AlarmTopicARN, settings.Props.AlarmEmail = tt.topic, tt.email
		template := synthesise(t, settings)
		for _, a := range template.ofType("AWS::CloudWatch::Alarm") {
			for _, actions := range []string{"AlarmActions", "OKActions"} {
				if got := valueText(lookUp(a.properties, actions)); !strings.HasPrefix(got, tt.want) {
					t.Errorf("%s: %s of %s are %s, want %s", name, actions, a.id, got, tt.want)
				}
			}
		}
		if topics := len(template.ofType("AWS::SNS::Topic")); topics > 0 != (tt.email != "") {
			t.Errorf("%s: the stack creates %d topics", name, topics)
		}
	}
}

func TestOnlyAlarmsOfTheStackMayPublishToItsTopic(t *testing.T) { checkTopic(t, fullTemplate(t)) }

func checkTopic(tb testing.TB, template template) {
	tb.Helper()
	const topic = "<HeraldAlarmTopic>"
	for kind, want := range map[string]any{
		"AWS::SNS::Topic":        map[string]any{"DisplayName": "Alarms of Herald"},
		"AWS::SNS::Subscription": map[string]any{"Protocol": "email", "Endpoint": "operators@example.com", "TopicArn": topic},
		"AWS::SNS::TopicPolicy": map[string]any{
			"Topics": []any{topic},
			"PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{
				map[string]any{
					"Sid": "AllowPublishThroughSSLOnly", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": topic,
					"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
				},
				map[string]any{
					"Sid": "AllowAlarms", "Effect": "Allow", "Principal": map[string]any{"Service": "cloudwatch.amazonaws.com"},
					"Action": "sns:Publish", "Resource": topic,
					"Condition": map[string]any{
						"StringEquals": map[string]any{"aws:SourceAccount": "<AWS::AccountId>"},
						"ArnLike":      map[string]any{"aws:SourceArn": "arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:Herald-*"},
					},
				},
			}},
		},
	} {
		if diff := cmp.Diff(want, exactValue(template.one(tb, kind, "Herald").properties)); diff != "" {
			tb.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

// exactValue returns value with the exactText of each reference in it, without hashes.
func exactValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		if isIntrinsic(value) {
			return logicalIDHash.ReplaceAllString(exactText(value), "$1$2")
		}
		out := map[string]any{}
		for key, child := range value {
			out[key] = exactValue(child)
		}
		return out
	case []any:
		var out []any
		for _, child := range value {
			out = append(out, exactValue(child))
		}
		return out
	default:
		return value
	}
}

// TestTheKeyEncryptsTheTopicOfAlarms checks that the topic, too, has the operator's key.
func TestTheKeyEncryptsTheTopicOfAlarms(t *testing.T) {
	settings := hs256()
	settings.Props.AlarmEmail, settings.Props.KMSKeyARN = "operators@example.com", keyARN
	if got := lookUp(synthesise(t, settings).one(t, "AWS::SNS::Topic", "Herald").properties, "KmsMasterKeyId"); got != keyARN {
		t.Errorf("the topic is encrypted by %v", got)
	}
}

// TestWithoutAlarmsAndDashboardNoMetricsAreWritten checks that nobody pays for metrics that nothing in the stack reads.
func TestWithoutAlarmsAndDashboardNoMetricsAreWritten(t *testing.T) {
	settings := hs256()
	settings.Props.Alarms = new(bool)
	for _, dashboard := range []bool{false, true} {
		settings.Props.Dashboard = dashboard
		template := synthesise(t, settings)
		if n := len(template.ofType("AWS::CloudWatch::Alarm")); n > 0 {
			t.Errorf("%d alarms", n)
		}
		if n := len(template.ofType("AWS::CloudWatch::Dashboard")); n > 0 != dashboard {
			t.Errorf("%d dashboards, dashboard: %v", n, dashboard)
		}
		for _, f := range template.ofType("AWS::Lambda::Function") {
			if got := lookUp(f.properties, "Environment", "Variables", lambdas.EnvMetrics) != nil; got != dashboard {
				t.Errorf("%s: writes metrics: %v, dashboard: %v", f.id, got, dashboard)
			}
		}
	}
}

// TestEachAlarmIsInTheRunbook compares the headings of the runbook's alarms with the alarms of a stack that has all of them.
func TestEachAlarmIsInTheRunbook(t *testing.T) {
	page, err := os.ReadFile("../RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Alarms\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var inRunbook []string
	for _, found := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatchIndex(section, -1) {
		id := section[found[2]:found[3]]
		inRunbook = append(inRunbook, id)
		text, _, _ := strings.Cut(section[found[1]:], "\n### ")
		for _, part := range []string{"\n- **Means**: ", "\n- **Look**: ", "\n- **Do**: "} {
			if strings.Count(text, part) != 1 {
				t.Errorf("%s has no line %q", id, strings.TrimSpace(part))
			}
		}
	}
	slices.Sort(inRunbook)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(alarmsOf(fullTemplate(t)))), inRunbook); diff != "" {
		t.Errorf("alarms (-stack +runbook):\n%s", diff)
	}
}

// TestThePageSaysWhatAlarmsCost compares what the deployer's page says with the alarms of stacks. Prices are in cents.
func TestThePageSaysWhatAlarmsCost(t *testing.T) {
	const alarmPrice, metricPrice, writtenMetrics = 10, 30, 4
	count := func(change func(*pipeline.Props)) int {
		settings := hs256()
		settings.Props.CSVImport = false
		change(&settings.Props)
		return len(synthesise(t, settings).ofType("AWS::CloudWatch::Alarm"))
	}
	least := count(func(*pipeline.Props) {})
	withImport := count(func(props *pipeline.Props) { props.CSVImport = true })
	withWatched := count(func(props *pipeline.Props) {
		props.WatchedStateMachines = watching(hs256()).Props.WatchedStateMachines
	})
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(page)), " ")
	dollars := fmt.Sprintf("$%.2f", float64(least*alarmPrice+writtenMetrics*metricPrice)/100)
	for _, claim := range []string{
		fmt.Sprintf("a stack has %d, with `csvImport` %d, with watched workflows one more", least, withImport),
		"the default costs " + dollars + " a month",
	} {
		if !strings.Contains(text, claim) {
			t.Errorf("the page does not say: %s", claim)
		}
	}
	if withWatched != least+1 {
		t.Errorf("%d alarms with a watched workflow, %d without", withWatched, least)
	}
}
