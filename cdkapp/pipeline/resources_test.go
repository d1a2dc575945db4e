package pipeline_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// cognito returns complete settings for the auth mode Cognito.
func cognito() pipeline.Auth {
	return pipeline.Auth{Mode: pipeline.AuthCognito, UserPoolID: "eu-west-1_AbCdEfGhI", ClientIDs: []string{"one1", "two2"}}
}

// endpoint is the URL of the stage, in the form of withoutCDKHashes.
const endpoint = "https://<HeraldApi>.execute-api.<AWS::Region>.<AWS::URLSuffix>/prod"

func TestFunctions(t *testing.T) { checkFunctions(t, fullTemplate(t)) }

func checkFunctions(tb testing.TB, template template) {
	tb.Helper()
	publishVariables := map[string]string{
		"CONNECTIONS_TABLE": "<HeraldConnections>", "FEED_TABLE": "<HeraldFeed>", "WEBSOCKET_API_ENDPOINT": endpoint,
		"METRICS_STACK": "Herald",
	}
	defaultVariables, importVariables := maps.Clone(publishVariables), maps.Clone(publishVariables)
	defaultVariables["AUTH_MODE"], defaultVariables["AUTH_SECRET_ARN"] = "hs256", secretARN
	defaultVariables["MAX_CONNECTIONS"], defaultVariables["MAX_POSTS_PER_MINUTE"] = "50", "3000"
	defaultVariables["UPLOADS_BUCKET"] = "<HeraldUploads>"
	importVariables["UPLOADS_BUCKET"] = "<HeraldUploads>"
	observerVariables := maps.Clone(publishVariables)
	observerVariables["WATCHED_STATE_MACHINES"] = `[{"arn":"` + watchedARN + `","user":"$.userId"}]`
	const oneVCPU = 1769 // The memory in MB with which Lambda gives a function a whole virtual CPU.
	tests := []struct {
		id              string
		memory, timeout float64
		environment     map[string]string
	}{
		{"HeraldConnectFunction", 256, 30, map[string]string{
			"CONNECTIONS_TABLE": "<HeraldConnections>", "AUTH_MODE": "hs256", "AUTH_SECRET_ARN": secretARN,
			"ALLOWED_ORIGINS": "https://app.example.com,http://localhost:5173",
			"MAX_CONNECTIONS": "50", "MAX_POSTS_PER_MINUTE": "3000", "METRICS_STACK": "Herald",
		}},
		{"HeraldDisconnectFunction", 256, 30, map[string]string{"CONNECTIONS_TABLE": "<HeraldConnections>", "METRICS_STACK": "Herald"}},
		{"HeraldDefaultFunction", 256, 30, defaultVariables},
		{"HeraldNotifierFunction", 256, 30, publishVariables},
		{"HeraldReaperFunction", 256, 60, map[string]string{
			"CONNECTIONS_TABLE": "<HeraldConnections>", "WEBSOCKET_API_ENDPOINT": endpoint, "METRICS_STACK": "Herald",
		}},
		{"HeraldSweeperFunction", 256, 300, publishVariables},
		{"HeraldObserverFunction", 256, 60, observerVariables},
		{"HeraldCsvPlanFunction", oneVCPU, 900, importVariables},
		{"HeraldCsvChunkFunction", oneVCPU, 900, importVariables},
		{"HeraldCsvFinishFunction", oneVCPU, 900, importVariables},
	}
	for _, test := range tests {
		function := template.one(tb, "AWS::Lambda::Function", test.id).properties
		if got := lookUp(function, "MemorySize"); got != test.memory {
			tb.Errorf("%s: %v MB, want %v", test.id, got, test.memory)
		}
		if got := lookUp(function, "Timeout"); got != test.timeout {
			tb.Errorf("%s: timeout %v s, want %v", test.id, got, test.timeout)
		}
		got := map[string]string{}
		variables, _ := lookUp(function, "Environment", "Variables").(map[string]any)
		for name, value := range variables {
			got[name] = withoutCDKHashes(value)
		}
		if diff := cmp.Diff(test.environment, got); diff != "" {
			tb.Errorf("%s: environment (-want +got):\n%s", test.id, diff)
		}
		for path, want := range map[string]any{
			"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": []any{"arm64"},
			"TracingConfig": map[string]any{"Mode": "Active"},
		} {
			if diff := cmp.Diff(want, lookUp(function, path)); diff != "" {
				tb.Errorf("%s: %s (-want +got):\n%s", test.id, path, diff)
			}
		}
		logs := strings.Replace(test.id, "Function", "Logs", 1)
		if got := withoutCDKHashes(lookUp(function, "LoggingConfig", "LogGroup")); got != "<"+logs+">" {
			tb.Errorf("%s logs to %s, want its own group", test.id, got)
		}
	}
	if got := len(template.ofType("AWS::Lambda::Function")); got != len(tests) {
		tb.Errorf("%d functions, want %d: the CDK added some of its own", got, len(tests))
	}
	for _, group := range template.ofType("AWS::Logs::LogGroup") {
		if got := lookUp(group.properties, "RetentionInDays"); got != 30.0 {
			tb.Errorf("%s keeps logs for %v days, want 30", group.id, got)
		}
	}
}

