package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// maximumRetries is the longest retry policy of EventBridge: 24 hours and 185 attempts.
var maximumRetries = map[string]any{"MaximumEventAgeInSeconds": 86_400.0, "MaximumRetryAttempts": 185.0}

func TestSchedules(t *testing.T) { checkSchedules(t, fullTemplate(t)) }

func checkSchedules(tb testing.TB, template template) {
	tb.Helper()
	for _, test := range []struct{ id, rate, function string }{
		{"HeraldReaperSchedule", "rate(1 minute)", "<HeraldReaperFunction.Arn>"},
		{"HeraldSweeperSchedule", "rate(5 minutes)", "<HeraldSweeperFunction.Arn>"},
	} {
		rule := template.one(tb, "AWS::Events::Rule", test.id)
		if got := lookUp(rule.properties, "ScheduleExpression"); got != test.rate {
			tb.Errorf("%s runs at %v, want %s", test.id, got, test.rate)
		}
		if got := lookUp(rule.properties, "State"); got != "ENABLED" {
			tb.Errorf("%s is %v", test.id, got)
		}
		checkInvokes(tb, template, rule, test.function)
		if diff := cmp.Diff(map[string]any{"MaximumRetryAttempts": 0.0}, lookUp(rule.properties, "Targets", 0, "RetryPolicy")); diff != "" {
			tb.Errorf("%s retries (-want +got):\n%s", test.id, diff)
		}
	}
}

// checkInvokes checks that the function is the only target of the rule, that it receives the whole event, and that the rule is
// allowed to invoke it.
func checkInvokes(tb testing.TB, template template, rule cfnResource, function string) {
	tb.Helper()
	targets := asList(lookUp(rule.properties, "Targets"))
	if len(targets) != 1 || withoutCDKHashes(lookUp(targets, 0, "Arn")) != function {
		tb.Fatalf("%s: targets are %v, want %s alone", rule.id, targets, function)
	}
	for _, part := range []string{"Input", "InputPath", "InputTransformer"} {
		if changed := lookUp(targets, 0, part); changed != nil {
			tb.Errorf("%s changes the event: %s is %v", rule.id, part, changed)
		}
	}
	var allowed []string
	for _, permission := range template.ofType("AWS::Lambda::Permission") {
		if valueText(lookUp(permission.properties, "SourceArn")) == "<"+rule.id+".Arn>" && lookUp(permission.properties, "Principal") == "events.amazonaws.com" {
			allowed = append(allowed, valueText(lookUp(permission.properties, "Action"))+" "+withoutCDKHashes(lookUp(permission.properties, "FunctionName")))
		}
	}
	if diff := cmp.Diff([]string{"lambda:InvokeFunction " + function}, allowed); diff != "" {
		tb.Errorf("permissions of %s (-want +got):\n%s", rule.id, diff)
	}
}

func TestExecutionRule(t *testing.T) { checkExecutionRule(t, fullTemplate(t)) }

func checkExecutionRule(tb testing.TB, template template) {
	tb.Helper()
	checkExecutionEvents(tb, template, "HeraldExecutionRule", "Sweeper", map[string]any{"status": []any{"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}})
}

func TestDurableExecutionRule(t *testing.T) { checkDurableExecutionRule(t, fullTemplate(t)) }

func checkDurableExecutionRule(tb testing.TB, template template) {
	tb.Helper()
	checkStatusRule(tb, template, "HeraldDurableExecutionRule", "Sweeper", map[string]any{
		"source": []any{"aws.lambda"}, "detail-type": []any{"Durable Execution Status Change"},
		"detail": map[string]any{"status": []any{"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"}},
	})
}

// checkExecutionEvents checks a rule for the changes of executions that detail matches. All of them reach the function, or its
// dead-letter queue.
func checkExecutionEvents(tb testing.TB, template template, id, function string, detail map[string]any) {
	tb.Helper()
	checkStatusRule(tb, template, id, function, map[string]any{
		"source": []any{"aws.states"}, "detail-type": []any{"Step Functions Execution Status Change"}, "detail": detail,
	})
}

// checkStatusRule does the same for any pattern.
func checkStatusRule(tb testing.TB, template template, id, function string, pattern map[string]any) {
	tb.Helper()
	rule := template.one(tb, "AWS::Events::Rule", id)
	if diff := cmp.Diff(pattern, lookUp(rule.properties, "EventPattern")); diff != "" {
		tb.Errorf("pattern (-want +got):\n%s", diff)
	}
	if got := lookUp(rule.properties, "State"); got != "ENABLED" {
		tb.Errorf("%s is %v", id, got)
	}
	checkInvokes(tb, template, rule, "<Herald"+function+"Function.Arn>")
	target := lookUp(rule.properties, "Targets", 0)
	if got := withoutCDKHashes(lookUp(target, "DeadLetterConfig", "Arn")); got != "<Herald"+function+"DeadLetters.Arn>" {
		tb.Errorf("dead letters go to %s", got)
	}
	if diff := cmp.Diff(maximumRetries, lookUp(target, "RetryPolicy")); diff != "" {
		tb.Errorf("retries (-want +got):\n%s", diff)
	}
}

// TestFailedEvents checks how often Lambda runs a function again that failed with an event. EventBridge only retries the delivery
// to Lambda. The reaper needs no retry and no dead-letter queue, because it runs again a minute later.
func TestFailedEvents(t *testing.T) { checkFailedEvents(t, fullTemplate(t)) }

func checkFailedEvents(tb testing.TB, template template) {
	tb.Helper()
	got := map[string]any{}
	for _, config := range template.ofType("AWS::Lambda::EventInvokeConfig") {
		got[withoutCDKHashes(lookUp(config.properties, "FunctionName"))] = []any{
			lookUp(config.properties, "Qualifier"), lookUp(config.properties, "MaximumRetryAttempts"),
			lookUp(config.properties, "MaximumEventAgeInSeconds"), withoutCDKHashes(lookUp(config.properties, "DestinationConfig", "OnFailure", "Destination")),
		}
	}
	want := map[string]any{
		"<HeraldObserverFunction>": []any{"$LATEST", 2.0, 3600.0, "<HeraldObserverDeadLetters.Arn>"},
		"<HeraldReaperFunction>":   []any{"$LATEST", 0.0, 60.0, noValue},
		"<HeraldSweeperFunction>":  []any{"$LATEST", 2.0, 3600.0, "<HeraldSweeperDeadLetters.Arn>"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("events that fail (-want +got):\n%s", diff)
	}
}

func TestDeadLetterQueues(t *testing.T) { checkDeadLetterQueues(t, fullTemplate(t)) }

func checkDeadLetterQueues(tb testing.TB, template template) {
	tb.Helper()
	queues := template.ofType("AWS::SQS::Queue")
	for _, queue := range queues {
		if got := lookUp(queue.properties, "MessageRetentionPeriod"); got != 14*24*3600.0 {
			tb.Errorf("%s keeps messages for %v s, want 14 days, the maximum of SQS", queue.id, got)
		}
		if got := lookUp(queue.properties, "SqsManagedSseEnabled"); got != true {
			tb.Errorf("%s: encryption is %v", queue.id, got)
		}
	}
	if len(queues) != 3 {
		tb.Errorf("%d queues, want 3", len(queues))
	}
}
