package pipeline_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// widgets are the graphs of the dashboard, two in a row. Each line of metrics is: namespace, name, dimension, value, statistic; and a label
// if the graph shows one metric by several statistics.
var widgets = []struct{ title, metrics string }{
	{"Requests to the notifier", `
		AWS/Lambda Invocations FunctionName <HeraldNotifierFunction> Sum
		AWS/Lambda Errors FunctionName <HeraldNotifierFunction> Sum
		AWS/Lambda Throttles FunctionName <HeraldNotifierFunction> Sum`},
	{"From publishing to the last post, in milliseconds", `
		Herald PublishToPost Stack Herald p50 PublishToPost p50
		Herald PublishToPost Stack Herald p99 PublishToPost p99
		Herald PublishToPost Stack Herald Maximum PublishToPost Maximum`},
	{"Posts to browsers", `
		Herald Delivered Stack Herald Sum
		Herald DeliveriesFailed Stack Herald Sum
		Herald ConnectionsGone Stack Herald Sum`},
	{"Browsers", `
		Herald SyncedPages Stack Herald Sum
		Herald RateLimited Stack Herald Sum
		Herald ConnectsFailed Stack Herald Sum
		AWS/Lambda Invocations FunctionName <HeraldConnectFunction> Sum
		AWS/Lambda Errors FunctionName <HeraldConnectFunction> Sum
		AWS/Lambda Errors FunctionName <HeraldDefaultFunction> Sum`},
	{"Workflows, and jobs that the sweeper had to end", `
		Herald SweeperFinds Stack Herald Sum
		AWS/States ExecutionsSucceeded StateMachineArn <HeraldCsvImport> Sum
		AWS/States ExecutionsFailed StateMachineArn <HeraldCsvImport> Sum
		AWS/States ExecutionsAborted StateMachineArn <HeraldCsvImport> Sum`},
	{"Dead letters", `
		AWS/SQS ApproximateNumberOfMessagesVisible QueueName <HeraldObserverDeadLetters.QueueName> Maximum
		AWS/SQS ApproximateNumberOfMessagesVisible QueueName <HeraldSweeperDeadLetters.QueueName> Maximum
		AWS/SQS ApproximateNumberOfMessagesVisible QueueName <HeraldUploadDeadLetters.QueueName> Maximum`},
	{"How long ago the oldest session ended, in seconds", `
		Herald ReaperLag Stack Herald Maximum ReaperLag Maximum`},
	{"Throttled requests to DynamoDB", `
		Herald DynamoDBThrottles Stack Herald Sum`},
}

func TestDashboard(t *testing.T) { checkDashboard(t, fullTemplate(t)) }

func checkDashboard(tb testing.TB, template template) {
	tb.Helper()
	dashboard := template.one(tb, "AWS::CloudWatch::Dashboard", "Herald").properties
	if got := lookUp(dashboard, "DashboardName"); got != "Herald" {
		tb.Errorf("the dashboard's name is %v", got)
	}
	var want []any
	for i, w := range widgets {
		var all []any
		for line := range strings.Lines(strings.TrimSpace(w.metrics)) {
			fields := strings.Fields(line)
			options := map[string]any{"stat": fields[4]}
			if label := strings.Join(fields[5:], " "); label != "" {
				options["label"] = label
			}
			all = append(all, []any{fields[0], fields[1], fields[2], fields[3], options})
		}
		want = append(want, map[string]any{
			"type": "metric", "width": 12.0, "height": 6.0, "x": float64(i % 2 * 12), "y": float64(i / 2 * 6),
			"properties": map[string]any{
				"view": "timeSeries", "title": w.title, "region": "<AWS::Region>", "metrics": all, "yAxis": map[string]any{}, "liveData": true,
			},
		})
	}
	body := logicalIDHash.ReplaceAllString(exactText(lookUp(dashboard, "DashboardBody")), "$1$2")
	var got any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		tb.Errorf("the dashboard's body: %v", err)
	}
	if diff := cmp.Diff(map[string]any{"widgets": want}, got); diff != "" {
		tb.Errorf("the dashboard (-want +got):\n%s", diff)
	}
}

// exactText is valueText for a value that is made of text and references only. It shows everything else in the text.
func exactText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	object, _ := value.(map[string]any)
	join, _ := object["Fn::Join"].([]any)
	attribute, _ := object["Fn::GetAtt"].([]any)
	switch {
	case len(object) != 1:
	case object["Ref"] != nil, len(attribute) == 2:
		return valueText(value)
	case len(join) == 2 && join[0] == "":
		var all strings.Builder
		for _, part := range asList(join[1]) {
			all.WriteString(exactText(part))
		}
		return all.String()
	}

	return fmt.Sprintf("not a text: %v", value)
}
