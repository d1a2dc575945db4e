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

// rolePermissions returns the permissions of each role in the template, as lines of the form "action resource". The keys are the
// logical ids of the roles, without hashes.
func rolePermissions(t template) map[string][]string {
	out := map[string][]string{}
	for _, policy := range t.ofType("AWS::IAM::Policy") {
		for _, role := range asList(lookUp(policy.properties, "Roles")) {
			name := withoutHash(fmt.Sprint(lookUp(role, "Ref")))
			for _, statement := range asList(lookUp(policy.properties, "PolicyDocument", "Statement")) {
				out[name] = append(out[name], permissionLines(statement)...)
			}
		}
	}
	for name := range out {
		slices.Sort(out[name])
	}

	return out
}

// permissionLines returns a line "action resource" for each pair of an action and a resource of a statement, without the hashes
// of logical ids. If the statement does not allow, or allows by other keys than these, the lines begin with what it has.
func permissionLines(statement any) []string {
	prefix := ""
	if effect := valueText(lookUp(statement, "Effect")); effect != "Allow" {
		prefix = effect + " "
	}
	for _, name := range slices.Sorted(maps.Keys(fields(statement))) {
		if strings.HasPrefix(name, "Not") {
			prefix += name + " "
		}
	}
	if lookUp(statement, "Action") == nil || lookUp(statement, "Resource") == nil {
		return []string{prefix + fmt.Sprint(statement)}
	}
	var out []string
	for _, action := range asList(lookUp(statement, "Action")) {
		for _, resource := range asList(lookUp(statement, "Resource")) {
			out = append(out, prefix+valueText(action)+" "+withoutCDKHashes(resource))
		}
	}
	return out
}

// The permissions and the resources that several roles share, in the form of rolePermissions.
const (
	// manageConnectionsPrefix precedes a method and a path of the stage.
	manageConnectionsPrefix = "execute-api:ManageConnections arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<HeraldApi>/prod/"
	postPermission          = manageConnectionsPrefix + "POST/@connections/*"
	closePermission         = manageConnectionsPrefix + "DELETE/@connections/*"
	describePermission      = "states:DescribeExecution arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:*"
	durablePermission       = "lambda:GetDurableExecution arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:function:*/durable-execution/*"
	connectionsARN          = "<HeraldConnections.Arn>"
	feedARN                 = "<HeraldFeed.Arn>"
	bucketARN               = "<HeraldUploads.Arn>"
)

// basePermissions returns, sorted, the permissions in more and those that each function has. logs is the function's log group.
func basePermissions(logs string, more ...string) []string {
	out := append([]string{
		"logs:CreateLogStream <" + logs + ".Arn>",
		"logs:PutLogEvents <" + logs + ".Arn>",
		"xray:PutTelemetryRecords *",
		"xray:PutTraceSegments *",
	}, more...)
	slices.Sort(out)
	return out
}

// reporterPermissions returns the basePermissions and the permissions to store the states of jobs and to post them, sorted.
func reporterPermissions(logs string, more ...string) []string {
	return basePermissions(logs, append(more, postPermission, "dynamodb:Query "+connectionsARN+"/index/userIdIndex", "dynamodb:DeleteItem "+connectionsARN,
		"dynamodb:GetItem "+feedARN, "dynamodb:PutItem "+feedARN, "dynamodb:UpdateItem "+feedARN)...)
}

func TestRolesHaveExactlyThesePermissions(t *testing.T) { checkPermissions(t, fullTemplate(t)) }

