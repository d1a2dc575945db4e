package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSchedules(t *testing.T) {
	template := standard(t)
	for _, test := range []struct{ id, rate, function string }{
		{"HeraldReaperSchedule", "rate(1 minute)", "<HeraldReaperFunction.Arn>"},
		{"HeraldSweeperSchedule", "rate(5 minutes)", "<HeraldSweeperFunction.Arn>"},
	} {
		rule := template.one(t, "AWS::Events::Rule", test.id)
		if got := at(rule.properties, "ScheduleExpression"); got != test.rate {
			t.Errorf("%s runs at %v, want %s", test.id, got, test.rate)
		}
		if got := at(rule.properties, "State"); got != "ENABLED" {
			t.Errorf("%s is %v", test.id, got)
		}
		checkInvokes(t, template, rule, test.function)
	}
}

// checkInvokes fails unless the only target of rule is function, whole events and all, and rule may invoke it.
func checkInvokes(t *testing.T, template template, rule cfnResource, function string) {
	t.Helper()
	targets := list(at(rule.properties, "Targets"))
	if len(targets) != 1 || named(at(targets, 0, "Arn")) != function {
		t.Fatalf("%s: targets are %v, want %s alone", rule.id, targets, function)
	}
	for _, part := range []string{"Input", "InputPath", "InputTransformer"} {
		if changed := at(targets, 0, part); changed != nil {
			t.Errorf("%s: %s is %v", rule.id, part, changed)
		}
	}
	var allowed []string
	for _, permission := range template.ofType("AWS::Lambda::Permission") {
		if text(at(permission.properties, "SourceArn")) == "<"+rule.id+".Arn>" && at(permission.properties, "Principal") == "events.amazonaws.com" {
			allowed = append(allowed, text(at(permission.properties, "Action"))+" "+named(at(permission.properties, "FunctionName")))
		}
	}
	if diff := cmp.Diff([]string{"lambda:InvokeFunction " + function}, allowed); diff != "" {
		t.Errorf("%s is allowed (-want +got):\n%s", rule.id, diff)
	}
}

func TestExecutionRule(t *testing.T) {
	template := standard(t)
	rule := template.one(t, "AWS::Events::Rule", "HeraldExecutionRule")
	pattern := map[string]any{
		"source":      []any{"aws.states"},
		"detail-type": []any{"Step Functions Execution Status Change"},
		"detail":      map[string]any{"status": []any{"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}},
	}
	if diff := cmp.Diff(pattern, at(rule.properties, "EventPattern")); diff != "" {
		t.Errorf("pattern (-want +got):\n%s", diff)
	}
	checkInvokes(t, template, rule, "<HeraldSweeperFunction.Arn>")
	target := at(rule.properties, "Targets", 0)
	if got := named(at(target, "DeadLetterConfig", "Arn")); got != "<HeraldSweeperDeadLetters.Arn>" {
		t.Errorf("dead letters go to %s", got)
	}
	retry := map[string]any{"MaximumEventAgeInSeconds": 86400.0, "MaximumRetryAttempts": 185.0}
	if diff := cmp.Diff(retry, at(target, "RetryPolicy")); diff != "" {
		t.Errorf("retries (-want +got):\n%s", diff)
	}
}

// TestFailedEvents: EventBridge retries the delivery of an event to Lambda; Lambda retries the function if it fails.
func TestFailedEvents(t *testing.T) {
	got := map[string]any{}
	for _, config := range standard(t).ofType("AWS::Lambda::EventInvokeConfig") {
		got[named(at(config.properties, "FunctionName"))] = []any{
			at(config.properties, "Qualifier"), at(config.properties, "MaximumRetryAttempts"),
			at(config.properties, "MaximumEventAgeInSeconds"), named(at(config.properties, "DestinationConfig", "OnFailure", "Destination")),
		}
	}
	want := map[string]any{
		"<HeraldReaperFunction>":  []any{"$LATEST", 0.0, 60.0, "<nil>"},
		"<HeraldSweeperFunction>": []any{"$LATEST", 2.0, 3600.0, "<HeraldSweeperDeadLetters.Arn>"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events that fail (-want +got):\n%s", diff)
	}
}

func TestDeadLetterQueues(t *testing.T) {
	queues := standard(t).ofType("AWS::SQS::Queue")
	for _, queue := range queues {
		if got := at(queue.properties, "MessageRetentionPeriod"); got != 14*24*3600.0 {
			t.Errorf("%s keeps letters for %v s", queue.id, got)
		}
		if got := at(queue.properties, "SqsManagedSseEnabled"); got != true {
			t.Errorf("%s: encryption is %v", queue.id, got)
		}
	}
	if len(queues) != 2 {
		t.Errorf("%d queues, want 2", len(queues))
	}
}
