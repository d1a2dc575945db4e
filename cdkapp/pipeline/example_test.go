package pipeline_test

import (
	"context"
	"log"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctionstasks"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/cdkapp/bootstrap"
	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lib/message"
)

var (
	// functionsDir is a folder that bootstrap.Build has filled, see ExampleNew.
	functionsDir = "functions"
	// appProps is nil in an app of yours. The test of the examples sets it.
	appProps *awscdk.AppProps
	// build is bootstrap.Build in an app of yours.
	build = bootstrap.Build
	// issuer is where the tokens come from.
	issuer = pipeline.Auth{Mode: pipeline.AuthJWKS, Issuer: "https://issuer.example.com", Audience: []string{"my-app"}}
)

// Herald in a stack of your own app. jsii.Close ends the CDK's Node.js process.
func ExampleNew() {
	app := awscdk.NewApp(appProps)
	if err := build(context.Background(), functionsDir, pipeline.ArchitectureARM64); err != nil {
		log.Fatal(err)
	}
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	herald, err := pipeline.New(stack, "Herald", pipeline.Props{FunctionsDir: functionsDir, Auth: issuer})
	if err != nil {
		log.Fatal(err)
	}
	awscdk.NewCfnOutput(stack, jsii.String("WebSocketUrl"), &awscdk.CfnOutputProps{Value: herald.Stage.Url()})
	app.Synth(nil)
}

// Tables that another part of your app makes, with settings of their own. Herald needs these keys, indexes and the attribute of
// the time to live.
func ExampleNew_ownTables() {
	app := awscdk.NewApp(appProps)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	text := func(name string) *awsdynamodb.Attribute {
		return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_STRING}
	}
	number := func(name string) *awsdynamodb.Attribute {
		return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_NUMBER}
	}
	connections := awsdynamodb.NewTableV2(stack, jsii.String("Connections"), &awsdynamodb.TablePropsV2{
		PartitionKey: text("connectionId"), TimeToLiveAttribute: jsii.String("expiresAt"),
		GlobalSecondaryIndexes: &[]*awsdynamodb.GlobalSecondaryIndexPropsV2{
			{IndexName: jsii.String("userIdIndex"), PartitionKey: text("userId")},
			{IndexName: jsii.String("sessionExpiryIndex"), PartitionKey: number("sessionMinute"), SortKey: number("tokenExpiresAt")},
		},
	})
	feed := awsdynamodb.NewTableV2(stack, jsii.String("Feed"), &awsdynamodb.TablePropsV2{
		PartitionKey: text("owner"), SortKey: text("entry"), TimeToLiveAttribute: jsii.String("expiresAt"),
	})
	if _, err := pipeline.New(stack, "Herald", pipeline.Props{
		FunctionsDir: functionsDir, Auth: issuer,
		ExistingTables: true, TableName: *connections.TableName(), FeedTableName: *feed.TableName(),
	}); err != nil {
		log.Fatal(err)
	}
	app.Synth(nil)
}

// The user pool of your app signs the tokens.
func ExampleNew_ownAuth() {
	app := awscdk.NewApp(appProps)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	users := awscognito.NewUserPool(stack, jsii.String("Users"), nil)
	client := users.AddClient(jsii.String("Web"), nil)
	if _, err := pipeline.New(stack, "Herald", pipeline.Props{
		FunctionsDir: functionsDir,
		Auth: pipeline.Auth{
			Mode: pipeline.AuthCognito, UserPoolID: *users.UserPoolId(), ClientIDs: []string{*client.UserPoolClientId()},
		},
	}); err != nil {
		log.Fatal(err)
	}
	app.Synth(nil)
}

// Browsers connect to wss://progress.example.com. Let your DNS lead this name to the domain's RegionalDomainName.
func ExampleNew_customDomain() {
	app := awscdk.NewApp(appProps)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	herald, err := pipeline.New(stack, "Herald", pipeline.Props{FunctionsDir: functionsDir, Auth: issuer})
	if err != nil {
		log.Fatal(err)
	}
	domain := awsapigatewayv2.NewDomainName(stack, jsii.String("Domain"), &awsapigatewayv2.DomainNameProps{
		DomainName: jsii.String("progress.example.com"),
		Certificate: awscertificatemanager.Certificate_FromCertificateArn(stack, jsii.String("Certificate"),
			jsii.String("arn:aws:acm:eu-west-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef")),
	})
	awsapigatewayv2.NewApiMapping(stack, jsii.String("Mapping"), &awsapigatewayv2.ApiMappingProps{
		Api: herald.API, Stage: herald.Stage, DomainName: domain,
	})
	awscdk.NewCfnOutput(stack, jsii.String("Target"), &awscdk.CfnOutputProps{Value: domain.RegionalDomainName()})
	app.Synth(nil)
}

