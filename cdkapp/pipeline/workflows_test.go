package pipeline_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/statemachines"
)

// substitution matches ${Name} in a definition.
var substitution = regexp.MustCompile(`\$\{[^}]*\}`)

func TestStateMachine(t *testing.T) { checkStateMachine(t, fullTemplate(t)) }

func checkStateMachine(tb testing.TB, template template) {
	tb.Helper()
	machine := template.one(tb, "AWS::StepFunctions::StateMachine", "HeraldCsvImport").properties
	for _, test := range []struct {
		path []any
		want any
	}{
		{[]any{"StateMachineName"}, "Herald-csv_import"},
		{[]any{"StateMachineType"}, "STANDARD"},
		{[]any{"TracingConfiguration", "Enabled"}, true},
		{[]any{"LoggingConfiguration", "Level"}, "ERROR"},
		{[]any{"LoggingConfiguration", "IncludeExecutionData"}, false},
	} {
		if got := lookUp(machine, test.path...); got != test.want {
			tb.Errorf("%v: %v, want %v", test.path, got, test.want)
		}
	}
	destinations := lookUp(machine, "LoggingConfiguration", "Destinations")
	if got := withoutCDKHashes(lookUp(destinations, 0, "CloudWatchLogsLogGroup", "LogGroupArn")); got != "<HeraldCsvImportLogs.Arn>" || len(asList(destinations)) != 1 {
		tb.Errorf("logs go to %v", destinations)
	}
	logs := template.one(tb, "AWS::Logs::LogGroup", "HeraldCsvImportLogs").properties
	if got := lookUp(logs, "LogGroupName"); got != "/aws/vendedlogs/states/Herald-csv_import" {
		tb.Errorf("the log group is %v", got)
	}
}

// TestSubstitutionsAreFilled checks that each ${Name} has a value, because CloudFormation would leave one without a value as it is.
func TestSubstitutionsAreFilled(t *testing.T) { checkSubstitutions(t, fullTemplate(t)) }

func checkSubstitutions(tb testing.TB, template template) {
	tb.Helper()
	machine := template.one(tb, "AWS::StepFunctions::StateMachine", "HeraldCsvImport").properties
	for name, value := range fields(lookUp(machine, "DefinitionSubstitutions")) {
		if want := "<Herald" + strings.TrimSuffix(name, "Arn") + ".Arn>"; withoutCDKHashes(value) != want {
			tb.Errorf("${%s} is %s, want %s", name, withoutCDKHashes(value), want)
		}
	}
	definition, isText := lookUp(machine, "DefinitionString").(string)
	if !isText {
		tb.Fatal("the definition is not plain text")
	}
	checkIsSource(tb, lambdas.CSVImport, definition)
	filled := map[string]bool{}
	for _, name := range substitution.FindAllString(definition, -1) {
		value := withoutCDKHashes(lookUp(machine, "DefinitionSubstitutions", name[2:len(name)-1]))
		if value == noValue {
			tb.Errorf("%s has no substitution", name)
		}
		filled[value] = true
	}
	granted := rolePermissions(template)["HeraldCsvImportRole"]
	for value := range filled {
		if !slices.Contains(granted, "lambda:InvokeFunction "+value) {
			tb.Errorf("the role must be allowed to invoke %s", value)
		}
	}
	for _, invoked := range invokedFunctions(tb, definition) {
		if !substitution.MatchString(invoked) {
			tb.Errorf("a task invokes %q, want a substitution, because the role may invoke no other function", invoked)
		}
	}
}

// checkIsSource checks that a definition is that of the workflow's file.
func checkIsSource(tb testing.TB, workflow, definition string) {
	tb.Helper()
	placeholders := map[string]string{}
	for _, name := range statemachines.Substitutions(workflow) {
		placeholders[name] = "${" + name + "}"
	}
	source, err := statemachines.Fill(workflow, placeholders)
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(source, definition); diff != "" {
		tb.Errorf("the definition of %s (-source +template):\n%s", workflow, diff)
	}
}

// invokedFunctions returns the FunctionName of each task in a definition.
func invokedFunctions(tb testing.TB, definition string) []string {
	tb.Helper()
	var root any
	if err := json.Unmarshal([]byte(definition), &root); err != nil {
		tb.Fatal(err)
	}
	var names []string
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			if value["Resource"] == "arn:aws:states:::lambda:invoke" {
				names = append(names, valueText(lookUp(value, "Arguments", "FunctionName")))
			} else if value["Type"] == "Task" {
				tb.Errorf("a task calls %v, which the role does not grant", value["Resource"])
			}
			for _, child := range value {
				walk(child)
			}
		case []any:
			for _, child := range value {
				walk(child)
			}
		}
	}
	walk(root)
	if len(names) == 0 {
		tb.Fatal("no task found")
	}

	return names
}

