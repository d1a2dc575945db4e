package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// grants returns the permissions of each role of the template, as "action resource" lines by the role's plain logical id.
func grants(t template) map[string][]string {
	out := map[string][]string{}
	for _, policy := range t.ofType("AWS::IAM::Policy") {
		for _, role := range list(at(policy.properties, "Roles")) {
			name := plain(fmt.Sprint(at(role, "Ref")))
			for _, statement := range list(at(policy.properties, "PolicyDocument", "Statement")) {
				out[name] = append(out[name], lines(statement)...)
			}
		}
	}
	for name := range out {
		slices.Sort(out[name])
	}

	return out
}

// lines writes an Allow statement as one line for each pair of action and resource, without the hashes of logical ids.
func lines(statement any) []string {
	var out []string
	for _, action := range list(at(statement, "Action")) {
		for _, on := range list(at(statement, "Resource")) {
			out = append(out, text(action)+" "+named(on))
		}
	}
	return out
}

const (
	stage     = "execute-api:ManageConnections arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<HeraldApi>/prod/"
	post      = stage + "POST/@connections/*"
	hangUp    = stage + "DELETE/@connections/*"
	describe  = "states:DescribeExecution arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:*"
	table     = "<HeraldConnections.Arn>"
	feedTable = "<HeraldFeed.Arn>"
	files     = "<HeraldUploads.Arn>"
)

// base returns what each function may do, and more.
func base(logs string, more ...string) []string {
	out := append([]string{
		"logs:CreateLogStream <" + logs + ".Arn>",
		"logs:PutLogEvents <" + logs + ".Arn>",
		"xray:PutTelemetryRecords *",
		"xray:PutTraceSegments *",
	}, more...)
	slices.Sort(out)
	return out
}

// reporter is base and what storing the states of jobs and delivering them takes.
func reporter(logs string, more ...string) []string {
	return base(logs, append(more, post, "dynamodb:Query "+table+"/index/userIdIndex", "dynamodb:DeleteItem "+table,
		"dynamodb:GetItem "+feedTable, "dynamodb:PutItem "+feedTable, "dynamodb:UpdateItem "+feedTable)...)
}

func TestRolesHaveExactlyThesePermissions(t *testing.T) {
	want := map[string][]string{
		"HeraldConnectRole": base("HeraldConnectLogs", "secretsmanager:GetSecretValue "+secretARN,
			"dynamodb:PutItem "+table, "dynamodb:GetItem "+table, "dynamodb:UpdateItem "+table, "dynamodb:Query "+table+"/index/userIdIndex"),
		"HeraldDisconnectRole": base("HeraldDisconnectLogs", "dynamodb:DeleteItem "+table),
		"HeraldDefaultRole": base("HeraldDefaultLogs", post, hangUp, "secretsmanager:GetSecretValue "+secretARN,
			"dynamodb:GetItem "+table, "dynamodb:UpdateItem "+table, "dynamodb:DeleteItem "+table,
			"dynamodb:Query "+table+"/index/userIdIndex", "dynamodb:Query "+feedTable, "dynamodb:DeleteItem "+feedTable),
		"HeraldNotifierRole": reporter("HeraldNotifierLogs", "dynamodb:GetItem "+table, "dynamodb:DeleteItem "+feedTable),
		"HeraldReaperRole": base("HeraldReaperLogs", post, hangUp,
			"dynamodb:Query "+table+"/index/sessionExpiryIndex", "dynamodb:DeleteItem "+table),
		"HeraldSweeperRole": base("HeraldSweeperLogs", post, describe, "sqs:SendMessage <HeraldSweeperDeadLetters.Arn>",
			"dynamodb:Query "+table+"/index/userIdIndex", "dynamodb:DeleteItem "+table,
			"dynamodb:GetItem "+feedTable, "dynamodb:PutItem "+feedTable, "dynamodb:DeleteItem "+feedTable, "dynamodb:Query "+feedTable),
		"HeraldCsvPlanRole": reporter("HeraldCsvPlanLogs",
			"s3:GetObjectVersion "+files+"/uploads/*", "s3:ListBucket "+files,
			"s3:GetObject "+files+"/claims/*", "s3:PutObject "+files+"/claims/*", "s3:GetObject "+files+"/results/*/summary.json"),
		"HeraldCsvChunkRole": reporter("HeraldCsvChunkLogs",
			"s3:GetObjectVersion "+files+"/uploads/*", "s3:ListBucket "+files,
			"s3:GetObject "+files+"/claims/*", "s3:GetObject "+files+"/results/*/summary.json",
			"s3:PutObject "+files+"/staged/*", "s3:AbortMultipartUpload "+files+"/staged/*"),
		"HeraldCsvFinishRole": reporter("HeraldCsvFinishLogs",
			"s3:GetObjectVersion "+files+"/uploads/*", "s3:ListBucket "+files,
			"s3:GetObject "+files+"/staged/*", "s3:DeleteObject "+files+"/staged/*",
			"s3:GetObject "+files+"/claims/*", "s3:GetObject "+files+"/results/*/summary.json", "s3:PutObject "+files+"/results/*",
			"s3:AbortMultipartUpload "+files+"/results/*", "s3:DeleteObject "+files+"/results/*"),
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
	if diff := cmp.Diff(want, grants(standard(t))); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}

// TestNoPermissionIsForAllResources allows statements on all resources only for actions that AWS cannot restrict: X-Ray's
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html) and the log delivery of Step
// Functions (https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html).
func TestNoPermissionIsForAllResources(t *testing.T) {
	for role, granted := range grants(standard(t)) {
		for _, line := range granted {
			action, on, _ := strings.Cut(line, " ")
			if strings.Contains(action, "*") {
				t.Errorf("%s: action with a star: %s", role, line)
			}
			service, name, _ := strings.Cut(action, ":")
			delivery := service == "logs" && role == "HeraldCsvImportRole"
			if on == "*" && service != "xray" && !delivery {
				t.Errorf("%s: %s:%s on every resource", role, service, name)
			}
		}
	}
}

