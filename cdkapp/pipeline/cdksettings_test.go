package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// synthesiseWith returns the template of a stack in an app with more context, and the whole of what the CDK deploys as text. change
// may change the app before it is synthesised.
func synthesiseWith(t *testing.T, more map[string]any, change func(awscdk.App)) (template, string) {
	t.Helper()
	newApp(t) // skips where the CDK cannot run
	context := cdkContext(t)
	maps.Copy(context, more)
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Context: &context})
	settings := hs256()
	settings.Props.FunctionsDir = stubFunctions(t)
	settings.Props.NotifierProvisionedConcurrency = 1
	stack, err := pipeline.NewStack(app, settings)
	if err != nil {
		t.Fatal(err)
	}
	change(app)
	artifact := app.Synth(nil).GetStackByName(stack.StackName())
	raw, err := json.Marshal(artifact.Template())
	if err != nil {
		t.Fatal(err)
	}
	var out template
	if err := json.Unmarshal(raw, &out.all); err != nil {
		t.Fatal(err)
	}
	deployed, err := json.Marshal(map[string]any{
		"template": out.all, "asset": artifact.StackTemplateAssetObjectUrl(), "role": artifact.AssumeRoleArn(), "execution": artifact.CloudFormationExecutionRoleArn(),
	})
	if err != nil {
		t.Fatal(err)
	}

	return out, string(deployed)
}

func TestPermissionsBoundaryIsThatOfAllRoles(t *testing.T) {
	template, _ := synthesiseWith(t, map[string]any{"@aws-cdk/core:permissionsBoundary": map[string]any{"name": "team"}}, func(awscdk.App) {})
	roles := template.ofType("AWS::IAM::Role")
	if len(roles) == 0 {
		t.Fatal("no role")
	}
	for _, role := range roles {
		if got, want := valueText(lookUp(role.properties, "PermissionsBoundary")), "policy/team"; !strings.Contains(fmt.Sprint(got), want) {
			t.Errorf("%s has the boundary %s", role.id, got)
		}
	}
}

func TestBootstrapQualifierNamesAllThatIsUsedOfTheBootstrapStack(t *testing.T) {
	_, deployed := synthesiseWith(t, map[string]any{"@aws-cdk/core:bootstrapQualifier": "team42"}, func(awscdk.App) {})
	if strings.Contains(deployed, "hnb659fds") {
		t.Error("the default qualifier is used")
	}
	for _, name := range []string{"cdk-team42-assets-", "cdk-team42-deploy-role-", "cdk-team42-cfn-exec-role-", "/cdk-bootstrap/team42/version"} {
		if !strings.Contains(deployed, name) {
			t.Errorf("%s is not used", name)
		}
	}
}

// TestTagsOfAnAppAreThoseOfAllThatTakesTags checks the tags that an app of one's own gives. The tags of the command line are those of the
// stack: CloudFormation gives them to the resources.
func TestTagsOfAnAppAreThoseOfAllThatTakesTags(t *testing.T) {
	template, _ := synthesiseWith(t, nil, func(app awscdk.App) { awscdk.Tags_Of(app).Add(jsii.String("team"), jsii.String("web"), nil) })
	for _, kind := range []string{
		"AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::DynamoDB::Table", "AWS::Events::Rule", "AWS::IAM::Role", "AWS::Lambda::Function",
		"AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SSM::Parameter", "AWS::StepFunctions::StateMachine",
	} {
		resources := template.ofType(kind)
		if len(resources) == 0 {
			t.Errorf("no resource of type %s", kind)
		}
		for _, resource := range resources {
			if tags := fmt.Sprint(lookUp(resource.properties, "Tags")); !strings.Contains(tags, "Value:web") && !strings.Contains(tags, "team:web") {
				t.Errorf("%s has the tags %s", resource.id, tags)
			}
		}
	}
}
