package pipeline_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lambdas"
)

// What CloudFormation does with a resource that the stack no longer has, and with one that an update replaces.
const (
	byDefault = noValue + ", " + noValue // it deletes the resource
	deleted   = "Delete, Delete"
	kept      = "Retain, Retain"
)

// resourceKinds has the types of resources in the full template.
var resourceKinds = map[string]struct {
	count   int
	removal string // in both cases
	// properties has all that the resources have, in the form of propertyPaths. A path may stop where another proof compares the whole
	// value.
	properties string
}{
	"AWS::ApiGatewayV2::Api":                 {1, byDefault, "Description Name ProtocolType RouteSelectionExpression"},
	"AWS::ApiGatewayV2::Integration":         {4, byDefault, "ApiId IntegrationType IntegrationUri RequestTemplates.200 TemplateSelectionExpression"},
	"AWS::ApiGatewayV2::IntegrationResponse": {1, byDefault, "ApiId IntegrationId IntegrationResponseKey ResponseTemplates.200 TemplateSelectionExpression"},
	"AWS::ApiGatewayV2::Route":               {4, byDefault, "ApiId AuthorizationType RouteKey RouteResponseSelectionExpression Target"},
	"AWS::ApiGatewayV2::RouteResponse":       {1, byDefault, "ApiId RouteId RouteResponseKey"},
	"AWS::ApiGatewayV2::Stage":               {1, byDefault, "AccessLogSettings.DestinationArn AccessLogSettings.Format ApiId AutoDeploy DefaultRouteSettings StageName"},
	"AWS::CloudWatch::Alarm": {
		12, byDefault, "AlarmActions AlarmDescription AlarmName ComparisonOperator Dimensions.Name Dimensions.Value EvaluationPeriods ExtendedStatistic " +
			"MetricName Namespace OKActions Period Statistic Threshold TreatMissingData",
	},
	"AWS::CloudWatch::Dashboard": {1, byDefault, "DashboardBody DashboardName"},
	"AWS::DynamoDB::Table": {
		2, kept, "AttributeDefinitions.AttributeName AttributeDefinitions.AttributeType BillingMode DeletionProtectionEnabled " +
			"GlobalSecondaryIndexes.IndexName GlobalSecondaryIndexes.KeySchema.AttributeName GlobalSecondaryIndexes.KeySchema.KeyType " +
			"GlobalSecondaryIndexes.Projection.ProjectionType KeySchema.AttributeName KeySchema.KeyType PointInTimeRecoverySpecification " +
			"TableName TimeToLiveSpecification",
	},
	"AWS::Events::Rule": {
		6, byDefault, "Description EventPattern ScheduleExpression State Targets.Arn Targets.DeadLetterConfig.Arn Targets.Id Targets.RetryPolicy Targets.RoleArn",
	},
	"AWS::IAM::Policy": {12, byDefault, "PolicyDocument.Statement PolicyDocument.Version PolicyName Roles"},
	"AWS::IAM::Role":   {12, byDefault, "AssumeRolePolicyDocument.Statement AssumeRolePolicyDocument.Version Description"},
	"AWS::Lambda::EventInvokeConfig": {
		3, byDefault, "DestinationConfig.OnFailure.Destination FunctionName MaximumEventAgeInSeconds MaximumRetryAttempts Qualifier",
	},
	"AWS::Lambda::Function": {
		10, byDefault, "Architectures Code.S3Bucket Code.S3Key Description Environment.Variables Handler LoggingConfig.LogGroup MemorySize Role " +
			"Runtime Timeout TracingConfig",
	},
	"AWS::Lambda::Permission":       {9, byDefault, "Action FunctionName Principal SourceArn"},
	"AWS::Logs::LogGroup":           {12, deleted, "LogGroupName RetentionInDays"},
	"AWS::Logs::SubscriptionFilter": {1, byDefault, "DestinationArn FilterPattern LogGroupName"},
	"AWS::S3::Bucket": {
		1, kept, "BucketEncryption CorsConfiguration LifecycleConfiguration NotificationConfiguration OwnershipControls " +
			"PublicAccessBlockConfiguration VersioningConfiguration",
	},
	"AWS::S3::BucketPolicy":  {1, byDefault, "Bucket PolicyDocument.Statement PolicyDocument.Version"},
	"AWS::SNS::Subscription": {1, byDefault, "Endpoint Protocol TopicArn"},
	"AWS::SNS::Topic":        {1, byDefault, "DisplayName"},
	"AWS::SNS::TopicPolicy":  {1, byDefault, "PolicyDocument.Statement PolicyDocument.Version Topics"},
	"AWS::SQS::Queue":        {3, deleted, "MessageRetentionPeriod SqsManagedSseEnabled"},
	"AWS::SQS::QueuePolicy":  {3, byDefault, "PolicyDocument.Statement PolicyDocument.Version Queues"},
	"AWS::SSM::Parameter":    {11, byDefault, "Description Name Type Value"},
	"AWS::StepFunctions::StateMachine": {
		1, deleted, "DefinitionString DefinitionSubstitutions LoggingConfiguration.Destinations.CloudWatchLogsLogGroup.LogGroupArn " +
			"LoggingConfiguration.IncludeExecutionData LoggingConfiguration.Level RoleArn StateMachineName StateMachineType TracingConfiguration.Enabled",
	},
}

