package pipeline_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// topicARN is the ARN of a topic of SNS.
const topicARN = "arn:aws:sns:eu-west-1:123456789012:operators"

// contextWith returns a context with the required settings and more.
func contextWith(more map[string]any) map[string]any {
	context := map[string]any{"authMode": "hs256", "authSecretArn": secretARN}
	maps.Copy(context, more)
	return context
}

func TestParseSettings(t *testing.T) {
	defaults := pipeline.Settings{
		StackName: "Herald",
		Props: pipeline.Props{
			Auth:             pipeline.Auth{Mode: pipeline.AuthHS256, SecretARN: secretARN},
			TableName:        "websocket_connections",
			FeedTableName:    "websocket_feed",
			RemovalPolicy:    "retain",
			Architecture:     "arm64",
			StageName:        "prod",
			ThrottleRate:     1000,
			ThrottleBurst:    500,
			LogRetentionDays: 30,

			MaxConnections:    50,
			MaxPostsPerMinute: 3000,
			NotifierMemoryMB:  256,
			ParameterPrefix:   "/herald/Herald",
		},
	}
	tests := []struct {
		name    string
		context map[string]any
		want    func(*pipeline.Settings)
	}{
		{"defaults", contextWith(nil), func(*pipeline.Settings) {}},
		{"cdk.json as it comes", contextWith(map[string]any{
			"stackName": "Herald", "authIssuer": "", "allowedOrigins": []any{}, "tableName": "",
			"throttleRate": 1000.0, "accessLogs": false, "csvImport": false,
			"@aws-cdk/core:flag": true, "aws:cdk:bundling-stacks": []any{"**"}, "cdk-migrate": true,
		}), func(*pipeline.Settings) {}},
		{"text from the command line", contextWith(map[string]any{
			"throttleRate": "50.5", "throttleBurst": "20", "maxConnections": "10", "maxPostsPerMinute": "2000", "logRetentionDays": "7", "accessLogs": "true",
			"csvImport": "true", "feedTableName": "feed_2", "allowedOrigins": "https://a.example, https://b.example,", "stackName": " Two ",
		}), func(s *pipeline.Settings) {
			s.StackName, s.Props.TableName, s.Props.FeedTableName = "Two", "Two_websocket_connections", "feed_2"
			s.Props.ParameterPrefix = "/herald/Two"
			s.Props.ThrottleRate, s.Props.ThrottleBurst, s.Props.LogRetentionDays = 50.5, 20, 7
			s.Props.AccessLogs, s.Props.CSVImport = true, true
			s.Props.MaxConnections, s.Props.MaxPostsPerMinute = 10, 2000
			s.Props.AllowedOrigins = []string{"https://a.example", "https://b.example"}
		}},
		{"lists from JSON", contextWith(map[string]any{
			"uploadOrigins": []any{"https://a.example, http://localhost:5173"}, "authAudience": []any{"one", "two"},
		}), func(s *pipeline.Settings) {
			s.Props.UploadOrigins = []string{"https://a.example", "http://localhost:5173"}
			s.Props.Auth.Audience = []string{"one", "two"}
		}},
		{"Cognito", map[string]any{
			"authMode": "cognito", "cognitoUserPoolId": "eu-west-1_AbCdEfGhI", "cognitoClientIds": "one1,two2",
		}, func(s *pipeline.Settings) {
			s.Props.Auth = pipeline.Auth{
				Mode: "cognito", UserPoolID: "eu-west-1_AbCdEfGhI", ClientIDs: []string{"one1", "two2"},
			}
		}},
		{"an issuer with its keys elsewhere", map[string]any{
			"authMode": "jwks", "authIssuer": "https://id.example/tenant", "authAudience": "app", "authJwksUrl": "https://keys.example/v1",
		}, func(s *pipeline.Settings) {
			s.Props.Auth = pipeline.Auth{
				Mode: "jwks", Issuer: "https://id.example/tenant", Audience: []string{"app"}, JWKSURL: "https://keys.example/v1",
			}
		}},
		{"any app of an issuer", map[string]any{
			"authMode": "jwks", "authIssuer": "https://id.example", "authAudience": "*",
		}, func(s *pipeline.Settings) {
			s.Props.Auth = pipeline.Auth{Mode: "jwks", Issuer: "https://id.example", Audience: []string{"*"}}
		}},
		{"no overlap", contextWith(map[string]any{"authSecretOverlapMinutes": "0"}), func(s *pipeline.Settings) {
			s.Props.Auth.SecretOverlapMinutes = new(int)
		}},
		{"reserved concurrency", contextWith(map[string]any{
			"connectConcurrency": "50", "defaultRouteConcurrency": 100.0, "notifierConcurrency": 200.0,
		}), func(s *pipeline.Settings) {
			s.Props.ConnectConcurrency, s.Props.DefaultRouteConcurrency, s.Props.NotifierConcurrency = 50, 100, 200
		}},
		{"what an operator expects", contextWith(map[string]any{
			"uploadDays": "7", "resultDays": 30.0, "notifierMemoryMB": 512.0, "notifierProvisionedConcurrency": "2", "logLevel": "warn",
			"kmsKeyArn": keyARN, "vpcSubnetIds": "subnet-0123456789abcdef0,subnet-01234567", "vpcSecurityGroupIds": []any{"sg-01234567"},
			"parameterPrefix": "/team/herald",
		}), func(s *pipeline.Settings) {
			s.Props.UploadDays, s.Props.ResultDays, s.Props.LogLevel, s.Props.KMSKeyARN = 7, 30, "warn", keyARN
			s.Props.NotifierMemoryMB, s.Props.NotifierProvisionedConcurrency = 512, 2
			s.Props.VPCSubnetIDs, s.Props.VPCSecurityGroupIDs = []string{"subnet-0123456789abcdef0", "subnet-01234567"}, []string{"sg-01234567"}
			s.Props.ParameterPrefix = "/team/herald"
		}},
		{"no alarms, and a dashboard", contextWith(map[string]any{"alarms": "false", "dashboard": true}), func(s *pipeline.Settings) {
			s.Props.Alarms, s.Props.Dashboard = new(bool), true
		}},
		{"a topic", contextWith(map[string]any{"alarms": true, "alarmTopicArn": topicARN}), func(s *pipeline.Settings) {
			s.Props.AlarmTopicARN = topicARN
		}},
		{"an address", contextWith(map[string]any{"alarmEmail": "operators@example.com"}), func(s *pipeline.Settings) {
			s.Props.AlarmEmail = "operators@example.com"
		}},
		{"no parameters", contextWith(map[string]any{"parameterPrefix": "none"}), func(s *pipeline.Settings) {
			s.Props.ParameterPrefix = pipeline.NoParameters
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := defaults
			test.want(&want)
			got, err := pipeline.ParseSettings(test.context)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseSettingsRefuses(t *testing.T) {
	tests := []struct {
		name    string
		context map[string]any
		want    []string // The beginnings of the lines of the error, in order.
	}{
		{"another mode", map[string]any{"authMode": "basic"}, []string{`authMode: "basic" is none of cognito, jwks, hs256`}},
		{"Cognito alone", map[string]any{"authMode": "cognito"}, []string{
			`cognitoUserPoolId: "" is not a user pool id`, "cognitoClientIds: required with authMode cognito",
		}},
		{"JWKS alone", map[string]any{"authMode": "jwks"}, []string{
			`authIssuer: "" is not an https URL`, "authAudience: required with authMode jwks",
		}},
		{"JWKS without audience", map[string]any{"authMode": "jwks", "authIssuer": "https://id.example", "authAudience": " , "}, []string{
			"authAudience: required with authMode jwks: the aud of your tokens; * accepts tokens for any app of the issuer",
		}},
		{"JWKS over http", map[string]any{"authMode": "jwks", "authIssuer": "http://id.example", "authAudience": "app"}, []string{
			`authIssuer: "http://id.example" is not an https URL`,
		}},
		{"keys with a password", map[string]any{
			"authMode": "jwks", "authIssuer": "https://id.example", "authAudience": "app", "authJwksUrl": "https://user:pass@id.example/keys",
		}, []string{"authJwksUrl: not an https URL without user, query and fragment"}},
		{"keys with a query", map[string]any{
			"authMode": "jwks", "authIssuer": "https://id.example", "authAudience": "app", "authJwksUrl": "https://id.example/keys?code=pass",
		}, []string{"authJwksUrl: not an https URL without user, query and fragment"}},
		{"an audience together with *", contextWith(map[string]any{"authAudience": "app,*"}), []string{"authAudience: * stands for any, so it must stand alone"}},
		{"overlap below 0", contextWith(map[string]any{"authSecretOverlapMinutes": -1.0}), []string{"authSecretOverlapMinutes: -1 is not from 0 to 1440"}},
		{"overlap over a day", contextWith(map[string]any{"authSecretOverlapMinutes": "1441"}), []string{"authSecretOverlapMinutes: 1441 is not from 0 to 1440"}},
		{"overlap of half a minute", contextWith(map[string]any{"authSecretOverlapMinutes": 0.5}), []string{"authSecretOverlapMinutes: 0.5 is not a whole number"}},
		{"overlap of another mode", map[string]any{
			"authMode": "jwks", "authIssuer": "https://id.example", "authAudience": "app", "authSecretOverlapMinutes": 5.0,
		}, []string{"authSecretOverlapMinutes: not used with authMode jwks"}},
		{"invalid concurrency", contextWith(map[string]any{"connectConcurrency": -1.0, "defaultRouteConcurrency": 1e6, "notifierConcurrency": "all"}), []string{
			"notifierConcurrency: all is not a number", "connectConcurrency: -1 is not from 0", "defaultRouteConcurrency: 1000000 is not from 0",
		}},
		{"HS256 without secret", map[string]any{"authMode": "hs256"}, []string{`authSecretArn: "" is not the whole ARN`}},
		{"HS256 with the secret's name", map[string]any{"authMode": "hs256", "authSecretArn": "herald/key"}, []string{
			`authSecretArn: "herald/key" is not the whole ARN`,
		}},
		{"HS256 with half an ARN", map[string]any{
			"authMode": "hs256", "authSecretArn": strings.TrimSuffix(secretARN, "-a1B2c3"),
		}, []string{"authSecretArn: "}},
		{"a setting of another mode", contextWith(map[string]any{"cognitoClientIds": "one"}), []string{
			"cognitoClientIds: not used with authMode hs256; leave it out",
		}},
		{"table name", contextWith(map[string]any{"tableName": "a b"}), []string{`tableName: "a b" is not 3 to 255`}},
		{"feed table name", contextWith(map[string]any{"feedTableName": "a/b"}), []string{`feedTableName: "a/b" is not 3 to 255`}},
		{"one table for both", contextWith(map[string]any{"tableName": "one", "feedTableName": "one"}), []string{
			`feedTableName: "one" is tableName too`,
		}},
		{"too many connections", contextWith(map[string]any{"maxConnections": 501.0}), []string{
			"maxConnections, maxPostsPerMinute: 501 and 3000 are not accepted: session: MaxConnections must be from 1 to 500",
		}},
		{"too few posts", contextWith(map[string]any{"maxPostsPerMinute": 1599.0}), []string{
			"maxConnections, maxPostsPerMinute: 50 and 1599 are not accepted: session: MaxPosts must be at least 1000",
		}},
		{"removal policy", contextWith(map[string]any{"removalPolicy": "delete"}), []string{`removalPolicy: "delete" is not retain or destroy`}},
		{"bucket name", contextWith(map[string]any{"uploadsBucket": "Uploads"}), []string{`uploadsBucket: "Uploads" is not the name of a bucket`}},
		{"bucket names that S3 refuses", contextWith(map[string]any{"uploadsBucket": "a..b"}), []string{`uploadsBucket: "a..b" is not the name of a bucket`}},
		{"an address in place of a bucket", contextWith(map[string]any{"uploadsBucket": "192.168.1.1"}), []string{`uploadsBucket: "192.168.1.1" is not the name of a bucket`}},
		{"architecture", contextWith(map[string]any{"architecture": "amd64"}), []string{`architecture: "amd64" is not arm64 or x86_64`}},
		{"stage name", contextWith(map[string]any{"stageName": "a/b"}), []string{`stageName: "a/b" is not 1 to 128`}},
		{"stack name", contextWith(map[string]any{"stackName": "1st"}), []string{`stackName: "1st" is not 1 to 128`}},
		{"origin with a path", contextWith(map[string]any{"allowedOrigins": "https://a.example/"}), []string{
			`allowedOrigins: "https://a.example/" is not an origin`,
		}},
		{"any origin", contextWith(map[string]any{"uploadOrigins": "*"}), []string{`uploadOrigins: "*" is not an origin`}},
		{"any host", contextWith(map[string]any{"uploadOrigins": "https://*"}), []string{`uploadOrigins: "https://*" is not an origin`}},
		{"any subdomain", contextWith(map[string]any{"allowedOrigins": "https://*.a.example"}), []string{`allowedOrigins: "https://*.a.example" is not an origin`}},
		{"origins that no browser sends", contextWith(map[string]any{
			"allowedOrigins": "https://a.example:443,http://a.example:80,https://a.example:,https://a.example:65536,https://bücher.example,https://a'b.example,https://[a]",
		}), []string{
			`allowedOrigins: "https://a.example:443" is not`, `allowedOrigins: "http://a.example:80" is not`, `allowedOrigins: "https://a.example:" is not`,
			`allowedOrigins: "https://a.example:65536" is not`, `allowedOrigins: "https://bücher.example" is not`, `allowedOrigins: "https://a'b.example" is not`,
			`allowedOrigins: "https://[a]" is not`,
		}},
		{"an origin twice", contextWith(map[string]any{"uploadOrigins": "https://a.example,https://a.example"}), []string{
			`uploadOrigins: "https://a.example" is there twice`,
		}},
		{"more than a function's variables can have", contextWith(map[string]any{"allowedOrigins": "https://a.example", "authAudience": strings.Repeat("a", 3000)}), []string{
			"authAudience: the settings are 3283 bytes of the variables of functions, at most 2800: shorten this one, the longest",
		}},
		{"a name of the workflow that is too long", contextWith(map[string]any{"stackName": strings.Repeat("a", 70), "csvImport": true}), []string{
			"stackName: the name of the state machine would have 81 characters, at most 80: shorten it to 69, or leave out csvImport",
		}},
		{"throttle of nothing", contextWith(map[string]any{"throttleRate": -1.0, "throttleBurst": -1.0}), []string{
			"throttleRate: -1 is not over 0", "throttleBurst: -1 is not from 1",
		}},
		{"throttle that is no number", contextWith(map[string]any{"throttleRate": "NaN"}), []string{"throttleRate: NaN is not"}},
		{"retention between two values", contextWith(map[string]any{"logRetentionDays": 10.0}), []string{
			"logRetentionDays: 10 is not a number that CloudWatch Logs accepts",
		}},
		{"days below 0 and over ten years", contextWith(map[string]any{"uploadDays": -1.0, "resultDays": 3654.0}), []string{
			"uploadDays: -1 is not from 0 to 3653 days", "resultDays: 3654 is not from 0 to 3653 days",
		}},
		{"days in a bucket of your own", contextWith(map[string]any{"uploadDays": 1.0, "uploadsBucket": "uploads"}), []string{
			"uploadDays: not used with uploadsBucket; give that bucket a lifecycle rule",
		}},
		{"memory", contextWith(map[string]any{"notifierMemoryMB": 127.0}), []string{"notifierMemoryMB: 127 is not from 128 to 10240 MB"}},
		{"more memory", contextWith(map[string]any{"notifierMemoryMB": 10241.0}), []string{"notifierMemoryMB: 10241 is not from 128 to 10240 MB"}},
		{"provisioned below 0", contextWith(map[string]any{"notifierProvisionedConcurrency": -1.0}), []string{
			"notifierProvisionedConcurrency: -1 is not from 0",
		}},
		{"more provisioned than reserved", contextWith(map[string]any{"notifierProvisionedConcurrency": 6.0, "notifierConcurrency": 5.0}), []string{
			"notifierProvisionedConcurrency: 6 is more than notifierConcurrency, 5",
		}},
		{"log level", contextWith(map[string]any{"logLevel": "INFO"}), []string{`logLevel: "INFO" is not debug, info, warn or error`}},
		{"alias of a key", contextWith(map[string]any{"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:alias/herald"}), []string{
			`kmsKeyArn: "arn:aws:kms:eu-west-1:123456789012:alias/herald" is not the ARN of a key`,
		}},
		{"no id of a key", contextWith(map[string]any{"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/herald"}), []string{"kmsKeyArn: "}},
		{"subnets alone", contextWith(map[string]any{"vpcSubnetIds": "subnet-01234567"}), []string{"vpcSecurityGroupIds: required with vpcSubnetIds"}},
		{"security groups alone", contextWith(map[string]any{"vpcSecurityGroupIds": "sg-01234567"}), []string{"vpcSubnetIds: required with vpcSecurityGroupIds"}},
		{"subnets mixed up with groups", contextWith(map[string]any{"vpcSubnetIds": "sg-01234567", "vpcSecurityGroupIds": "subnet-01234567"}), []string{
			`vpcSubnetIds: "sg-01234567" is not the id of a subnet`, `vpcSecurityGroupIds: "subnet-01234567" is not the id of a security group`,
		}},
		{"too many subnets and groups", contextWith(map[string]any{
			"vpcSubnetIds": strings.Repeat("subnet-01234567,", 17), "vpcSecurityGroupIds": strings.Repeat("sg-01234567,", 6),
		}), []string{"vpcSubnetIds: 17 subnets are more than 16", "vpcSecurityGroupIds: 6 security groups are more than 5"}},
		{"prefix of parameters", contextWith(map[string]any{"parameterPrefix": "herald"}), []string{`parameterPrefix: "herald" is not a path`}},
		{"prefix that ends with a slash", contextWith(map[string]any{"parameterPrefix": "/herald/"}), []string{`parameterPrefix: "/herald/" is not a path`}},
		{"prefix of too many levels", contextWith(map[string]any{"parameterPrefix": strings.Repeat("/a", 14)}), []string{"parameterPrefix: "}},
		{"prefix that is too long", contextWith(map[string]any{"parameterPrefix": "/" + strings.Repeat("a", 512)}), []string{
			"parameterPrefix: 513 characters are more than 512",
		}},
		{"prefix of AWS", contextWith(map[string]any{"parameterPrefix": "/AWS/herald"}), []string{
			`parameterPrefix: "/AWS/herald" begins with a word that SSM reserves`,
		}},
		{"alarms that nobody gets", contextWith(map[string]any{"alarms": "false", "alarmEmail": "operators@example.com"}), []string{
			"alarms: false, so alarmEmail and alarmTopicArn would never be used",
		}},
		{"a topic and an address", contextWith(map[string]any{"alarmTopicArn": topicARN, "alarmEmail": "operators@example.com"}), []string{
			"alarmEmail: not used with alarmTopicArn; subscribe the address to that topic",
		}},
		{"the name of a topic", contextWith(map[string]any{"alarmTopicArn": "operators"}), []string{`alarmTopicArn: "operators" is not the ARN of a topic`}},
		{"no address", contextWith(map[string]any{"alarmEmail": "operators"}), []string{`alarmEmail: "operators" is not an address`}},
		{"two addresses", contextWith(map[string]any{"alarmEmail": "a@example.com,b@example.com"}), []string{"alarmEmail: "}},
		{"wrong types", contextWith(map[string]any{
			"tableName": 5.0, "throttleBurst": "many", "logRetentionDays": 1.5, "accessLogs": "yes", "authAudience": 5.0,
		}), []string{
			"authAudience: 5 is neither a list nor", "tableName: 5 is not text", "throttleBurst: many is not a number",
			"logRetentionDays: 1.5 is not a whole number", "accessLogs: yes is neither true nor false",
		}},
		{"misspelt", contextWith(map[string]any{"tablename": "x"}), []string{"tablename: unknown setting; the settings are accessLogs,"}},
		{"misspelt with other characters", contextWith(map[string]any{"table_name": "x", "tableName2": "x", "tableName.": "x"}), []string{
			"tableName.: unknown setting", "tableName2: unknown setting", "table_name: unknown setting",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := pipeline.ParseSettings(test.context)
			if err == nil {
				t.Fatal("the settings are accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			for i, want := range test.want {
				if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
					t.Errorf("line %d does not start with %q:\n%v", i+1, want, err)
				}
			}
			if len(lines) > len(test.want) {
				t.Errorf("the error has %d lines, want %d:\n%v", len(lines), len(test.want), err)
			}
		})
	}
}

func TestParseSettingsWithoutAuthMode(t *testing.T) {
	for _, context := range []map[string]any{nil, {"authMode": ""}, {"authMode": "  "}} {
		_, err := pipeline.ParseSettings(context)
		if err == nil {
			t.Fatalf("%v is accepted", context)
		}
		for _, want := range []string{"authMode: not set", "-c authMode=cognito", "-c authMode=jwks", "-c authMode=hs256", "cdk.json"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error of %v is %v, want %q in it", context, err, want)
			}
		}
	}
}

// TestSettingsAreDocumented checks that cdk.json names every setting with its default.
func TestSettingsAreDocumented(t *testing.T) {
	context := cdkContext(t)
	_, err := pipeline.ParseSettings(contextWith(map[string]any{"x": 1}))
	if err == nil {
		t.Fatal("an unknown setting was accepted")
	}
	_, known, _ := strings.Cut(err.Error(), "the settings are ")
	for key := range strings.SplitSeq(known, ", ") {
		if _, ok := context[key]; !ok {
			t.Errorf("cdk.json does not name %s", key)
		}
	}
	context["authMode"], context["authSecretArn"] = "hs256", secretARN
	got, err := pipeline.ParseSettings(context)
	if err != nil {
		t.Fatal(err)
	}
	want, err := pipeline.ParseSettings(contextWith(nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cdk.json does not hold the defaults (-default +cdk.json):\n%s", diff)
	}
}

func FuzzParseSettings(f *testing.F) {
	f.Add("allowedOrigins", "https://a.example,https://b.example:8443")
	f.Add("throttleBurst", "1e400")
	f.Add("authMode", "cognito")
	f.Fuzz(func(t *testing.T, key, value string) {
		settings, err := pipeline.ParseSettings(contextWith(map[string]any{key: value}))
		if err != nil {
			return
		}
		for _, origin := range settings.Props.AllowedOrigins {
			if strings.ContainsAny(origin, ", ") {
				t.Errorf("origin %q would split in ALLOWED_ORIGINS", origin)
			}
		}
		if settings.Props.ThrottleBurst < 1 || !(settings.Props.ThrottleRate > 0) {
			t.Errorf("throttle of %v, %d accepted", settings.Props.ThrottleRate, settings.Props.ThrottleBurst)
		}
	})
}
