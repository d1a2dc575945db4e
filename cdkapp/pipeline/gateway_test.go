package pipeline_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoutes(t *testing.T) { checkRoutes(t, fullTemplate(t)) }

func checkRoutes(tb testing.TB, template template) {
	tb.Helper()
	api := template.one(tb, "AWS::ApiGatewayV2::Api", "HeraldApi")
	for name, want := range map[string]string{
		"Name": "Herald", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action",
	} {
		if got := lookUp(api.properties, name); got != want {
			tb.Errorf("%s of the API is %v, want %s", name, got, want)
		}
	}
	for _, kind := range []string{"Route", "Integration", "IntegrationResponse", "RouteResponse"} {
		for _, part := range template.ofType("AWS::ApiGatewayV2::" + kind) {
			if got := valueText(lookUp(part.properties, "ApiId")); got != "<"+api.id+">" {
				tb.Errorf("%s belongs to the API %s", part.id, got)
			}
		}
	}
	integrations := map[string]string{}
	for _, integration := range template.ofType("AWS::ApiGatewayV2::Integration") {
		uri := withoutCDKHashes(lookUp(integration.properties, "IntegrationUri"))
		const functions = "arn:<AWS::Partition>:apigateway:<AWS::Region>:lambda:path/2015-03-31/functions/"
		if function, ok := strings.CutSuffix(uri, "/invocations"); ok {
			uri = strings.TrimPrefix(function, functions)
		}
		integrations["integrations/<"+integration.id+">"] = valueText(lookUp(integration.properties, "IntegrationType")) + " " + uri
	}
	got := map[string]string{}
	for _, route := range template.ofType("AWS::ApiGatewayV2::Route") {
		key := valueText(lookUp(route.properties, "RouteKey"))
		got[key] = integrations[valueText(lookUp(route.properties, "Target"))]
		// The function of $connect verifies the token, and the other routes need an open connection.
		if auth := valueText(lookUp(route.properties, "AuthorizationType")); auth != "NONE" && (auth != noValue || key != "ping") {
			tb.Errorf("route %s is authorized by %s", key, auth)
		}
	}
	want := map[string]string{
		"$connect":    "AWS_PROXY <HeraldConnectFunction.Arn>",
		"$disconnect": "AWS_PROXY <HeraldDisconnectFunction.Arn>",
		"$default":    "AWS_PROXY <HeraldDefaultFunction.Arn>",
		"ping":        "MOCK " + noValue,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("routes (-want +got):\n%s", diff)
	}
}

func TestPingIsTwoWay(t *testing.T) { checkPing(t, fullTemplate(t)) }

func checkPing(tb testing.TB, template template) {
	tb.Helper()
	integration := template.one(tb, "AWS::ApiGatewayV2::Integration", "HeraldPing")
	integrationResponse := template.one(tb, "AWS::ApiGatewayV2::IntegrationResponse", "HeraldPing")
	route := template.one(tb, "AWS::ApiGatewayV2::Route", "HeraldPing")
	routeResponse := template.one(tb, "AWS::ApiGatewayV2::RouteResponse", "HeraldPing")
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
			tb.Errorf("%s: %v, want %v", test.what, test.got, test.want)
		}
	}
}

func TestStage(t *testing.T) {
	settings := hs256()
	settings.Props.StageName = "live"
	settings.Props.ThrottleRate, settings.Props.ThrottleBurst = 50, 20
	template := synthesise(t, settings)
	checkStage(t, template, "live", 50, 20)
	notifier := rolePermissions(template)["HeraldNotifierRole"]
	if live := strings.Replace(postPermission, "/prod/", "/live/", 1); !strings.Contains(strings.Join(notifier, "\n"), live) {
		t.Errorf("the notifier may not post to the stage: %v", notifier)
	}
}

// checkStage checks the stage, except its access log.
func checkStage(tb testing.TB, template template, name string, rate, burst float64) {
	tb.Helper()
	got, _ := template.one(tb, "AWS::ApiGatewayV2::Stage", "HeraldStage").properties.(map[string]any)
	got = maps.Clone(got)
	delete(got, "AccessLogSettings")
	want := map[string]any{
		"ApiId":      map[string]any{"Ref": template.one(tb, "AWS::ApiGatewayV2::Api", "HeraldApi").id},
		"StageName":  name,
		"AutoDeploy": true,
		"DefaultRouteSettings": map[string]any{
			"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("stage (-want +got):\n%s", diff)
	}
}

// TestAccessLogHoldsNoToken checks that no field of the log contains the query or a header, because one of these contains the token.
func TestAccessLogHoldsNoToken(t *testing.T) { checkAccessLog(t, fullTemplate(t)) }

func checkAccessLog(tb testing.TB, template template) {
	tb.Helper()
	stage := template.one(tb, "AWS::ApiGatewayV2::Stage", "HeraldStage").properties
	format := valueText(lookUp(stage, "AccessLogSettings", "Format"))
	var fields map[string]string
	if err := json.Unmarshal([]byte(format), &fields); err != nil {
		tb.Fatalf("format is not JSON: %v", err)
	}
	if got := withoutCDKHashes(lookUp(stage, "AccessLogSettings", "DestinationArn")); got != "<HeraldAccessLogs.Arn>" {
		tb.Errorf("the log goes to %s", got)
	}
	if fields["requestId"] != "$context.requestId" {
		tb.Errorf("API Gateway needs $context.requestId in the format: %s", format)
	}
	for field, value := range fields {
		if !strings.HasPrefix(value, "$context.") || strings.Contains(strings.ToLower(value), "querystring") {
			tb.Errorf("%s is %s, want a field of $context other than the query", field, value)
		}
	}
}