// templateSections has the names in each section of the full template. Outputs and resources have their own proofs.
var templateSections = map[string]string{
	"Description": "", "Outputs": "", "Resources": "",
	"Parameters": "BootstrapVersion.Default BootstrapVersion.Description BootstrapVersion.Type DeployedFeedTable.Default DeployedFeedTable.Description " +
		"DeployedFeedTable.Type DeployedTable.Default DeployedTable.Description DeployedTable.Type",
	"Rules": "CheckBootstrapVersion.Assertions.Assert CheckBootstrapVersion.Assertions.AssertDescription DeployedFeedTableRule.Assertions.Assert " +
		"DeployedFeedTableRule.Assertions.AssertDescription DeployedTableRule.Assertions.Assert DeployedTableRule.Assertions.AssertDescription",
}

// propertyPaths returns the paths of the values in value, without positions in lists. They stop at a path in stops.
func propertyPaths(prefix string, value any, stops []string) []string {
	if slices.Contains(stops, prefix) {
		return nil
	}
	var paths []string
	switch value := value.(type) {
	case map[string]any:
		if isIntrinsic(value) {
			return []string{prefix}
		}
		for key, child := range value {
			paths = append(paths, propertyPaths(strings.TrimPrefix(prefix+"."+key, "."), child, stops)...)
		}
	case []any:
		for _, child := range value {
			paths = append(paths, propertyPaths(prefix, child, stops)...)
		}
	default:
		paths = []string{prefix}
	}
	return paths
}

// TestStackHasOnlyTheseResources finds a resource or a property that nobody has thought about, such as a second policy of a role. It
// also checks what CloudFormation does with resources that the stack no longer has: only tables and the bucket outlive it.
func TestStackHasOnlyTheseResources(t *testing.T) { checkResources(t, fullTemplate(t)) }

func checkResources(tb testing.TB, template template) {
	tb.Helper()
	counts := map[string]int{}
	for id, resource := range fields(template.all["Resources"]) {
		kind := valueText(lookUp(resource, "Type"))
		counts[kind]++
		want := resourceKinds[kind]
		if got := valueText(lookUp(resource, "DeletionPolicy")) + ", " + valueText(lookUp(resource, "UpdateReplacePolicy")); got != want.removal {
			tb.Errorf("%s: the policies of deletion and replacement are %s, want %s", id, got, want.removal)
		}
		for name := range fields(resource) {
			if !slices.Contains([]string{"Type", "Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy"}, name) {
				tb.Errorf("%s has %s", id, name)
			}
		}
		for _, path := range propertyPaths("", lookUp(resource, "Properties"), strings.Fields(want.properties)) {
			tb.Errorf("%s has the property %s", id, path)
		}
	}
	for kind, want := range resourceKinds {
		if counts[kind] != want.count {
			tb.Errorf("%d resources of type %s, want %d", counts[kind], kind, want.count)
		}
		delete(counts, kind)
	}
	for kind := range counts {
		tb.Errorf("there are resources of type %s", kind)
	}
	for name, section := range template.all {
		want, known := templateSections[name]
		if !known {
			tb.Errorf("the template has %s", name)
		}
		for _, path := range propertyPaths("", section, strings.Fields(want)) {
			if want != "" {
				tb.Errorf("%s has %s", name, path)
			}
		}
	}
}

