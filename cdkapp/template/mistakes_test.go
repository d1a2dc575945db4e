package template

import (
	"strings"
	"testing"
)

// TestMistakesOfAnUpgradeAreFound plants one mistake after the other into the templates of the last release.
func TestMistakesOfAnUpgradeAreFound(t *testing.T) {
	const (
		table, bucket, queue, lookup = "DynamoDB::Table", "S3::Bucket", "SQS::Queue", "SSM::Parameter"
		feed, connections            = "HeraldFeed", "HeraldConnections"
	)
	for _, mistake := range []struct {
		name  string
		plant func(edited)
		want  string // a part of one breach
	}{
		{"a table is renamed in the template", func(e edited) { e.rename(e.id(table, feed)) }, "is gone, and with it rows"},
		{"the bucket is renamed in the template", func(e edited) { e.rename(e.id(bucket, "")) }, "is gone, and with it objects"},
		{"the notifier is renamed in the template", func(e edited) { e.rename(e.id("Lambda::Function", "HeraldNotifier")) }, "is gone, and with it the output Notifier"},
		{"a workflow is renamed in the template", func(e edited) { e.rename(e.id("StepFunctions::StateMachine", "HeraldCsv")) }, "is what HeraldCsvImport0FC3A4D7 was"},
		{"a policy is renamed in the template", func(e edited) { e.rename(e.id("S3::BucketPolicy", "")) }, "is what HeraldUploadsPolicyCD4FBFA7 was"},
		{"a table is gone", func(e edited) { delete(member(e.template, "Resources"), e.id(table, feed)) }, "is gone, and with it rows"},
		{"a table has another name", func(e edited) { e.properties(table, feed)["TableName"] = "feed" }, "TableName has changed, which replaces"},
		{"a table has no sort key", func(e edited) {
			e.properties(table, feed)["KeySchema"] = e.properties(table, feed)["KeySchema"].([]any)[:1]
		}, "KeySchema has changed, which replaces"},
		{"a table has another partition key", func(e edited) {
			e.properties(table, connections)["KeySchema"].([]any)[0].(object)["AttributeName"] = "userId"
		}, "KeySchema has changed, which replaces"},
		{"a sort key is a number", func(e edited) {
			e.properties(table, feed)["AttributeDefinitions"].([]any)[1].(object)["AttributeType"] = "N"
		}, "the type of the attribute entry has changed"},
		{"an index has another key", func(e edited) {
			e.properties(table, connections)["GlobalSecondaryIndexes"].([]any)[0].(object)["KeySchema"].([]any)[0].(object)["AttributeName"] = "user"
		}, "the index userIdIndex has changed"},
		{"an index is gone", func(e edited) {
			e.properties(table, connections)["GlobalSecondaryIndexes"] = e.properties(table, connections)["GlobalSecondaryIndexes"].([]any)[:1]
		}, "the index sessionExpiryIndex has changed or is gone"},
		{"two indexes are new", func(e edited) {
			e.properties(table, feed)["GlobalSecondaryIndexes"] = []any{object{"IndexName": "a"}, object{"IndexName": "b"}}
		}, "2 indexes are new"},
		{"rows expire by another attribute", func(e edited) {
			e.properties(table, feed)["TimeToLiveSpecification"] = object{"AttributeName": "at", "Enabled": true}
		}, "TimeToLiveSpecification has changed"},
		{"a table is not retained", func(e edited) { delete(e.resource(table, feed), "DeletionPolicy") }, "DeletionPolicy was Retain, and is <nil>"},
		{"a table is deleted", func(e edited) { e.resource(table, feed)["DeletionPolicy"] = "Delete" }, "DeletionPolicy was Retain, and is Delete"},
		{"a bucket that is replaced is not retained", func(e edited) { delete(e.resource(bucket, ""), "UpdateReplacePolicy") }, "UpdateReplacePolicy was Retain"},
		{"a table is not protected", func(e edited) { delete(e.properties(table, feed), "DeletionProtectionEnabled") }, "DeletionProtectionEnabled has changed"},
		{"a table has no backups", func(e edited) { delete(e.properties(table, feed), "PointInTimeRecoverySpecification") }, "PointInTimeRecoverySpecification has changed"},
		{"the bucket has a name", func(e edited) { e.properties(bucket, "")["BucketName"] = "uploads" }, "BucketName has changed, which replaces"},
		{"the bucket deletes uploads", func(e edited) { delete(e.properties(bucket, ""), "LifecycleConfiguration") }, "LifecycleConfiguration has changed"},
		{"the bucket is not versioned", func(e edited) { delete(e.properties(bucket, ""), "VersioningConfiguration") }, "VersioningConfiguration has changed"},
		{"a queue stores for a day", func(e edited) { e.properties(queue, "HeraldUpload")["MessageRetentionPeriod"] = 86400 }, "MessageRetentionPeriod has changed"},
		{"a queue has a condition", func(e edited) { e.resource(queue, "HeraldUpload")["Condition"] = "HasUploads" }, "the condition has changed"},
		{"a queue is a topic", func(e edited) { e.resource(queue, "HeraldUpload")["Type"] = "AWS::SNS::Topic" }, "the type has changed"},
		{"a function is a role", func(e edited) { e.resource("Lambda::Function", "HeraldReaper")["Type"] = "AWS::IAM::Role" }, "the type has changed"},
		{"the API is of another kind", func(e edited) { e.properties("ApiGatewayV2::Api", "")["ProtocolType"] = "HTTP" }, "ProtocolType has changed, which replaces"},
		{"the stage has another name", func(e edited) { e.properties("ApiGatewayV2::Stage", "")["StageName"] = "live" }, "StageName has changed, which replaces"},
		{"browsers send another field", func(e edited) {
			e.properties("ApiGatewayV2::Api", "")["RouteSelectionExpression"] = "$request.body.type"
		}, "RouteSelectionExpression has changed"},
		{"a route is gone", func(e edited) { delete(member(e.template, "Resources"), e.id("ApiGatewayV2::Route", "HeraldPing")) }, "is gone, and with it what browsers send"},
		{"a route has another key", func(e edited) { e.properties("ApiGatewayV2::Route", "HeraldPing")["RouteKey"] = "hello" }, "RouteKey has changed"},
		{"the notifier has a name", func(e edited) { e.properties("Lambda::Function", "HeraldNotifier")["FunctionName"] = "notifier" }, "FunctionName has changed, which replaces"},
		{"a workflow is an express workflow", func(e edited) {
			e.properties("StepFunctions::StateMachine", "HeraldCsv")["StateMachineType"] = "EXPRESS"
		}, "StateMachineType has changed, which replaces"},
		{"an SSM parameter has another name", func(e edited) { e.properties(lookup, "HeraldWebSocketUrl")["Name"] = "/herald/url" }, "Name has changed, which replaces"},
		{"an SSM parameter has another value", func(e edited) { e.properties(lookup, "HeraldWebSocketUrl")["Value"] = "wss://" }, "Value has changed"},
		{"an SSM parameter is gone", func(e edited) { delete(member(e.template, "Resources"), e.id(lookup, "HeraldFeedTableName")) }, "is gone, and with it what apps look up"},
		{"a kind of resource is not known", func(e edited) { e.add("Backup", "Backup::BackupPlan", nil) }, "kinds has no row for AWS::Backup::BackupPlan"},
		{"an output is gone", func(e edited) { delete(member(e.template, "Outputs"), "FeedTableName") }, "output FeedTableName is gone"},
		{"an output has another value", func(e edited) { member(member(e.template, "Outputs"), "FeedTableName")["Value"] = "feed" }, "output FeedTableName: the value has changed"},
		{"an output has a condition", func(e edited) { member(member(e.template, "Outputs"), "FeedTableName")["Condition"] = "No" }, "output FeedTableName: the condition"},
	} {
		for name, before := range keptTemplates(t) {
			t.Run(mistake.name+" in the "+name, func(t *testing.T) {
				after := copied(t, before)
				mistake.plant(after)
				isFound(t, before, after.template, mistake.want)
			})
		}
	}
}

