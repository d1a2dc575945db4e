package pipeline_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lib/observe"
)

// TestWatchObservesAStateMachineOfTheApp watches two state machines of the app's own stack.
func TestWatchObservesAStateMachineOfTheApp(t *testing.T) {
	app := newApp(t)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	settings := hs256()
	settings.Props.FunctionsDir, settings.Props.Dashboard = stubFunctions(t), true
	p, err := pipeline.New(stack, "Herald", settings.Props)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"Render", "Export"} {
		logs := awslogs.NewLogGroup(stack, jsii.String(id+"Logs"), nil)
		machine := awsstepfunctions.NewStateMachine(stack, jsii.String(id), &awsstepfunctions.StateMachineProps{
			DefinitionBody: awsstepfunctions.DefinitionBody_FromString(jsii.String(`{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`)),
			Logs:           &awsstepfunctions.LogOptions{Destination: logs, Level: awsstepfunctions.LogLevel_ALL, IncludeExecutionData: jsii.Bool(false)},
		})
		if err := watchOrders(p, machine, logs); err != nil {
			t.Fatal(err)
		}
	}
	template := decode(t, stack)
	observer := template.one(t, "AWS::Lambda::Function", "HeraldObserverFunction")
	list := withoutCDKHashes(lookUp(observer.properties, "Environment", "Variables", "WATCHED_STATE_MACHINES"))
	if want := `[{"arn":"<Render>","user":"$.detail.userId","job":"$.orderId","title":"$.title"},` +
		`{"arn":"<Export>","user":"$.detail.userId","job":"$.orderId","title":"$.title"}]`; list != want {
		t.Errorf("the list is %s, want %s", list, want)
	}
	filters := template.ofType("AWS::Logs::SubscriptionFilter")
	if len(filters) != 2 {
		t.Fatalf("%d subscription filters, want 2", len(filters))
	}
	for _, filter := range filters {
		if got := withoutCDKHashes(lookUp(filter.properties, "DestinationArn")); got != "<HeraldObserverFunction.Arn>" || lookUp(filter.properties, "FilterPattern") != "" {
			t.Errorf("%s goes to %s with the pattern %v", filter.id, got, lookUp(filter.properties, "FilterPattern"))
		}
	}
	started := 0
	for _, rule := range template.ofType("AWS::Events::Rule") {
		if strings.HasPrefix(rule.id, "HeraldWatch") {
			started++
			checkInvokes(t, template, rule, "<HeraldObserverFunction.Arn>")
		}
	}
	if started != 2 {
		t.Errorf("%d rules for executions that start, want 2", started)
	}
	// New has created the dashboard and the parameters before the observer was there.
	dashboard := withoutCDKHashes(lookUp(template.one(t, "AWS::CloudWatch::Dashboard", "Herald").properties, "DashboardBody"))
	if strings.Count(dashboard, "HeraldObserverDeadLetters") != 1 {
		t.Errorf("the dashboard does not show the observer's queue once: %s", dashboard)
	}
	template.one(t, "AWS::SSM::Parameter", "HeraldObserverDeadLettersUrlParameter")
	if _, ok := alarmsOf(template)["Shop-ObserverDeadLetters"]; !ok {
		t.Errorf("no alarm for the observer's queue")
	}
}