// TestFunctionsRunTheirOwnPrograms checks that the code of each function is the folder that was built for it.
func TestFunctionsRunTheirOwnPrograms(t *testing.T) { checkPrograms(t, fullTemplate(t)) }

func checkPrograms(tb testing.TB, template template) {
	tb.Helper()
	for _, f := range lambdas.Functions() {
		code := lookUp(template.one(tb, "AWS::Lambda::Function", "Herald"+f.ID+"Function").properties, "Code")
		if got := template.programs[valueText(lookUp(code, "S3Key"))]; got != f.Name {
			tb.Errorf("%s runs the program %q", f.Name, got)
		}
		assets := map[string]any{"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"}
		if diff := cmp.Diff(assets, lookUp(code, "S3Bucket")); diff != "" {
			tb.Errorf("%s: its program is in (-want +got):\n%s", f.Name, diff)
		}
	}
}

// TestOnlyRoutesAndRulesInvokeFunctions checks every permission to invoke a function.
func TestOnlyRoutesAndRulesInvokeFunctions(t *testing.T) { checkInvocations(t, fullTemplate(t)) }

func checkInvocations(tb testing.TB, template template) {
	tb.Helper()
	var got []string
	for _, permission := range template.ofType("AWS::Lambda::Permission") {
		p := permission.properties
		got = append(got, fmt.Sprint(lookUp(p, "Principal"), " ", lookUp(p, "Action"), " ", withoutCDKHashes(lookUp(p, "FunctionName")),
			" for ", withoutCDKHashes(lookUp(p, "SourceArn"))))
	}
	slices.Sort(got)
	const (
		account = "<AWS::Region>:<AWS::AccountId>:"
		route   = "apigateway.amazonaws.com lambda:InvokeFunction <Herald%sFunction.Arn> for arn:<AWS::Partition>:execute-api:" + account + "<HeraldApi>/*%s"
		rule    = "events.amazonaws.com lambda:InvokeFunction <Herald%sFunction.Arn> for <Herald%s.Arn>"
		logs    = "logs.amazonaws.com lambda:InvokeFunction <HeraldObserverFunction.Arn> for arn:<AWS::Partition>:logs:" + account +
			"log-group:/aws/vendedlogs/states/shop-Logs:*"
	)
	want := []string{
		fmt.Sprintf(route, "Connect", "$connect"), fmt.Sprintf(route, "Default", "$default"), fmt.Sprintf(route, "Disconnect", "$disconnect"),
		fmt.Sprintf(rule, "Observer", "Watch1Started"), fmt.Sprintf(rule, "Reaper", "ReaperSchedule"),
		fmt.Sprintf(rule, "Sweeper", "DurableExecutionRule"), fmt.Sprintf(rule, "Sweeper", "ExecutionRule"), fmt.Sprintf(rule, "Sweeper", "SweeperSchedule"), logs,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("permissions to invoke a function (-want +got):\n%s", diff)
	}
}

// TestRolesAreCreatedBeforeTheirUsers checks that a function or state machine is created after its role and the permissions of the
// role. Without this order the first calls are refused, and the creation of a state machine that logs fails. A log group sends lines to
// a function only once it may invoke the function.
func TestRolesAreCreatedBeforeTheirUsers(t *testing.T) { checkOrderOfCreation(t, fullTemplate(t)) }