// TestMistakesInParametersAreFound plants mistakes into the parameters of the last release's templates.
func TestMistakesInParametersAreFound(t *testing.T) {
	for _, mistake := range []struct {
		name  string
		plant func(parameters object)
		want  string
	}{
		{"gone", func(p object) { delete(p, "ThrottleRate") }, "parameter ThrottleRate is gone"},
		{"renamed", func(p object) { p["Rate"] = p["ThrottleRate"]; delete(p, "ThrottleRate") }, "parameter ThrottleRate is gone"},
		{"without its default", func(p object) { delete(member(p, "ThrottleRate"), "Default") }, "parameter ThrottleRate has no default any more"},
		{"without its default, which is empty", func(p object) { delete(member(p, "LogLevel"), "Default") }, "parameter LogLevel has no default any more"},
		{"with another default", func(p object) { member(p, "StageName")["Default"] = "live" }, "parameter StageName: the default has changed"},
		{"of another type", func(p object) { member(p, "ThrottleRate")["Type"] = "String" }, "parameter ThrottleRate: the type has changed"},
		{"new and required", func(p object) { p["Team"] = object{"Type": "String"} }, "parameter Team is new and has no default"},
		{"with a higher minimum", func(p object) { member(p, "ThrottleRate")["MinValue"] = 2 }, "parameter ThrottleRate: values that were accepted"},
		{"with a lower maximum", func(p object) { member(p, "ThrottleRate")["MaxValue"] = "99" }, "parameter ThrottleRate: values that were accepted"},
		{"with a new maximum", func(p object) { member(p, "StageName")["MaxLength"] = 4 }, "parameter StageName: values that were accepted"},
		{"with fewer values", func(p object) {
			member(p, "LogRetentionDays")["AllowedValues"] = member(p, "LogRetentionDays")["AllowedValues"].([]any)[1:]
		}, "parameter LogRetentionDays: values that were accepted"},
		{"with a new list", func(p object) { member(p, "LogLevel")["AllowedValues"] = []any{"", "debug"} }, "parameter LogLevel: values that were accepted"},
		{"with another pattern", func(p object) { member(p, "StageName")["AllowedPattern"] = "^[a-z]+$" }, "parameter StageName: the pattern has changed"},
	} {
		t.Run(mistake.name, func(t *testing.T) {
			before := keptTemplate(t, keptMode)
			after := copied(t, before)
			mistake.plant(member(after.template, "Parameters"))
			isFound(t, before, after.template, mistake.want)
		})
	}
}