// TestNoConcurrencyIsReservedByDefault checks that a stack without such settings deploys in a new account, which runs ten functions
// at once and can therefore reserve none.
func TestNoConcurrencyIsReservedByDefault(t *testing.T) {
	settings := hs256()
	settings.Props.ConnectConcurrency, settings.Props.DefaultRouteConcurrency, settings.Props.NotifierConcurrency = 50, 100, 200
	reserving := synthesise(t, settings)
	for id, want := range map[string]any{
		"HeraldConnectFunction": 50.0, "HeraldDefaultFunction": 100.0, "HeraldNotifierFunction": 200.0,
		"HeraldDisconnectFunction": nil, "HeraldReaperFunction": nil, "HeraldSweeperFunction": nil,
	} {
		function := reserving.one(t, "AWS::Lambda::Function", id).properties
		if got := lookUp(function, "ReservedConcurrentExecutions"); got != want {
			t.Errorf("%s: the reserved concurrency is %v, want %v", id, got, want)
		}
	}
	for _, function := range fullTemplate(t).ofType("AWS::Lambda::Function") {
		if got := lookUp(function.properties, "ReservedConcurrentExecutions"); got != nil {
			t.Errorf("%s: the reserved concurrency is %v by default, want none", function.id, got)
		}
	}
}

// TestTokenEnvironment checks the variables of the functions that verify tokens: $connect, and $default, which refreshes sessions.
func TestTokenEnvironment(t *testing.T) {
	tests := []struct {
		name string
		auth pipeline.Auth
		want map[string]string
	}{
		{"Cognito", cognito(), map[string]string{
			"AUTH_MODE": "cognito", "COGNITO_USER_POOL_ID": "eu-west-1_AbCdEfGhI", "COGNITO_CLIENT_IDS": "one1,two2",
		}},
		{"JWKS", pipeline.Auth{
			Mode: pipeline.AuthJWKS, Issuer: "https://id.example", Audience: []string{"a", "b"},
			JWKSURL: "https://id.example/keys",
		}, map[string]string{
			"AUTH_MODE": "jwks", "AUTH_ISSUER": "https://id.example", "AUTH_AUDIENCE": "a,b",
			"AUTH_JWKS_URL": "https://id.example/keys",
		}},
		{"HS256", pipeline.Auth{Mode: pipeline.AuthHS256, SecretARN: secretARN, SecretOverlapMinutes: new(int)}, map[string]string{
			"AUTH_MODE": "hs256", "AUTH_SECRET_ARN": secretARN, "AUTH_SECRET_OVERLAP_MINUTES": "0",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			settings := hs256()
			settings.Props.Auth = test.auth
			settings.Props.CSVImport = false
			template := synthesise(t, settings)
			for _, id := range []string{"HeraldConnectFunction", "HeraldDefaultFunction"} {
				got := map[string]string{}
				variables, _ := lookUp(template.one(t, "AWS::Lambda::Function", id).properties, "Environment", "Variables").(map[string]any)
				for name, value := range variables {
					if strings.HasPrefix(name, "AUTH_") || strings.HasPrefix(name, "COGNITO_") {
						got[name] = withoutCDKHashes(value)
					}
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s: environment (-want +got):\n%s", id, diff)
				}
			}
		})
	}
}

