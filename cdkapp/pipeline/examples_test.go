package pipeline_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// runExample runs an example in an app that writes into a folder of its own, and returns the templates of its stacks by file names.
func runExample(t *testing.T, example func()) map[string]template {
	t.Helper()
	newApp(t) // skips where the CDK cannot run
	dir := t.TempDir()
	appProps = &awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(dir)}
	functionsDir = stubFunctions(t)
	build = func(context.Context, string, string) error { return nil }
	example()
	templates := map[string]template{}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".template.json") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var read template
		templates[filepath.Base(path)] = read
		if err := json.Unmarshal(raw, &read.all); err != nil {
			return err
		}
		templates[filepath.Base(path)] = read

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

// shop returns the template of the stack that most examples make.
func shop(t *testing.T, example func()) template {
	t.Helper()
	templates := runExample(t, example)
	found, ok := templates["Shop.template.json"]
	if !ok {
		t.Fatalf("no stack Shop, but %d others", len(templates))
	}
	return found
}

func TestExampleSynthesises(t *testing.T) {
	if found := shop(t, ExampleNew).ofType("AWS::ApiGatewayV2::Api"); len(found) != 1 {
		t.Errorf("%d APIs", len(found))
	}
}

func TestExampleOfOwnTablesUsesThem(t *testing.T) {
	template := shop(t, ExampleNew_ownTables)
	if found := template.ofType("AWS::DynamoDB::Table"); len(found) != 0 {
		t.Errorf("the stack makes %d tables of Herald", len(found))
	}
	variables := lookUp(template.one(t, "AWS::Lambda::Function", "HeraldNotifierFunction").properties, "Environment", "Variables")
	for name, want := range map[string]string{"CONNECTIONS_TABLE": "<Connections>", "FEED_TABLE": "<Feed>"} {
		if got := withoutCDKHashes(lookUp(variables, name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	// The tables have what those of Herald have: keys, indexes, time to live.
	own := fullTemplate(t)
	for name, prefix := range map[string]string{"HeraldConnections": "Connections", "HeraldFeed": "Feed"} {
		want, got := own.one(t, "AWS::DynamoDB::Table", name).properties, template.one(t, "AWS::DynamoDB::GlobalTable", prefix).properties
		for _, property := range []string{"KeySchema", "AttributeDefinitions", "TimeToLiveSpecification", "GlobalSecondaryIndexes"} {
			if valueText(lookUp(want, property)) != valueText(lookUp(got, property)) {
				t.Errorf("%s of %s is %v, want %v", property, prefix, lookUp(got, property), lookUp(want, property))
			}
		}
	}
}

func TestExampleOfOwnAuthTrustsThePool(t *testing.T) {
	template := shop(t, ExampleNew_ownAuth)
	variables := lookUp(template.one(t, "AWS::Lambda::Function", "HeraldConnectFunction").properties, "Environment", "Variables")
	for name, want := range map[string]string{"COGNITO_USER_POOL_ID": "<Users>", "COGNITO_CLIENT_IDS": "<UsersWeb>"} {
		if got := withoutCDKHashes(lookUp(variables, name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestExampleOfACustomDomainMapsTheStage(t *testing.T) {
	template := shop(t, ExampleNew_customDomain)
	mapping := template.one(t, "AWS::ApiGatewayV2::ApiMapping", "Mapping")
	if after := valueText(lookUp(template.all["Resources"], mapping.id, "DependsOn")); !strings.Contains(after, "HeraldStage") {
		t.Errorf("the mapping may be made before its stage: after %s", after)
	}
	for name, want := range map[string]string{"ApiId": "<HeraldApi>", "Stage": "prod"} {
		if got := withoutCDKHashes(lookUp(mapping.properties, name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestExampleOfARemovalPolicyDeletesTables(t *testing.T) {
	template := runExample(t, ExampleNew_removalPolicy)["Playground.template.json"]
	tables := template.ofType("AWS::DynamoDB::Table")
	if len(tables) != 2 {
		t.Errorf("%d tables", len(tables))
	}
	for _, table := range tables {
		if got := lookUp(template.all["Resources"], table.id, "DeletionPolicy"); got != "Delete" {
			t.Errorf("%s: %v", table.id, got)
		}
	}
}

func TestExampleOfAVPCAttachesTheFunctions(t *testing.T) {
	template := shop(t, ExampleNew_vpc)
	for _, function := range template.ofType("AWS::Lambda::Function") {
		if !strings.HasPrefix(function.id, "Herald") {
			continue
		}
		config := lookUp(function.properties, "VpcConfig")
		if got := len(asList(lookUp(config, "SubnetIds"))); got != 2 {
			t.Errorf("%s is in %d subnets, want 2", function.id, got)
		}
		if got := withoutCDKHashes(lookUp(config, "SecurityGroupIds", 0)); got != "<Functions.GroupId>" {
			t.Errorf("%s has the group %s", function.id, got)
		}
	}
}

func TestExampleOfStagesSharesNoName(t *testing.T) {
	templates := runExample(t, ExampleNewStack_stages)
	if len(templates) != 2 {
		t.Errorf("%d templates, want 2", len(templates))
	}
	seen := map[string]bool{}
	for _, template := range templates {
		for _, name := range named(t, template) {
			if seen[name] {
				t.Errorf("both stages have %s", name)
			}
			seen[name] = true
		}
	}
}

func TestExampleOfAWorkflowNotifies(t *testing.T) {
	template := shop(t, ExamplePipeline_NotifyTask)
	definition := definitionOf(t, template, "Flow", arnInREADME)
	for _, want := range []string{`"Begin":{`, `"Begin failed":{`, `"Work":{`, `"End":{`, `"status":"succeeded"`} {
		if !strings.Contains(definition, want) {
			t.Errorf("%s is not in %s", want, definition)
		}
	}
	if lookUp(template.one(t, "AWS::Lambda::Function", "Worker").properties, "Environment", "Variables", "NOTIFIER_FUNCTION_NAME") == nil {
		t.Error("the worker does not know the notifier")
	}
}
