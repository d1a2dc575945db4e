package pipeline_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// TestEndRulesSendTheEndsOfTasksToTheSweeper: the rules have the patterns that statemachines/README.md shows to paste, and narrow them.
func TestEndRulesSendTheEndsOfTasksToTheSweeper(t *testing.T) {
	stack := awscdk.NewStack(newApp(t), jsii.String("Mine"), nil)
	props := hs256().Props
	props.FunctionsDir = stubFunctions(t)
	herald, err := pipeline.New(stack, "Herald", props)
	if err != nil {
		t.Fatal(err)
	}
	shown := shownPatterns(t)
	filter := map[string]any{"clusterArn": []any{"arn:aws:ecs:eu-west-1:123456789012:cluster/work"}}
	for service, filter := range map[pipeline.TaskService]map[string]any{pipeline.ECS: filter, pipeline.Batch: nil, pipeline.MediaConvert: nil} {
		if _, err := herald.EndRule(service, filter); err != nil {
			t.Fatal(err)
		}
	}
	if len(filter) != 1 {
		t.Errorf("the filter became %v", filter)
	}
	if _, err := herald.EndRule("Glue", nil); err == nil || !strings.Contains(err.Error(), "must be ECS, Batch or MediaConvert") {
		t.Errorf("a rule for another service: %v", err)
	}
	template := decode(t, stack)
	for _, service := range []string{"ECS", "Batch", "MediaConvert"} {
		rule := template.one(t, "AWS::Events::Rule", "Herald"+service+"EndRule")
		want := shown[service]
		if service == "ECS" {
			want["detail"].(map[string]any)["clusterArn"] = filter["clusterArn"]
		}
		if diff := cmp.Diff(want, lookUp(rule.properties, "EventPattern")); diff != "" {
			t.Errorf("the pattern of %s (-shown +got):\n%s", service, diff)
		}
		checkInvokes(t, template, rule, "<HeraldSweeperFunction.Arn>")
		target := lookUp(rule.properties, "Targets", 0)
		if got := withoutCDKHashes(lookUp(target, "DeadLetterConfig", "Arn")); got != "<HeraldSweeperDeadLetters.Arn>" {
			t.Errorf("%s: dead letters go to %s", service, got)
		}
		if diff := cmp.Diff(maximumRetries, lookUp(target, "RetryPolicy")); diff != "" {
			t.Errorf("%s: retries (-want +got):\n%s", service, diff)
		}
	}
}

// shownPatterns returns the patterns that statemachines/README.md shows, by the service.
func shownPatterns(t *testing.T) map[string]map[string]any {
	t.Helper()
	text, err := os.ReadFile("../../statemachines/README.md")
	if err != nil {
		t.Fatal(err)
	}
	patterns := map[string]map[string]any{}
	for line := range strings.Lines(string(text)) {
		service, rest, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | `")
		shown, _, isPattern := strings.Cut(rest, "` |")
		if !strings.HasPrefix(shown, `{"source":["aws.`) || !isPattern {
			continue
		}
		var pattern map[string]any
		if err := json.Unmarshal([]byte(shown), &pattern); err != nil {
			t.Fatalf("%s: %v", shown, err)
		}
		patterns[service] = pattern
	}
	if len(patterns) != 3 {
		t.Fatalf("the page shows %d patterns", len(patterns))
	}
	return patterns
}