func checkPermissions(tb testing.TB, template template) {
	tb.Helper()
	want := map[string][]string{
		"HeraldConnectRole": basePermissions("HeraldConnectLogs", "secretsmanager:GetSecretValue "+secretARN,
			"dynamodb:PutItem "+connectionsARN, "dynamodb:GetItem "+connectionsARN, "dynamodb:UpdateItem "+connectionsARN, "dynamodb:Query "+connectionsARN+"/index/userIdIndex"),
		"HeraldDisconnectRole": basePermissions("HeraldDisconnectLogs", "dynamodb:DeleteItem "+connectionsARN),
		"HeraldDefaultRole": basePermissions("HeraldDefaultLogs", postPermission, closePermission, "secretsmanager:GetSecretValue "+secretARN,
			"dynamodb:GetItem "+connectionsARN, "dynamodb:UpdateItem "+connectionsARN, "dynamodb:DeleteItem "+connectionsARN,
			"dynamodb:Query "+connectionsARN+"/index/userIdIndex", "dynamodb:Query "+feedARN, "dynamodb:DeleteItem "+feedARN,
			"dynamodb:GetItem "+feedARN, "dynamodb:PutItem "+feedARN, "dynamodb:UpdateItem "+feedARN,
			"s3:PutObject "+bucketARN+"/uploads/*", "s3:GetObject "+bucketARN+"/uploads/*", "s3:AbortMultipartUpload "+bucketARN+"/uploads/*",
			"s3:GetObject "+bucketARN+"/results/*", "s3:ListMultipartUploadParts "+bucketARN+"/uploads/*", "s3:ListBucket "+bucketARN),
		"HeraldNotifierRole": reporterPermissions("HeraldNotifierLogs", "dynamodb:GetItem "+connectionsARN, "dynamodb:DeleteItem "+feedARN),
		"HeraldReaperRole": basePermissions("HeraldReaperLogs", postPermission, closePermission,
			"dynamodb:Query "+connectionsARN+"/index/sessionExpiryIndex", "dynamodb:DeleteItem "+connectionsARN),
		"HeraldSweeperRole": basePermissions("HeraldSweeperLogs", postPermission, describePermission, durablePermission, "sqs:SendMessage <HeraldSweeperDeadLetters.Arn>",
			"dynamodb:Query "+connectionsARN+"/index/userIdIndex", "dynamodb:DeleteItem "+connectionsARN,
			"dynamodb:GetItem "+feedARN, "dynamodb:PutItem "+feedARN, "dynamodb:DeleteItem "+feedARN, "dynamodb:Query "+feedARN),
		"HeraldObserverRole": reporterPermissions("HeraldObserverLogs", "dynamodb:DeleteItem "+feedARN, describePermission,
			strings.Replace(describePermission, "DescribeExecution", "DescribeStateMachineForExecution", 1),
			"states:DescribeStateMachine arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:stateMachine:*",
			"sqs:SendMessage <HeraldObserverDeadLetters.Arn>"),
		"HeraldCsvPlanRole": reporterPermissions("HeraldCsvPlanLogs",
			"s3:GetObjectVersion "+bucketARN+"/uploads/*", "s3:ListBucket "+bucketARN,
			"s3:GetObject "+bucketARN+"/claims/*", "s3:PutObject "+bucketARN+"/claims/*", "s3:GetObject "+bucketARN+"/results/*/summary.json"),
		"HeraldCsvChunkRole": reporterPermissions("HeraldCsvChunkLogs",
			"s3:GetObjectVersion "+bucketARN+"/uploads/*", "s3:ListBucket "+bucketARN,
			"s3:GetObject "+bucketARN+"/claims/*", "s3:GetObject "+bucketARN+"/results/*/summary.json",
			"s3:PutObject "+bucketARN+"/staged/*", "s3:AbortMultipartUpload "+bucketARN+"/staged/*"),
		"HeraldCsvFinishRole": reporterPermissions("HeraldCsvFinishLogs",
			"s3:GetObjectVersion "+bucketARN+"/uploads/*", "s3:ListBucket "+bucketARN,
			"s3:GetObject "+bucketARN+"/staged/*", "s3:DeleteObject "+bucketARN+"/staged/*",
			"s3:GetObject "+bucketARN+"/claims/*", "s3:GetObject "+bucketARN+"/results/*/summary.json", "s3:PutObject "+bucketARN+"/results/*",
			"s3:AbortMultipartUpload "+bucketARN+"/results/*", "s3:DeleteObject "+bucketARN+"/results/*"),
		"HeraldCsvImportRole": {
			"lambda:InvokeFunction <HeraldCsvChunkFunction.Arn>",
			"lambda:InvokeFunction <HeraldCsvFinishFunction.Arn>",
			"lambda:InvokeFunction <HeraldCsvPlanFunction.Arn>",
			"lambda:InvokeFunction <HeraldNotifierFunction.Arn>",
			"logs:CreateLogDelivery *",
			"logs:DeleteLogDelivery *",
			"logs:DescribeLogGroups *",
			"logs:DescribeResourcePolicies *",
			"logs:GetLogDelivery *",
			"logs:ListLogDeliveries *",
			"logs:PutResourcePolicy *",
			"logs:UpdateLogDelivery *",
			"xray:GetSamplingRules *",
			"xray:GetSamplingTargets *",
			"xray:PutTelemetryRecords *",
			"xray:PutTraceSegments *",
		},
		"HeraldCsvImportEventsRole": {"states:StartExecution <HeraldCsvImport>"},
	}
	if diff := cmp.Diff(want, rolePermissions(template)); diff != "" {
		tb.Errorf("grants (-want +got):\n%s", diff)
	}
}

// TestNoPermissionIsForAllResources allows statements on all resources only for actions that AWS cannot restrict: X-Ray's
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html) and the log delivery of Step
// Functions (https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html).
func TestNoPermissionIsForAllResources(t *testing.T) {
	checkNoPermissionForAllResources(t, fullTemplate(t))
}