func TestEachFunctionHasItsOwnInlineRole(t *testing.T) {
	template := standard(t)
	seen := map[string]string{}
	for _, function := range template.ofType("AWS::Lambda::Function") {
		role := text(at(function.properties, "Role"))
		if other, shared := seen[role]; shared {
			t.Errorf("%s and %s share %s", other, function.id, role)
		}
		seen[role] = function.id
	}
	if len(seen) == 0 {
		t.Fatal("no function")
	}
	for _, role := range template.ofType("AWS::IAM::Role") {
		if managed := at(role.properties, "ManagedPolicyArns"); managed != nil {
			t.Errorf("%s has managed policies: %v", role.id, managed)
		}
	}
}

// TestResourcePolicies holds Allow statements of the bucket and the queues to those by which EventBridge delivers dead
// letters.
func TestResourcePolicies(t *testing.T) {
	template := standard(t)
	var allowed, insecure []string
	for _, kind := range []string{"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"} {
		for _, policy := range template.ofType(kind) {
			for _, statement := range list(at(policy.properties, "PolicyDocument", "Statement")) {
				switch {
				case at(statement, "Effect") == "Allow":
					rule := named(at(statement, "Condition", "ArnEquals", "aws:SourceArn"))
					for _, line := range lines(statement) {
						allowed = append(allowed, fmt.Sprint(at(statement, "Principal", "Service"), " ", line, " for ", rule))
					}
				case at(statement, "Condition", "Bool", "aws:SecureTransport") == "false":
					insecure = append(insecure, kind)
				}
			}
		}
	}
	slices.Sort(allowed)
	want := []string{
		"events.amazonaws.com sqs:SendMessage <HeraldSweeperDeadLetters.Arn> for <HeraldExecutionRule.Arn>",
		"events.amazonaws.com sqs:SendMessage <HeraldUploadDeadLetters.Arn> for <HeraldUploadRule.Arn>",
	}
	if diff := cmp.Diff(want, allowed); diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SQS::QueuePolicy"}, insecure); diff != "" {
		t.Errorf("refusing plain HTTP (-want +got):\n%s", diff)
	}
}

func TestSecretOnlyWithHS256(t *testing.T) {
	settings := hs256()
	settings.Props.Auth = cognito()
	for role, granted := range grants(synthesise(t, settings)) {
		for _, line := range granted {
			if strings.HasPrefix(line, "secretsmanager:") {
				t.Errorf("%s: %s", role, line)
			}
		}
	}
}
