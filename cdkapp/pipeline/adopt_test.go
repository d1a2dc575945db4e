package pipeline_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// named returns the names that a template gives to resources, with the type of the resource before each.
func named(tb testing.TB, all template) []string {
	tb.Helper()
	properties := map[string]string{
		"AWS::DynamoDB::Table": "TableName", "AWS::StepFunctions::StateMachine": "StateMachineName", "AWS::Logs::LogGroup": "LogGroupName",
		"AWS::S3::Bucket": "BucketName", "AWS::Lambda::Function": "FunctionName", "AWS::SQS::Queue": "QueueName", "AWS::IAM::Role": "RoleName",
		"AWS::Events::Rule": "Name", "AWS::ApiGatewayV2::Api": "Name",
	}
	var names []string
	for kind, property := range properties {
		for _, found := range all.ofType(kind) {
			if name := lookUp(found.properties, property); name != nil {
				names = append(names, kind+" "+valueText(name))
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestTwoStacksShareNoName(t *testing.T) {
	var templates []template
	for _, name := range []string{"Herald", "HeraldStaging"} {
		settings, err := pipeline.ParseSettings(contextWith(map[string]any{"stackName": name, "csvImport": true}))
		if err != nil {
			t.Fatal(err)
		}
		templates = append(templates, synthesise(t, settings))
	}
	production, staging := named(t, templates[0]), named(t, templates[1])
	want := []string{
		"AWS::ApiGatewayV2::Api HeraldStaging",
		"AWS::DynamoDB::Table HeraldStaging_websocket_connections",
		"AWS::DynamoDB::Table HeraldStaging_websocket_feed",
		"AWS::Logs::LogGroup /aws/vendedlogs/states/HeraldStaging-csv_import",
		"AWS::StepFunctions::StateMachine HeraldStaging-csv_import",
	}
	if diff := cmp.Diff(want, staging); diff != "" {
		t.Errorf("names of the second stack (-want +got):\n%s", diff)
	}
	for _, name := range production {
		if slices.Contains(staging, name) {
			t.Errorf("both stacks have %s", name)
		}
	}
}

func TestTablesAreRetainedAndProtectedUnlessToldOtherwise(t *testing.T) {
	for policy, want := range map[string]string{
		"": retained, pipeline.RemovalDestroy: "delete: Delete, replace: Delete, protected: false",
	} {
		settings := hs256()
		settings.Props.RemovalPolicy = policy
		t.Run("policy "+policy, func(t *testing.T) { checkTableRemoval(t, synthesise(t, settings), want) })
	}
}

// retained is the removal of tables by default, in the form of checkTableRemoval.
const retained = "delete: Retain, replace: Retain, protected: true"

// checkTableRemoval checks what happens to the tables when the stack no longer needs them.
func checkTableRemoval(tb testing.TB, template template, want string) {
	tb.Helper()
	for _, table := range template.ofType("AWS::DynamoDB::Table") {
		resource := lookUp(template.all["Resources"], table.id)
		got := fmt.Sprintf("delete: %s, replace: %s, protected: %s",
			valueText(lookUp(resource, "DeletionPolicy")), valueText(lookUp(resource, "UpdateReplacePolicy")),
			valueText(lookUp(table.properties, "DeletionProtectionEnabled")))
		if got != want {
			tb.Errorf("%s has %s, want %s", table.id, got, want)
		}
	}
}

func TestExistingTablesAndBucketAreAdopted(t *testing.T) {
	settings := hs256()
	settings.Props.ExistingTables, settings.Props.UploadsBucket = true, "uploads-of-last-year"
	settings.Props.UploadOrigins = []string{"https://app.example.com"}
	template := synthesise(t, settings)
	for _, kind := range []string{"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"} {
		if found := template.ofType(kind); len(found) != 0 {
			t.Errorf("the stack creates %v", found)
		}
	}
	variables := lookUp(template.one(t, "AWS::Lambda::Function", "HeraldDefaultFunction").properties, "Environment", "Variables")
	for name, want := range map[string]string{
		"CONNECTIONS_TABLE": "websocket_connections", "FEED_TABLE": "websocket_feed", "UPLOADS_BUCKET": "uploads-of-last-year",
	} {
		if got := valueText(lookUp(variables, name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	const index = "dynamodb:Query arn:<AWS::Partition>:dynamodb:<AWS::Region>:<AWS::AccountId>:table/websocket_connections/index/userIdIndex"
	if grants := rolePermissions(template)["HeraldNotifierRole"]; !slices.Contains(grants, index) {
		t.Errorf("the notifier may not query the adopted table: %q", grants)
	}
	pattern, err := json.Marshal(lookUp(template.one(t, "AWS::Events::Rule", "HeraldUploadRule").properties, "EventPattern"))
	if err != nil || !strings.Contains(string(pattern), "uploads-of-last-year") {
		t.Errorf("uploads to the adopted bucket start no import: %s (%v)", pattern, err)
	}
}
