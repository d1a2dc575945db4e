package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// newTemplate returns the template of an auth mode, with more in cdk.json's context.
func newTemplate(t *testing.T, mode string, more map[string]any) (template, []string) {
	t.Helper()
	context := cdkContext(t)
	maps.Copy(context, more)
	made, err := pipeline.NewTemplate(newApp(t), mode, context)
	if err != nil {
		t.Fatal(err)
	}
	var out template
	if err := json.Unmarshal(made.JSON, &out.all); err != nil {
		t.Fatal(err)
	}
	return out, made.Functions
}

// resolved returns a value of a template with values in the place of references to them, and numbers as text. Fn::Join of text is text.
func resolved(value any, values map[string]string) any {
	switch value := value.(type) {
	case map[string]any:
		if name, isRef := value["Ref"].(string); isRef && len(value) == 1 {
			if known, ok := values[name]; ok {
				return known
			}
		}
		out := map[string]any{}
		for key, inner := range value {
			out[key] = resolved(inner, values)
		}
		if joined, ok := joinedText(out); ok {
			return joined
		}
		return out
	case []any:
		var out []any
		for _, item := range value {
			out = append(out, resolved(item, values))
		}
		return out
	case float64:
		return fmt.Sprint(value)
	default:
		return value
	}
}

// joinedText returns a Fn::Join whose neighbouring texts are one, or the text of a Fn::Join without anything else.
func joinedText(object map[string]any) (any, bool) {
	join, ok := object["Fn::Join"]
	if !ok || lookUp(join, 0) != "" {
		return nil, false
	}
	var parts []any
	for _, part := range asList(lookUp(join, 1)) {
		text, isText := part.(string)
		if last := len(parts) - 1; isText && last >= 0 {
			if before, ok := parts[last].(string); ok {
				parts[last] = before + text
				continue
			}
		}
		parts = append(parts, part)
	}
	if len(parts) == 1 {
		return parts[0], true
	}
	return map[string]any{"Fn::Join": []any{"", parts}}, true
}

// authOf returns settings of each auth mode, as the parameters of its template and as settings.
func authOf() map[string]struct {
	parameters map[string]string
	auth       pipeline.Auth
} {
	return map[string]struct {
		parameters map[string]string
		auth       pipeline.Auth
	}{
		pipeline.AuthCognito: {
			map[string]string{"CognitoUserPoolId": "eu-west-1_AbCdEfGhI", "CognitoClientIds": "one1,two2"},
			pipeline.Auth{Mode: pipeline.AuthCognito, UserPoolID: "eu-west-1_AbCdEfGhI", ClientIDs: []string{"one1", "two2"}},
		},
		pipeline.AuthJWKS: {
			map[string]string{"AuthIssuer": "https://id.example", "AuthAudience": "app", "AuthJwksUrl": "https://id.example/keys"},
			pipeline.Auth{Mode: pipeline.AuthJWKS, Issuer: "https://id.example", Audience: []string{"app"}, JWKSURL: "https://id.example/keys"},
		},
		pipeline.AuthHS256: {
			map[string]string{"AuthSecretArn": secretARN, "AuthSecretOverlapMinutes": "5", "AuthIssuer": "me", "AuthAudience": "app"},
			pipeline.Auth{
				Mode: pipeline.AuthHS256, SecretARN: secretARN, SecretOverlapMinutes: new(5), Issuer: "me", Audience: []string{"app"},
			},
		},
	}
}