func checkNoPermissionForAllResources(tb testing.TB, template template) {
	tb.Helper()
	ofFunction := map[string]bool{}
	for _, f := range lambdas.Functions() {
		ofFunction["Herald"+f.ID+"Role"] = true
	}
	for role, granted := range rolePermissions(template) {
		for _, line := range granted {
			action, resource, _ := strings.Cut(line, " ")
			if strings.Contains(action, "*") {
				tb.Errorf("%s: the action has a star: %s", role, line)
			}
			service, name, _ := strings.Cut(action, ":")
			isLogDelivery := service == "logs" && !ofFunction[role]
			if resource == "*" && service != "xray" && !isLogDelivery {
				tb.Errorf("%s: %s:%s is allowed on all resources", role, service, name)
			}
		}
	}
}

func TestEachFunctionHasItsOwnInlineRole(t *testing.T) { checkRoles(t, fullTemplate(t)) }

func checkRoles(tb testing.TB, template template) {
	tb.Helper()
	seen := map[string]string{}
	for _, function := range template.ofType("AWS::Lambda::Function") {
		role := valueText(lookUp(function.properties, "Role"))
		if other, shared := seen[role]; shared {
			tb.Errorf("%s and %s share %s", other, function.id, role)
		}
		seen[role] = function.id
	}
	if len(seen) == 0 {
		tb.Fatal("no function")
	}
	for _, policy := range template.ofType("AWS::IAM::Policy") {
		roles := valueTexts(lookUp(policy.properties, "Roles"))
		if len(roles) != 1 || !strings.HasPrefix(roles[0], "<Herald") || valueText(lookUp(policy.properties, "PolicyName")) != policy.id {
			tb.Errorf("%s is the policy %v of the roles %v", policy.id, lookUp(policy.properties, "PolicyName"), roles)
		}
		for _, line := range policyLines(lookUp(policy.properties, "PolicyDocument")) {
			if strings.HasPrefix(line, "version") {
				tb.Errorf("%s: %s", policy.id, line)
			}
		}
		for _, statement := range asList(lookUp(policy.properties, "PolicyDocument", "Statement")) {
			for key := range fields(statement) {
				if !slices.Contains([]string{"Action", "Effect", "Resource"}, key) {
					tb.Errorf("a statement of %s has %s", policy.id, key)
				}
			}
		}
	}
	for _, role := range template.ofType("AWS::IAM::Role") {
		if managed := lookUp(role.properties, "ManagedPolicyArns"); managed != nil {
			tb.Errorf("%s has managed policies: %v", role.id, managed)
		}
	}
}

// TestResourcePolicies checks the policies of the bucket and the queues. They allow nothing except that EventBridge sends dead
// letters, and each denies requests without TLS.
func TestResourcePolicies(t *testing.T) { checkResourcePolicies(t, fullTemplate(t)) }

func checkResourcePolicies(tb testing.TB, template template) {
	tb.Helper()
	const tls = " Bool aws:SecureTransport false"
	want := map[string][]string{"<HeraldUploads>": {"Deny AWS * s3:* <HeraldUploads.Arn> <HeraldUploads.Arn>/*" + tls}}
	for queue, rule := range map[string]string{"Observer": "Watch1Started", "Sweeper": "ExecutionRule", "Upload": "UploadRule"} {
		arn := "<Herald" + queue + "DeadLetters.Arn>"
		want["<Herald"+queue+"DeadLetters>"] = []string{
			"Deny AWS * sqs:* " + arn + tls,
			"Allow Service events.amazonaws.com sqs:SendMessage " + arn + " ArnEquals aws:SourceArn <Herald" + rule + ".Arn>",
		}
	}
	sweeper := "<HeraldSweeperDeadLetters>"
	want[sweeper] = append(want[sweeper], strings.Replace(want[sweeper][1], "<HeraldExecutionRule.Arn>", "<HeraldDurableExecutionRule.Arn>", 1))
	got := map[string][]string{}
	for kind, property := range map[string]string{"AWS::S3::BucketPolicy": "Bucket", "AWS::SQS::QueuePolicy": "Queues"} {
		for _, policy := range template.ofType(kind) {
			for _, of := range asList(lookUp(policy.properties, property)) {
				got[withoutCDKHashes(of)] = policyLines(lookUp(policy.properties, "PolicyDocument"))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("policies (-want +got):\n%s", diff)
	}
}

func TestSecretOnlyWithHS256(t *testing.T) {
	settings := hs256()
	settings.Props.Auth = cognito()
	for role, granted := range rolePermissions(synthesise(t, settings)) {
		for _, line := range granted {
			if strings.HasPrefix(line, "secretsmanager:") {
				t.Errorf("%s may read a secret, although tokens are not verified with one: %s", role, line)
			}
		}
	}
}
