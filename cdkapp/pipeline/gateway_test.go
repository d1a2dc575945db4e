package pipeline_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoutes(t *testing.T) {
	template := fullTemplate(t)
	api := template.one(t, "AWS::ApiGatewayV2::Api", "HeraldApi").properties
	if got := lookUp(api, "RouteSelectionExpression"); got != "$request.body.action" {
		t.Errorf("routes are selected by %v", got)
	}
	integrations := map[string]string{}
	for _, integration := range template.ofType("AWS::ApiGatewayV2::Integration") {
		uri := withoutCDKHashes(lookUp(integration.properties, "IntegrationUri"))
		if _, function, ok := strings.Cut(uri, "functions/"); ok {
			uri, _, _ = strings.Cut(function, "/")
		}
		integrations["integrations/<"+integration.id+">"] = valueText(lookUp(integration.properties, "IntegrationType")) + " " + uri
	}
	got := map[string]string{}
	for _, route := range template.ofType("AWS::ApiGatewayV2::Route") {
		got[valueText(lookUp(route.properties, "RouteKey"))] = integrations[valueText(lookUp(route.properties, "Target"))]
	}
	want := map[string]string{
		"$connect":    "AWS_PROXY <HeraldConnectFunction.Arn>",
		"$disconnect": "AWS_PROXY <HeraldDisconnectFunction.Arn>",
		"$default":    "AWS_PROXY <HeraldDefaultFunction.Arn>",
		"ping":        "MOCK " + noValue,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	permissions := map[string]string{}
	for _, permission := range template.ofType("AWS::Lambda::Permission") {
		_, route, _ := strings.Cut(valueText(lookUp(permission.properties, "SourceArn")), "/*")
		permissions[route] = withoutCDKHashes(lookUp(permission.properties, "FunctionName"))
	}
	for route, target := range want {
		if function, isFunction := strings.CutPrefix(target, "AWS_PROXY "); isFunction && permissions[route] != function {
			t.Errorf("route %s may invoke %q, want %s", route, permissions[route], function)
		}
	}
}

func TestPingIsTwoWay(t *testing.T) {
	template := fullTemplate(t)
	integration := template.one(t, "AWS::ApiGatewayV2::Integration", "HeraldPing")
	integrationResponse := template.one(t, "AWS::ApiGatewayV2::IntegrationResponse", "HeraldPing")
	route := template.one(t, "AWS::ApiGatewayV2::Route", "HeraldPing")
	routeResponse := template.one(t, "AWS::ApiGatewayV2::RouteResponse", "HeraldPing")
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"integration's request template", lookUp(integration.properties, "RequestTemplates", "200"), `{"statusCode":200}`},
		{"integration's template selection", lookUp(integration.properties, "TemplateSelectionExpression"), "200"},
		{"integration response's integration", valueText(lookUp(integrationResponse.properties, "IntegrationId")), "<" + integration.id + ">"},
		{"integration response's key", lookUp(integrationResponse.properties, "IntegrationResponseKey"), "/200/"},
		{"integration response's template selection", lookUp(integrationResponse.properties, "TemplateSelectionExpression"), "200"},
		{"route's response selection", lookUp(route.properties, "RouteResponseSelectionExpression"), "$default"},
		{"route response's route", valueText(lookUp(routeResponse.properties, "RouteId")), "<" + route.id + ">"},
		{"route response's key", lookUp(routeResponse.properties, "RouteResponseKey"), "$default"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", test.what, test.got, test.want)
		}
	}
	body := valueText(lookUp(integrationResponse.properties, "ResponseTemplates", "200"))
	var frame struct{ Type string }
	if err := json.Unmarshal([]byte(body[strings.LastIndex(body, "\n"):]), &frame); err != nil || frame.Type != "pong" {
		t.Errorf("answer is not a pong: %v, %s", err, body)
	}
}

func TestStage(t *testing.T) {
	settings := hs256()
	settings.Props.StageName = "live"
	settings.Props.ThrottleRate, settings.Props.ThrottleBurst = 50, 20
	template := synthesise(t, settings)
	stage := template.one(t, "AWS::ApiGatewayV2::Stage", "HeraldStage").properties
	want := map[string]any{
		"ApiId":      lookUp(stage, "ApiId"),
		"StageName":  "live",
		"AutoDeploy": true,
		"DefaultRouteSettings": map[string]any{
			"ThrottlingRateLimit": 50.0, "ThrottlingBurstLimit": 20.0,
		},
	}
	if diff := cmp.Diff(want, stage); diff != "" {
		t.Errorf("stage (-want +got):\n%s", diff)
	}
	notifier := rolePermissions(template)["HeraldNotifierRole"]
	if live := strings.Replace(postPermission, "/prod/", "/live/", 1); !strings.Contains(strings.Join(notifier, "\n"), live) {
		t.Errorf("the notifier may not post to the stage: %v", notifier)
	}
}

// TestAccessLogHoldsNoToken checks that no field of the log contains the query or a header, because one of these contains the token.
func TestAccessLogHoldsNoToken(t *testing.T) {
	stage := fullTemplate(t).one(t, "AWS::ApiGatewayV2::Stage", "HeraldStage").properties
	format := valueText(lookUp(stage, "AccessLogSettings", "Format"))
	var fields map[string]string
	if err := json.Unmarshal([]byte(format), &fields); err != nil {
		t.Fatalf("format is not JSON: %v", err)
	}
	if fields["requestId"] != "$context.requestId" {
		t.Errorf("API Gateway needs $context.requestId in the format: %s", format)
	}
	for field, value := range fields {
		if !strings.HasPrefix(value, "$context.") || strings.Contains(strings.ToLower(value), "querystring") {
			t.Errorf("%s is %s, want a field of $context other than the query", field, value)
		}
	}
}
