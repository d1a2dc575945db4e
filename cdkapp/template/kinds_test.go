package template

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kind is what an update of a stack must not change in the resources of a type.
type kind struct {
	// holds says what is lost with a resource. Empty means nothing, unless an output of the stack leads to the resource.
	holds string
	// fixed are the properties whose change replaces the resource, by the schemas of CloudFormation.
	fixed []string
	// guarded are other properties whose change loses data, protection, or what apps rely on.
	guarded []string
	// identity are the properties by which AWS knows the resource. If the template has none of them, AWS chooses a name.
	identity []string
}

// kinds has each type of resource in our templates, and those that hold keys and secrets.
var kinds = map[string]kind{
	"AWS::DynamoDB::Table": {
		holds: "rows",
		fixed: []string{"TableName", "KeySchema", "ImportSourceSpecification"},
		guarded: []string{
			"LocalSecondaryIndexes", "TimeToLiveSpecification", "DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "SSESpecification",
		},
		identity: []string{"TableName"},
	},
	"AWS::S3::Bucket": {
		holds: "objects",
		fixed: []string{"BucketName", "BucketNamePrefix", "BucketNamespace"},
		guarded: []string{
			"LifecycleConfiguration", "VersioningConfiguration", "ObjectLockEnabled", "BucketEncryption", "OwnershipControls", "PublicAccessBlockConfiguration",
		},
		identity: []string{"BucketName"},
	},
	"AWS::KMS::Key": {
		holds: "a key", guarded: []string{"KeySpec", "KeyUsage", "MultiRegion", "Origin", "Enabled"}, // KMS refuses changes of the first four
	},
	"AWS::SecretsManager::Secret": {
		holds: "a secret", fixed: []string{"Name"}, guarded: []string{"SecretString", "GenerateSecretString", "KmsKeyId"}, identity: []string{"Name"},
	},
	"AWS::SQS::Queue": {
		holds: "events that were given up", fixed: []string{"QueueName", "FifoQueue"}, guarded: []string{"MessageRetentionPeriod"}, identity: []string{"QueueName"},
	},
	"AWS::Logs::LogGroup": {
		holds: "log lines", fixed: []string{"LogGroupName"}, guarded: []string{"RetentionInDays"}, identity: []string{"LogGroupName"},
	},
	"AWS::SNS::Topic": {
		holds: "the address that gets alarms", fixed: []string{"TopicName", "FifoTopic"}, identity: []string{"TopicName"},
	},
	"AWS::SNS::Subscription": {
		holds: "an address that was confirmed", fixed: []string{"Endpoint", "Protocol", "TopicArn", "Region"}, identity: []string{"Endpoint", "Protocol", "TopicArn"},
	},
	"AWS::SSM::Parameter": {
		holds: "what apps look up", fixed: []string{"Name"}, guarded: []string{"Type", "Value"}, identity: []string{"Name"},
	},

	"AWS::ApiGatewayV2::Api": {
		holds: "the URL of browsers", fixed: []string{"ProtocolType"}, guarded: []string{"RouteSelectionExpression", "DisableExecuteApiEndpoint"},
	},
	"AWS::ApiGatewayV2::Stage": {
		holds: "the URL of browsers", fixed: []string{"StageName", "ApiId"}, identity: []string{"StageName", "ApiId"},
	},
	"AWS::ApiGatewayV2::Route": {
		holds: "what browsers send", fixed: []string{"ApiId"}, guarded: []string{"RouteKey", "AuthorizationType", "ApiKeyRequired"},
		identity: []string{"ApiId", "RouteKey"},
	},
	"AWS::ApiGatewayV2::Integration":         {fixed: []string{"ApiId"}},
	"AWS::ApiGatewayV2::IntegrationResponse": {fixed: []string{"ApiId", "IntegrationId"}, identity: []string{"ApiId", "IntegrationId", "IntegrationResponseKey"}},
	"AWS::ApiGatewayV2::RouteResponse":       {fixed: []string{"ApiId", "RouteId"}, identity: []string{"ApiId", "RouteId", "RouteResponseKey"}},

	"AWS::CloudWatch::Alarm":     {fixed: []string{"AlarmName"}, identity: []string{"AlarmName"}},
	"AWS::CloudWatch::Dashboard": {fixed: []string{"DashboardName"}, identity: []string{"DashboardName"}},
	"AWS::Events::Rule":          {fixed: []string{"Name", "EventBusName"}, identity: []string{"Name"}},
	"AWS::IAM::Policy":           {identity: []string{"PolicyName", "Roles"}},
	"AWS::IAM::Role":             {fixed: []string{"RoleName", "Path"}, identity: []string{"RoleName"}},
	"AWS::Lambda::Alias":         {fixed: []string{"Name", "FunctionName"}, identity: []string{"Name", "FunctionName"}},
	"AWS::Lambda::EventInvokeConfig": {
		fixed: []string{"FunctionName", "Qualifier"}, identity: []string{"FunctionName", "Qualifier"},
	},
	"AWS::Lambda::Function": {
		fixed: []string{"FunctionName", "PackageType", "TenancyConfig", "DurableConfig"}, identity: []string{"FunctionName"},
	},
	"AWS::Lambda::Permission": {fixed: []string{ // a permission may be replaced: each has an id of its own
		"Action", "EventSourceToken", "FunctionName", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "Principal", "PrincipalOrgID", "SourceAccount", "SourceArn",
	}},
	"AWS::Logs::SubscriptionFilter": {fixed: []string{"FilterName", "LogGroupName"}, identity: []string{"FilterName"}},
	"AWS::S3::BucketPolicy":         {fixed: []string{"Bucket"}, identity: []string{"Bucket"}},
	"AWS::SNS::TopicPolicy":         {identity: []string{"Topics"}},
	"AWS::SQS::QueuePolicy":         {identity: []string{"Queues"}},
	"AWS::StepFunctions::StateMachine": {
		fixed: []string{"StateMachineName", "StateMachineType"}, identity: []string{"StateMachineName"},
	},
}

// TestFixedPropertiesAreThoseOfCloudFormation needs cfn-lint, which has the schemas of CloudFormation and which CFN_LINT names.
func TestFixedPropertiesAreThoseOfCloudFormation(t *testing.T) {
	linter := os.Getenv("CFN_LINT")
	if linter == "" {
		t.Skip("CFN_LINT is not set: needs cfn-lint")
	}
	const program = `
import json, sys
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER as schemas
out = {}
for kind in sys.argv[1:]:
    schema = schemas.get_resource_schema("us-east-1", kind).schema
    paths = schema.get("createOnlyProperties", []) + schema.get("conditionalCreateOnlyProperties", [])
    out[kind] = sorted({path.split("/")[2] for path in paths})
print(json.dumps(out))
`
	names := slices.Sorted(maps.Keys(kinds))
	command := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(linter), "python"), append([]string{"-c", program}, names...)...)
	printed, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]string
	if err := json.Unmarshal(printed, &want); err != nil {
		t.Fatalf("%s: %v", printed, err)
	}
	got := map[string][]string{}
	for name, k := range kinds {
		got[name] = append([]string{}, slices.Sorted(slices.Values(k.fixed))...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties whose change replaces a resource (-CloudFormation +kinds):\n%s", diff)
	}
}