// TestTemplateWithParametersIsThatOfTheSettings gives a value to each parameter of a template, and compares the resources with those of a
// stack with the same settings.
func TestTemplateWithParametersIsThatOfTheSettings(t *testing.T) {
	for mode, of := range authOf() {
		t.Run(mode, func(t *testing.T) {
			template, _ := newTemplate(t, mode, map[string]any{"csvImport": true, "uploadOrigins": "https://app.example.com", "accessLogs": true})
			values := map[string]string{
				"AWS::StackName": "Herald", "AllowedOrigins": "https://a.example,https://b.example", "StageName": "live", "ThrottleRate": "50",
				"ThrottleBurst": "20", "MaxConnections": "10", "MaxPostsPerMinute": "2000", "LogRetentionDays": "7", "LogLevel": "warn",
				"NotifierMemoryMB": "512", "DeployedTable": "AWS::StackName_websocket_connections", "DeployedFeedTable": "AWS::StackName_websocket_feed",
			}
			maps.Copy(values, of.parameters)
			declared, _ := template.all["Parameters"].(map[string]any)
			for name := range declared {
				if _, ok := values[name]; !ok {
					t.Errorf("the test gives no value to %s", name)
				}
			}

			stack := synthesise(t, pipeline.Settings{StackName: "Herald", Props: pipeline.Props{
				Auth: of.auth, CSVImport: true, UploadOrigins: []string{"https://app.example.com"}, AccessLogs: true,
				TableName: "Herald_websocket_connections", FeedTableName: "Herald_websocket_feed",
				AllowedOrigins: []string{"https://a.example", "https://b.example"}, StageName: "live", ThrottleRate: 50, ThrottleBurst: 20,
				MaxConnections: 10, MaxPostsPerMinute: 2000, LogRetentionDays: 7, LogLevel: "warn", NotifierMemoryMB: 512,
			}})
			want, got := resolved(stack.all["Resources"], nil), resolved(template.all["Resources"], values)
			for _, resources := range []any{want, got} {
				for _, resource := range resources.(map[string]any) {
					delete(resource.(map[string]any), "Metadata") // of assets
					if properties, ok := lookUp(resource, "Properties").(map[string]any); ok && lookUp(resource, "Type") == "AWS::Lambda::Function" {
						delete(properties, "Code")
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("resources (-stack +template):\n%s", diff)
			}
			if diff := cmp.Diff(resolved(stack.all["Outputs"], nil), resolved(template.all["Outputs"], values)); diff != "" {
				t.Errorf("outputs (-stack +template):\n%s", diff)
			}
		})
	}
}

func TestTemplateAsksForWhatHasNoDefault(t *testing.T) {
	want := map[string][]string{
		pipeline.AuthCognito: {"CognitoClientIds", "CognitoUserPoolId"}, pipeline.AuthJWKS: {"AuthAudience", "AuthIssuer"}, pipeline.AuthHS256: {"AuthSecretArn"},
	}
	for _, mode := range pipeline.AuthModes() {
		template, functions := newTemplate(t, mode, nil)
		var required []string
		declared, _ := template.all["Parameters"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(declared)) {
			if lookUp(declared[name], "Default") == nil {
				required = append(required, name)
			}
		}
		if diff := cmp.Diff(want[mode], required); diff != "" {
			t.Errorf("%s: required parameters (-want +got):\n%s", mode, diff)
		}
		var paths []string
		for _, function := range template.ofType("AWS::Lambda::Function") {
			paths = append(paths, fmt.Sprint(lookUp(function.properties, "Code")))
		}
		for _, function := range functions {
			if !slices.Contains(paths, pipeline.CodePath(function)) {
				t.Errorf("%s: no function has the program %s", mode, pipeline.CodePath(function))
			}
		}
		if len(paths) != len(functions) || len(fields(template.all["Rules"])) != 2 { // those of the names of tables
			t.Errorf("%s: %d functions and %d programs, rules %v", mode, len(paths), len(functions), template.all["Rules"])
		}
	}
}

func TestTemplateTakesDefaultsFromTheSettings(t *testing.T) {
	more := map[string]any{
		"authMode": "jwks", "authIssuer": "https://id.example", "authAudience": []any{"one", "two"}, "throttleRate": "50", "tableName": "fixed",
	}
	template, _ := newTemplate(t, pipeline.AuthJWKS, more)
	for name, want := range map[string]string{"AuthIssuer": "https://id.example", "AuthAudience": "one,two", "ThrottleRate": "50", "ThrottleBurst": "500"} {
		if got := fmt.Sprint(lookUp(template.all, "Parameters", name, "Default")); got != want {
			t.Errorf("the default of %s is %s, want %s", name, got, want)
		}
	}
	if got := lookUp(template.one(t, "AWS::DynamoDB::Table", "HeraldConnections").properties, "TableName"); got != "fixed" {
		t.Errorf("the table is %v", got)
	}
	other, _ := newTemplate(t, pipeline.AuthHS256, more)
	if got := lookUp(other.all, "Parameters", "AuthIssuer", "Default"); got != "" {
		t.Errorf("the issuer of another mode is the default: %v", got)
	}
	context := cdkContext(t)
	context["throttleBurst"] = "many"
	if _, err := pipeline.NewTemplate(newApp(t), pipeline.AuthHS256, context); err == nil || !strings.Contains(err.Error(), "throttleBurst: many is not a number") {
		t.Errorf("an invalid setting: %v", err)
	}
}

// TestTemplateRefusesARenamedTable writes templates with the default names, with a name, and with adopted tables.
func TestTemplateRefusesARenamedTable(t *testing.T) {
	for name, test := range map[string]struct{ more, want map[string]any }{
		"default": {nil, map[string]any{"DeployedTable": "AWS::StackName_websocket_connections", "DeployedFeedTable": "AWS::StackName_websocket_feed"}},
		"named":   {map[string]any{"tableName": "one", "feedTableName": "two"}, map[string]any{"DeployedTable": "one", "DeployedFeedTable": "two"}},
		"adopted": {map[string]any{"tableName": "one", "feedTableName": "two", "existingTables": true}, nil},
	} {
		template, _ := newTemplate(t, pipeline.AuthHS256, test.more)
		for _, parameter := range []string{"DeployedTable", "DeployedFeedTable"} {
			want := test.want[parameter]
			if got := lookUp(template.all, "Parameters", parameter, "Default"); got != want {
				t.Errorf("%s: the default of %s is %v, want %v", name, parameter, got, want)
			}
			assertion := lookUp(template.all, "Rules", parameter+"Rule", "Assertions", 0, "Assert", "Fn::Equals")
			if diff := cmp.Diff([]any{map[string]any{"Ref": parameter}, want}, assertion); want != nil && diff != "" {
				t.Errorf("%s: the rule of %s (-want +got):\n%s", name, parameter, diff)
			}
		}
	}
}

func TestTemplateRefusesDefaultsThatItsParametersWouldRefuse(t *testing.T) {
	for _, test := range []struct {
		more map[string]any
		want string
	}{
		{map[string]any{"authMode": "cognit"}, `authMode: "cognit" is none of cognito, jwks, hs256`},
		{map[string]any{"authMode": 5.0}, "authMode: 5 is not text"},
		{map[string]any{"allowedOrigins": "app.example.com"}, `allowedOrigins: "app.example.com" is not an origin`},
		{map[string]any{"stageName": "a b"}, `stageName: "a b" is not`},
		{map[string]any{"logLevel": "loud"}, `logLevel: "loud" is not`},
		{map[string]any{"authMode": "hs256", "authSecretArn": "key"}, `authSecretArn: "key" is not`},
		{map[string]any{"throttleRate": "0.5"}, "throttleRate: 0.5 is not from 1 to 10000, the bounds of the parameter"},
		{map[string]any{"maxPostsPerMinute": 2e6}, "maxPostsPerMinute: 2e+06 is not from 1012 to 1000000"},
		{map[string]any{"maxConnections": 501.0}, "maxConnections, maxPostsPerMinute: 501 and 3000 are not accepted"},
	} {
		context := cdkContext(t)
		maps.Copy(context, test.more)
		if _, err := pipeline.NewTemplate(newApp(t), pipeline.AuthHS256, context); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v, want %s", test.more, err, test.want)
		}
	}
	template, _ := newTemplate(t, pipeline.AuthJWKS, map[string]any{
		"authMode": "jwks", "authAudience": " one , two", "allowedOrigins": "https://a_b.example, http://localhost:3000 ",
	})
	for name, want := range map[string]string{"AuthAudience": "one,two", "AllowedOrigins": "https://a_b.example,http://localhost:3000"} {
		got := fmt.Sprint(lookUp(template.all, "Parameters", name, "Default"))
		if pattern := fmt.Sprint(lookUp(template.all, "Parameters", name, "AllowedPattern")); got != want || !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("the default of %s is %q, want %q that matches %s", name, got, want, pattern)
		}
	}
}