func TestUploadRule(t *testing.T) { checkUploadRule(t, fullTemplate(t)) }

func checkUploadRule(tb testing.TB, template template) {
	tb.Helper()
	rule := template.one(tb, "AWS::Events::Rule", "HeraldUploadRule").properties
	bucket := template.one(tb, "AWS::S3::Bucket", "HeraldUploads")
	pattern := map[string]any{
		"source":      []any{"aws.s3"},
		"detail-type": []any{"Object Created"},
		"detail": map[string]any{
			"bucket": map[string]any{"name": []any{map[string]any{"Ref": bucket.id}}},
			"object": map[string]any{"key": []any{map[string]any{"prefix": "uploads/"}}},
		},
	}
	if diff := cmp.Diff(pattern, lookUp(rule, "EventPattern")); diff != "" {
		tb.Errorf("pattern (-want +got):\n%s", diff)
	}
	if got := lookUp(rule, "State"); got != "ENABLED" || len(asList(lookUp(rule, "Targets"))) != 1 {
		tb.Errorf("the rule is %v, and has the targets %v", got, lookUp(rule, "Targets"))
	}
	target := lookUp(rule, "Targets", 0)
	if got := withoutCDKHashes(lookUp(target, "Arn")); got != "<HeraldCsvImport>" {
		tb.Errorf("the rule starts %s, want the workflow", got)
	}
	if got := withoutCDKHashes(lookUp(target, "DeadLetterConfig", "Arn")); got != "<HeraldUploadDeadLetters.Arn>" {
		tb.Errorf("dead letters go to %s", got)
	}
	if diff := cmp.Diff(maximumRetries, lookUp(target, "RetryPolicy")); diff != "" {
		tb.Errorf("retries (-want +got):\n%s", diff)
	}
}

func TestWithoutCSVImport(t *testing.T) {
	settings := hs256()
	settings.Props.CSVImport = false
	template := synthesise(t, settings)
	for kind, want := range map[string][]string{
		"AWS::StepFunctions::StateMachine": nil,
		"AWS::Events::Rule":                {"HeraldDurableExecutionRule", "HeraldExecutionRule", "HeraldReaperSchedule", "HeraldSweeperSchedule"},
		"AWS::SQS::Queue":                  {"HeraldSweeperDeadLetters"},
		"AWS::Lambda::Function": {
			"HeraldConnectFunction", "HeraldDefaultFunction", "HeraldDisconnectFunction", "HeraldNotifierFunction",
			"HeraldReaperFunction", "HeraldSweeperFunction",
		},
	} {
		var got []string
		for _, found := range template.ofType(kind) {
			got = append(got, withoutHash(found.id))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
	if outputs, _ := template.all["Outputs"].(map[string]any); outputs["CsvImportStateMachineArn"] != nil {
		t.Error("there is an output for the state machine")
	}
}

// TestEmbedded uses the construct as another app does: for a workflow of that app, and with a CDK token as a setting.
func TestEmbedded(t *testing.T) {
	stack := awscdk.NewStack(newApp(t), jsii.String("Shop"), &awscdk.StackProps{AnalyticsReporting: jsii.Bool(false)})
	pool := awscdk.NewCfnParameter(stack, jsii.String("Pool"), nil).ValueAsString()
	herald, err := pipeline.New(stack, "Progress", pipeline.Props{
		FunctionsDir: stubFunctions(t),
		Auth:         pipeline.Auth{Mode: pipeline.AuthCognito, UserPoolID: *pool, ClientIDs: []string{"one"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	role := awsiam.NewRole(stack, jsii.String("Workflow"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"), nil),
	})
	herald.GrantNotify(role)
	template := decode(t, stack)
	if diff := cmp.Diff([]string{"lambda:InvokeFunction <ProgressNotifierFunction.Arn>"}, rolePermissions(template)["Workflow"]); diff != "" {
		t.Errorf("workflow's grants (-want +got):\n%s", diff)
	}
	connect := template.one(t, "AWS::Lambda::Function", "ProgressConnect").properties
	if got := valueText(lookUp(connect, "Environment", "Variables", "COGNITO_USER_POOL_ID")); got != "<Pool>" {
		t.Errorf("the user pool is %s, want the parameter", got)
	}
}

func TestNewRefuses(t *testing.T) {
	stack := awscdk.NewStack(newApp(t), jsii.String("Stack"), nil)
	if _, err := pipeline.New(stack, "One", pipeline.Props{}); err == nil {
		t.Error("Props without an auth mode are accepted")
	}
	_, err := pipeline.New(stack, "Two", pipeline.Props{Auth: cognito()})
	if diff := cmp.Diff(pipeline.ErrFunctionsDir.Error()+": it is empty", err.Error()); diff != "" {
		t.Errorf("error of Props without functions (-want +got):\n%s", diff)
	}
}