// A stack for trying things out: its tables go with it.
func ExampleNew_removalPolicy() {
	app := awscdk.NewApp(appProps)
	stack := awscdk.NewStack(app, jsii.String("Playground"), nil)
	if _, err := pipeline.New(stack, "Herald", pipeline.Props{
		FunctionsDir: functionsDir, Auth: issuer, RemovalPolicy: pipeline.RemovalDestroy,
	}); err != nil {
		log.Fatal(err)
	}
	app.Synth(nil)
}

// The functions are in the private subnets of a VPC, which has a NAT gateway.
func ExampleNew_vpc() {
	app := awscdk.NewApp(appProps)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{MaxAzs: jsii.Number(2), NatGateways: jsii.Number(1)})
	vpc.AddGatewayEndpoint(jsii.String("DynamoDB"), &awsec2.GatewayVpcEndpointOptions{
		Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB(),
	})
	group := awsec2.NewSecurityGroup(stack, jsii.String("Functions"), &awsec2.SecurityGroupProps{Vpc: vpc})
	var subnets []string
	for _, subnet := range *vpc.PrivateSubnets() {
		subnets = append(subnets, *subnet.SubnetId())
	}
	if _, err := pipeline.New(stack, "Herald", pipeline.Props{
		FunctionsDir: functionsDir, Auth: issuer, VPCSubnetIDs: subnets, VPCSecurityGroupIDs: []string{*group.SecurityGroupId()},
	}); err != nil {
		log.Fatal(err)
	}
	app.Synth(nil)
}

// Two Stages of an app, also in one account: all names begin with those of their stacks.
func ExampleNewStack_stages() {
	app := awscdk.NewApp(appProps)
	for _, id := range []string{"Test", "Production"} {
		stage := awscdk.NewStage(app, jsii.String(id), nil)
		props := pipeline.Props{FunctionsDir: functionsDir, Auth: issuer}
		if id == "Test" {
			props.RemovalPolicy = pipeline.RemovalDestroy
		}
		if _, err := pipeline.NewStack(stage, pipeline.Settings{StackName: "Herald", Props: props}); err != nil {
			log.Fatal(err)
		}
	}
	app.Synth(nil)
}

// A workflow that notifies its user before and after the work, and a worker that invokes the notifier itself.
func ExamplePipeline_NotifyTask() {
	app := awscdk.NewApp(appProps)
	stack := awscdk.NewStack(app, jsii.String("Shop"), nil)
	herald, err := pipeline.New(stack, "Herald", pipeline.Props{FunctionsDir: functionsDir, Auth: issuer})
	if err != nil {
		log.Fatal(err)
	}
	worker := awslambda.NewFunction(stack, jsii.String("Worker"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_NODEJS_22_X(), Handler: jsii.String("index.handler"),
		Code: awslambda.Code_FromInline(jsii.String("exports.handler = async () => {}")),
	})
	herald.GrantNotify(worker) // and sets NOTIFIER_FUNCTION_NAME

	notify := func(id string, progress int, text string, status message.Status) awsstepfunctions.Chain {
		task, err := herald.NotifyTask(stack, id, pipeline.NotifyProps{Type: message.TypeJobProgress, Data: map[string]any{
			"jobId": "{% $states.input.jobId %}", "title": "{% $states.input.title %}", "progress": progress, "message": text, "status": status,
		}})
		if err != nil {
			log.Fatal(err)
		}
		return task
	}
	work := awsstepfunctionstasks.LambdaInvoke_Jsonata(stack, jsii.String("Work"), &awsstepfunctionstasks.LambdaInvokeJsonataProps{
		QueryLanguage: awsstepfunctions.QueryLanguage_JSONATA, LambdaFunction: worker, Outputs: "{% $states.input %}",
	})
	awsstepfunctions.NewStateMachine(stack, jsii.String("Flow"), &awsstepfunctions.StateMachineProps{
		DefinitionBody: awsstepfunctions.DefinitionBody_FromChainable(
			notify("Begin", 0, "Making thumbnails", message.StatusRunning).Next(work).Next(notify("End", 100, "Done", message.StatusSucceeded))),
	})
	app.Synth(nil)
}