func TestTable(t *testing.T) { checkTables(t, fullTemplate(t)) }

func checkTables(tb testing.TB, template template) {
	tb.Helper()
	diff := cmp.Diff(map[string]string{
		"name":                   "websocket_connections",
		"key":                    "connectionId HASH",
		"billing":                "PAY_PER_REQUEST",
		"ttl":                    "map[AttributeName:expiresAt Enabled:true]",
		"pitr":                   "map[PointInTimeRecoveryEnabled:true]",
		"userIdIndex":            "userId HASH, ALL",
		"sessionExpiryIndex":     "sessionMinute HASH, tokenExpiresAt RANGE, ALL",
		"type of connectionId":   "S",
		"type of userId":         "S",
		"type of sessionMinute":  "N",
		"type of tokenExpiresAt": "N",
	}, describeTable(template.one(tb, "AWS::DynamoDB::Table", "HeraldConnections").properties))
	if diff != "" {
		tb.Errorf("connections table (-want +got):\n%s", diff)
	}
	diff = cmp.Diff(map[string]string{
		"name":          "websocket_feed",
		"key":           "owner HASH, entry RANGE",
		"billing":       "PAY_PER_REQUEST",
		"ttl":           "map[AttributeName:expiresAt Enabled:true]",
		"pitr":          "map[PointInTimeRecoveryEnabled:true]",
		"type of owner": "S",
		"type of entry": "S",
	}, describeTable(template.one(tb, "AWS::DynamoDB::Table", "HeraldFeed").properties))
	if diff != "" {
		tb.Errorf("feed table (-want +got):\n%s", diff)
	}
}

func TestTableNames(t *testing.T) {
	settings := hs256()
	settings.Props.TableName, settings.Props.FeedTableName = "one", "two"
	template := synthesise(t, settings)
	for id, want := range map[string]string{"HeraldConnections": "one", "HeraldFeed": "two"} {
		if got := lookUp(template.one(t, "AWS::DynamoDB::Table", id).properties, "TableName"); got != want {
			t.Errorf("%s is named %v, want %s", id, got, want)
		}
	}
}

// describeTable returns the settings of a table that the tests check, by name.
func describeTable(table any) map[string]string {
	keys := func(schema any) string {
		var out []string
		for _, key := range asList(schema) {
			out = append(out, fmt.Sprint(lookUp(key, "AttributeName"), " ", lookUp(key, "KeyType")))
		}
		return strings.Join(out, ", ")
	}
	got := map[string]string{
		"name":    valueText(lookUp(table, "TableName")),
		"key":     keys(lookUp(table, "KeySchema")),
		"billing": valueText(lookUp(table, "BillingMode")),
		"ttl":     fmt.Sprint(lookUp(table, "TimeToLiveSpecification")),
		"pitr":    fmt.Sprint(lookUp(table, "PointInTimeRecoverySpecification")),
	}
	for _, index := range asList(lookUp(table, "GlobalSecondaryIndexes")) {
		got[valueText(lookUp(index, "IndexName"))] = keys(lookUp(index, "KeySchema")) + ", " + valueText(lookUp(index, "Projection", "ProjectionType"))
	}
	for _, definition := range asList(lookUp(table, "AttributeDefinitions")) {
		got["type of "+valueText(lookUp(definition, "AttributeName"))] = valueText(lookUp(definition, "AttributeType"))
	}

	return got
}

func TestBucket(t *testing.T) { checkBucket(t, fullTemplate(t)) }