// TestMistakesInOtherTemplatesAreFound checks the rules for what the templates of the last release do not have.
func TestMistakesInOtherTemplatesAreFound(t *testing.T) {
	one := func(kind, properties string) string {
		return `{"Resources": {"One": {"Type": "AWS::` + kind + `", "Properties": ` + properties + `}}}`
	}
	const (
		exported = `{"Outputs": {"Url": {"Value": "wss://", "Export": {"Name": "herald-url"}}}}`
		when     = `{"Conditions": {"C": {"Fn::Equals": ["a", "a"]}}, "Resources": {"One": {"Type": "AWS::DynamoDB::Table", "Condition": "C"}}}`
	)
	for _, mistake := range []struct{ name, before, after, want string }{
		{"another export", exported, strings.Replace(exported, "herald-url", "url", 1), "output Url: the export has changed"},
		{"no export", exported, `{"Outputs": {"Url": {"Value": "wss://"}}}`, "output Url: the export has changed"},
		{"another condition", when, strings.Replace(when, `"a"]`, `"b"]`, 1), "One: the condition has changed"},
		{"a key for signatures", one("KMS::Key", `{}`), one("KMS::Key", `{"KeyUsage": "SIGN_VERIFY"}`), "One: KeyUsage has changed"},
		{"a secret is gone", one("SecretsManager::Secret", `{"Name": "key"}`), `{}`, "is gone, and with it a secret"},
		{"a secret has another name", one("SecretsManager::Secret", `{"Name": "a"}`), one("SecretsManager::Secret", `{"Name": "b"}`), "Name has changed, which replaces"},
		{
			"another address for alarms", one("SNS::Subscription", `{"Endpoint": "a@example.com"}`), one("SNS::Subscription", `{"Endpoint": "b@example.com"}`),
			"Endpoint has changed, which replaces the resource: an address that was confirmed would be lost",
		},
		{
			"an alarm is renamed in the template", one("CloudWatch::Alarm", `{"AlarmName": "A"}`),
			`{"Resources": {"Two": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "A"}}}}`, "Two is what One was",
		},
		{
			"a role with a name is replaced", one("IAM::Role", `{"RoleName": "A"}`), one("IAM::Role", `{"RoleName": "A", "Path": "/x/"}`),
			"One: Path has changed, but not what it is",
		},
		{
			"what an output names by Fn::Sub is gone", `{"Outputs": {"Arn": {"Value": {"Fn::Sub": "${One.Arn}/x"}}}, "Resources": {"One": {"Type": "AWS::IAM::Role"}}}`,
			`{"Outputs": {"Arn": {"Value": {"Fn::Sub": "${One.Arn}/x"}}}}`, "is gone, and with it the output Arn",
		},
		{
			"what an output names by a short Fn::GetAtt is gone", `{"Outputs": {"Arn": {"Value": {"Fn::GetAtt": "One.Arn"}}}, "Resources": {"One": {"Type": "AWS::IAM::Role"}}}`,
			`{"Outputs": {"Arn": {"Value": {"Fn::GetAtt": "One.Arn"}}}}`, "is gone, and with it the output Arn",
		},
	} {
		t.Run(mistake.name, func(t *testing.T) {
			isFound(t, parsed(t, mistake.before), parsed(t, mistake.after), mistake.want)
		})
	}
}
