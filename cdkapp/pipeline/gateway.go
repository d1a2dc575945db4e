package pipeline

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// mockTemplateKey is the key of the ping route's templates. It is also the status code that selects the route's response.
const mockTemplateKey = "200"

// pongTemplate answers a ping in Velocity, with the request's time as RFC 3339 in UTC with milliseconds. The sources
// are $context.requestTime (09/Nov/2026:10:00:00 +0000) and $context.requestTimeEpoch (milliseconds), see
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html.
const pongTemplate = `#set($time = "$context.requestTime")
#set($epoch = "$context.requestTimeEpoch")
#set($months = {"Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06", "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12"})
#set($month = $months.get($time.substring(3, 6)))
{"type":"pong","data":{},"timestamp":"${time.substring(7, 11)}-${month}-${time.substring(0, 2)}T${time.substring(12, 20)}.${epoch.substring(10)}Z"}`

// accessLogFormat contains neither query nor headers, as they may contain the token.
const accessLogFormat = `{"requestId":"$context.requestId","extendedRequestId":"$context.extendedRequestId",` +
	`"time":"$context.requestTime","event":"$context.eventType","route":"$context.routeKey","status":"$context.status",` +
	`"connectionId":"$context.connectionId","ip":"$context.identity.sourceIp",` +
	`"integrationLatency":"$context.integrationLatency","integrationStatus":"$context.integrationStatus",` +
	`"error":"$context.error.message","integrationError":"$context.integrationErrorMessage"}`

// addGateway creates the WebSocket API, its stage, and the ping route.
func (p *Pipeline) addGateway() {
	p.API = awsapigatewayv2.NewWebSocketApi(p.Construct, jsii.String("Api"), &awsapigatewayv2.WebSocketApiProps{
		ApiName:                  jsii.String(p.namePrefix),
		Description:              jsii.String("Herald: progress frames to signed-in browsers"),
		RouteSelectionExpression: jsii.String("$request.body.action"),
	})
	p.Stage = awsapigatewayv2.NewWebSocketStage(p.Construct, jsii.String("Stage"), &awsapigatewayv2.WebSocketStageProps{
		WebSocketApi: p.API,
		StageName:    jsii.String(p.props.StageName),
		AutoDeploy:   jsii.Bool(true),
		Throttle: &awsapigatewayv2.ThrottleSettings{
			RateLimit:  jsii.Number(p.props.ThrottleRate),
			BurstLimit: jsii.Number(p.props.ThrottleBurst),
		},
	})
	if p.props.AccessLogs {
		cfnResource[awsapigatewayv2.CfnStage](p.Stage).SetAccessLogSettings(&awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: p.addLogGroup("AccessLogs", "").LogGroupArn(),
			Format:         jsii.String(accessLogFormat),
		})
	}
	p.addPing()
}

// addLambdaRoute creates a route that invokes function. The route has no response, because functions answer by posting to the
// connection with @connections.
func (p *Pipeline) addLambdaRoute(key string, function awslambda.Function) {
	p.API.AddRoute(jsii.String(key), &awsapigatewayv2.WebSocketRouteOptions{
		Integration: awsapigatewayv2integrations.NewWebSocketLambdaIntegration(
			jsii.String("Integration"), function, nil),
	})
}

// addPing creates the ping route. API Gateway answers it with a MOCK integration, so that pings invoke no function.
func (p *Pipeline) addPing() {
	scope := constructs.NewConstruct(p.Construct, jsii.String("Ping"))
	integration := awsapigatewayv2.NewCfnIntegration(scope, jsii.String("Integration"),
		&awsapigatewayv2.CfnIntegrationProps{
			ApiId:                       p.API.ApiId(),
			IntegrationType:             jsii.String("MOCK"),
			TemplateSelectionExpression: jsii.String(mockTemplateKey),
			RequestTemplates:            map[string]string{mockTemplateKey: `{"statusCode":200}`},
		})
	awsapigatewayv2.NewCfnIntegrationResponse(scope, jsii.String("IntegrationResponse"),
		&awsapigatewayv2.CfnIntegrationResponseProps{
			ApiId:                       p.API.ApiId(),
			IntegrationId:               integration.Ref(),
			IntegrationResponseKey:      jsii.String("/" + mockTemplateKey + "/"),
			TemplateSelectionExpression: jsii.String(mockTemplateKey),
			ResponseTemplates:           map[string]string{mockTemplateKey: pongTemplate},
		})
	route := awsapigatewayv2.NewCfnRoute(scope, jsii.String("Route"), &awsapigatewayv2.CfnRouteProps{
		ApiId:                            p.API.ApiId(),
		RouteKey:                         jsii.String("ping"),
		RouteResponseSelectionExpression: jsii.String("$default"),
		Target:                           jsii.String("integrations/" + *integration.Ref()),
	})
	awsapigatewayv2.NewCfnRouteResponse(scope, jsii.String("RouteResponse"), &awsapigatewayv2.CfnRouteResponseProps{
		ApiId:            p.API.ApiId(),
		RouteId:          route.Ref(),
		RouteResponseKey: jsii.String("$default"),
	})
}

// connectionsARN returns the ARN of a method on every connection of this stage: POST sends a frame, DELETE closes the connection.
func (p *Pipeline) connectionsARN(method string) *string {
	return awscdk.Stack_Of(p.Construct).FormatArn(&awscdk.ArnComponents{
		Service:      jsii.String("execute-api"),
		Resource:     p.API.ApiId(),
		ResourceName: jsii.String(fmt.Sprintf("%s/%s/@connections/*", *p.Stage.StageName(), method)),
	})
}

// cfnResource returns the CloudFormation resource that construct creates.
func cfnResource[T any](construct constructs.IConstruct) T {
	return construct.Node().DefaultChild().(T) //nolint:forcetypeassert // The CDK's own construct decides the type.
}