func checkOrderOfCreation(tb testing.TB, template template) {
	tb.Helper()
	users := map[string]string{"AWS::Lambda::Function": "Role", "AWS::StepFunctions::StateMachine": "RoleArn"}
	for kind, property := range users {
		for _, user := range template.ofType(kind) {
			role := valueText(lookUp(user.properties, property, "Fn::GetAtt", 0))
			want := []string{role}
			for _, policy := range template.ofType("AWS::IAM::Policy") {
				if valueText(lookUp(policy.properties, "Roles", 0)) == "<"+role+">" {
					want = append(want, policy.id)
				}
			}
			got := valueTexts(lookUp(template.all, "Resources", user.id, "DependsOn"))
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				tb.Errorf("%s depends on (-want +got):\n%s", user.id, diff)
			}
		}
	}
	for _, filter := range template.ofType("AWS::Logs::SubscriptionFilter") {
		allowed := ""
		for _, permission := range template.ofType("AWS::Lambda::Permission") {
			if lookUp(permission.properties, "Principal") == "logs.amazonaws.com" {
				allowed = permission.id
			}
		}
		if got := valueTexts(lookUp(template.all, "Resources", filter.id, "DependsOn")); len(got) != 1 || got[0] != allowed {
			tb.Errorf("%s depends on %v, want %s", filter.id, got, allowed)
		}
	}
}

// TestServicesMayUseOnlyTheirOwnRoles checks who may assume each role, and who uses it.
func TestServicesMayUseOnlyTheirOwnRoles(t *testing.T) { checkTrust(t, fullTemplate(t)) }

func checkTrust(tb testing.TB, template template) {
	tb.Helper()
	got, want := map[string]string{}, map[string]string{
		"HeraldCsvImportRole":       "Allow Service states.amazonaws.com sts:AssumeRole",
		"HeraldCsvImportEventsRole": "Allow Service events.amazonaws.com sts:AssumeRole",
	}
	for _, f := range lambdas.Functions() {
		want["Herald"+f.ID+"Role"] = "Allow Service lambda.amazonaws.com sts:AssumeRole"
		role := withoutCDKHashes(lookUp(template.one(tb, "AWS::Lambda::Function", "Herald"+f.ID+"Function").properties, "Role"))
		if role != "<Herald"+f.ID+"Role.Arn>" {
			tb.Errorf("%s has the role %s", f.Name, role)
		}
	}
	for _, role := range template.ofType("AWS::IAM::Role") {
		got[withoutHash(role.id)] = strings.Join(policyLines(lookUp(role.properties, "AssumeRolePolicyDocument")), "\n")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("who may assume the roles (-want +got):\n%s", diff)
	}
	machine := template.one(tb, "AWS::StepFunctions::StateMachine", "HeraldCsvImport").properties
	if got := withoutCDKHashes(lookUp(machine, "RoleArn")); got != "<HeraldCsvImportRole.Arn>" {
		tb.Errorf("the workflow has the role %s", got)
	}
	rule := template.one(tb, "AWS::Events::Rule", "HeraldUploadRule").properties
	if got := withoutCDKHashes(lookUp(rule, "Targets", 0, "RoleArn")); got != "<HeraldCsvImportEventsRole.Arn>" {
		tb.Errorf("the rule that starts the workflow has the role %s", got)
	}
}

// policyLines returns a line for each statement of a policy, without the hashes of logical ids: the effect, the principal, the actions,
// the resources and the condition. A policy in a version other than IAM's newest has one more line.
func policyLines(document any) []string {
	var lines []string
	if version := lookUp(document, "Version"); version != "2012-10-17" {
		lines = append(lines, fmt.Sprint("version ", version))
	}
	for _, statement := range asList(lookUp(document, "Statement")) {
		words := []string{valueText(lookUp(statement, "Effect"))}
		for _, part := range []string{"Principal", "Action", "Resource", "Condition"} {
			words = append(words, textOfPart(lookUp(statement, part))...)
		}
		for name := range fields(statement) {
			if !slices.Contains([]string{"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}, name) {
				words = append(words, name)
			}
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

// textOfPart returns the words of a part of a statement. Those of an object are its keys, each with its values.
func textOfPart(part any) []string {
	object, isObject := part.(map[string]any)
	if !isObject || valueText(part) != fmt.Sprint(part) { // a reference is an object, too
		var words []string
		for _, value := range asList(part) {
			words = append(words, withoutCDKHashes(value))
		}
		return words
	}
	var words []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		words = append(append(words, key), textOfPart(object[key])...)
	}
	return words
}
