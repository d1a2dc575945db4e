package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// maximumRetries is the longest retry policy of EventBridge: 24 hours and 185 attempts.
var maximumRetries = map[string]any{"MaximumEventAgeInSeconds": 86_400.0, "MaximumRetryAttempts": 185.0}

func TestSchedules(t *testing.T) {
	template := fullTemplate(t)
	for _, test := range []struct{ id, rate, function string }{
		{"HeraldReaperSchedule", "rate(1 minute)", "<HeraldReaperFunction.Arn>"},
		{"HeraldSweeperSchedule", "rate(5 minutes)", "<HeraldSweeperFunction.Arn>"},
	} {
		rule := template.one(t, "AWS::Events::Rule", test.id)
		if got := lookUp(rule.properties, "ScheduleExpression"); got != test.rate {
			t.Errorf("%s runs at %v, want %s", test.id, got, test.rate)
		}
		if got := lookUp(rule.properties, "State"); got != "ENABLED" {
			t.Errorf("%s is %v", test.id, got)
		}
		checkInvokes(t, template, rule, test.function)
	}
}

// checkInvokes checks that the function is the only target of the rule, that it receives the whole event, and that the rule is
// allowed to invoke it.
func checkInvokes(t *testing.T, template template, rule cfnResource, function string) {
	t.Helper()
	targets := asList(lookUp(rule.properties, "Targets"))
	if len(targets) != 1 || withoutCDKHashes(lookUp(targets, 0, "Arn")) != function {
		t.Fatalf("%s: targets are %v, want %s alone", rule.id, targets, function)
	}
	for _, part := range []string{"Input", "InputPath", "InputTransformer"} {
		if changed := lookUp(targets, 0, part); changed != nil {
			t.Errorf("%s changes the event: %s is %v", rule.id, part, changed)
		}
	}
	var allowed []string
	for _, permission := range template.ofType("AWS::Lambda::Permission") {
		if valueText(lookUp(permission.properties, "SourceArn")) == "<"+rule.id+".Arn>" && lookUp(permission.properties, "Principal") == "events.amazonaws.com" {
			allowed = append(allowed, valueText(lookUp(permission.properties, "Action"))+" "+withoutCDKHashes(lookUp(permission.properties, "FunctionName")))
		}
	}
	if diff := cmp.Diff([]string{"lambda:InvokeFunction " + function}, allowed); diff != "" {
		t.Errorf("permissions of %s (-want +got):\n%s", rule.id, diff)
	}
}

func TestExecutionRule(t *testing.T) {
	template := fullTemplate(t)
	rule := template.one(t, "AWS::Events::Rule", "HeraldExecutionRule")
	pattern := map[string]any{
		"source":      []any{"aws.states"},
		"detail-type": []any{"Step Functions Execution Status Change"},
		"detail":      map[string]any{"status": []any{"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}},
	}
	if diff := cmp.Diff(pattern, lookUp(rule.properties, "EventPattern")); diff != "" {
		t.Errorf("pattern (-want +got):\n%s", diff)
	}
	checkInvokes(t, template, rule, "<HeraldSweeperFunction.Arn>")
	target := lookUp(rule.properties, "Targets", 0)
	if got := withoutCDKHashes(lookUp(target, "DeadLetterConfig", "Arn")); got != "<HeraldSweeperDeadLetters.Arn>" {
		t.Errorf("dead letters go to %s", got)
	}
	if diff := cmp.Diff(maximumRetries, lookUp(target, "RetryPolicy")); diff != "" {
		t.Errorf("retries (-want +got):\n%s", diff)
	}
}

// TestFailedEvents checks how often Lambda runs a function again that failed with an event. EventBridge only retries the delivery
// to Lambda. The reaper needs no retry and no dead-letter queue, because it runs again a minute later.
func TestFailedEvents(t *testing.T) {
	got := map[string]any{}
	for _, config := range fullTemplate(t).ofType("AWS::Lambda::EventInvokeConfig") {
		got[withoutCDKHashes(lookUp(config.properties, "FunctionName"))] = []any{
			lookUp(config.properties, "Qualifier"), lookUp(config.properties, "MaximumRetryAttempts"),
			lookUp(config.properties, "MaximumEventAgeInSeconds"), withoutCDKHashes(lookUp(config.properties, "DestinationConfig", "OnFailure", "Destination")),
		}
	}
	want := map[string]any{
		"<HeraldReaperFunction>":  []any{"$LATEST", 0.0, 60.0, noValue},
		"<HeraldSweeperFunction>": []any{"$LATEST", 2.0, 3600.0, "<HeraldSweeperDeadLetters.Arn>"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events that fail (-want +got):\n%s", diff)
	}
}

func TestDeadLetterQueues(t *testing.T) {
	queues := fullTemplate(t).ofType("AWS::SQS::Queue")
	for _, queue := range queues {
		if got := lookUp(queue.properties, "MessageRetentionPeriod"); got != 14*24*3600.0 {
			t.Errorf("%s keeps messages for %v s, want 14 days, the maximum of SQS", queue.id, got)
		}
		if got := lookUp(queue.properties, "SqsManagedSseEnabled"); got != true {
			t.Errorf("%s: encryption is %v", queue.id, got)
		}
	}
	if len(queues) != 2 {
		t.Errorf("%d queues, want 2", len(queues))
	}
}