func TestWatchRefusesWhatItCannotWatch(t *testing.T) {
	app := newApp(t)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	settings := hs256()
	settings.Props.FunctionsDir = stubFunctions(t)
	p, err := pipeline.New(stack, "Herald", settings.Props)
	if err != nil {
		t.Fatal(err)
	}
	machine := awsstepfunctions.StateMachine_FromStateMachineArn(stack, jsii.String("M"), jsii.String(watchedARN+"2"))
	logs := awslogs.LogGroup_FromLogGroupName(stack, jsii.String("L"), jsii.String("logs"))
	for name, props := range map[string]pipeline.WatchProps{
		"user":     {LogGroup: logs},
		"job":      {LogGroup: logs, UserPath: "$.userId", JobPath: "id"},
		"LogGroup": {UserPath: "$.userId"},
		"title":    {LogGroup: logs, UserPath: "$.userId", TitlePath: "$." + strings.Repeat("x", 199)},
	} {
		if err := p.Watch(machine, props); !errors.Is(err, pipeline.ErrWatch) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestAWatchedStateMachineOfAnotherStack(t *testing.T) {
	checkWatched(t, fullTemplate(t))
}

func checkWatched(tb testing.TB, template template) {
	tb.Helper()
	filter := template.one(tb, "AWS::Logs::SubscriptionFilter", "HeraldWatch1Logs").properties
	want := map[string]any{
		"LogGroupName": "/aws/vendedlogs/states/shop-Logs", "FilterPattern": "",
		"DestinationArn": map[string]any{"Fn::GetAtt": []any{template.one(tb, "AWS::Lambda::Function", "HeraldObserverFunction").id, "Arn"}},
	}
	if diff := cmp.Diff(want, filter); diff != "" {
		tb.Errorf("the lines of the log that reach the observer (-want +got):\n%s", diff)
	}
	checkExecutionEvents(tb, template, "HeraldWatch1Started", "Observer", map[string]any{
		"status": []any{"RUNNING"}, "stateMachineArn": []any{watchedARN},
	})
}

func TestWatchedStateMachinesAreASetting(t *testing.T) {
	base := map[string]any{"authMode": "hs256", "authSecretArn": secretARN}
	parse := func(value any) (pipeline.Settings, error) {
		context := map[string]any{"watchedStateMachines": value}
		maps.Copy(context, base)
		return pipeline.ParseSettings(context)
	}
	machine := func(name, logGroup string) string {
		return fmt.Sprintf(`[{"arn":"arn:aws:states:us-east-1:123456789012:stateMachine:%s","user":"$.u","logGroup":%q}]`, name, logGroup)
	}
	for _, value := range []string{machine("shop", ""), "[" + strings.Trim(machine("a", "g"), "[]") + "," + strings.Trim(machine("b", "g"), "[]") + "]"} {
		if _, err := parse(value); err != nil {
			t.Errorf("%s: error %v", value, err)
		}
	}
	want := pipeline.WatchedStateMachine{Machine: observe.Machine{ARN: watchedARN, User: "$.userId"}, LogGroup: "logs"}
	for name, value := range map[string]any{
		"a list": []any{map[string]any{"arn": watchedARN, "user": "$.userId", "logGroup": "logs"}},
		"text":   `[{"arn":"` + watchedARN + `","user":"$.userId","logGroup":"logs"}]`,
	} {
		s, err := parse(value)
		if err != nil || len(s.Props.WatchedStateMachines) != 1 || s.Props.WatchedStateMachines[0] != want {
			t.Errorf("%s: %+v, error %v", name, s.Props.WatchedStateMachines, err)
		}
	}
	for _, value := range []string{"x", `[{"arn":"` + watchedARN + `"}]`, `[{"arn":"x","user":"$.a"}]`, `[{"machine":"x"}]`,
		machine("shop", "") + " more", machine("shop", "") + machine("other", ""),
		"[" + strings.Trim(machine("shop", ""), "[]") + "," + strings.ReplaceAll(strings.Trim(machine("shop", ""), "[]"), "us-east-1", "eu-west-1") + "]",
		machine("sh op", ""), machine("a/b", ""), machine("shop", "a b"), machine("shop", "arn:aws:logs:us-east-1:123456789012:log-group:x:*"),
		`[{"arn":"arn:x:states::y:stateMachine:shop","user":"$.u"}]`,
		"[" + strings.Trim(machine("a", "g"), "[]") + "," + strings.Trim(machine("b", "g"), "[]") + "," + strings.Trim(machine("c", "g"), "[]") + "]",
		"[" + strings.Trim(machine("a", ""), "[]") + "," + strings.Trim(machine("a", ""), "[]") + "]",
	} {
		if _, err := parse(value); err == nil || !strings.Contains(err.Error(), "watchedStateMachines") {
			t.Errorf("%s: error %v", value, err)
		}
	}
}