func checkBucket(tb testing.TB, template template) {
	tb.Helper()
	expiry := func(name string, days float64) map[string]any { // a day after its expiry an object is deleted for good
		return map[string]any{
			"Id": name, "Status": "Enabled", "Prefix": name + "/", "ExpirationInDays": days,
			"NoncurrentVersionExpiration": map[string]any{"NoncurrentDays": 1.0},
		}
	}
	want := map[string]any{
		"PublicAccessBlockConfiguration": map[string]any{
			"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
		},
		"OwnershipControls": map[string]any{"Rules": []any{map[string]any{"ObjectOwnership": "BucketOwnerEnforced"}}},
		"BucketEncryption": map[string]any{"ServerSideEncryptionConfiguration": []any{
			map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}},
		}},
		"NotificationConfiguration": map[string]any{"EventBridgeConfiguration": map[string]any{"EventBridgeEnabled": true}},
		"VersioningConfiguration":   map[string]any{"Status": "Enabled"},
		"CorsConfiguration": map[string]any{"CorsRules": []any{map[string]any{
			"AllowedMethods": []any{"PUT"},
			"AllowedOrigins": []any{"https://app.example.com", "http://localhost:5173"},
			"AllowedHeaders": []any{"content-type", "content-md5", "if-none-match", "x-amz-*"},
			"ExposedHeaders": []any{"ETag"},
			"MaxAge":         3600.0,
		}}},
		"LifecycleConfiguration": map[string]any{"Rules": []any{
			map[string]any{
				"Id": "tidy", "Status": "Enabled", "AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1.0},
				"ExpiredObjectDeleteMarker": true, "NoncurrentVersionExpiration": map[string]any{"NoncurrentDays": 30.0},
			},
			expiry("staged", 7), expiry("claims", 30),
		}},
	}
	if diff := cmp.Diff(want, template.one(tb, "AWS::S3::Bucket", "HeraldUploads").properties); diff != "" {
		tb.Errorf("bucket (-want +got):\n%s", diff)
	}
}

// TestWithoutUploadOriginsUploadsAreOff checks that AllowedOrigins, whose pages may connect, does not let these pages upload. Only
// UploadOrigins does.
func TestWithoutUploadOriginsUploadsAreOff(t *testing.T) {
	settings := hs256()
	settings.Props.CSVImport = false
	settings.Props.AllowedOrigins = []string{"https://app.example.com"}
	template := synthesise(t, settings)
	if cors := lookUp(template.one(t, "AWS::S3::Bucket", "").properties, "CorsConfiguration"); cors != nil {
		t.Errorf("CORS without origins: %v", cors)
	}
	function := template.one(t, "AWS::Lambda::Function", "HeraldDefaultFunction").properties
	if bucket := lookUp(function, "Environment", "Variables", "UPLOADS_BUCKET"); bucket != nil {
		t.Errorf("the default function knows the bucket %v", bucket)
	}
	for _, line := range rolePermissions(template)["HeraldDefaultRole"] {
		if strings.HasPrefix(line, "s3:") || strings.HasPrefix(line, "dynamodb:PutItem "+feedARN) {
			t.Errorf("the default function may %s", line)
		}
	}
	settings.Props.UploadOrigins = []string{"https://upload.example.com"}
	bucket := synthesise(t, settings).one(t, "AWS::S3::Bucket", "").properties
	got := valueTexts(lookUp(bucket, "CorsConfiguration", "CorsRules", 0, "AllowedOrigins"))
	if diff := cmp.Diff(settings.Props.UploadOrigins, got); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

func TestOutputs(t *testing.T) { checkOutputs(t, fullTemplate(t)) }

func checkOutputs(tb testing.TB, template template) {
	tb.Helper()
	all, _ := template.all["Outputs"].(map[string]any)
	got := map[string]string{}
	for name, output := range all {
		got[name] = withoutCDKHashes(lookUp(output, "Value"))
		for key := range fields(output) {
			if key != "Description" && key != "Value" {
				tb.Errorf("the output %s has %s", name, key)
			}
		}
	}
	want := map[string]string{
		"WebSocketUrl":             strings.Replace(endpoint, "https:", "wss:", 1),
		"ManagementEndpoint":       endpoint,
		"NotifierFunctionName":     "<HeraldNotifierFunction>",
		"NotifierFunctionArn":      "<HeraldNotifierFunction.Arn>",
		"ConnectionsTableName":     "<HeraldConnections>",
		"FeedTableName":            "<HeraldFeed>",
		"UploadsBucketName":        "<HeraldUploads>",
		"CsvImportStateMachineArn": "<HeraldCsvImport>",
		"SweeperDeadLettersUrl":    "<HeraldSweeperDeadLetters>",
		"ObserverDeadLettersUrl":   "<HeraldObserverDeadLetters>",
		"UploadDeadLettersUrl":     "<HeraldUploadDeadLetters>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("outputs (-want +got):\n%s", diff)
	}
}
